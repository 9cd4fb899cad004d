"""Listwise rerankers in torch, on the path without padding: a causal transformer and a projector of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jina_components.errors import MissingDependencyError, ModelFilesError

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

from jina_components.models.architectures import decoder
from jina_components.models.architectures.tensors import Tensors, tensor_shapes
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.packed import load_packed
from jina_components.models.backends.torch import in_order, memory_errors, must_fit, pick_device
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Tokens of a pass. Attention grows with their square: on AVX512-BF16 it takes as long as all products of a layer for
# 3000 tokens, three times as long for these, and twenty times for a hundred passages of 500 tokens in one pass.
_CPU_BUDGET, _GPU_BUDGET = 8192, 65_536


class TorchListwiseBackend:
    """A Qwen3 checkpoint with the projector of jina-reranker-v3: of each span's first token a vector.

    The vectors are those after the last norm, through two layers with a ReLU between them, in float32 and not
    normalized.

    Args:
        folder: With safetensors: `model.*`, `projector.0.weight` and `projector.2.weight`; an `lm_head` is left out.
        config: Its config.json.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it.
        calibration: Sequences that show an int8 model the ranges of its inputs.

    Raises:
        ConfigError: the device or the precision is not available.
        ModelFilesError: the folder holds something else.
        BackendError: it does not fit into memory.
    """

    padded = False

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        device: str = "auto",
        precision: str = "auto",
        calibration: Sequence[TokenSequence] = (),
    ) -> None:
        self.device = pick_device(device)
        self.precision = choose_precision(precision, self.device, wide=True)
        self.token_budget = _CPU_BUDGET if self.device.type == "cpu" else _GPU_BUDGET
        if config.get("model_type") != "qwen3" or not decoder.is_native(config, tensor_shapes(folder).keys()):
            raise ModelFilesError(
                f"{folder}: a listwise reranker is a Qwen3 of full attention, not a {config.get('model_type')!r} with "
                f"the layers {sorted(set(config.get('layer_types') or ['unnamed']))}."
            )
        self._projector = [weight.to(self.device) for weight in _read_projector(folder, int(config["hidden_size"]))]
        self.width = len(self._projector[-1])
        with must_fit(folder, self.device):
            weights = decoder.read_weights(folder, config, with_head=False)
            self._encoder = load_packed(weights, self.device, self.precision, calibration)

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Vectors of the spans of each sequence, float32, shape [spans, width]."""
        rows: list[int] = []
        results = []
        with torch.inference_mode(), memory_errors():
            for hidden in self._encoder(batch):
                rows += hidden.rows
                results += [
                    self._project(vectors[self._places(batch[index])])
                    for index, vectors in zip(hidden.rows, hidden.vectors, strict=True)
                ]
            return in_order(batch, rows, results)

    def _places(self, sequence: TokenSequence) -> torch.Tensor:
        spans = cast("NDArray[Any]", sequence.spans)
        return torch.from_numpy(spans[:, 0]).long().to(self.device)

    def _project(self, vectors: torch.Tensor) -> torch.Tensor:
        first, last = self._projector
        return functional.linear(functional.linear(vectors.float(), first).relu(), last)


def _read_projector(folder: Path, hidden: int) -> tuple[torch.Tensor, torch.Tensor]:
    tensors = Tensors(folder, only="projector.")
    first = tensors.take("projector.0.weight", None, hidden)
    last = tensors.take("projector.2.weight", None, len(first))
    if tensors.names:
        raise ModelFilesError(f"{folder}: its projector has more than two weights, such as {min(tensors.names)!r}.")
    return first.float(), last.float()
