"""From passage to passage: what bears on a question that no passage answers alone.

Iterative retrieval as in GoldEn Retriever (Qi et al. 2019, arXiv:1910.07000) and multi-hop dense retrieval (Xiong et
al. 2021, arXiv:2009.12756), with rules in the place of trained models: the next query is what of the question is open
yet and the names that a passage brings up. How far a passage is believed to bear on the question depends on where it
was found, on what names it and on what it covers. Beliefs multiply along a trail; several trails to one passage count
as independent reasons (noisy or).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jina_components.deep_search.extractive.passages import Passages, follow_up
from jina_components.types import Document

# Passages in a trail.
_LONGEST = 3
# From which belief on a passage is followed up.
_MIN_BELIEF = 0.2

# Logistic regressions for "is a supporting passage", rounded; fitted by benchmarks/quality/deepsearch_fit.py on the
# questions of odd number of HotpotQA-100 and MuSiQue-100.
_BY_QUESTION = (-4.7, {"rank": 4.3, "covers": 3.1, "named": 3.0})
_BY_LINK = (-5.8, {"rank": 7.0, "question_rank": 2.7, "named": 1.8, "adds": 4.6})

Ranks = Mapping[str, float]
"""1 / rank of what a query found, by id."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Passages that lead from one to the other, by id, and the query that goes on from the last."""

    passages: tuple[str, ...]
    query: str


@dataclass(slots=True)
class Beliefs:
    """What is believed of passages, by id.

    Attributes:
        passages: Their words and names.
        values: How likely each bears on the question, 0 to 1.
        trails: The passages that led to each, itself last.
        queries: The follow-up query by which one was found, where a trail is the best reason to believe in it.
        covers: How much of the question each has the words of, of those that the question found, 0 to 1.
    """

    passages: Passages
    values: dict[str, float] = field(default_factory=dict)
    trails: dict[str, tuple[str, ...]] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    covers: dict[str, float] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """The most believed first."""
        return sorted(self.values, key=lambda one: -self.values[one])

    def are_linked(self, one: str, other: str) -> bool:
        """Whether one led to the other or names it."""
        if one in self.trails[other] or other in self.trails[one]:
            return True
        return self.passages.named_in(one, other) or self.passages.named_in(other, one)


def weigh(
    question: str, evidence: Mapping[str, Document], found: Ranks, followed: Sequence[tuple[Trail, Ranks]]
) -> Beliefs:
    """What to believe of what was found.

    Args:
        question: The question.
        evidence: All documents by id.
        found: What the question itself found.
        followed: The trails that were followed, in order, and what each found.
    """
    passages = Passages(question)
    beliefs = Beliefs(passages)
    passages.add(evidence[one] for one in found)
    for _, ranks in followed:
        passages.add(evidence[one] for one in ranks)
    for one, rank in found.items():
        beliefs.covers[one] = passages.covers(one)
        beliefs.values[one] = _belief(*_BY_QUESTION, question_features(passages, one, rank))
        beliefs.trails[one] = (one,)
    for trail, ranks in followed:
        _follow(trail, ranks, found, passages, beliefs)
    return beliefs


def onwards(
    question: str, evidence: Mapping[str, Document], beliefs: Beliefs, ended: set[str], limit: int
) -> list[Trail]:
    """Up to `limit` ways to go on from the passages most believed in, but for those `ended`."""
    trails: list[Trail] = []
    for one in beliefs.order:
        if beliefs.values[one] < _MIN_BELIEF or len(trails) == limit:
            break
        path = beliefs.trails[one]
        if one in ended or len(path) >= _LONGEST:
            continue
        query = follow_up(question, [evidence[passage].text for passage in path])
        if query:
            trails.append(Trail(path, query))
    return trails


def question_features(passages: Passages, one: str, rank: float) -> dict[str, float]:
    """What tells of a passage that the question found whether it bears on it, each 0 to 1."""
    return {"rank": rank, "covers": passages.covers(one), "named": float(passages.asked_by_name(one))}


def link_features(passages: Passages, one: str, trail: Trail, rank: float, question_rank: float) -> dict[str, float]:
    """What tells whether a passage continues a trail that bears on the question, each 0 to 1."""
    return {
        "rank": rank,
        "question_rank": question_rank,
        "named": float(passages.named_in(one, trail.passages[-1])),
        "adds": passages.adds(one, trail.passages),
    }


def ranks_of(hits: Sequence[str], limit: int) -> dict[str, float]:
    """1 / rank of the first hits."""
    return {one: 1 / place for place, one in enumerate(hits[:limit], 1)}


def _follow(trail: Trail, ranks: Ranks, found: Ranks, passages: Passages, beliefs: Beliefs) -> None:
    last = trail.passages[-1]
    before = beliefs.values[last]
    for one, rank in ranks.items():
        if one in trail.passages:
            continue
        features = link_features(passages, one, trail, rank, found.get(one, 0.0))
        belief, known = before * _belief(*_BY_LINK, features), beliefs.values.get(one, 0.0)
        if belief > known:
            beliefs.trails[one], beliefs.queries[one] = (*trail.passages, one), trail.query
        beliefs.values[one] = 1 - (1 - known) * (1 - belief)


def _belief(bias: float, weights: Mapping[str, float], features: Mapping[str, float]) -> float:
    total = bias + math.fsum(weight * features[name] for name, weight in weights.items())
    return 1 / (1 + math.exp(-total))
