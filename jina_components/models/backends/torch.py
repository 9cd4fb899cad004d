"""Transformer checkpoints in torch: safetensors only, no remote code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from jina_components.errors import BackendError, ConfigError, MissingDependencyError, ModelFilesError
from jina_components.models.layout import Layout
from jina_components.models.sequences import TokenSequence

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

from jina_components.models.architectures.native import find_architecture
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.packed import Hidden, PackedEncoder, load_packed
from jina_components.models.backends.steps import build_step, pooling_modes, pools_prompt, sentence_modules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.models.architectures.blocks import Affine
    from jina_components.types import FloatArray

# Tokens of a pass. Packed: so few that what a layer leaves to the next stays in a core's cache. Padded passes and
# those of a GPU have more to gain from being large.
_PACKED_CPU_BUDGET, _PADDED_CPU_BUDGET, _GPU_BUDGET = 1536, 4096, 65_536


def pick_device(device: str) -> torch.device:
    """`auto` means CUDA, then MPS, then CPU.

    Raises:
        ConfigError: the device asked for is not there.
    """
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    available = {name: count for name, count in counts.items() if count}
    if device == "auto":
        device = next(iter(available))
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"{device!r} is no device: give auto, cpu, cuda, cuda:1 or mps.") from error
    if (chosen.index or 0) >= available.get(chosen.type, 0):
        raise ConfigError(f"Device {device!r} is not available here; there is: {available}.")
    return chosen


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError where torch raises RuntimeError; only the text tells it apart on every device."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise


class Encoder(Protocol):
    """Token vectors of a batch, in groups."""

    def __call__(self, batch: Sequence[TokenSequence], *, first_only: bool = False) -> Iterator[Hidden]:
        """All of them, or of the first token of each sequence alone."""
        ...


class TorchBackend:
    """What embedding models and cross-encoders share: where and how they run.

    Attributes:
        adapters: Names of the checkpoint's adapters; a sequence's number is a place here.
    """

    def __init__(self, layout: Layout, device: str, precision: str, *, with_head: bool) -> None:
        self.device = pick_device(device)
        self._native = find_architecture(layout.transformer.folder, layout.config, with_head=with_head)
        self.precision = choose_precision(precision, self.device, wide=self._native is not None and self._native.wide)
        self.padded = self._native is None
        self.adapters: tuple[str, ...] = ()
        cpu_budget = _PADDED_CPU_BUDGET if self.padded else _PACKED_CPU_BUDGET
        self.token_budget = cpu_budget if self.device.type == "cpu" else _GPU_BUDGET

    def _load_encoder(self, layout: Layout, calibration: Sequence[TokenSequence]) -> Encoder:
        """What gives the vectors of tokens."""
        folder = layout.transformer.folder
        if self._native is None:
            from jina_components.models.backends.padded import load_padded_encoder

            return load_padded_encoder(folder, layout.config, self.device, self.precision, calibration)
        weights = self._native.read_weights(folder, layout.config, with_head=False)
        self.adapters = weights.stack.adapters
        calibration = [
            replace(sequence, adapter=number % (len(self.adapters) + 1) - 1)
            for number, sequence in enumerate(calibration)
        ]
        return load_packed(weights, self.device, self.precision, calibration)


class TorchEmbeddingBackend(TorchBackend):
    """A sentence-transformers folder: Transformer, then Pooling, Dense and LayerNorm steps in its order.

    Attributes:
        takes_spans: Whether it pools by the mean, so that a part of a text can be pooled alone.

    Args:
        layout: The folder.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it.
        calibration: Sequences that show an int8 model the ranges of its inputs.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        device: str = "auto",
        precision: str = "auto",
        calibration: Sequence[TokenSequence] = (),
    ) -> None:
        modules = sentence_modules(layout)
        super().__init__(layout, device, precision, with_head=False)
        self._pools_prompt = pools_prompt(modules[0])
        self._first_only = self._pools_prompt and pooling_modes(modules[0]) == ["cls"]
        self.takes_spans = pooling_modes(modules[0]) == ["mean"]
        with must_fit(layout.folder, self.device):
            self._encoder = self._load_encoder(layout, calibration)
        self._steps = [build_step(module, self.device) for module in modules]
        try:
            self.width = int(self.run([TokenSequence(np.zeros(1, np.int32))]).shape[1])
        except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise ModelFilesError(f"{layout.folder}: its steps do not run: {error}") from error

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Vectors before a closing Normalize step, float32: of each sequence one, or one a span; [vectors, width]."""
        rows: list[int] = []
        results = []
        with torch.inference_mode(), memory_errors():
            for hidden in self._encoder(batch, first_only=self._first_only):
                if not self._pools_prompt:
                    for row, index in enumerate(hidden.rows):
                        hidden.mask[row, : batch[index].prompt] = 0
                rows += hidden.rows
                results += self._pooled(batch, hidden)
            return in_order(batch, rows, results)

    def _pooled(self, batch: Sequence[TokenSequence], hidden: Hidden) -> list[torch.Tensor]:
        """The vectors that each sequence of a group wants."""
        vectors = hidden.vectors.float()
        if all(batch[index].spans is None for index in hidden.rows):
            return [self._stepped(vectors, hidden.mask)]
        rows = zip(hidden.rows, vectors.unsqueeze(1), hidden.mask.unsqueeze(1), strict=True)
        return [self._of_spans(batch[index].spans, own, mask) for index, own, mask in rows]

    def _of_spans(self, spans: NDArray[np.int32] | None, vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        parts = [slice(None)] if spans is None else [slice(start, stop) for start, stop in spans.tolist()]
        return torch.cat([self._stepped(vectors[:, part], mask[:, part]) for part in parts])

    def _stepped(self, vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        for step in self._steps:
            vectors = step(vectors, mask)
        return vectors


class TorchCrossEncoderBackend(TorchBackend):
    """A sequence-classification checkpoint: float32 logits for each pair, one a label.

    Args:
        layout: The folder.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it; the head runs in float32 whatever it is.
        calibration: Pairs that show an int8 model the ranges of its inputs.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        device: str = "auto",
        precision: str = "auto",
        calibration: Sequence[TokenSequence] = (),
    ) -> None:
        super().__init__(layout, device, precision, with_head=True)
        with must_fit(layout.folder, self.device):
            self._score = self._load(layout, calibration)
        self.width = int(self.run([TokenSequence(np.zeros(1, np.int32))]).shape[1])

    def _load(
        self, layout: Layout, calibration: Sequence[TokenSequence]
    ) -> Callable[[Sequence[TokenSequence]], torch.Tensor]:
        folder = layout.transformer.folder
        if self._native is None:
            from jina_components.models.backends.padded import load_padded_classifier

            return load_padded_classifier(folder, self.device, self.precision, calibration)
        weights = self._native.read_weights(folder, layout.config, with_head=True)
        head = cast("tuple[Affine, str, Affine]", weights.head)
        return _Head(load_packed(weights, self.device, self.precision, calibration), head, self.device)

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Logits, shape [len(batch), labels]."""
        with torch.inference_mode(), memory_errors():
            return np.asarray(self._score(batch).float().cpu().numpy())


class _Head:
    """A packed encoder and the two linear layers after its first token."""

    def __init__(self, encoder: PackedEncoder, head: tuple[Affine, str, Affine], device: torch.device) -> None:
        first, activation, last = head
        self._encoder = encoder
        self._first, self._last = (tuple(part.to(device) for part in layer) for layer in (first, last))
        self._activation = {"tanh": torch.tanh, "relu": torch.relu}[activation]

    def __call__(self, batch: Sequence[TokenSequence]) -> torch.Tensor:
        logits = torch.empty(len(batch), len(self._last[1]), device=self._first[0].device)
        for hidden in self._encoder(batch, first_only=True):
            inner = self._activation(functional.linear(hidden.vectors[:, 0].float(), *self._first))
            logits[hidden.rows] = functional.linear(inner, *self._last)
        return logits


@contextmanager
def must_fit(folder: Path, device: torch.device) -> Iterator[None]:
    """Raise BackendError where a model's weights do not fit into memory."""
    try:
        with memory_errors():
            yield
    except MemoryError as error:
        raise BackendError(f"{folder} does not fit into the memory of {device}.") from error


def in_order(batch: Sequence[TokenSequence], rows: Sequence[int], results: Sequence[torch.Tensor]) -> FloatArray:
    """The results, one of each of `rows`, in the order of the batch."""
    ends = np.cumsum([sequence.num_rows for sequence in batch])
    ordered = np.empty((int(ends[-1]), results[0].shape[1]), np.float32)
    places: Sequence[int] | NDArray[np.int64] = rows
    if len(ordered) != len(batch):
        places = np.concatenate([np.arange(ends[row] - batch[row].num_rows, ends[row]) for row in rows])
    ordered[places] = torch.cat(list(results)).cpu().numpy()
    return ordered
