"""Retrieval and reranking of public sets: by words, by vectors, by both, and in a reranker's order."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from benchmarks.quality import systems
from benchmarks.quality.systems import Vectors
from benchmarks.results import Result, paired
from benchmarks.setting import Setting
from jina_components import Embedder, Reranker
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.metrics import Grades, ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set
from jina_components.fine_tuner.sampling import place
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER, MODELS

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Values

_NAMES = {f"{systems.BM25} + {DEFAULT_EMBEDDER}": "hybrid"}


def measure(
    setting: Setting, *, queries: int | None, documents: int | None, reranked: int, candidates: int
) -> dict[str, Result]:
    """nDCG@10 by query.

    Args:
        setting: The run's.
        queries: Of each set, drawn by hash; None for all.
        documents: Of each corpus, drawn by hash, beside those that answer the queries; None for all.
        reranked: Queries of each set that are reranked.
        candidates: That a reranker orders.
    """
    embedders = {
        name: Embedder(found, truncate=True, cache=setting.cache / "vectors")
        for name, found in systems.default_embedders(setting.sets).items()
    }
    reranker = {DEFAULT_RERANKER: Reranker()}
    found: dict[str, dict[str, Values]] = {}
    ordered: dict[str, dict[str, Values]] = {}
    for name in tqdm(RETRIEVAL, desc="retrieval sets"):
        task = thinned(load_set(setting.sets, name).sample(queries), documents)
        vectors = {label: systems.vectors_of(embedder, task) for label, embedder in embedders.items()}
        found[name] = {
            _NAMES.get(system, system): ndcg(ranking, task.relevant)
            for system, ranking in systems.rankings(task, vectors)
        }
        rows = task.sampled_rows(reranked)
        few = task.choose(rows)
        cut = {label: Vectors(own.queries[rows], own.corpus) for label, own in vectors.items()}
        ordered[name] = {
            system: ndcg(order, few.relevant)
            for kind, system, order in systems.reranked(few, cut, reranker, candidates)
            if kind == f"reranking {systems.BM25}"
        }
    own = {system for row in (*found.values(), *ordered.values()) for system in row if _is_ours(system)}

    def result(scores: dict[str, dict[str, Values]], ours: str) -> Result:
        return paired(scores, ours, variants=own, seed=setting.seed)

    return {
        "embedder.retrieval": result(_only(found, embedders), DEFAULT_EMBEDDER),
        "retriever.hybrid": result(found, "hybrid"),
        "retriever.lexical": result(_only(found, (systems.BM25, systems.PEER)), systems.BM25),
        "reranker.order": result(ordered, DEFAULT_RERANKER),
    }


def _is_ours(system: str) -> bool:
    """Whether it is our BM25 or fusion, or our model; the order that is handed to a reranker is ours too."""
    return systems.BM25 in system or any(spec.name in system for spec in MODELS if spec.bundled)


def thinned(task: JudgedQuestions, documents: int | None) -> JudgedQuestions:
    """The set with a part of its corpus: what answers a query, and so many others, drawn by hash."""
    if documents is None:
        return task
    right = {position for grades in task.relevant for position in grades}
    others = sorted(set(range(len(task.corpus))) - right, key=lambda row: place(task.corpus[row]))[:documents]
    kept = sorted(right.union(others))
    new = {old: position for position, old in enumerate(kept)}
    relevant: list[Grades] = [{new[row]: grade for row, grade in grades.items()} for grades in task.relevant]
    return JudgedQuestions([task.corpus[row] for row in kept], task.queries, relevant)


def _only(scores: dict[str, dict[str, Values]], kept: Collection[str]) -> dict[str, dict[str, Values]]:
    return {name: {system: row[system] for system in kept} for name, row in scores.items()}
