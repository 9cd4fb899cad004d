"""Retrieval quality and speed of the offline defaults: lexical, dense, their fusions, and the default reranked.

    python -m benchmarks.quality.retrieval --data DATA [--sets squad scifact …] [--queries 100] [--to results.json]

nDCG@10. `bm25s` is the peer for the lexical part: the same k1 = 0.9 and b = 0.4, with its own English stop words.
`hybrid` is the Retriever's default, `relative`, `rrf60` and `rrf5` are other ways to fuse the same two rankings; the
last line is the plain average over the sets. `beats` says where hybrid is better than both of its rankings. Times are
wall seconds of one process. `benchmarks.quality.models` compares the models themselves, on more metrics.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.systems import bm25s_search
from jina_components import Document, Embedder, Reranker, Retriever
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.rankings import padded
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set
from jina_components.fine_tuner.sampling import place
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.retriever import Fusion
from jina_components.types import Ranking

Search = Callable[[str], list[int]]  # positions in the corpus, best first

FUSIONS: Mapping[str, Fusion] = {
    "hybrid": Fusion(),
    "relative": Fusion("relative_score"),
    "rrf60": Fusion("reciprocal_rank", {"dense": 1, "lexical": 1}),
    "rrf5": Fusion("reciprocal_rank", {"dense": 1, "lexical": 0.75}, k=5),
}
SYSTEMS = ("bm25s", "lexical", "dense", *FUSIONS, "reranked")
RERANKED = 30
JSQUAD_QUESTIONS = 2000


def jsquad(data: Path) -> JudgedQuestions:
    """All paragraphs of JSQuAD's validation part, and a fixed draw of its questions: a language few models know."""
    folder = data / "retrieval" / "jsquad"
    corpus = list(read_jsonl(folder / "valid_paras.jsonl.gz"))
    position = {row["_id"]: i for i, row in enumerate(corpus)}
    rows = sorted(read_jsonl(folder / "valid_questions.jsonl.gz"), key=lambda row: place(row["_id"]))[:JSQUAD_QUESTIONS]
    return JudgedQuestions(
        [row["text"] for row in corpus], [row["text"] for row in rows], [{position[row["para"]]: 1.0} for row in rows]
    )


def load(data: Path, name: str) -> JudgedQuestions:
    """A set by name: those of the recipes, and JSQuAD."""
    return jsquad(data) if name == "jsquad" else load_set(data, name)


def measure(task: JudgedQuestions, embedder: Embedder, reranker: Reranker) -> dict[str, Any]:
    """Quality by system, seconds to index, and queries a second by system."""
    documents = [Document(text, str(position)) for position, text in enumerate(task.corpus) if text.strip()]
    with Retriever(embedder, reranker=reranker, rerank_top=RERANKED) as retriever:
        started = time.perf_counter()
        retriever.add(documents)
        retriever.retrieve("what is loaded at first use", rerank=False)
        result: dict[str, Any] = {
            "documents": len(documents), "queries": len(task.queries), "index_s": time.perf_counter() - started
        }  # fmt: skip
        for system, search in _systems(task, retriever, embedder).items():
            started = time.perf_counter()
            rows = [search(query) for query in task.queries]
            result[f"{system}_qps"] = len(rows) / (time.perf_counter() - started)
            result[system] = ndcg(padded(rows, 10), task.relevant)
    return result


def _systems(task: JudgedQuestions, retriever: Retriever, embedder: Embedder) -> dict[str, Search]:
    def fused(fusion: Fusion) -> Search:
        other = Retriever(embedder, store=retriever.store, fusion=fusion)
        return lambda query: _positions(other.retrieve(query))

    return {
        "bm25s": bm25s_search(task.corpus),
        "lexical": lambda query: _positions(retriever.retrieve(query, mode="lexical", rerank=False)),
        "dense": lambda query: _positions(retriever.retrieve(query, mode="dense", rerank=False)),
        **{name: fused(fusion) for name, fusion in FUSIONS.items()},
        "reranked": lambda query: _positions(retriever.retrieve(query)),
    }


def _positions(ranking: Ranking) -> list[int]:
    return [int(hit.document.id) for hit in ranking]


def averages(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Plain averages over the sets, by system."""
    return {system: sum(result[system] for result in results.values()) / len(results) for system in SYSTEMS}


def row(name: str, result: Mapping[str, Any]) -> str:
    """A line of the table."""
    sizes = "".join(f"{result.get(column, ''):>10}" for column in ("documents", "queries"))
    beats = "yes" if result["hybrid"] > max(result["dense"], result["lexical"]) else "no"
    speed = "".join(
        f"{result[column]:>10.1f}" if column in result else " " * 10 for column in ("index_s", "hybrid_qps")
    )
    return f"{name:<15}{sizes}" + "".join(f"{result[system]:>10.4f}" for system in SYSTEMS) + f"{beats:>7}{speed}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sets asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/")
    parser.add_argument("--sets", nargs="+", default=[*RETRIEVAL, "jsquad"], choices=[*RETRIEVAL, "jsquad"])
    parser.add_argument("--queries", type=int, help="that many of each set, drawn by hash; default all")
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--reranker", default=DEFAULT_RERANKER)
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args(arguments)
    embedder, reranker = Embedder(options.embedder, truncate=True), Reranker(options.reranker)
    embedder.load()
    print(f"embedder {options.embedder}, reranker {options.reranker} of the best {RERANKED}")
    columns = "".join(f"{column:>10}" for column in ("documents", "queries", *SYSTEMS))
    print(f"{'set':<15}{columns}{'beats':>7}{'index_s':>10}{'hybrid_qps':>11}")
    results = {}
    for name in options.sets:
        results[name] = measure(load(options.data, name).sample(options.queries), embedder, reranker)
        print(row(name, results[name]), flush=True)
    print(row("average", averages(results)))
    if options.to:
        found = {"embedder": options.embedder, "reranker": options.reranker, "sets": results}
        options.to.write_text(json.dumps({**found, "average": averages(results)}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
