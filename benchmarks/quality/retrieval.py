"""Retrieval quality and speed of the offline defaults: lexical, dense, hybrid, and hybrid reranked.

    python -m benchmarks.quality.retrieval --data DATA [--sets squad scifact …] [--to results.json]

nDCG@10 (MRR@10 for CoSQA, which has one relevant function a query). `bm25s` is the peer for the lexical
part: the same k1 = 0.9 and b = 0.4, with its own English stop words. Times are wall seconds of one process.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from benchmarks.quality.datasets import RETRIEVAL_SETS, RetrievalSet, load_retrieval_set
from benchmarks.quality.metrics import mrr_at_10, ndcg_at_10
from jina_components import Embedder, Reranker, Retriever
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER

Search = Callable[[str], list[str]]


def measure(
    task: RetrievalSet, embedder: Embedder, reranker: Reranker, *, metric: Callable[..., float]
) -> dict[str, Any]:
    """Quality by system, seconds to index, and queries a second of hybrid retrieval."""
    retriever = Retriever(embedder)
    started = time.perf_counter()
    retriever.add(task.documents)
    retriever.retrieve("compile the postings")
    seconds = time.perf_counter() - started

    def reranked(query: str) -> list[str]:
        candidates = [hit.document for hit in retriever.retrieve(query, top_k=30)]
        return [hit.document.id for hit in reranker.rerank(query, candidates, top_n=10)]

    systems: dict[str, Search] = {
        "bm25s": _peer(task),
        "lexical": lambda query: [hit.document.id for hit in retriever.retrieve(query, mode="lexical")],
        "dense": lambda query: [hit.document.id for hit in retriever.retrieve(query, mode="dense")],
        "hybrid": lambda query: [hit.document.id for hit in retriever.retrieve(query)],
        "reranked": reranked,
    }
    result: dict[str, Any] = {
        "documents": len(task.documents),
        "queries": len(task.queries),
        "index_s": round(seconds, 1),
    }
    for name, search in systems.items():
        started = time.perf_counter()
        values = [metric(search(query.text), query.relevant) for query in task.queries]
        result[name] = round(float(np.mean(values)), 4)
        result[f"{name}_qps"] = round(len(task.queries) / (time.perf_counter() - started))
    return result


def _peer(task: RetrievalSet) -> Search:
    index = bm25s.BM25(k1=0.9, b=0.4)
    texts = [document.text for document in task.documents]
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)

    def search(query: str) -> list[str]:
        terms = bm25s.tokenize(query, stopwords="en", show_progress=False, return_ids=False)
        [rows] = index.retrieve(terms, k=10, show_progress=False).documents
        return [task.documents[row].id for row in rows]

    return search


def main() -> None:
    """Measure the sets asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/")
    parser.add_argument("--sets", nargs="+", default=list(RETRIEVAL_SETS), choices=RETRIEVAL_SETS)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--reranker", default=DEFAULT_RERANKER)
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    embedder, reranker = Embedder(options.embedder, truncate=True), Reranker(options.reranker)
    embedder.load()
    results = {}
    columns = (
        "documents",
        "queries",
        "index_s",
        "bm25s",
        "lexical",
        "dense",
        "hybrid",
        "reranked",
        "hybrid_qps",
    )
    print(f"{'set':<12}" + "".join(f"{column:>11}" for column in columns))
    for name in options.sets:
        metric = mrr_at_10 if name == "cosqa" else ndcg_at_10
        results[name] = measure(load_retrieval_set(options.data, name), embedder, reranker, metric=metric)
        print(f"{name:<12}" + "".join(f"{results[name][column]:>11}" for column in columns), flush=True)
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
