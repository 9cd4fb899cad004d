"""Encoders of the BERT family without padding: the tokens of a pass form one matrix, whatever their lengths.

Floor of a pass: the products of the linear layers, 24 · hidden² floating point operations a token and layer (MiniLM-L6:
21.3 MFLOP a token), at the rate of the machine's matrix kernels; attention comes on top and grows with the length.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from jina_components.models.architectures.bert import Affine, Block, EncoderWeights, relative_bias
from jina_components.models.backends.attention import Attention, Bias, Packing, attend_cpu, attend_fused, attend_varlen
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    Activation,
    FeedForward,
    FloatFeedForward,
    Int8FeedForward,
    Int8Linear,
    Linear,
    Range,
    RecordingLinear,
    float_linear,
)
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


class Layer(NamedTuple):
    """A layer at some precision."""

    qkv: Linear
    output: Linear
    output_norm: Affine
    feed_forward: FeedForward
    norm: Affine


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
        layers = [_float_layer(block, weights.activation, device, precision) for block in weights.blocks]
        return PackedEncoder(weights, layers, device, precision)
    recorders = [_recorders(block, weights.activation) for block in weights.blocks]
    reference = PackedEncoder(
        weights,
        [
            Layer(qkv, output, block.output_norm, FloatFeedForward(up, down), block.down_norm)
            for block, (qkv, output, up, down) in zip(weights.blocks, recorders, strict=True)
        ],
        device,
        "float32",
    )
    for sequence in calibration:
        list(reference([sequence]))
    layers = [
        _int8_layer(block, weights.activation, [(recorder.low, recorder.high) for recorder in layer])
        for block, layer in zip(weights.blocks, recorders, strict=True)
    ]
    return PackedEncoder(weights, layers, device, precision)


class PackedEncoder:
    """Runs layers over packed tokens; the stream between the layers is float32 on a CPU."""

    def __init__(self, weights: EncoderWeights, layers: Sequence[Layer], device: torch.device, precision: str) -> None:
        dtype = DTYPES.get(precision, torch.bfloat16)  # int8 layers give bfloat16
        self._device = device
        self._stream = _stream_type(device, precision)
        self._heads, self._epsilon = weights.heads, weights.epsilon
        self._words, self._positions = self._place(weights.words), self._place(weights.positions)
        self._types = None if weights.types is None else self._place(weights.types)
        self._norm = self._place(weights.norm[0]), self._place(weights.norm[1])
        self._layers = list(layers)
        self._attend = _choose_attention(device, dtype, len(weights.norm[0]) // weights.heads)
        self._bias: Bias | None = None
        if weights.relative is not None:
            self._bias = _RelativeBias(weights.relative, device, dtype)

    def __call__(self, batch: Sequence[TokenSequence], *, first_only: bool = False) -> Iterator[Hidden]:
        """Token vectors of the sequences, in groups of equal length.

        Args:
            batch: Sequences, none of them empty.
            first_only: Only the first token of each, at length 1; the last layer computes no others.
        """
        order = sorted(range(len(batch)), key=lambda index: len(batch[index]))
        packing = Packing([len(batch[index]) for index in order], self._device)
        tokens = self._embed([batch[index] for index in order], packing.rows)
        for number, layer in enumerate(self._layers, 1):
            last = first_only and number == len(self._layers)
            context = self._attend(layer.qkv(tokens), packing, self._heads, self._bias, first_only=last)
            tokens = self._normalize(
                layer.output.add(context, tokens[packing.firsts] if last else tokens), layer.output_norm
            )
            tokens = self._normalize(layer.feed_forward(tokens), layer.norm)
        if first_only:
            packing = packing.pooled()
        done = 0
        for group in packing.groups:
            vectors = tokens[group.tokens].view(group.number, group.length, -1)
            mask = torch.ones(vectors.shape[:2], dtype=torch.int64, device=self._device)
            yield Hidden(order[done : done + group.number], vectors, mask)
            done += group.number

    def _embed(self, batch: Sequence[TokenSequence], rows: int) -> torch.Tensor:
        tokens = self._look_up(self._words, [sequence.ids for sequence in batch], rows)
        tokens += self._look_up(self._positions, [np.arange(len(sequence)) for sequence in batch], rows)
        if self._types is not None and any(sequence.type_ids is not None for sequence in batch):
            types = [np.zeros(len(s), np.int32) if s.type_ids is None else s.type_ids for s in batch]
            tokens += self._look_up(self._types, types, rows)
        return self._normalize(tokens, self._norm)

    def _look_up(self, table: torch.Tensor, ids: Sequence[NDArray[np.integer[Any]]], rows: int) -> torch.Tensor:
        """Rows of a table, and its first for what is behind the tokens of a pass."""
        flat = np.zeros(rows, np.int64)
        np.concatenate(ids, out=flat[: sum(map(len, ids))])
        return functional.embedding(torch.from_numpy(flat).to(self._device), table)

    def _normalize(self, tokens: torch.Tensor, norm: Affine) -> torch.Tensor:
        return functional.layer_norm(tokens, tokens.shape[-1:], *norm, self._epsilon)

    def _place(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._device, self._stream)


class _RelativeBias:
    """Bias by length, cut from that of the longest so far: it depends on distances alone."""

    _STEP = 64

    def __init__(self, table: torch.Tensor, device: torch.device, dtype: torch.dtype) -> None:
        self._table = table
        self._bias = torch.empty(table.shape[1], 0, 0, device=device, dtype=dtype)

    def __call__(self, length: int) -> torch.Tensor:
        if length > self._bias.shape[1]:
            longest = -(-length // self._STEP) * self._STEP
            self._bias = relative_bias(self._table, longest).to(self._bias)
        return self._bias[:, :length, :length]


def _choose_attention(device: torch.device, dtype: torch.dtype, width: int) -> Attention:
    if device.type == "cpu":
        return attend_cpu if torch.backends.mkldnn.is_available() else attend_fused
    # FlashAttention needs an NVIDIA GPU since Ampere, two bytes a number, and heads of these widths.
    flash = (
        device.type == "cuda"
        and torch.version.hip is None
        and torch.cuda.get_device_capability(device) >= (8, 0)
        and dtype != torch.float32
        and width % 8 == 0
        and width <= 256
        and importlib.util.find_spec("torch.nn.attention.varlen") is not None
    )
    return attend_varlen if flash else attend_fused


def _float_layer(block: Block, activation: Activation, device: torch.device, precision: str) -> Layer:
    up, down = float_linear(block.up, activation, device, precision), float_linear(block.down, NONE, device, precision)
    return Layer(
        float_linear(block.qkv, NONE, device, precision),
        float_linear(block.output, NONE, device, precision),
        _norm(block.output_norm, device, precision),
        FloatFeedForward(up, down),
        _norm(block.down_norm, device, precision),
    )


def _stream_type(device: torch.device, precision: str) -> torch.dtype:
    """Of what the layers hand on."""
    return torch.float32 if device.type == "cpu" else DTYPES[precision]


def _norm(norm: Affine, device: torch.device, precision: str) -> Affine:
    dtype = _stream_type(device, precision)
    return norm[0].to(device, dtype), norm[1].to(device, dtype)


def _recorders(block: Block, activation: Activation) -> list[RecordingLinear]:
    return [
        RecordingLinear(*block.qkv, NONE),
        RecordingLinear(*block.output, NONE),
        RecordingLinear(*block.up, activation),
        RecordingLinear(*block.down, NONE),
    ]


def _int8_layer(block: Block, activation: Activation, ranges: Sequence[Range]) -> Layer:
    qkv, output, inputs, inner = ranges
    return Layer(
        Int8Linear(*block.qkv, low=qkv[0], high=qkv[1]),
        Int8Linear(*block.output, low=output[0], high=output[1]),
        block.output_norm,
        Int8FeedForward(block.up, block.down, activation, inputs=inputs, inner=inner),
        block.down_norm,
    )
