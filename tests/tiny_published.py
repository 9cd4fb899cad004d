"""Published checkpoints with few features and random weights, written and run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layout_shapes import Config, random_tensors
from published_layouts import CHECKPOINTS
from safetensors.numpy import save_file

from jina_components.models.architectures import native
from jina_components.models.architectures.blocks import EncoderWeights
from jina_components.models.backends.packed import load_packed
from jina_components.models.sequences import TokenSequence

CLOSE = 1e-4
"""Largest difference to another implementation; features are of size 1, up to 6."""
_CPU = torch.device("cpu")


def tiny_config(name: str, **sizes: Any) -> dict[str, Any]:
    """A published config with few features."""
    small = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "vocab_size": 300}
    return {**CHECKPOINTS[name].config, **small, **sizes}


def write_tiny(folder: Path, name: str, config: Config, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Write a checkpoint of the published layout; its tensors."""
    tensors = random_tensors(CHECKPOINTS[name].layout(config), seed=seed)
    write_tensors(folder, tensors)
    (folder / "config.json").write_text(json.dumps(config))
    return tensors


def write_tensors(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write model.safetensors."""
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / "model.safetensors")


def read(folder: Path, config: Config, *, with_head: bool = False) -> EncoderWeights:
    """Read a checkpoint as a backend does."""
    found = native.find_architecture(folder, config, with_head=with_head)
    assert found is not None
    return found.read_weights(folder, config, with_head=with_head)


def token_vectors(weights: EncoderWeights, batch: Sequence[TokenSequence]) -> list[np.ndarray]:
    """Token vectors in float32, in the order of the batch."""
    vectors: dict[int, np.ndarray] = {}
    for hidden in load_packed(weights, _CPU, "float32", ())(batch):
        vectors |= dict(zip(hidden.rows, hidden.vectors.numpy(), strict=True))
    return [vectors[row] for row in range(len(batch))]


def logits(weights: EncoderWeights, batch: Sequence[TokenSequence]) -> np.ndarray:
    """What a classifier gives for each sequence."""
    assert weights.head is not None
    first, activation, last = weights.head
    results = torch.empty(len(batch), len(last[1]))
    for hidden in load_packed(weights, _CPU, "float32", ())(batch, first_only=True):
        inner = getattr(torch, activation)(torch.nn.functional.linear(hidden.vectors[:, 0], *first))
        results[hidden.rows] = torch.nn.functional.linear(inner, *last)
    return results.numpy()
