"""Runs a stack of blocks over packed tokens."""

from __future__ import annotations

import importlib.util

import torch

from jina_components.models.architectures.blocks import Angles, ByDistance, Norm, Stack
from jina_components.models.backends.attention import (
    Attention,
    Heads,
    Packing,
    attend_cpu,
    attend_fused,
    attend_varlen,
)
from jina_components.models.backends.layers import FloatMaker, Layer, LayerBuilder, Maker, layer_type, normalize
from jina_components.models.backends.linear import TaskRows


def load_stack(stack: Stack, device: torch.device, precision: str) -> PackedStack:
    """Layers that run in floating point."""
    return PackedStack(stack, FloatMaker(device, precision), device, precision)


class PackedStack:
    """Runs layers over packed tokens; the stream between the layers is float32 on a CPU."""

    def __init__(self, stack: Stack, maker: Maker, device: torch.device, precision: str) -> None:
        self._rows = TaskRows()
        self._heads, self._key_heads, self._epsilon = stack.heads, stack.key_heads, stack.epsilon
        self._width = stack.blocks[0].output.weight.shape[1] // stack.heads
        self._device, self._causal = device, stack.causal
        builder = LayerBuilder(stack, self._width, maker, self._rows, device, precision)
        self._layers = [builder.layer(block) for block in stack.blocks]
        self._norm = builder.place(stack.norm)
        dtype = layer_type(precision)
        self._attend = _choose_attention(device, dtype, self._width)
        self._bias = None if stack.by_distance is None else _DistanceBias(stack.by_distance, device, dtype)
        self._rotary = None if stack.angles is None else _Rotary(stack.angles, device)

    def run(self, tokens: torch.Tensor, packing: Packing, *, first_only: bool = False) -> torch.Tensor:
        """The tokens after all layers, shape [rows, hidden], or [first_rows, hidden] for `first_only`."""
        self._rows.parts = packing.adapter_rows
        turns = None if self._rotary is None else self._rotary(packing.positions, max(packing.lengths))
        for number, layer in enumerate(self._layers, 1):
            norms, last = layer.norms, first_only and number == len(self._layers)
            heads = self._project(layer, self.normalize(tokens, norms.attention_in), turns)
            context = self._attend(heads, packing, self._bias, causal=self._causal, first_only=last)
            if last:
                tokens = tokens[packing.firsts]
                self._rows.parts = packing.pooled().adapter_rows
            given = tokens if norms.again is None else tokens.clone()
            tokens = layer.output.add(self.normalize(context, norms.context), tokens)
            tokens = self.normalize(tokens, norms.attention_out)
            if norms.again is not None:
                tokens = self.normalize(tokens.add_(given), norms.again)
            tokens = layer.feed_forward(self.normalize(tokens, norms.feed_forward_in), tokens)
            tokens = self.normalize(tokens, norms.feed_forward_out)
        return self.normalize(tokens, self._norm)

    def normalize(self, tokens: torch.Tensor, norm: Norm | None) -> torch.Tensor:
        """The tokens after a norm, with the stack's epsilon."""
        return normalize(tokens, norm, self._epsilon)

    def _project(self, layer: Layer, tokens: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor] | None) -> Heads:
        parts = layer.qkv(tokens).split([count * self._width for count in (self._heads, *[self._key_heads] * 2)], 1)
        queries, keys, values = (part.unflatten(1, (-1, self._width)) for part in parts)
        queries = self._normalize_heads(queries, layer.norms.query)
        keys = self._normalize_heads(keys, layer.norms.key)
        if turns is not None:
            queries, keys = _turned(queries, *turns), _turned(keys, *turns)
        return Heads(queries, keys, values)

    def _normalize_heads(self, heads: torch.Tensor, norm: Norm | None) -> torch.Tensor:
        if norm is None:
            return heads
        together = heads if len(norm.weight) == self._width else heads.flatten(1)
        return self.normalize(together, norm).to(heads.dtype).view(heads.shape)


class _DistanceBias:
    """What distances add to the scores of each head; that of the longest length so far is kept, if it is not long.

    The scores of a row are a window on the distances: that of the next row starts one before.
    """

    _LONGEST = 1024
    _STEP = 64

    def __init__(self, by_distance: ByDistance, device: torch.device, dtype: torch.dtype) -> None:
        self._by_distance = by_distance
        self._kept = by_distance(torch.zeros(0, dtype=torch.int64)).to(device, dtype).unsqueeze(2)
        self._buffer = self._kept.new_empty(0)

    def __call__(self, start: int, stop: int, length: int) -> torch.Tensor:
        """As `attention.Bias`."""
        if length > self._LONGEST:
            return self._part(start, stop, length)
        if length > self._kept.shape[1]:
            self._kept = self._rows(0, size := -(-length // self._STEP) * self._STEP, size)
        return self._kept[:, start:stop, :length]

    def _rows(self, start: int, stop: int, length: int) -> torch.Tensor:
        return self._windows(start, stop, length).flip(1).contiguous()

    def _part(self, start: int, stop: int, length: int) -> torch.Tensor:
        """Rows in memory that the next part takes again: fresh pages would cost more than the numbers.

        In float32 on a CPU, as whose fused kernel takes them.
        """
        windows = self._windows(start, stop, length)
        if self._buffer.numel() < windows.numel():
            self._buffer = torch.empty(windows.numel(), dtype=windows.dtype, device=windows.device)
        part = self._buffer[: windows.numel()].view(windows.shape)
        backwards = torch.arange(stop - start - 1, -1, -1, device=windows.device)
        return torch.index_select(windows, 1, backwards, out=part)

    def _windows(self, start: int, stop: int, length: int) -> torch.Tensor:
        """Rows, the last first."""
        on_cpu = self._kept.device.type == "cpu" and length > self._LONGEST
        dtype = torch.float32 if on_cpu else self._kept.dtype
        distances = torch.arange(1 - stop, length - start)
        return self._by_distance(distances).to(self._kept.device, dtype).unfold(1, length, 1)


class _Rotary:
    """Cosines and sines of the positions, kept for the most so far."""

    def __init__(self, angles: Angles, device: torch.device) -> None:
        self._angles, self._device = angles, device
        self._kept = self._table(1)

    def __call__(self, positions: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each row, shape [rows, 1, width / 2]; `most` are the positions of the longest sequence."""
        if most > len(self._kept[0]):
            self._kept = self._table(max(64, 1 << (most - 1).bit_length()))
        cosines, sines = (table[positions].unsqueeze(1) for table in self._kept)
        return cosines, sines

    def _table(self, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
        angles = self._angles(positions)
        return angles.cos().float().to(self._device), angles.sin().float().to(self._device)


def _turned(heads: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Each pair of features, of which one is in either half of a head, turned by its angle."""
    left, right = heads.float().chunk(2, -1)
    return torch.cat([left * cosines - right * sines, right * cosines + left * sines], -1).to(heads.dtype)


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
