"""Postings of a range of slots: for each term the slots that hold it, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int32]
    Longs: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]

_SLOT_BITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """An inverted index of the slots `first` to `first + len(lengths)`; its arrays are never written to.

    Slots that were deleted stay in the postings until the segment is merged; `held` tells.

    Attributes:
        first: Its first slot.
        lengths: Number of terms of each slot's text, repeated ones counted; int32.
        held: Whether a slot's text is there and was not deleted.
        terms: Numbers of the terms that occur, ascending; int32.
        starts: Where the postings of each begin, and where the last end; int64, one more than `terms`.
        slots: Postings: distances from `first`, ascending for each term; int32.
        counts: Of each posting, how often the term occurs; unsigned, as narrow as they allow.
    """

    first: int
    lengths: Ints
    held: Mask
    terms: Ints
    starts: Longs
    slots: Ints
    counts: NDArray[np.unsignedinteger[Any]]

    @property
    def end(self) -> int:
        """The slot after its last."""
        return self.first + len(self.lengths)

    @property
    def size(self) -> int:
        """What merging it costs."""
        return len(self.slots) + len(self.lengths)

    def find(self, term: int) -> tuple[int, int] | None:
        """Where the postings of a term begin and end; None where it does not occur."""
        place = int(self.terms.searchsorted(np.int32(term)))
        if place == len(self.terms) or self.terms[place] != term:
            return None
        return int(self.starts[place]), int(self.starts[place + 1])

    def without(self, slots: Longs) -> Segment:
        """With these slots deleted, of those that it holds."""
        mine = slots[(slots >= self.first) & (slots < self.end)] - self.first
        if not self.held[mine].any():
            return self
        held = np.array(self.held)
        held[mine] = False
        return replace(self, held=held)


def build(slots: Longs, sizes: Longs, terms: Ints) -> Segment:
    """Turn texts round.

    Args:
        slots: Slots of the texts, ascending.
        sizes: Number of terms of each text.
        terms: Numbers of the terms, text by text.
    """
    first = int(slots[0])
    places = slots - first
    # One sort by (term, slot); what occurs twice stands side by side.
    keys = terms.astype(np.int64)
    keys <<= _SLOT_BITS
    keys |= np.repeat(places, sizes)
    keys.sort()
    starts = _changes(keys)
    counts = np.diff(starts, append=len(keys))
    keys = keys[starts]
    term_of = (keys >> _SLOT_BITS).astype(np.int32)
    term_starts = _changes(term_of)
    lengths, held = _laid_out(places, sizes)
    return Segment(
        first=first,
        lengths=lengths,
        held=held,
        terms=term_of[term_starts],
        starts=np.append(term_starts, len(keys)),
        slots=(keys & ((1 << _SLOT_BITS) - 1)).astype(np.int32),
        counts=_narrow(counts),
    )


def _changes(values: NDArray[Any]) -> Longs:
    """Where a value differs from the one before."""
    return np.flatnonzero(np.concatenate([np.ones(min(len(values), 1), bool), values[1:] != values[:-1]]))


def _laid_out(places: Longs, sizes: NDArray[np.integer[Any]]) -> tuple[Ints, Mask]:
    width = int(places[-1]) + 1 if len(places) else 0
    lengths, held = np.zeros(width, np.int32), np.zeros(width, bool)
    lengths[places] = sizes
    held[places] = True
    return lengths, held


def _narrow(counts: NDArray[Any]) -> NDArray[np.unsignedinteger[Any]]:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def merge(segments: Sequence[Segment]) -> Segment:
    """One segment of several that follow one another, in linear time; what was deleted goes."""
    first = segments[0].first
    lengths = np.zeros(segments[-1].end - first, np.int32)
    held = np.zeros(len(lengths), bool)
    cleaned = [_cleaned(segment) for segment in segments]
    terms = np.unique(np.concatenate([part.terms for part in cleaned]))
    places = [np.searchsorted(terms, part.terms) for part in cleaned]
    sizes = np.zeros(len(terms), np.int64)
    for part, place in zip(cleaned, places, strict=True):
        sizes[place] += np.diff(part.starts)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    slots = np.empty(starts[-1], np.int32)
    counts = np.empty(len(slots), max((part.counts.dtype for part in cleaned), key=lambda dtype: dtype.itemsize))
    following = starts[:-1].copy()
    for part, place in zip(cleaned, places, strict=True):
        own = np.diff(part.starts)
        targets = np.repeat(following[place] - part.starts[:-1], own)
        targets += np.arange(len(part.slots))
        slots[targets] = part.slots + np.int32(part.first - first)
        counts[targets] = part.counts
        following[place] += own
        window = slice(part.first - first, part.end - first)
        lengths[window], held[window] = part.lengths, part.held
    return Segment(first, lengths, held, terms, starts, slots, counts)


def _cleaned(segment: Segment) -> Segment:
    """Without the postings of what was deleted."""
    if segment.held.all():
        return segment
    kept = segment.held[segment.slots]
    starts = np.concatenate([[0], np.cumsum(kept)])[segment.starts]
    used = np.diff(starts) > 0
    return replace(
        segment,
        lengths=np.where(segment.held, segment.lengths, np.int32(0)),
        terms=segment.terms[used],
        starts=np.append(starts[:-1][used], starts[-1]),
        slots=segment.slots[kept],
        counts=segment.counts[kept],
    )


def renumber(segment: Segment, new_slots: Longs) -> Segment:
    """With other slots.

    Args:
        segment: One without deleted slots in its postings.
        new_slots: For each of its slots the new one, ascending; what stands at slots not held is not read.
    """
    places = np.full(len(segment.held), -1, np.int64)
    places[segment.held] = new_slots[segment.held]
    lengths, held = _laid_out(places[segment.held], segment.lengths[segment.held])
    return replace(segment, first=0, lengths=lengths, held=held, slots=places[segment.slots].astype(np.int32))
