"""Retrieval quality and speed of the offline defaults: lexical, dense, hybrid, and hybrid reranked.

    python -m benchmarks.quality.retrieval --data DATA [--sets squad scifact …] [--queries 100] [--to results.json]

nDCG@10. `bm25s` is the peer for the lexical part: the same k1 = 0.9 and b = 0.4, with its own English stop words.
Times are wall seconds of one process. `benchmarks.quality.models` compares the models themselves, on more metrics.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.quality.systems import bm25s_search
from jina_components import Document, Embedder, Reranker, Retriever
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.rankings import padded
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, RetrievalSet, load_set
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.types import Ranking

Search = Callable[[str], list[int]]  # positions in the corpus, best first


def measure(task: RetrievalSet, embedder: Embedder, reranker: Reranker) -> dict[str, Any]:
    """Quality by system, seconds to index, and queries a second by system."""
    documents = [Document(text, str(position)) for position, text in enumerate(task.corpus) if text.strip()]
    retriever = Retriever(embedder)
    started = time.perf_counter()
    retriever.add(documents)
    retriever.retrieve("compile the postings")
    seconds = time.perf_counter() - started

    def reranked(query: str) -> list[int]:
        candidates = [hit.document for hit in retriever.retrieve(query, top_k=30)]
        return _positions(reranker.rerank(query, candidates, top_n=10))

    systems: dict[str, Search] = {
        "bm25s": bm25s_search(task.corpus),
        "lexical": lambda query: _positions(retriever.retrieve(query, mode="lexical")),
        "dense": lambda query: _positions(retriever.retrieve(query, mode="dense")),
        "hybrid": lambda query: _positions(retriever.retrieve(query)),
        "reranked": reranked,
    }
    result: dict[str, Any] = {"documents": len(documents), "queries": len(task.queries), "index_s": round(seconds, 1)}
    for system, search in systems.items():
        started = time.perf_counter()
        rows = [search(query) for query in task.queries]
        result[f"{system}_qps"] = round(len(rows) / (time.perf_counter() - started), 1)
        result[system] = round(ndcg(padded(rows, 10), task.relevant), 4)
    return result


def _positions(ranking: Ranking) -> list[int]:
    return [int(hit.document.id) for hit in ranking]


def main() -> None:
    """Measure the sets asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/")
    parser.add_argument("--sets", nargs="+", default=list(RETRIEVAL), choices=RETRIEVAL)
    parser.add_argument("--queries", type=int, help="that many of each set, drawn by hash; default all")
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
        results[name] = measure(load_set(options.data, name).sample(options.queries), embedder, reranker)
        print(f"{name:<12}" + "".join(f"{results[name][column]:>11}" for column in columns), flush=True)
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
