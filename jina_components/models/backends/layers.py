"""How the weights of a block become layers that run, at every precision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from jina_components.models.architectures.blocks import Affine, Block, Dense, LowRank, Norm, Norms, Stack
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    Activation,
    AdaptedLinear,
    FeedForward,
    FloatFeedForward,
    GatedFeedForward,
    Int8FeedForward,
    Int8Linear,
    Linear,
    Range,
    RecordingLinear,
    TaskRows,
    float_linear,
)

_Make: TypeAlias = Callable[[Affine, Activation], Linear]


class Layer(NamedTuple):
    """A layer at some precision."""

    qkv: Linear
    output: Linear
    feed_forward: FeedForward
    norms: Norms


class Maker(ABC):
    """Makes layers of float32 weights, in an order that is the same each time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @abstractmethod
    def linear(self, affine: Affine, activation: Activation) -> Linear:
        """A linear layer."""

    def after_activation(self, affine: Affine, activation: Activation) -> Linear:
        """A linear layer of activated features, of which few reach far beyond all others."""
        return self.linear(affine, activation)

    def feed_forward(self, up: Affine, down: Affine, activation: Activation) -> FeedForward:
        """Two, with an activation between them."""
        return FloatFeedForward(self.linear(up, activation), self.linear(down, NONE))


class FloatMaker(Maker):
    """At a floating point precision."""

    def __init__(self, device: torch.device, precision: str) -> None:
        super().__init__(device)
        self._precision = precision

    def linear(self, affine: Affine, activation: Activation) -> Linear:
        """As `Maker`."""
        return float_linear(affine, activation, self._device, DTYPES[self._precision])


class RecordingMaker(Maker):
    """Layers in float32 that note the ranges of their inputs."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._layers: list[RecordingLinear] = []

    def linear(self, affine: Affine, activation: Activation) -> Linear:
        """As `Maker`."""
        self._layers.append(RecordingLinear(*affine, activation))
        return self._layers[-1]

    def ranges(self) -> Iterator[Range]:
        """What the layers saw, in their order."""
        return ((layer.low, layer.high) for layer in self._layers)


class Int8Maker(Maker):
    """In int8, by the ranges that a `RecordingMaker`'s layers saw."""

    def __init__(self, ranges: Iterator[Range], device: torch.device) -> None:
        super().__init__(device)
        self._ranges = ranges

    def linear(self, affine: Affine, activation: Activation) -> Linear:
        """As `Maker`."""
        low, high = next(self._ranges)
        return Int8Linear(*affine, activation, low=low, high=high)

    def after_activation(self, affine: Affine, activation: Activation) -> Linear:
        """As `Maker`, in bfloat16: 256 steps would be too few."""
        next(self._ranges)
        return float_linear(affine, activation, self._device, torch.bfloat16)

    def feed_forward(self, up: Affine, down: Affine, activation: Activation) -> FeedForward:
        """As `Maker`."""
        inputs, inner = next(self._ranges), next(self._ranges)
        return Int8FeedForward(up, down, activation, inputs=inputs, inner=inner)


