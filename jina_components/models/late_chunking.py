"""Late chunking (Günther et al. 2024, arXiv:2409.04701): chunks of a document run together, and each is pooled alone.

So a chunk's vector knows what stands before and behind it. A document over the model's context runs in windows that
overlap, and a chunk is pooled in the one in which more is around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Tokens that neighbouring windows share, and the part of the room they may be; the paper's long variant has 256.
_OVERLAP, _MOST_OVERLAP = 512, 1 / 2


class Window(NamedTuple):
    """Chunks that run together: from `start` to before `stop`; those from `own` to before `until` are pooled."""

    start: int
    stop: int
    own: int
    until: int


def windows(lengths: Sequence[int], room: int | None) -> list[Window]:
    """Windows over chunks of so many tokens, none longer than `room`; every chunk is pooled in one, in their order."""
    if room is None:
        return [Window(0, len(lengths), 0, len(lengths))] if lengths else []
    overlap = min(_OVERLAP, int(room * _MOST_OVERLAP))
    found: list[Window] = []
    start = own = 0
    while own < len(lengths):
        stop = _fitting(lengths, start, room)
        if stop == len(lengths):
            found.append(Window(start, stop, own, stop))
            break
        following = _next_start(lengths, start, stop, room, overlap)
        until = _middle(lengths, following, stop)
        found.append(Window(start, stop, own, until))
        start, own = following, until
    return found


def _fitting(lengths: Sequence[int], start: int, room: int) -> int:
    """Behind the last chunk that fits a window from `start`."""
    taken = 0
    for place in range(start, len(lengths)):
        taken += lengths[place]
        if taken > room:
            return max(place, start + 1)
    return len(lengths)


def _next_start(lengths: Sequence[int], start: int, stop: int, room: int, overlap: int) -> int:
    """The first chunk of the window behind one that ends before `stop`: it must hold a chunk more."""
    shared, place = 0, stop
    while place > start + 1:
        shared += lengths[place - 1]
        if shared > overlap or shared + lengths[stop] > room:
            break
        place -= 1
    return place


def _middle(lengths: Sequence[int], start: int, stop: int) -> int:
    """The chunk from which on the shared ones are nearer to the later window's middle."""
    half, taken = sum(lengths[start:stop]) / 2, 0.0
    for place in range(start, stop):
        if taken + lengths[place] / 2 > half:
            return place
        taken += lengths[place]
    return stop
