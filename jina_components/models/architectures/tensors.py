"""The tensors of a checkpoint by name, each of them read once, none left over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.blocks import Affine, Dense, Norm
from jina_components.models.layout import weight_files
from jina_components.models.stored import is_stored, read_stored

# Tensors beside the encoder that pooling over tokens does not use: heads, or the temperature it was trained at.
_MAY_CARRY = re.compile(
    r"^(cls|lm_head|pooler|(pre_)?classifier|vocab_\w+|qa_outputs)(\.|$)|^logit_scale$|(^|\.)(pooler|position_ids)(\.|$)"
    r"|^linear\.weight$|^projector\.[02]\.weight$"  # of vectors of tokens, and of a listwise reranker
)


SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads")
"""Keys of config.json."""


class Tensors:
    """The tensors of a folder; knows which were taken.

    Args:
        folder: With safetensors files.
        prefix: Put before names in checkpoints that carry a head.
        only: Take no tensors whose names do not start so.

    Raises:
        ModelFilesError: unreadable.
    """

    def __init__(self, folder: Path, prefix: str = "", *, only: str = "") -> None:
        self.folder = folder
        self._prefix = prefix
        self._left: dict[str, torch.Tensor] = {}
        for path in weight_files(folder):
            self._left |= {
                _modern_name(name): tensor for name, tensor in load_tensors(path).items() if name.startswith(only)
            }

    @property
    def names(self) -> Set[str]:
        """Of the tensors not taken yet."""
        return self._left.keys()

    def __contains__(self, name: str) -> bool:
        return name in self._left or self._prefix + name in self._left

    def take(self, name: str, *shape: int | None) -> torch.Tensor:
        """The tensor as stored, with or without the prefix; None stands for any size.

        Raises:
            ModelFilesError: it is not there, or of another shape.
        """
        full = next((full for full in (self._prefix + name, name) if full in self._left), None)
        if full is None:
            raise ModelFilesError(
                f"{self.folder} does not hold the weights of its model_type: it lacks the tensor {name!r}."
            )
        tensor = self._left.pop(full)
        sizes = tuple(size if wanted is None else wanted for size, wanted in zip(tensor.shape, shape, strict=False))
        # One wrong size would fail in a kernel, amid a call, and name nothing.
        if len(tensor.shape) != len(shape) or tuple(tensor.shape) != sizes:
            wanted = " x ".join("any" if size is None else str(size) for size in shape)
            raise ModelFilesError(f"{self.folder}: {full} has the shape {tuple(tensor.shape)}, not {wanted}.")
        return tensor

    def take_table(self, name: str, *shape: int | None) -> torch.Tensor:
        """The same for vectors that stay as stored, of which few rows are read.

        They are views of a file that is mapped, and would keep in memory all that was read through the same map, as
        much as the layers that were made of it: they get a map of their own.
        """
        tensor = self.take(name, *shape)
        if any(map(is_stored, weight_files(self.folder))):
            return tensor
        return Tensors(self.folder, self._prefix).take(name, *shape)

    def norm(self, name: str, size: int, *, bias: bool = True) -> Norm:
        """A LayerNorm, or an RMSNorm without `bias`."""
        return Norm(self.take(f"{name}.weight", size), self.take(f"{name}.bias", size) if bias else None)

    def dense(self, name: str, *shape: int | None, bias: bool = True) -> Dense:
        """Weight of a shape, and bias of its first size."""
        weight = self.take(f"{name}.weight", *shape)
        return Dense(weight, self.take(f"{name}.bias", len(weight)) if bias else None)

    def affine(self, name: str, *shape: int | None) -> Affine:
        """A layer that runs in float32."""
        weight = self.take(f"{name}.weight", *shape)
        return weight.float(), self.take(f"{name}.bias", len(weight)).float()

    def head(self, names: tuple[str, str, str], hidden: int) -> tuple[Affine, str, Affine]:
        """A classifier: a layer, an activation and a layer with a row a label, by names."""
        first, activation, last = names
        return self.affine(first, hidden, hidden), activation, self.affine(last, None, hidden)

    def check_all_taken(self) -> None:
        """A tensor left over means that the architecture is not the checkpoint's.

        Raises:
            ModelFilesError: one is, and is no head's.
        """
        left = [name for name in self._left if not _MAY_CARRY.search(name)]
        if left:
            raise ModelFilesError(
                f"{self.folder} does not hold the weights of its model_type: {len(left)} tensors are left over, "
                f"such as {left[0]!r}."
            )


def read_sizes(folder: Path, config: Mapping[str, Any], keys: tuple[str, str, str] = SIZES) -> tuple[int, int, int]:
    """Width, layers and heads, by their keys in config.json.

    Raises:
        ModelFilesError: one is missing or no positive integer, or the heads do not divide the width.
    """
    sizes = [config.get(key) for key in keys]
    for key, size in zip(keys, sizes, strict=True):
        if type(size) is not int or size < 1:
            raise ModelFilesError(f"{folder}: config.json must give {key} as a positive integer, got {size!r}.")
    hidden, layers, heads = (cast("int", size) for size in sizes)
    if hidden % heads:
        raise ModelFilesError(f"{folder}: hidden size {hidden} is no multiple of {heads} heads.")
    return hidden, layers, heads


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes in the safetensors files of a folder, by name.

    Raises:
        ModelFilesError: none there, or unreadable.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    return shapes


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file by name; those of one in the stored form in float32.

    Raises:
        ModelFilesError: unreadable.
    """
    if is_stored(path):
        return {name: torch.from_numpy(tensor) for name, tensor in read_stored(path).items()}
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    return tensors


def _modern_name(name: str) -> str:
    """LayerNorm's parameters have other names in checkpoints that were converted from TensorFlow."""
    return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))