class LayerBuilder:
    """Builds the layers of a stack.

    Args:
        stack: What its blocks share.
        width: Of a head.
        maker: Of linear layers.
        tasks: Which rows of a pass are of which adapter.
        device: Where they run.
        precision: float32, bfloat16, float16 or int8.
    """

    def __init__(
        self, stack: Stack, width: int, maker: Maker, tasks: TaskRows, device: torch.device, precision: str
    ) -> None:
        self._width, self._scaled = width, stack.heads * width
        self._activation, self._epsilon = stack.activation, stack.epsilon
        self._maker, self._tasks, self._device = maker, tasks, device
        self._stream, self._dtype = stream_type(device, precision), layer_type(precision)

    def layer(self, block: Block) -> Layer:
        """The layer of a block."""
        norms, scale = block.norms, self._width**-0.5
        if norms.query is not None:  # else the scale of the scores goes into the layer that gives the queries
            norms = norms._replace(query=_scaled(norms.query, scale))
            scale = 1.0
        norms = Norms(*(self.place(norm) for norm in norms))
        return Layer(
            self._linear(_joined(block.qkv, scale=scale, scaled=self._scaled), NONE),
            self._linear(block.output, NONE),
            self._feed_forward(block, norms.inner),
            norms,
        )

    def place(self, norm: Norm | None) -> Norm | None:
        """A norm on the device, in the stream's type."""
        if norm is None:
            return None
        return Norm(*(None if part is None else part.to(self._device, self._stream) for part in norm))

    def _feed_forward(self, block: Block, norm: Norm | None) -> FeedForward:
        if block.gate is not None:
            between = None if norm is None else partial(normalize, norm=norm, epsilon=self._epsilon)
            gate, up = self._linear(block.gate, self._activation), self._linear(block.up, NONE)
            return GatedFeedForward(gate, up, self._linear(block.down, NONE, self._maker.after_activation), between)
        if block.up.adapters or block.down.adapters:
            down = self._linear(block.down, NONE, self._maker.after_activation)
            return FloatFeedForward(self._linear(block.up, self._activation), down)
        return self._maker.feed_forward(_affine(block.up), _affine(block.down), self._activation)

    def _linear(self, dense: Dense, activation: Activation, make: _Make | None = None) -> Linear:
        make = make or self._maker.linear
        if not dense.adapters:
            return make(_affine(dense), activation)
        linear = make(_affine(dense), NONE)
        return AdaptedLinear(linear, dense.adapters, self._tasks, activation, self._dtype, self._device)


def normalize(tokens: torch.Tensor, norm: Norm | None, epsilon: float) -> torch.Tensor:
    """LayerNorm or RMSNorm over as many of the last features as the norm has; the tokens themselves without one."""
    if norm is None:
        return tokens
    tokens, shape = tokens.to(norm.weight.dtype), norm.weight.shape
    if norm.bias is None:
        return functional.rms_norm(tokens, shape, norm.weight, epsilon)
    return functional.layer_norm(tokens, shape, norm.weight, norm.bias, epsilon)


def stream_type(device: torch.device, precision: str) -> torch.dtype:
    """Of what the layers hand on."""
    return torch.float32 if device.type == "cpu" else DTYPES[precision]


def layer_type(precision: str) -> torch.dtype:
    """Of what a linear layer gives."""
    return DTYPES.get(precision, torch.bfloat16)


def _scaled(norm: Norm, scale: float) -> Norm:
    return Norm(norm.weight.float() * scale, None if norm.bias is None else norm.bias.float() * scale)


def _joined(parts: Sequence[Dense], *, scale: float, scaled: int) -> Dense:
    """Layers of one input as one, float32; its first `scaled` features are multiplied by `scale`."""
    weight, bias = (torch.cat(sides) for sides in zip(*map(_affine, parts), strict=True))
    ends = np.cumsum([0, *(len(part.weight) for part in parts)]).tolist()
    tasks = zip(*(part.adapters for part in parts), strict=True)
    adapters = [_joined_adapters(pairs, ends) for pairs in tasks]
    for tensor in (weight, bias, *(pair.up for pair in adapters if pair is not None)):
        tensor[:scaled] *= scale
    return Dense(weight, bias, tuple(adapters))


def _joined_adapters(pairs: Sequence[LowRank | None], ends: Sequence[int]) -> LowRank | None:
    there = [(pair, start) for pair, start in zip(pairs, ends, strict=False) if pair is not None]
    if not there:
        return None
    up = torch.zeros(ends[-1], sum(len(pair.down) for pair, _ in there))
    done = 0
    for pair, start in there:
        up[start : start + len(pair.up), done : done + len(pair.down)] = pair.up
        done += len(pair.down)
    return LowRank(torch.cat([pair.down.float() for pair, _ in there]), up)


def _affine(dense: Dense) -> Affine:
    weight = dense.weight.float()
    return weight, torch.zeros(len(weight)) if dense.bias is None else dense.bias.float()
