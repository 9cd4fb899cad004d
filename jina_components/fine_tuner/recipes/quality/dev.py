"""Quick measuring while a recipe trains: few queries over a small part of each corpus, which is kept hard.

    dev = DevSets.load(data)                  # once: reads the sets and ranks them by BM25
    dev.embedding(encode)                     # {"scifact": …, …, "average": …, "stsb": …}
    dev.reranking(score)                      # {"scifact": …, …, "average": …}
    dev.entailment(entails)                   # {"fever": …, "foolmetwice": …, …}

The numbers are for comparing checkpoints with each other; `benchmarks/quality` measures on the whole sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.metrics import NONE, Grades
from jina_components.fine_tuner.rankings import (
    ScorePairs,
    rank_by_cosine,
    rank_by_words,
    rerank,
)
from jina_components.fine_tuner.recipes.quality import measures
from jina_components.fine_tuner.recipes.quality.labelled_sets import (
    ENTAILMENT,
    EntailmentSet,
    SimilaritySet,
    load_entailment,
    load_stsb,
)
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Positions
    from jina_components.fine_tuner.recipes.quality.measures import Encode, Entails


@dataclass(frozen=True, slots=True, eq=False)
class DevSet:
    """A few queries of a retrieval set.

    Attributes:
        whole: Over the whole corpus.
        candidates: BM25's best positions in it for each query.
        part: Over a part of the corpus: what is relevant, and BM25's best for each query.
    """

    whole: JudgedQuestions
    candidates: Positions
    part: JudgedQuestions


@dataclass(frozen=True, slots=True, eq=False)
class DevSets:
    """Small parts of the sets that are measured on; none of it is trained on.

    Attributes:
        retrieval: By name.
        similarity: STS benchmark, English dev, all of it.
        entailing: By name.
    """

    retrieval: dict[str, DevSet]
    similarity: SimilaritySet
    entailing: dict[str, EntailmentSet]

    @classmethod
    def load(
        cls,
        data: Path,
        *,
        sets: Sequence[str] = tuple(RETRIEVAL),
        queries: int = 60,
        negatives: int = 10,
        candidates: int = 30,
        pairs: int = 300,
    ) -> DevSets:
        """Reads and draws, by hash, the same in every run; takes some seconds.

        Args:
            data: Folder of the data sets.
            sets: Retrieval sets.
            queries: Of each set.
            negatives: Documents for each query in the corpus that is embedded: BM25's best.
            candidates: Documents reranked for each query: BM25's best of the whole corpus.
            pairs: Of each entailment set.

        Raises:
            ConfigError: a file is missing.
        """
        return cls(
            {name: _dev_set(load_set(data, name).sample(queries), negatives, candidates) for name in sets},
            load_stsb(data),
            {name: load_entailment(data, name).sample(pairs) for name in ENTAILMENT},
        )

    def embedding(self, encode: Encode) -> dict[str, float]:
        """nDCG@10 by retrieval set and their "average", and Spearman on "stsb"; `encode` gives unit vectors."""
        parts = {name: dev.part for name, dev in self.retrieval.items()}
        values = {
            name: ndcg(rank_by_cosine(encode(list(part.queries)), encode(list(part.corpus))), part.relevant)
            for name, part in parts.items()
        }
        similarity = measures.similarity(encode, self.similarity)["spearman"]
        return {**values, "average": measures.average(values), "stsb": similarity}

    def reranking(self, score: ScorePairs) -> dict[str, float]:
        """nDCG@10 by set of BM25's candidates in the order of `score`, and their "average"."""
        values = {
            name: ndcg(rerank(dev.candidates, dev.whole, score), dev.whole.relevant)
            for name, dev in self.retrieval.items()
        }
        return {**values, "average": measures.average(values)}

    def first_stage(self) -> dict[str, float]:
        """nDCG@10 by set of BM25's own order, and their "average": what reranking must beat."""
        values = {name: ndcg(dev.candidates, dev.whole.relevant) for name, dev in self.retrieval.items()}
        return {**values, "average": measures.average(values)}

    def entailment(self, entails: Entails) -> dict[str, float]:
        """Balanced accuracy by set; `entails` gives probabilities of entailment of (premise, hypothesis)."""
        values = {name: measures.entailment(entails, task) for name, task in self.entailing.items()}
        return {name: value["balanced_accuracy"] for name, value in values.items()}


def _dev_set(task: JudgedQuestions, negatives: int, candidates: int) -> DevSet:
    ranking = rank_by_words(task.queries, task.corpus, max(candidates, negatives))
    kept = {position for grades in task.relevant for position in grades}
    kept.update(ranking[:, :negatives].ravel().tolist())
    positions = sorted(kept - {NONE})
    moved = {position: number for number, position in enumerate(positions)}
    relevant: list[Grades] = [{moved[at]: grade for at, grade in grades.items()} for grades in task.relevant]
    part = JudgedQuestions([task.corpus[position] for position in positions], task.queries, relevant)
    return DevSet(task, ranking[:, :candidates], part)
