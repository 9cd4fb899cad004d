"""What the native architectures have in common: token vectors, and a stack of attention blocks over them, in one form.

Each module beside this one reads the checkpoints of an architecture into this form; `backends.packed` runs it.
Weights are as stored, mostly without a copy; what runs them takes float32 of one block at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch

Affine: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Weight and bias of a linear layer."""
ByDistance: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""What a distance j - i, shape [distances], adds to the scores of each head, shape [heads, distances]."""
Angles: TypeAlias = Callable[[int], torch.Tensor]
"""Rotary angles of the first positions, shape [positions, head width / 2], by their number."""
ACTIVATIONS: dict[str, tuple[str, str]] = {
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
    "silu": ("swish", ""),
}
"""Activations by their name in config.json: function, and the approximation it takes."""


class Norm(NamedTuple):
    """LayerNorm, or RMSNorm where there is no bias."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None


class LowRank(NamedTuple):
    """What a LoRA adapter (Hu et al. 2021) adds to a weight: up @ down.

    Attributes:
        down: Shape [rank, in].
        up: Shape [out, rank], scaled.
    """

    down: torch.Tensor
    up: torch.Tensor


class Dense(NamedTuple):
    """A linear layer.

    Attributes:
        weight: Shape [out, in].
        bias: Shape [out], or None.
        adapters: Of each task; None for a task that leaves the layer as it is.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    adapters: tuple[LowRank | None, ...] = ()


class Norms(NamedTuple):
    """Where a block normalizes: an architecture has some of these.

    Attributes:
        attention_in: Of what the attention is given, beside the residual stream (pre-norm).
        query, key: Of all heads together, or of each head when as wide as one; before positions are put in.
        context: Of what the heads gather, before the output layer.
        attention_out: Of the stream after the attention is added (post-norm).
        again: Of the sum of that and the block's own input, which JinaBERT's code variant adds a second time.
        feed_forward_in, inner, feed_forward_out: Likewise of the feed-forward; `inner` stands before its last layer.
    """

    attention_in: Norm | None = None
    query: Norm | None = None
    key: Norm | None = None
    context: Norm | None = None
    attention_out: Norm | None = None
    again: Norm | None = None
    feed_forward_in: Norm | None = None
    inner: Norm | None = None
    feed_forward_out: Norm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Weights of one layer.

    Attributes:
        qkv: Queries, keys and values: one layer that gives all, or three.
        output: After the attention.
        gate: What is activated and multiplied with what `up` gives, or None where `up` is activated itself.
        up, down: The feed-forward.
        norms: The norms.
    """

    qkv: tuple[Dense, ...]
    output: Dense
    gate: Dense | None = None
    up: Dense
    down: Dense
    norms: Norms


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Blocks, and what they share.

    Attributes:
        blocks: The layers.
        heads: Attention heads of the queries.
        key_heads: Of keys and values: as many, or a divisor (grouped queries, Ainslie et al. 2023).
        epsilon: Of every norm.
        activation: Function and approximation, as in ACTIVATIONS.
        by_distance: Added to the scores, or None.
        angles: Of rotary positions (Su et al. 2021), whose pairs are the halves of a head; or None.
        causal: Whether a token sees only those before it.
        norm: Of what the last block gives, or None.
        adapters: Names of the adapters that `Dense.adapters` holds, in that order.
    """

    blocks: tuple[Block, ...]
    heads: int
    key_heads: int
    epsilon: float
    activation: tuple[str, str]
    by_distance: ByDistance | None = None
    angles: Angles | None = None
    causal: bool = False
    norm: Norm | None = None
    adapters: tuple[str, ...] = ()


class WordAdapter(NamedTuple):
    """What an adapter adds to a token's vector: row of `down` @ `up` + `shift`.

    Attributes:
        down: Shape [vocabulary, rank].
        up: Shape [rank, hidden], scaled.
        shift: Of every token, shape [hidden].
    """

    down: torch.Tensor
    up: torch.Tensor
    shift: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderWeights:
    """A text model: token vectors, then a stack.

    Attributes:
        words: Token vectors, shape [vocabulary, hidden].
        positions: Position vectors from the first token on, shape [positions, hidden], or None.
        types: Vectors of token types, shape [types, hidden], or None.
        norm: Of the sum, or None.
        stack: The layers.
        head: Two linear layers of a classifier with the activation between them, or None.
        adapters: Of the token vectors, for each of the stack's adapters; or empty.
    """

    words: torch.Tensor
    positions: torch.Tensor | None = None
    types: torch.Tensor | None = None
    norm: Norm | None = None
    stack: Stack
    head: tuple[Affine, str, Affine] | None = None
    adapters: tuple[WordAdapter, ...] = ()

    @property
    def hidden(self) -> int:
        """Width of a token's vector."""
        return int(self.words.shape[1])


def rotary_angles(width: int, theta: float) -> Angles:
    """Angles of a text's positions: position / theta^(2k / width) for pair k of a head (Su et al. 2021)."""
    frequencies = theta ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    return lambda positions: torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)


def alibi(heads: int) -> ByDistance:
    """-slope · |distance|, so that far tokens count less (ALiBi, Press et al. 2022), alike in both directions.

    Slopes are 2^(-8k / n) for n heads if that is a power of two; else those of the largest power below, then every
    second one of twice as many.
    """
    power = 1 << (heads.bit_length() - 1)

    def powers(count: int) -> torch.Tensor:
        return 2.0 ** (-8 * torch.arange(1, count + 1, dtype=torch.float64) / count)

    slopes = torch.cat([powers(power), powers(2 * power)[::2][: heads - power]])
    return lambda distances: -slopes[:, None] * distances.abs()


def relative_buckets(table: torch.Tensor, *, max_distance: int = 128) -> ByDistance:
    """Rows of a table by bucket of distance, shape [buckets, heads].

    The buckets of T5 (Raffel et al. 2020, as in MPNet): half for either direction; small distances have their own,
    larger ones share them by logarithm.
    """
    buckets = len(table) // 2
    exact = buckets // 2

    def bias(distances: torch.Tensor) -> torch.Tensor:
        far = distances.abs()
        scaled = torch.log(far.float().clamp(min=1) / exact) / torch.log(torch.tensor(max_distance / exact))
        shared = (exact + (scaled * (buckets - exact)).long()).clamp(max=buckets - 1)
        return table[torch.where(far < exact, far, shared) + (distances > 0) * buckets].T

    return bias
