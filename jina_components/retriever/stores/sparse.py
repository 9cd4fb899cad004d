"""BM25, exactly, in an engine that only knows dot products of sparse vectors and how many documents have a number.

A term's weight in a document depends on the documents' average length, which changes with every document added; a
stored weight cannot follow. So what is stored is BM25 without its length norm, `tf (k1 + 1) / (tf + k1 (1 - b))`, which
is never below the true weight whatever the average is. The engine ranks by that upper bound; its candidates are scored
again with the true norm, until the next bound cannot reach the k-th score: no document is missed. (The idea of stopping
at a bound is Fagin's threshold algorithm, 2003.) With k1 = 0.9 and b = 0.4 two to four candidates a hit are enough.

What BM25 needs to know of all documents are counts: of documents, of those that have a term, and, for the sum of the
lengths, of those with a one at each binary digit of their length.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from jina_components.protocols import Hits, Key

_K1, _B = 0.9, 0.4
_FLOOR = _K1 * (1 - _B)
_LENGTH = 2**32 - 2  # the dimension that holds a document's length + 1, since engines want a vector that is not empty
_DIGITS = 24  # of a length; 16 million words
_ROUNDING = 1e-4  # of the engine's dot product, a sum in float32

Candidate: TypeAlias = tuple[Key, float, Mapping[int, float]]
"""A document, its dot product with the query and its sparse vector."""


@dataclass(frozen=True, slots=True)
class SparseText:
    """A text as an engine indexes it.

    Attributes:
        weights: Its sparse vector; dimensions fit into 32 bits and weights are positive.
        numbers: What the engine counts documents by; whole numbers from 0.
    """

    weights: dict[int, float]
    numbers: list[int]


def sparse_text(terms: Iterable[str]) -> SparseText:
    """The sparse vector of a text's terms, and the numbers that it is counted by."""
    counts = Counter(map(_dimension, terms))
    length = counts.total()
    weights = {term: count * (_K1 + 1) / (count + _FLOOR) for term, count in counts.items()}
    digits = [_digit(place) for place in range(_DIGITS) if length >> place & 1]
    return SparseText({**weights, _LENGTH: length + 1.0}, [*weights, *digits])


class CountedStatistics:
    """What BM25 needs to know of all documents, as of one moment; each is counted when it is first asked for.

    Args:
        count: How many documents have a number of `SparseText.numbers`; of None, how many there are.
    """

    def __init__(self, count: Callable[[int | None], int]) -> None:
        self._count = count
        self._idf: dict[int, float] = {}
        self._made = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._made

    @cached_property
    def documents(self) -> int:
        """How many there are."""
        return self._count(None)

    @cached_property
    def mean_length(self) -> float:
        """Terms of a document; above 0, since others may add the first one that has some at this moment."""
        total = sum(self._count(_digit(place)) << place for place in range(_DIGITS))
        return max(1, total) / max(1, self.documents)

    def idf(self, term: int) -> float:
        """Lucene's idf of a term."""
        if term not in self._idf:
            frequency = self._count(term)
            others = max(0, self.documents - frequency)  # fewer than none where others write at this moment
            self._idf[term] = math.log1p((others + 0.5) / (frequency + 0.5))
        return self._idf[term]


def best_by_bm25(
    query: Iterable[str],
    k: int,
    statistics: CountedStatistics,
    candidates: Callable[[Mapping[int, float], int], list[Candidate]],
    *,
    most: int | None = None,
) -> Hits:
    """The `k` documents of the highest BM25, of those that share a term with the query.

    Args:
        query: Terms to look for; a repeated one counts again.
        k: How many.
        statistics: Of all documents.
        candidates: The documents of the highest dot product with a sparse vector, so many at most, best first.
        most: How many candidates an engine gives at most; beyond them a document might be missed.
    """
    counts = Counter(map(_dimension, query))
    if not counts or k < 1 or not statistics.documents:
        return []
    weights = {term: count * statistics.idf(term) for term, count in counts.items()}
    size = 4 * k + 16
    while True:
        size = size if most is None else min(size, most)
        found = candidates(weights, size)
        hits: Hits = [(key, _score(weights, vector, statistics.mean_length)) for key, _, vector in found]
        hits = sorted(hits, key=lambda hit: (-hit[1], str(hit[0])))[:k]
        # Those not given have at most the last one's dot product, and so at most that BM25.
        settled = len(hits) == k and found[-1][1] * (1 + _ROUNDING) <= hits[-1][1]
        if settled or len(found) < size or size == most:
            return hits
        size *= 4


def _score(weights: Mapping[int, float], vector: Mapping[int, float], mean_length: float) -> float:
    """BM25 of a document, from its sparse vector."""
    floor_and_length = _K1 * (1 - _B + _B * (vector[_LENGTH] - 1) / mean_length)
    score = 0.0
    for term, weight in weights.items():
        if stored := vector.get(term):
            count = round(_FLOOR * stored / (_K1 + 1 - stored))  # `stored` solved for the count
            score += weight * count * (_K1 + 1) / (count + floor_and_length)
    return score


def term_number(term: str) -> int:
    """A term as a whole number of 63 bits; that two of a million terms share one is not to be expected."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _dimension(term: str) -> int:
    """A term's dimension: two terms share one, and then count as one, once in four thousand million pairs."""
    return term_number(term) % _LENGTH


def _digit(place: int) -> int:
    """The number of those documents that have a one at this binary digit of their length."""
    return 2**32 + place
