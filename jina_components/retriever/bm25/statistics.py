"""What BM25 knows of all documents together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from jina_components.retriever.bm25.ranking import Term, impacts
from jina_components.retriever.bm25.segment import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.int32]
    Longs: TypeAlias = NDArray[np.int64]

_Number = TypeVar("_Number", bound=np.generic)

# What is kept between searches takes this many bytes, or as many as the postings where these are more.
_KEPT_BYTES = 1 << 26
# Terms of more than one document in this many are looked up in an array over all.
_FREQUENT = 32
# So that 0 / (0 + norm) is 0 where k1 or b make norms vanish.
_SMALLEST_NORM = np.float32(1e-30)


class Statistics:
    """Number of documents, their mean length, idf; and what was worked out of them for searches.

    Threads may share it: what two of them work out at once is the same.

    Attributes:
        documents: How many are held.
        norms: k1 · (1 - b + b · length / mean length) of each slot; infinite where none is held.
    """

    def __init__(self, segments: Sequence[Segment], k1: float, b: float) -> None:
        self._segments, self._k1 = segments, k1
        end = segments[-1].end if segments else 0
        lengths, held = np.zeros(end, np.float32), np.zeros(end, bool)
        for segment in segments:
            lengths[segment.first : segment.end] = segment.lengths
            held[segment.first : segment.end] = segment.held
        self.documents = int(np.count_nonzero(held))
        total = float(lengths.sum(where=held, dtype=np.float64))
        norms = np.float32(k1 * (1 - b)) + np.float32(k1 * b * self.documents / (total or 1)) * lengths
        np.maximum(norms, _SMALLEST_NORM, out=norms)
        norms[~held] = np.inf
        self.norms: Floats = norms
        self._gone = np.flatnonzero(~held).astype(np.int32)
        self._terms: dict[int, Term | None] = {}
        self._parts: dict[int, Floats] = {}
        self._rows: dict[int, NDArray[np.unsignedinteger[Any]]] = {}
        self._kept = 0
        self._limit = max(_KEPT_BYTES, sum(part.slots.nbytes + part.counts.nbytes for part in segments))

    def terms(self, counted: Sequence[tuple[int, int]]) -> list[tuple[Term, int]]:
        """The terms of a query, given as (number, times), of those that a document holds, rarest first."""
        found = [(term, times) for number, times in counted if (term := self._term(number)) is not None]
        found.sort(key=lambda item: (item[0].documents, item[0].number))
        return found

    def parts(self, term: Term) -> Floats:
        """What each posting of a term adds."""
        parts = self._parts.get(term.number)
        if parts is None:
            parts = impacts(term.counts.astype(np.float32), self.norms[term.slots], term.weight)
            term.bound = float(parts.max())
            self._make_room(parts.nbytes)
            self._parts[term.number] = parts
        return parts

    def counts_in(self, term: Term, candidates: Longs) -> NDArray[np.unsignedinteger[Any]]:
        """How often each of these slots holds a term."""
        if len(term.slots) * _FREQUENT < len(self.norms):
            return term.counts_in(candidates.astype(np.int32))
        row = self._rows.get(term.number)
        if row is None:
            row = np.zeros(len(self.norms), term.counts.dtype)
            row[term.slots] = term.counts
            self._make_room(row.nbytes)
            self._rows[term.number] = row
        return row[candidates]

    def _make_room(self, wanted: int) -> None:
        if self._kept + wanted > self._limit:
            self._parts, self._rows, self._kept = {}, {}, 0
        self._kept += wanted

    def _term(self, number: int) -> Term | None:
        if number not in self._terms:
            self._terms[number] = self._gather(number)
        return self._terms[number]

    def _gather(self, number: int) -> Term | None:
        pieces = [(segment, *found) for segment in self._segments if (found := segment.find(number)) is not None]
        if not pieces:
            return None
        slots = [segment.slots[start:end] + np.int32(segment.first) for segment, start, end in pieces]
        counts = [segment.counts[start:end] for segment, start, end in pieces]
        term = Term(number, _joined(slots), _joined(counts), 0, np.float32(0), 0.0)
        term.documents = len(term.slots) - int(np.count_nonzero(term.counts_in(self._gone)))
        if not term.documents:
            return None
        idf = math.log1p((self.documents - term.documents + 0.5) / (term.documents + 0.5))
        term.weight = np.float32(idf * (self._k1 + 1))
        term.bound = float(term.weight)
        return term


def _joined(arrays: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
