"""Mining: which questions their passages answer, and which passages only look as if."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.rankings import query_vectors, unit_rows
from jina_components.fine_tuner.triplets import Passage, Split
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.models.scoring import sigmoid
from jina_components.protocols import SupportsEmbed, SupportsRerank
from jina_components.reranker import Reranker
from jina_components.retriever.bm25 import BM25Index

if TYPE_CHECKING:
    from jina_components.types import FloatArray

Reason: TypeAlias = Literal["not found", "fits many"]
# Of reciprocal ranks (Cormack, Clarke & Büttcher 2009).
_FLAT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningSettings:
    """How hard negatives are sought, and which questions stay.

    Attributes:
        candidates: Passages of each ranking, by words and by vectors, that are looked at.
        found_within: A question stays if its own passage is among so many first of both rankings fused (the round trip
            of Dai et al. 2022, *Promptagator*).
        judged: Candidates that the reranker scores; it takes most of the time.
        margin: A passage that scores this share of the own one's or more may answer too, and is no negative
            (Moreira et al. 2024, *NV-Retriever*).
        answers: A question that more other passages may answer than this is dropped: it fits many.
        negatives: Kept of a question, at most.

    Raises:
        ConfigError: a number is out of range.
    """

    candidates: int = 50
    found_within: int = 20
    judged: int = 8
    margin: float = 0.95
    answers: int = 3
    negatives: int = 6

    def __post_init__(self) -> None:
        if min(self.candidates, self.found_within, self.judged) < 1 or min(self.answers, self.negatives) < 0:
            raise ConfigError("candidates, found_within and judged must be positive, answers and negatives 0 or more.")
        if not 0 < self.margin <= 1:
            raise ConfigError(f"margin must be above 0 and up to 1, got {self.margin}.")


class Mined(NamedTuple):
    """What was found for a question.

    Attributes:
        negatives: Positions of passages, the hardest first.
        scores: Of the own passage, then of each negative.
    """

    negatives: tuple[int, ...]
    scores: tuple[float, ...]


class KnownBlend(NamedTuple):
    """The bundled blend where its embedder's cosines are known: the same scores without embedding passages again.

    Attributes:
        other: The other part.
        weights: Of the cosine and of the other part's score.
        offset: Of their sum, before the sigmoid.
    """

    other: SupportsRerank
    weights: tuple[float, float]
    offset: float

    @classmethod
    def of(cls, reranker: SupportsRerank | None, embedder: SupportsEmbed) -> KnownBlend | None:
        """That of the default reranker beside the default embedder; None for others."""
        names = [each.name for each in (reranker, embedder) if isinstance(each, Reranker | Embedder)]
        if names != [DEFAULT_RERANKER, DEFAULT_EMBEDDER]:
            return None
        spec = BY_NAME[DEFAULT_RERANKER]
        [(name, weight)] = [(name, weight) for name, weight in spec.parts.items() if name != DEFAULT_EMBEDDER]
        return cls(Reranker(name), (spec.parts[DEFAULT_EMBEDDER], weight), spec.offset)

    def score(self, question: str, texts: Sequence[str], cosines: FloatArray) -> list[float]:
        """Probabilities of relevance."""
        cosine, weight = self.weights
        raw = cosine * cosines + weight * np.array(_scores_of(self.other, question, texts)) + self.offset
        return [float(each) for each in sigmoid(raw)]


def _scores_of(reranker: SupportsRerank, question: str, texts: Sequence[str]) -> list[float]:
    """A score for each text; 0 for one that was not scored."""
    scores = {hit.index: float(hit.score) for hit in reranker.rerank(question, texts, truncate=True)}
    return [scores.get(place, 0.0) for place in range(len(texts))]


class Miner:
    """Seeks passages that look like answers.

    Args:
        passages: What is searched.
        homes: For each passage a name of its document, the same for near-copies of a document.
        copies: For each passage a number that it shares with its near-copies and no others.
        splits: For each passage the split of its document: negatives are of the question's own.
        embedder: Ranks by meaning; the model that is to be tuned knows best what it confuses.
        reranker: Scores question and passage together; None takes the embedder's cosines for that.
        settings: How.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        homes: Sequence[str],
        copies: Sequence[int],
        splits: Sequence[Split],
        *,
        embedder: SupportsEmbed,
        reranker: SupportsRerank | None,
        settings: MiningSettings,
    ) -> None:
        self._passages, self._homes, self._copies, self._splits = passages, homes, copies, splits
        self._embedder, self._reranker, self._settings = embedder, reranker, settings
        self._blend = KnownBlend.of(reranker, embedder)
        self._vectors: list[FloatArray] = []
        self._all: FloatArray | None = None
        self._index = BM25Index.empty()

    def add(self, first: int, end: int) -> None:
        """Make the passages `first` to `end` known, which follow those added before."""
        texts = [passage.text for passage in self._passages[first:end]]
        self._vectors.append(unit_rows(self._embedder.embed_documents(texts), len(texts), self._embedder))
        self._index = self._index.with_added(np.arange(first, end), texts)

    def mine(self, questions: Sequence[str], own: Sequence[int]) -> list[Mined | Reason]:
        """Negatives of each question, or why it is dropped.

        Args:
            questions: The questions.
            own: Positions of their passages.

        Raises:
            BackendError: a model failed.
        """
        if self._all is None:
            self._all = np.concatenate(self._vectors)
        queries = query_vectors(self._embedder, questions, truncate=True)
        cosines = queries @ self._all.T
        return [self._mined(*each) for each in zip(questions, own, cosines, strict=True)]

    def _mined(self, question: str, own: int, cosines: FloatArray) -> Mined | Reason:
        settings = self._settings
        count = min(settings.candidates, len(cosines))
        near = np.argpartition(-cosines, count - 1)[:count]
        rankings = (
            near[np.argsort(-cosines[near], kind="stable")].tolist(),
            [slot for slot, _ in self._index.search(question, count)],
        )
        fused: dict[int, float] = {}
        for ranking in rankings:
            for rank, slot in enumerate(ranking, 1):
                fused[slot] = fused.get(slot, 0.0) + 1 / (_FLAT + rank)
        ordered = sorted(fused, key=lambda slot: (-fused[slot], slot))
        if own not in ordered[: settings.found_within]:
            return "not found"
        others = [slot for slot in ordered if self._may_be_negative(slot, own)][: settings.judged]
        scores = self._scores(question, [own, *others], cosines)
        limit = settings.margin * scores[0] if scores[0] > 0 else scores[0] / settings.margin
        if sum(score >= limit for score in scores[1:]) > settings.answers:
            return "fits many"
        kept = [(score, slot) for score, slot in zip(scores[1:], others, strict=True) if score < limit]
        kept = sorted(kept, key=lambda pair: (-pair[0], pair[1]))[: settings.negatives]
        return Mined(tuple(slot for _, slot in kept), (scores[0], *(score for score, _ in kept)))

    def _may_be_negative(self, slot: int, own: int) -> bool:
        return (
            self._homes[slot] != self._homes[own]
            and self._copies[slot] != self._copies[own]
            and self._splits[slot] == self._splits[own]
        )

    def _scores(self, question: str, slots: Sequence[int], cosines: FloatArray) -> list[float]:
        if self._reranker is None:
            return [float(cosines[slot]) for slot in slots]
        texts = [self._passages[slot].text for slot in slots]
        if self._blend is not None:
            return self._blend.score(question, texts, cosines[slots])
        return _scores_of(self._reranker, question, texts)
