"""Linear layers at the precisions a CPU or GPU has: float32, bfloat16, float16, and int8 quantized by ourselves.

A layer is made of a float32 weight and bias, and takes and gives tensors of tokens, shape [tokens, features].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, Protocol, TypeAlias

import torch
from torch.nn import functional

from jina_components.errors import BackendError, ConfigError
from jina_components.models.architectures.blocks import Affine, LowRank

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Activation: TypeAlias = tuple[str, str]
"""Name and approximation, as in `architectures.blocks.ACTIVATIONS`; ("none", "") for none."""
Range: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Lowest and highest value of each feature."""
NONE: Activation = ("none", "")

# Rows for which oneDNN lays out a weight; any number may follow.
_ROWS = 512
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_FUNCTIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    NONE: lambda tokens: tokens,
    ("gelu", "none"): functional.gelu,
    ("gelu", "tanh"): lambda tokens: functional.gelu(tokens, approximate="tanh"),
    ("relu", ""): torch.relu,
    ("swish", ""): functional.silu,
}


class Linear(Protocol):
    """A linear layer at some precision."""

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """activation(tokens @ weight.T + bias)."""
        ...

    def add(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Residual + tokens @ weight.T + bias, of the residual's type; may overwrite it."""
        ...


class FeedForward(Protocol):
    """Two linear layers, an activation between them, and the sum with the residual stream."""

    def __call__(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Residual + down(activation(up(tokens))); may overwrite the residual."""
        ...


def choose_precision(asked: str, device: torch.device, *, wide: bool = False) -> str:
    """What `auto` means: float16 on CUDA and MPS; bfloat16 on a CPU with the instructions for it; else float32.

    For a model that is `wide`, whose values go beyond float16, a GPU takes bfloat16 too.

    Raises:
        ConfigError: this device cannot run what is asked for.
    """
    if asked == "auto":
        if device.type != "cpu":
            return "bfloat16" if wide else "float16"
        return "bfloat16" if _has_fast_bfloat16() else "float32"
    runs = {
        "float32": True,
        "bfloat16": device.type != "cpu" or _has_bfloat16(),
        "float16": device.type != "cpu",
        "int8": device.type == "cpu" and _has_int8(),
    }
    if not runs[asked]:
        known = ", ".join(name for name, there in runs.items() if there)
        raise ConfigError(f"precision={asked!r} does not run on this {device.type.upper()}: use auto, {known}.")
    return asked


@cache
def _has_fast_bfloat16() -> bool:
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, flag, bool)() for flag in flags) and _has_bfloat16()


@cache
def _has_bfloat16() -> bool:
    """Whether oneDNN's bfloat16 kernels run; flags of the CPU do not tell (they can be masked), so they are tried."""
    try:
        layer = PackedLinear(torch.eye(32), torch.zeros(32), NONE, torch.bfloat16)
        layer(torch.ones(2, 32))
        torch.softmax(torch.ones(2, 2, dtype=torch.bfloat16).to_mkldnn(), -1)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return True


@cache
def _has_int8() -> bool:
    """Whether int8 products are exact: without VNNI their 16-bit sums saturate."""
    weight = torch.full((16, 32), 127.0)
    try:
        layer = Int8Linear(weight, torch.zeros(16), low=torch.zeros(32), high=torch.ones(32))
        product = layer(torch.ones(2, 32)).float()
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return _has_bfloat16() and torch.allclose(product, weight.sum(1), rtol=0.01)


class PlainLinear:
    """torch's own kernel, on any device."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, activation: Activation, dtype: torch.dtype) -> None:
        self.weight, self.bias = weight.to(dtype), bias.to(dtype)
        self._activation = _FUNCTIONS[activation]

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self._activation(functional.linear(tokens.to(self.weight.dtype), self.weight, self.bias))

    def add(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return residual + self(tokens)


class PackedLinear:
    """oneDNN with the weight laid out for it once, and the activation fused into the product."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, activation: Activation, dtype: torch.dtype) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype).contiguous(), _ROWS)  # noqa: SLF001
        self._bias = bias.to(dtype)
        self._activation, self._approximation = activation

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            tokens.to(self._bias.dtype), self._weight, self._bias, self._activation, [], self._approximation
        )

    def add(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return residual + self(tokens)


class Int8Linear:
    """Weights int8 with a scale a row, inputs uint8 with a scale a layer.

    Ranges of the inputs are known beforehand, so that a row's result depends on nothing beside it. Before rounding,
    every input feature is divided by a factor, and its column of the weight multiplied by it, so that features of very
    different ranges can share one scale (SmoothQuant, Xiao et al. 2023).

    Args:
        weight: float32, shape [out, in].
        bias: float32, shape [out].
        activation: Applied to the result.
        low: Smallest value of each input feature, shape [in].
        high: Largest value likewise.
        smooth: Use such factors.

    Raises:
        BackendError: the ranges are not finite.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        activation: Activation = NONE,
        *,
        low: torch.Tensor,
        high: torch.Tensor,
        smooth: bool = True,
    ) -> None:
        reach = torch.maximum(low.abs(), high.abs()).clamp(min=1e-4)
        steep = weight.abs().amax(0).clamp(min=1e-6)
        factor = (reach / steep).sqrt() if smooth else torch.ones_like(reach)
        smallest, largest = min(0.0, float((low / factor).min())), float((high / factor).max())
        if not math.isfinite(largest - smallest):
            raise BackendError("No finite input was seen: there were no calibration texts, or the weights are broken.")
        self.scale = max(largest - smallest, 1e-6) / 255
        self.zero = round(-smallest / self.scale)
        self._steps = 1 / (factor * self.scale)
        self._offset = torch.tensor(self.zero + 0.5)  # so that cutting rounds
        smoothed = weight * factor
        self._row_scales = smoothed.abs().amax(1).clamp(min=1e-8) / 127
        rounded = torch.round(smoothed / self._row_scales[:, None]).to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, [_ROWS, rounded.shape[1]])
        self._row_zeros = torch.zeros(len(bias), dtype=torch.int64)
        self._bias = bias
        self._activation = activation

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self._product(self.quantize(tokens), 1.0, 0, torch.bfloat16)

    def add(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self.add_quantized(self.quantize(tokens), residual)

    def quantize(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens as uint8, as this layer takes them."""
        # Through int32: its conversion to uint8 is vectorized, that of floats is not.
        steps = torch.addcmul(self._offset, tokens, self._steps)
        return steps.clamp_(0, 255).int().to(torch.uint8)

    def quantized_for(self, following: Int8Linear, tokens: torch.Tensor) -> torch.Tensor:
        """The result as uint8, as the following layer takes it."""
        return self._product(self.quantize(tokens), following.scale, following.zero, torch.uint8)

    def add_quantized(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """`add` for tokens that are quantized already."""
        return torch.ops.onednn.qlinear_pointwise.binary(
            tokens, self.scale, self.zero, self._weight, self._row_scales, self._row_zeros, residual,
            self._bias, 1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], "",
        )  # fmt: skip

    def _product(self, tokens: torch.Tensor, scale: float, zero: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.ops.onednn.qlinear_pointwise(
            tokens, self.scale, self.zero, self._weight, self._row_scales, self._row_zeros, self._bias,
            scale, zero, dtype, self._activation[0], [], self._activation[1],
        )  # fmt: skip


def float_linear(affine: Affine, activation: Activation, device: torch.device, dtype: torch.dtype) -> Linear:
    """The fastest layer for a device and a floating point type."""
    if device.type == "cpu" and torch.backends.mkldnn.is_available():
        return PackedLinear(*affine, activation, dtype)
    weight, bias = (part.to(device) for part in affine)
    return PlainLinear(weight, bias, activation, dtype)


AdapterRows: TypeAlias = list[tuple[int, torch.Tensor | slice]]
"""Adapters, and which rows of a pass are of each; those of none are in no part."""


def adapter_rows(adapters: Sequence[int], lengths: Sequence[int], device: torch.device) -> AdapterRows:
    """Rows of a pass over sequences with these adapters (-1 for none) and numbers of rows."""
    used = sorted({*adapters} - {-1})
    if len(used) == len({*adapters}) == 1:
        return [(used[0], slice(None))]
    of_row = torch.repeat_interleave(torch.tensor(adapters), torch.tensor(lengths)) if used else None
    return [(task, torch.nonzero(of_row == task)[:, 0].to(device)) for task in used]


class TaskRows:
    """The rows of the pass under way, set by what runs it for the layers that look here."""

    def __init__(self) -> None:
        self.parts: AdapterRows = []


class AdaptedLinear:
    """A layer to which low-rank adapters are added, of each row its own; the weights stay as they are.

    Args:
        linear: Without an activation.
        adapters: Of each task, or None where it leaves the layer as it is.
        rows: Set for each pass.
        activation: Applied to the sum.
        dtype: Of the products.
        device: Where it runs.
    """

    def __init__(
        self,
        linear: Linear,
        adapters: Sequence[LowRank | None],
        rows: TaskRows,
        activation: Activation,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._linear, self._rows, self._activation = linear, rows, _FUNCTIONS[activation]
        self._adapters = [
            None
            if pair is None
            # Torch's own product of few rows is another kernel's: its rounding would tell what is beside a text.
            else [float_linear((part, torch.zeros(len(part))), NONE, device, dtype) for part in pair]
            for pair in adapters
        ]

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self._activation(self._adapt(self._linear(tokens), tokens))

    def add(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self._adapt(self._linear.add(tokens, residual), tokens)

    def _adapt(self, result: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        for task, rows in self._rows.parts:
            if (pair := self._adapters[task]) is None:
                continue
            down, up = pair
            own = up.add(down(tokens[rows]), result[rows])
            if isinstance(rows, slice):
                result = own
            else:
                result[rows] = own
        return result


class FloatFeedForward:
    """Two layers one after the other."""

    def __init__(self, up: Linear, down: Linear) -> None:
        self._up, self._down = up, down

    def __call__(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        return self._down.add(self._up(tokens), residual)


class GatedFeedForward:
    """A gate, activated, times what is let through (GLU variants, Shazeer 2020); normalized before the last layer.

    Args:
        gate: With the activation.
        up: Without one.
        down: The last layer.
        norm: Between, or None.
    """

    def __init__(
        self, gate: Linear, up: Linear, down: Linear, norm: Callable[[torch.Tensor], torch.Tensor] | None
    ) -> None:
        self._gate, self._up, self._down, self._norm = gate, up, down, norm

    def __call__(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol, with gate(tokens) * up(tokens) for activation(up(tokens))."""
        inner = self._gate(tokens).mul_(self._up(tokens))
        return self._down.add(inner if self._norm is None else self._norm(inner), residual)


class Int8FeedForward:
    """Two int8 layers with uint8 between them.

    Of the features between them a few reach ten times further than all others and would leave these a tenth of the
    256 steps. They stay float32 (as in LLM.int8(), Dettmers et al. 2022): on all-MiniLM-L6-v2 that is the difference
    between a cosine of .996 and .999, at no measurable cost.

    Args:
        up: Weight and bias, float32.
        down: Likewise.
        activation: Between them.
        inputs: Lowest and highest value of each input feature.
        inner: Likewise of each feature between the layers.
    """

    _FAR = 8

    def __init__(self, up: Affine, down: Affine, activation: Activation, *, inputs: Range, inner: Range) -> None:
        far = inner[1].topk(min(self._FAR, len(inner[1]))).indices
        near = torch.ones(len(inner[1]), 1).index_fill_(0, far, 0.0)
        low, high = (bound * near[:, 0] for bound in inner)
        self._up = Int8Linear(up[0] * near, up[1] * near[:, 0], activation, low=inputs[0], high=inputs[1])
        self._down = Int8Linear(down[0] * near.T, down[1], low=low, high=high, smooth=False)
        self._far_up, self._far_bias = up[0][far].contiguous(), up[1][far].contiguous()
        self._far_down = down[0][:, far].T.contiguous()
        self._activation = _FUNCTIONS[activation]

    def __call__(self, tokens: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        far = self._activation(functional.linear(tokens, self._far_up, self._far_bias))
        near = self._up.quantized_for(self._down, tokens)
        return self._down.add_quantized(near, residual).addmm_(far, self._far_down)


class RecordingLinear(PlainLinear):
    """A float32 layer that notes the range of each of its input features."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, activation: Activation = NONE) -> None:
        super().__init__(weight, bias, activation, torch.float32)
        self.low = torch.full((weight.shape[1],), math.inf)
        self.high = -self.low

    @property
    def has_seen(self) -> bool:
        """Whether any input came."""
        return bool((self.high >= self.low).all())

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """As in the protocol."""
        flat = tokens.reshape(-1, tokens.shape[-1])
        self.low = torch.minimum(self.low, flat.amin(0))
        self.high = torch.maximum(self.high, flat.amax(0))
        return super().__call__(tokens)
