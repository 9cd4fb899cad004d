"""Late chunking (Günther et al. 2024, arXiv:2409.04701): chunks of a document run together, and each is pooled alone.

So a chunk's vector knows what stands before and behind it. A document over the model's context runs in windows that
overlap, and a chunk is pooled in the one in which more is around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.models.frames import Frame
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def window_sequence(
    window: Window,
    chunks: Sequence[NDArray[np.int32]],
    frame: Frame,
    *,
    prompt: NDArray[np.int32],
    head: int,
    adapter: int,
) -> TokenSequence:
    """A window's chunks as one sequence, of which the tokens of each one that it pools are a span.

    Markers belong to the first chunk of all and the last.

    Args:
        window: Which chunks.
        chunks: Tokens of all; those of the first begin with the prompt.
        frame: Markers around a text.
        prompt: Tokens put before the windows that do not hold the first chunk.
        head: Tokens that the prompt takes with the markers before it, which some models leave out of their pooling.
        adapter: That it runs with, -1 for none.
    """
    own = chunks[window.start : window.stop]
    before = prompt[:0] if window.start == 0 else prompt
    ids = frame.around(np.concatenate([before, *own])).ids
    ends = frame.slot + len(before) + np.cumsum([0, *map(len, own)])
    starts, stops = ends[:-1].copy(), ends[1:].copy()
    if window.start == 0:
        starts[0] = 0
    if window.stop == len(chunks):
        stops[-1] = len(ids)
    spans = np.stack([starts, stops], 1).astype(np.int32)
    wanted = spans[window.own - window.start : window.until - window.start]
    return TokenSequence(ids, prompt=head, adapter=adapter, spans=wanted)
