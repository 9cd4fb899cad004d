"""Self-attention over sequences of different lengths that stand one behind the other, without padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from jina_components.models.backends.linear import AdapterRows, adapter_rows


class Group(NamedTuple):
    """Neighbours of equal length: `number` sequences of `length` tokens from token `start` on.

    Of each the first `seen` tokens are attended to.
    """

    start: int
    number: int
    length: int
    seen: int

    @property
    def tokens(self) -> slice:
        """Where its tokens stand."""
        return slice(self.start, self.start + self.number * self.length)


class Packing:
    """Which tokens of a pass belong together.

    Args:
        lengths: Tokens of each sequence, in their order; behind them a CPU's pass has rows that are nobody's.
        device: Where the pass runs.
        seen: Tokens at the head of each sequence that are attended to; None for all.
        adapters: Number of the adapter of each sequence, -1 for none; None for none at all.

    Attributes:
        rows: Rows of the pass: the tokens, and what is added so that few numbers of rows occur.
        first_rows: Likewise where only the first token of each sequence is left.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        device: torch.device,
        *,
        seen: Sequence[int] | None = None,
        adapters: Sequence[int] | None = None,
    ) -> None:
        self.lengths = lengths
        self._adapters = adapters or [-1] * len(lengths)
        self._device = device
        on_cpu = device.type == "cpu"
        self.rows = _few_sizes(sum(lengths)) if on_cpu else sum(lengths)
        self.first_rows = _few_sizes(len(lengths)) if on_cpu else len(lengths)
        self.groups: list[Group] = []
        for start, length, own in zip(accumulate(lengths, initial=0), lengths, seen or lengths, strict=False):
            if self.groups and self.groups[-1][2:] == (length, own):
                last = self.groups.pop()
                self.groups.append(last._replace(number=last.number + 1))
            else:
                self.groups.append(Group(start, 1, length, own))

    @cached_property
    def hides(self) -> bool:
        """Whether there are tokens that are not attended to."""
        return any(group.seen < group.length for group in self.groups)

    @cached_property
    def ends(self) -> torch.Tensor:
        """0 and the end of each sequence, int32, shape [sequences + 1]."""
        return torch.tensor([0, *accumulate(self.lengths)], dtype=torch.int32, device=self._device)

    @cached_property
    def firsts(self) -> torch.Tensor:
        """Index of each sequence's first token, and 0 for what is added, shape [first_rows]."""
        starts = self.ends[:-1].long()
        return functional.pad(starts, (0, self.first_rows - len(starts)))

    @cached_property
    def positions(self) -> torch.Tensor:
        """Of each token in its sequence, and 0 for what is added, shape [rows]."""
        own = np.zeros(self.rows, np.int64)
        np.concatenate([np.arange(length) for length in self.lengths], out=own[: sum(self.lengths)])
        return torch.from_numpy(own).to(self._device)

    @cached_property
    def adapter_rows(self) -> AdapterRows:
        """Rows of each adapter."""
        return adapter_rows(self._adapters, self.lengths, self._device)

    def pooled(self) -> Packing:
        """What is left when only the first token of each sequence is kept."""
        return Packing([1] * len(self.lengths), self._device, adapters=self._adapters)


