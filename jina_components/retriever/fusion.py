"""Several rankings into one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Literal, TypeAlias

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError
from jina_components.protocols import Hits, Key, RankingKind

FusionMethod: TypeAlias = Literal["adaptive", "relative_score", "reciprocal_rank"]

# Chosen for `adaptive` on SciFact, Cranfield, NPL, CoSQA, JSQuAD and anthropic_docs with the bundled embedder, which
# knows no Japanese; checked on SQuAD, HotpotQA, MuSiQue and FEVER, and with all-MiniLM-L6-v2
# (benchmarks/quality/retrieval.py). 0.3 to 0.4 for the words does equally well on average; less gives up too much where
# the model is at a loss, more where the words are.
_WEIGHTS: Mapping[RankingKind, float] = {"dense": 0.6, "lexical": 0.4, "multi_vector": 0.6}


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a document's places in several rankings become one score, from 0 to 1: the best of every ranking has 1.

    `relative_score` scales each ranking's scores to 0 … 1 (its best 1, its last candidate 0) and sums them by weight.
    `adaptive` does too, and gives a ranking the more weight the steeper its scores fall: one that tells a few documents
    from the rest knows what it wants, one whose scores lie close together does not, as when a model has never seen the
    language. Steepness is the range of the scores over their mean above the lowest, and its square multiplies the
    weight (in the spirit of query performance prediction by the spread of scores: Shtok et al. 2012, *Predicting Query
    Performance by Query-Drift Estimation*). `benchmarks/quality/retrieval.py` compares the methods.
    `reciprocal_rank` sums weight / (k + rank) (Cormack, Clarke & Büttcher 2009), which no scale of scores can upset.

    Attributes:
        method: One of the three.
        weights: Of each kind of ranking, at least 0; a kind left out keeps the default's.
        k: How flat reciprocal ranks are; the customary 60 makes presence in both rankings outweigh being first in one.

    Raises:
        UnknownNameError: unknown method, or unknown kind of ranking.
        ConfigError: a weight that is negative or not finite, or all are 0, or `k` below 0.
    """

    method: FusionMethod = "adaptive"
    weights: Mapping[RankingKind, float] = field(default_factory=dict, hash=False)
    k: float = 60

    def __post_init__(self) -> None:
        resolve_name(_METHODS, self.method, what="fusion method")
        if not isinstance(self.weights, Mapping):
            raise ConfigError(f"Fusion weights must map kinds of ranking to numbers, got {self.weights!r}.")
        for kind, weight in self.weights.items():
            resolve_name({str(known): known for known in _WEIGHTS}, kind, what="ranking")
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise ConfigError(f"Fusion weights[{kind!r}] must be a number from 0 on, got {weight!r}.")
        if isinstance(self.k, bool) or not isinstance(self.k, int | float) or not 0 <= self.k < math.inf:
            raise ConfigError(f"Fusion k must be a number from 0 on, got {self.k!r}.")
        weights = {kind: self.weights.get(kind, weight) for kind, weight in _WEIGHTS.items()}
        if not any(weights.values()):
            raise ConfigError("Fusion weights are all 0: give one ranking a weight.")
        object.__setattr__(self, "weights", weights)

    def fuse(self, rankings: Mapping[RankingKind, Hits], *, depth: int) -> Hits:
        """The documents of all rankings, best first; equal scores in order of their best rank.

        Args:
            rankings: Hits by kind, best first.
            depth: Hits of each that count; what comes after them follows with score 0, so that asking for more changes
                nothing above.
        """
        scored = {kind: _METHODS[self.method](self.k, hits, depth) for kind, hits in rankings.items() if hits}
        weights = {kind: self.weights[kind] * trust for kind, (_, trust) in scored.items()}
        total = sum(weights.values()) or 1.0
        by_rank = chain.from_iterable(zip_longest(*(rankings[kind] for kind in scored)))
        sums: dict[Key, float] = dict.fromkeys((hit[0] for hit in by_rank if hit is not None), 0.0)
        for kind, (values, _) in scored.items():
            share = weights[kind] / total
            for (key, _), value in zip(rankings[kind], values, strict=True):
                sums[key] += share * value
        return sorted(sums.items(), key=itemgetter(1), reverse=True)


# The hits of one ranking as values from 0 to 1, and what its weight is multiplied with.
_Scored: TypeAlias = tuple[Sequence[float], float]


def _reciprocal_rank(k: float, hits: Hits, depth: int) -> _Scored:
    return [(k + 1) / (k + rank) if rank <= depth else 0.0 for rank in range(1, len(hits) + 1)], 1.0


def _relative_score(_k: float, hits: Hits, depth: int) -> _Scored:
    best, last = hits[0][1], hits[min(depth, len(hits)) - 1][1]
    spread = best - last
    if spread <= 0:
        return [1.0 if place < depth else 0.0 for place in range(len(hits))], 1.0
    return [(score - last) / spread if score > last else 0.0 for _, score in hits], 1.0


def _adaptive(k: float, hits: Hits, depth: int) -> _Scored:
    values, _ = _relative_score(k, hits, depth)
    head = values[:depth]
    return values, (len(head) / sum(head)) ** 2


_METHODS: Mapping[str, Callable[[float, Hits, int], _Scored]] = {
    "adaptive": _adaptive,
    "relative_score": _relative_score,
    "reciprocal_rank": _reciprocal_rank,
}
