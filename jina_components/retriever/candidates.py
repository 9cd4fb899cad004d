"""What passes from one stage of a retrieval to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jina_components.protocols import Key
from jina_components.types import Document, ScoredDocument, StageScore


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document on its way to the results.

    Attributes:
        key: Its name in the store.
        document: As it stands there, or what a stage made of it.
        score: Of the last stage that scored it.
        why: What each stage said of it, in the order they ran.
    """

    key: Key
    document: Document
    score: float
    why: tuple[StageScore, ...]

    def scored(self, stage: str, score: float, rank: int) -> Candidate:
        """The candidate with the word of one more stage, which its score is from now on."""
        return replace(self, score=score, why=(*self.why, StageScore(stage, score, rank)))

    def as_hit(self) -> ScoredDocument:
        """What the caller sees."""
        return ScoredDocument(self.document, self.score, why=self.why)


def ranked(candidates: Sequence[Candidate], stage: str, scores: Iterable[float]) -> list[Candidate]:
    """The candidates by a stage's scores, best first; equal ones keep their order."""
    pairs = sorted(zip(candidates, scores, strict=True), key=lambda pair: -pair[1])
    return [candidate.scored(stage, score, rank) for rank, (candidate, score) in enumerate(pairs, 1)]
