"""Self-attention over sequences of different lengths that stand one behind the other, without padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch.nn import functional


class Group(NamedTuple):
    """Neighbours of equal length: `number` sequences of `length` tokens from token `start` on."""

    start: int
    number: int
    length: int

    @property
    def tokens(self) -> slice:
        """Where its tokens stand."""
        return slice(self.start, self.start + self.number * self.length)


class Packing:
    """Which tokens of a pass belong together.

    Args:
        lengths: Tokens of each sequence, in their order.
        device: Where the pass runs.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths = lengths
        self._device = device
        self.groups: list[Group] = []
        for start, length in zip(accumulate(lengths, initial=0), lengths, strict=False):
            if self.groups and self.groups[-1].length == length:
                last = self.groups.pop()
                self.groups.append(last._replace(number=last.number + 1))
            else:
                self.groups.append(Group(start, 1, length))

    @cached_property
    def ends(self) -> torch.Tensor:
        """0 and the end of each sequence, int32, shape [sequences + 1]."""
        return torch.tensor([0, *accumulate(self.lengths)], dtype=torch.int32, device=self._device)

    @cached_property
    def firsts(self) -> torch.Tensor:
        """Index of each sequence's first token, shape [sequences]."""
        return self.ends[:-1].long()

    def pooled(self) -> Packing:
        """What is left when only the first token of each sequence is kept."""
        return Packing([1] * len(self.lengths), self._device)


Bias: TypeAlias = Callable[[int], torch.Tensor]
"""Relative position bias for a length, shape [heads, length, length]."""


class Attention(Protocol):
    """Self-attention."""

    def __call__(
        self, qkv: torch.Tensor, packing: Packing, heads: int, bias: Bias | None, *, first_only: bool
    ) -> torch.Tensor:
        """What each token gathers, shape [tokens, hidden], or [sequences, hidden] for `first_only`.

        Args:
            qkv: Queries (scaled), keys and values, shape [tokens, 3 * hidden].
            packing: Whose tokens they are.
            heads: Number of heads.
            bias: Added to the scores, or None.
            first_only: Compute the first token of each sequence only.
        """
        ...


# Scores held at a time: as many as fit into a core's cache beside the rest.
_CELLS = 1 << 19
# Longest sequence for which products and a softmax of their own beat the fused kernel, by type. Measured on AVX-512:
# for 128 tokens in bfloat16 2.0 against 4.2 µs a token and layer, for 12 tokens in float32 1.0 against 1.7.
_LONGEST = {torch.bfloat16: 2048, torch.float32: 48}


def attend_cpu(qkv: torch.Tensor, packing: Packing, heads: int, bias: Bias | None, *, first_only: bool) -> torch.Tensor:
    """Group by group: oneDNN's products and softmax for short sequences, torch's fused kernel for long ones."""
    return _by_groups(qkv, packing, heads, bias, first_only=first_only, longest=_LONGEST[qkv.dtype])


def attend_fused(
    qkv: torch.Tensor, packing: Packing, heads: int, bias: Bias | None, *, first_only: bool
) -> torch.Tensor:
    """Group by group, torch's fused kernel: for any device and type."""
    return _by_groups(qkv, packing, heads, bias, first_only=first_only, longest=0)


def attend_varlen(
    qkv: torch.Tensor, packing: Packing, heads: int, bias: Bias | None, *, first_only: bool
) -> torch.Tensor:
    """All sequences in one kernel (FlashAttention's variable lengths, Dao 2023): CUDA, float16 or bfloat16."""
    if bias is not None:
        return attend_fused(qkv, packing, heads, bias, first_only=first_only)
    from torch.nn.attention.varlen import varlen_attn

    queries, keys, values = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    longest, ends, query_ends = max(packing.lengths), packing.ends, packing.ends
    if first_only:
        queries = queries[packing.firsts]
        query_ends = torch.arange(len(queries) + 1, dtype=torch.int32, device=qkv.device)
    context = varlen_attn(queries, keys, values, query_ends, ends, 1 if first_only else longest, longest, scale=1.0)
    return context.reshape(len(queries), -1)


def _by_groups(
    qkv: torch.Tensor, packing: Packing, heads: int, bias: Bias | None, *, first_only: bool, longest: int
) -> torch.Tensor:
    width = qkv.shape[1] // (3 * heads)
    rows = []
    for group in packing.groups:
        shape = (group.number, group.length, 3, heads, width)
        queries, keys, values = qkv[group.tokens].view(shape).permute(2, 0, 3, 1, 4)
        if first_only:
            queries = queries[:, :, :1]
        scores = None if bias is None else bias(group.length)[:, : queries.shape[2]]
        attend = _products if group.length <= longest else _fused
        context = attend(queries, keys, values, scores)
        rows.append(context.transpose(1, 2).reshape(-1, heads * width))
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def _fused(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias, scale=1.0)


def _products(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """softmax(queries @ keys.T + bias) @ values, as many heads at a time as the cache holds; [n, heads, length, d]."""
    shape = queries.shape
    queries, keys, values = (part.reshape(-1, *part.shape[2:]) for part in (queries, keys, values))
    keys = keys.transpose(1, 2)
    if bias is not None:
        bias = bias.repeat(shape[0], 1, 1)
    step = max(1, _CELLS // (queries.shape[1] * values.shape[1]))
    rows = []
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        scores = torch.bmm(queries[part], keys[part])
        if bias is not None:
            scores += bias[part]
        rows.append(torch.bmm(torch.softmax(scores.to_mkldnn(), -1).to_dense(), values[part]))
    return (rows[0] if len(rows) == 1 else torch.cat(rows)).view(shape)
