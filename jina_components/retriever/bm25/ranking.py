"""The best documents of a query, without scoring all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.int32]
    Longs: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]

# Relative error of a sum of float32, generously: bounds are widened by it.
_SLACK = 1e-5
# When terms stop being summed over all their postings, found by measuring on 100,000 passages: as soon as the k-th best
# sum is this often what is missing. One that is barely more leaves too many slots to look at.
_STRETCH = 1.6
# The k-th best sum is looked at when that much more can have been reached than is missing.
_REACH = 2
# Slots are picked from the postings while these are fewer than one in this many slots, else from all.
_SPARSE = 8
# A filter that lets fewer slots through than one in this many is taken as the list of candidates.
_SELECTIVE = 32


@dataclass(slots=True, eq=False)
class Term:
    """Postings of one term over all slots.

    Attributes:
        number: Its number in the vocabulary.
        slots: Slots that hold it, ascending, deleted ones too; int32.
        counts: How often each does.
        documents: How many of the slots are not deleted.
        weight: What a posting adds at most: idf · (k1 + 1).
        bound: What its best posting adds, as far as is known.
    """

    number: int
    slots: Ints
    counts: NDArray[np.unsignedinteger[Any]]
    documents: int
    weight: np.float32
    bound: float

    def counts_in(self, candidates: Ints) -> NDArray[np.unsignedinteger[Any]]:
        """How often each of these slots holds the term."""
        places = np.searchsorted(self.slots, candidates)
        np.minimum(places, len(self.slots) - 1, out=places)
        return self.counts[places] * (self.slots[places] == candidates)


class Scoring(Protocol):
    """What `rank` needs to know beside the terms."""

    @property
    def norms(self) -> Floats:
        """k1 · (1 - b + b · length / mean length) of each slot; infinite where it is deleted."""
        ...

    def parts(self, term: Term) -> Floats:
        """What each posting of a term adds."""
        ...

    def counts_in(self, term: Term, candidates: Longs) -> NDArray[np.unsignedinteger[Any]]:
        """How often each of these slots holds a term."""
        ...


def impacts(counts: Floats, norms: Floats, weight: np.float32 | Floats) -> Floats:
    """BM25's part of a term: weight · count / (count + norm); 0 for a norm that is infinite, as of a deleted slot."""
    parts = counts + norms
    np.divide(counts, parts, out=parts)
    parts *= weight
    return parts


def rank(terms: Sequence[tuple[Term, int]], scoring: Scoring, k: int, allowed: Mask | None) -> tuple[Longs, Floats]:
    """The `k` slots of the highest sums, best first, equal ones by slot; only slots that hold a term.

    MaxScore (Turtle & Flood 1995), a term at a time: rare terms are summed over all their postings until what the
    others can add is less than the k-th best sum already there; then they only matter to the slots that are near it.

    Args:
        terms: The terms, none without postings, and how often the query says each. Sums are taken in this order, which
            should be from the rarest to the most frequent.
        scoring: Of the index.
        k: How many.
        allowed: Slots to choose from; None for all.
    """
    if allowed is not None and np.count_nonzero(allowed) * _SELECTIVE < len(allowed):
        candidates = np.flatnonzero(allowed[: len(scoring.norms)])
        sums, rest = np.zeros(len(candidates), np.float32), terms
    else:
        candidates, sums, done = _near_the_best(terms, scoring, k, allowed)
        rest = terms[done:]
    sums = _completed(sums, candidates, rest, scoring)
    best = top_indices(sums, k)
    best = best[sums[best] > 0]
    return candidates[best], sums[best]


def _near_the_best(
    terms: Sequence[tuple[Term, int]], scoring: Scoring, k: int, allowed: Mask | None
) -> tuple[Longs, Floats, int]:
    """Slots, ascending, that may be among the best, their sums of the first terms, and how many terms these are."""
    sums = np.zeros(len(scoring.norms), np.float32)
    bounds = [term.bound * times for term, times in terms]
    missing, reachable, reached = sum(bounds), 0.0, 0.0
    touched: list[Longs] = []
    for (term, times), bound in zip(terms, bounds, strict=True):
        slots, added = term.slots.astype(np.int64), scoring.parts(term)
        missing -= bound
        reachable += bound
        if times > 1:
            added = added * np.float32(times)
        if allowed is not None:
            kept = allowed[slots]
            slots, added = slots[kept], added[kept]
        if touched:
            added = added + sums[slots]
        sums[slots] = added
        touched.append(slots)
        if reachable > _REACH * missing:
            reached = max(reached, kth_bound(added, k))
            if reached > _STRETCH * missing:
                break
            reachable = reached
    return *_reaching(sums, touched, k, reached, missing), len(touched)


def _reaching(sums: Floats, touched: Sequence[Longs], k: int, reached: float, missing: float) -> tuple[Longs, Floats]:
    """Slots that are not further than `missing` from the k-th best sum, of which `reached` is a lower bound."""
    if sum(map(len, touched)) * _SPARSE < len(sums):
        slots = np.concatenate(touched)
        near = slots[sums[slots] > _bound(reached, missing)]
        near.sort()
        near = near[np.concatenate([near[:1] >= 0, near[1:] != near[:-1]])]  # each of them once
    else:
        near = np.flatnonzero(sums > _bound(max(reached, kth_bound(sums, k)), missing))
    return near, sums[near]


def _bound(reached: float, missing: float) -> float:
    return max(reached * (1 - _SLACK) - missing * (1 + _SLACK), 0.0)


def _completed(sums: Floats, candidates: Longs, terms: Sequence[tuple[Term, int]], scoring: Scoring) -> Floats:
    """The sums of the candidates with what these terms add."""
    if not terms or not len(candidates):
        return sums
    counts = np.empty((len(terms), len(candidates)), np.float32)
    for row, (term, _) in zip(counts, terms, strict=True):
        row[:] = scoring.counts_in(term, candidates)
    weights = np.array([[term.weight] for term, _ in terms], np.float32)
    times = np.array([[times] for _, times in terms], np.float32)
    for added in impacts(counts, scoring.norms[candidates], weights) * times:
        sums += added  # in the order of the terms, so that every way to a sum rounds alike
    return sums


def kth_bound(scores: Floats, k: int) -> float:
    """A number that at least `k` of the scores reach, near the k-th highest; 0 if there are fewer."""
    if len(scores) < k:
        return 0.0
    groups = 128 + 8 * k  # more bound it better and cost more
    if len(scores) >= 2 * groups:
        whole = len(scores) // groups * groups
        scores = scores[:whole].reshape(-1, groups).max(axis=0)
    else:
        scores = scores.copy()
    scores.partition(len(scores) - k)
    return float(scores[-k])


def top_indices(scores: Floats, k: int) -> Longs:
    """Positions of the `k` highest scores, best first; equal scores keep their order. Exact.

    The k-th highest maximum of groups of scores is reached by k of them, so that only those that reach it, about `k`,
    are sorted: several times as fast as a partition of all.
    """
    candidates = np.arange(len(scores))
    if k < len(scores):
        bound = np.float32(kth_bound(scores, k)) if k > 0 else np.inf
        candidates = np.flatnonzero(scores >= bound)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