def _few_sizes(number: int) -> int:
    """The next larger of the sizes that occur: oneDNN keeps a kernel of about a megabyte for each.

    Beyond 128 a quarter is added at most, and a sixteenth on average.
    """
    step = next(step for limit, step in ((128, 16), (256, 32), (1536, 64), (number, 256)) if number <= limit)
    return -(-number // step) * step


class Heads(NamedTuple):
    """What attention takes.

    Attributes:
        queries: Scaled, shape [rows, heads, width].
        keys, values: Shape [rows, heads or a divisor of it, width].
    """

    queries: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor


Bias: TypeAlias = Callable[[int, int, int], torch.Tensor]
"""What is added to the scores of tokens `start` to `stop` of a length, shape [heads, stop - start, length]."""


class Attention(Protocol):
    """Self-attention."""

    def __call__(
        self, heads: Heads, packing: Packing, bias: Bias | None, *, causal: bool, first_only: bool
    ) -> torch.Tensor:
        """What each token gathers, shape [rows, heads * width], or [first_rows, heads * width] for `first_only`.

        Args:
            heads: Queries, keys and values.
            packing: Whose tokens they are.
            bias: Added to the scores, or None.
            causal: Tokens see those before them alone.
            first_only: Compute the first token of each sequence only.
        """
        ...


# Scores held at a time: as many as fit into a core's cache beside the rest.
_CELLS = 3 << 18
# Numbers of a bias held at a time, where it comes in parts.
_MOST_BIAS = 1 << 22
# Longest sequence for which products and a softmax of their own beat the fused kernel in bfloat16. Measured on AVX-512:
# for 128 tokens 2.0 against 4.2 µs a token and layer, for 12 tokens 0.9 against 2.9.
_LONGEST = 2048
# Lengths are rounded up to this, so that few occur (see `_few_sizes`).
_LENGTH_STEP = 16


def attend_cpu(heads: Heads, packing: Packing, bias: Bias | None, *, causal: bool, first_only: bool) -> torch.Tensor:
    """Group by group: in bfloat16 by oneDNN's products and softmax, else by torch's fused kernel."""
    longest = _LONGEST if heads.queries.dtype == torch.bfloat16 else 0
    return _by_groups(heads, packing, bias, causal=causal, first_only=first_only, longest=longest)


def attend_fused(heads: Heads, packing: Packing, bias: Bias | None, *, causal: bool, first_only: bool) -> torch.Tensor:
    """Group by group, torch's fused kernel: for any device and type."""
    return _by_groups(heads, packing, bias, causal=causal, first_only=first_only, longest=0)


def attend_varlen(heads: Heads, packing: Packing, bias: Bias | None, *, causal: bool, first_only: bool) -> torch.Tensor:
    """All sequences in one kernel (FlashAttention's variable lengths, Dao 2023): CUDA, float16 or bfloat16."""
    if bias is not None or (causal and first_only) or packing.hides:
        return attend_fused(heads, packing, bias, causal=causal, first_only=first_only)
    from torch.nn.attention.varlen import varlen_attn

    queries, keys, values = heads
    longest, ends, query_ends = max(packing.lengths), packing.ends, packing.ends
    if first_only:
        queries = queries[packing.firsts]
        query_ends = torch.arange(len(queries) + 1, dtype=torch.int32, device=queries.device)
    context = varlen_attn(
        queries, keys, values, query_ends, ends, 1 if first_only else longest, longest, scale=1.0,
        window_size=(-1, 0) if causal else (-1, -1), enable_gqa=queries.shape[1] != keys.shape[1],
    )  # fmt: skip
    return context.reshape(len(queries), -1)


def _by_groups(
    heads: Heads, packing: Packing, bias: Bias | None, *, causal: bool, first_only: bool, longest: int
) -> torch.Tensor:
    columns = heads.queries.shape[1] * heads.queries.shape[2]
    rows = []
    for group in packing.groups:
        queries, keys, values = (_of_group(part, group, heads.queries.shape[1]) for part in heads)
        if first_only:
            queries = queries[:, :, :1]
            if causal:  # the first token sees itself alone
                keys, values = keys[:, :, :1], values[:, :, :1]
        # A causal product computes both halves, the fused kernel one; a bias that is kept is as large as the scores.
        most = longest // 2 if causal or bias is not None else longest
        attend, own = _products if group.length <= most else _fused, bias
        if group.seen < group.length:
            keys, values = keys[:, :, : group.seen], values[:, :, : group.seen]
            own = bias and _of_seen(bias, group)
        context = attend(queries, keys, values, own, causal=causal)
        rows.append(context.transpose(1, 2).reshape(-1, columns))
    added = (packing.first_rows - len(packing.lengths)) if first_only else (packing.rows - sum(packing.lengths))
    if added:
        rows.append(heads.queries.new_zeros(added, columns))
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def _of_seen(bias: Bias, group: Group) -> Bias:
    """A bias without the columns of tokens that are not attended to."""
    return lambda start, stop, _: bias(start, stop, group.length)[:, :, : group.seen]


def _of_group(part: torch.Tensor, group: Group, heads: int) -> torch.Tensor:
    """A group's share as [number, heads, length, width]; heads that serve several queries are repeated."""
    own = part[group.tokens].unflatten(0, (group.number, group.length)).transpose(1, 2)
    return own if own.shape[1] == heads else own.repeat_interleave(heads // own.shape[1], 1)


def _fused(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: Bias | None, *, causal: bool
) -> torch.Tensor:
    """softmax(queries @ keys.T + bias) @ values; with a bias in parts, so that few of its numbers are held at once."""
    heads, asked, length = queries.shape[1], queries.shape[2], keys.shape[2]
    if bias is None:
        return functional.scaled_dot_product_attention(queries, keys, values, is_causal=causal, scale=1.0)
    step = max(1, _MOST_BIAS // (heads * length))
    dtype = queries.dtype
    if queries.device.type == "cpu":  # where the kernel of bfloat16 would convert every part of the bias
        queries, keys, values = queries.float(), keys.float(), values.float()
    parts = []
    for start in range(0, asked, step):
        added = bias(start, min(start + step, asked), length)
        if causal:
            added = added.masked_fill(torch.ones_like(added[0], dtype=torch.bool).triu(start + 1), float("-inf"))
        part = queries[:, :, start : start + step]
        parts.append(
            functional.scaled_dot_product_attention(part, keys, values, attn_mask=added.to(queries.dtype), scale=1.0)
        )
    return torch.cat(parts, 2).to(dtype)


def _products(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: Bias | None, *, causal: bool
) -> torch.Tensor:
    """The same in blocks that the cache holds; [number, heads, length, width]."""
    number, heads, asked, width = queries.shape
    length = keys.shape[2]
    columns = -(-length // _LENGTH_STEP) * _LENGTH_STEP
    rows = columns if asked == length else asked
    step = _block(_CELLS // (rows * columns), heads)
    whole = number * heads // step * step
    pairs = whole + heads * _few_numbers(-(-(number * heads - whole) // heads))
    padded = [_padded(part, pairs, size) for part, size in ((queries, rows), (keys, columns), (values, columns))]
    context = torch.empty_like(padded[0])
    added = None if bias is None else bias(0, asked, length)
    later = torch.ones(rows, columns, dtype=torch.bool).triu(1) if causal else None
    for start in range(0, pairs, step):
        query, key, value = (part[start : start + step] for part in padded)
        scores = torch.bmm(query, key.transpose(1, 2))
        if added is not None:
            own = added[start % heads :][:step]
            scores.view(-1, len(own), rows, columns)[..., :asked, :length] += own
        scores[..., length:] = float("-inf")
        if later is not None:
            scores.masked_fill_(later, float("-inf"))
        torch.bmm(torch.softmax(scores.to_mkldnn(), -1).to_dense(), value, out=context[start : start + step])
    return context[: number * heads, :asked].view(number, heads, asked, width)


def _block(most: int, heads: int) -> int:
    """Pairs of a sequence and a head in a block of at most `most`: some whole sequences, or a part of one's heads."""
    if most < heads:
        return next(size for size in range(max(1, most), 0, -1) if heads % size == 0)
    power = 1 << ((most // heads).bit_length() - 1)
    return heads * (power * 3 // 2 if power > 1 and power * 3 // 2 * heads <= most else power)


def _few_numbers(number: int) -> int:
    """The next of 0, 1, 2, 3, 4, 6, 8, 12, 16 …: numbers of sequences that occur in a block."""
    power = 1 << max(0, number - 1).bit_length()
    return power * 3 // 4 if power > 2 and number <= power * 3 // 4 else power if number else 0


def _padded(part: torch.Tensor, pairs: int, length: int) -> torch.Tensor:
    """[number, heads, length, width] as [pairs, length, width], with zeros behind each side."""
    number, heads, own, width = part.shape
    if number * heads == pairs and own == length:
        return part.reshape(pairs, length, width)
    target = part.new_zeros(pairs // heads, heads, length, width)
    target[:number, :, :own] = part
    return target.view(pairs, length, width)
