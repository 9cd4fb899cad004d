"""Checkpoints that give a vector a token (ColBERT, Khattab & Zaharia 2020) in torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.tensors import load_tensors
from jina_components.models.backends.packed import Hidden
from jina_components.models.backends.steps import build_step
from jina_components.models.backends.torch import TorchBackend, in_order, memory_errors, must_fit
from jina_components.models.layout import Layout, Module, weight_files
from jina_components.models.sequences import TokenSequence
from jina_components.models.stored import is_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

_HEAD = "linear.weight"


class TorchTokenBackend(TorchBackend):
    """An encoder and the linear layer after each of its tokens; of each sequence the tokens that its spans begin at.

    Args:
        layout: A ColBERT checkpoint with its layer beside the encoder, or a PyLate folder of Transformer and Dense.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it; the layer runs in float32 whatever it is.
        calibration: Sequences that show an int8 model the ranges of its inputs.

    Raises:
        ConfigError: the device or the precision is not available.
        ModelFilesError: the folder holds something else; a tensor is missing, of another shape, or left over.
        BackendError: it does not fit into memory.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        device: str = "auto",
        precision: str = "auto",
        calibration: Sequence[TokenSequence] = (),
    ) -> None:
        super().__init__(layout, device, precision, with_head=False)
        with must_fit(layout.folder, self.device):
            self._encode = self._load_encoder(layout, calibration)
            self._head = _read_head(layout, self.device)
        try:
            probe = TokenSequence(np.zeros(1, np.int32), spans=np.array([[0, 1]], np.int32))
            self.width = int(self.run([probe]).shape[1])
        except RuntimeError as error:
            raise ModelFilesError(f"{layout.folder}: the layer after its tokens does not run: {error}") from error

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """A vector for each span of the sequences, float32, not normalized; shape [vectors, width]."""
        rows: list[int] = []
        results = []
        with torch.inference_mode(), memory_errors():
            for hidden in self._encode(batch):
                rows += hidden.rows
                results.append(self._head(self._wanted(batch, hidden)))
            return in_order(batch, rows, results)

    def _wanted(self, batch: Sequence[TokenSequence], hidden: Hidden) -> torch.Tensor:
        """Those of a group's token vectors that are asked for, one behind the other."""
        length = hidden.vectors.shape[1]
        places = [place * length + _firsts(batch[row]) for place, row in enumerate(hidden.rows)]
        chosen = torch.from_numpy(np.concatenate(places).astype(np.int64)).to(self.device)
        return hidden.vectors.flatten(0, 1)[chosen].float()


def _firsts(sequence: TokenSequence) -> NDArray[np.int32]:
    """Tokens that the spans begin at, or the first."""
    return np.zeros(1, np.int32) if sequence.spans is None else sequence.spans[:, 0]


def _read_head(layout: Layout, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """The layer after each token: a Dense step, or a tensor beside those of the encoder."""
    steps = [module for module in layout.modules if module.type not in ("Transformer", "Normalize")]
    if not steps:
        weight = _head_weight(layout.folder).to(device, torch.float32)
        return lambda vectors: functional.linear(vectors, weight)
    if other := [module.type for module in steps if module.type != "Dense"]:
        raise ModelFilesError(f"{layout.folder}: steps {other} of a model with a vector a token are not supported.")
    built = [build_step(_of_tokens(module), device) for module in steps]

    def run(vectors: torch.Tensor) -> torch.Tensor:
        for step in built:
            vectors = step(vectors, vectors)
        return vectors

    return run


def _of_tokens(module: Module) -> Module:
    """A Dense step whose settings do not say what it is given: here that is the tokens, whatever they say."""
    return replace(module, config={key: value for key, value in module.config.items() if not key.startswith("module_")})


def _head_weight(folder: Path) -> torch.Tensor:
    """The tensor of the layer, without reading the others."""
    for path in weight_files(folder):
        found = load_tensors(path).get(_HEAD) if is_stored(path) else _tensor(path)
        if found is not None:
            if found.ndim != 2:
                raise ModelFilesError(f"{path}: {_HEAD} has the shape {tuple(found.shape)}, not [width, hidden].")
            return found
    raise ModelFilesError(f"{folder} lacks the tensor {_HEAD!r}, the layer that gives a ColBERT model its vectors.")


def _tensor(path: Path) -> torch.Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(_HEAD) if _HEAD in file.keys() else None  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
