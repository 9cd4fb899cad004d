"""Transformers without padding: the tokens of a pass form one matrix, whatever their lengths.

Floor of a pass: the products of the linear layers, 24 · hidden² floating point operations a token and layer (MiniLM-L6:
21.3 MFLOP a token), at the rate of the machine's matrix kernels; attention comes on top and grows with the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from jina_components.models.architectures.blocks import EncoderWeights, Norm
from jina_components.models.backends.attention import Packing
from jina_components.models.backends.layers import Int8Maker, RecordingMaker, stream_type
from jina_components.models.backends.linear import NONE, float_linear
from jina_components.models.backends.stack import PackedStack, load_stack
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Hidden(NamedTuple):
    """Token vectors of some sequences of a batch.

    Attributes:
        rows: Their positions in the batch.
        vectors: Shape [len(rows), length, hidden].
        mask: 1 where there is a token, 0 for padding, shape [len(rows), length].
    """

    rows: list[int]
    vectors: torch.Tensor
    mask: torch.Tensor


def load_packed(
    weights: EncoderWeights, device: torch.device, precision: str, calibration: Sequence[TokenSequence]
) -> PackedEncoder:
    """An encoder that runs `weights`.

    Args:
        weights: The checkpoint.
        device: Where it runs.
        precision: float32, bfloat16, float16 or int8.
        calibration: Sequences that show the ranges of the inputs of int8 layers; other precisions need none.
    """
    if precision != "int8":
        return PackedEncoder(weights, load_stack(weights.stack, device, precision), device, precision)
    recording = RecordingMaker(device)
    reference = PackedEncoder(weights, PackedStack(weights.stack, recording, device, "float32"), device, "float32")
    for sequence in calibration:
        list(reference([sequence]))
    int8 = Int8Maker(recording.ranges(), device)
    return PackedEncoder(weights, PackedStack(weights.stack, int8, device, "int8"), device, precision)


class PackedEncoder:
    """Token vectors of texts: look-up, then a stack."""

    def __init__(self, weights: EncoderWeights, stack: PackedStack, device: torch.device, precision: str) -> None:
        self._device = device
        self._stream = stream_type(device, precision)
        self._stack = stack
        # On a CPU as stored, a view of the file; few rows of it are read.
        self._words = weights.words if device.type == "cpu" else self._place(weights.words)
        types = None if weights.types is None else self._place(weights.types)
        self._positions = None if weights.positions is None else self._place(weights.positions)
        self._types = None if types is None or len(types) == 1 else types - types[0]
        self._start = None if types is None else types[0]
        self._norm = None if weights.norm is None else Norm(*map(self._place, weights.norm))
        self._adapters = [
            (self._place(down), float_linear((up.T, shift), NONE, device, self._stream))
            for down, up, shift in weights.adapters
        ]

    def __call__(self, batch: Sequence[TokenSequence], *, first_only: bool = False) -> Iterator[Hidden]:
        """Token vectors of the sequences, in groups of equal length.

        Args:
            batch: Sequences, none of them empty.
            first_only: Only the first token of each, at length 1; the last layer computes no others.
        """
        order = sorted(range(len(batch)), key=lambda index: (len(batch[index]), batch[index].num_seen))
        seen = [batch[index].num_seen for index in order]
        adapters = [batch[index].adapter for index in order]
        packing = Packing([len(batch[index]) for index in order], self._device, seen=seen, adapters=adapters)
        tokens = self._embed([batch[index] for index in order], packing)
        tokens = self._stack.run(tokens, packing, first_only=first_only)
        if first_only:
            packing = packing.pooled()
        done = 0
        for group in packing.groups:
            vectors = tokens[group.tokens].view(group.number, group.length, -1)
            mask = torch.ones(vectors.shape[:2], dtype=torch.int64, device=self._device)
            yield Hidden(order[done : done + group.number], vectors, mask)
            done += group.number

    def _embed(self, batch: Sequence[TokenSequence], packing: Packing) -> torch.Tensor:
        ids = self._column([sequence.ids for sequence in batch], packing.rows)
        tokens = functional.embedding(ids, self._words).to(self._stream)
        if self._positions is not None:
            tokens += functional.embedding(packing.positions, self._positions)
        if self._start is not None:
            tokens += self._start
        if self._types is not None and any(sequence.type_ids is not None for sequence in batch):
            types = [np.zeros(len(s), np.int32) if s.type_ids is None else s.type_ids for s in batch]
            tokens += functional.embedding(self._column(types, packing.rows), self._types)
        if self._adapters:
            for task, rows in packing.adapter_rows:
                down, up = self._adapters[task]
                tokens[rows] = up.add(functional.embedding(ids[rows], down), tokens[rows])
        return tokens if self._norm is None else self._stack.normalize(tokens, self._norm)

    def _column(self, ids: Sequence[NDArray[np.integer[Any]]], rows: int) -> torch.Tensor:
        """Numbers of the tokens of a pass, and 0 for what is behind them."""
        flat = np.zeros(rows, np.int64)
        np.concatenate(ids, out=flat[: sum(map(len, ids))])
        return torch.from_numpy(flat).to(self._device)

    def _place(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._device, self._stream)
