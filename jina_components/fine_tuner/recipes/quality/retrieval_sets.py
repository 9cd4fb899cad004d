"""Sets of queries, a corpus, and judgements."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.held_back import place, scifact_claims, squad_questions
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.quality.metrics import Grades

SQUAD_QUESTIONS = 2000


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A corpus, queries, and for each query the relevant positions in the corpus with their grades."""

    corpus: list[str]
    queries: list[str]
    relevant: list[Grades]

    def sampled_rows(self, queries: int | None) -> list[int]:
        """Rows of that many of the queries, drawn by hash: a larger sample holds a smaller one. None: all."""
        order = sorted(range(len(self.queries)), key=lambda row: place(self.queries[row]))
        return sorted(order[:queries])

    def sample(self, queries: int | None) -> RetrievalSet:
        """The set with the sampled queries alone."""
        return self.choose(self.sampled_rows(queries))

    def choose(self, rows: Iterable[int]) -> RetrievalSet:
        """The set with the queries of these rows."""
        kept = list(rows)
        return RetrievalSet(self.corpus, [self.queries[row] for row in kept], [self.relevant[row] for row in kept])


def load_set(data: Path, name: str) -> RetrievalSet:
    """A retrieval set by name, see `RETRIEVAL`; queries without a relevant document are left out.

    Raises:
        ConfigError: a file of the set is missing.
    """
    return RETRIEVAL[name](data / "retrieval" / name)


def _judged(split: str, held_back: Callable[[Path], frozenset[str]] | None = None) -> Callable[[Path], RetrievalSet]:
    """Reads a set in BEIR's layout.

    Args:
        split: What stands in the names of the files of queries and judgements.
        held_back: Ids of the queries to measure with, of a folder of data; default all.
    """

    def load(folder: Path) -> RetrievalSet:
        corpus = list(read_jsonl(folder / "corpus.jsonl.gz"))
        position = {document["_id"]: i for i, document in enumerate(corpus)}
        grades: dict[str, dict[int, float]] = defaultdict(dict)
        for row in _read_tsv(folder / f"qrels{split}.tsv"):
            if float(row["score"]) > 0:
                grades[row["query-id"]][position[row["corpus-id"]]] = float(row["score"])
        queries = {row["_id"]: row["text"] for row in read_jsonl(folder / f"queries{split}.jsonl")}
        if held_back is not None:
            kept = held_back(folder.parent.parent)
            queries = {name: text for name, text in queries.items() if name in kept}
        return _set([f"{row.get('title', '')} {row['text']}".strip() for row in corpus], queries, grades)

    return load


def _squad(folder: Path) -> RetrievalSet:
    """All paragraphs, and a fixed draw of the held-back questions."""
    corpus = list(read_jsonl(folder / "train_paras.jsonl.gz"))
    position = {row["_id"]: i for i, row in enumerate(corpus)}
    held_back = squad_questions(folder.parent.parent)
    rows = [row for row in read_jsonl(folder / "train_questions.jsonl.gz") if row["_id"] in held_back]
    drawn = sorted(rows, key=lambda row: place(row["_id"]))[:SQUAD_QUESTIONS]
    queries = {row["_id"]: row["text"] for row in drawn}
    return _set([row["text"] for row in corpus], queries, {row["_id"]: {position[row["para"]]: 1.0} for row in drawn})


def _anthropic_docs(folder: Path) -> RetrievalSet:
    corpus = list(read_jsonl(folder / "chunks.jsonl.gz"))
    position = {row["chunk_link"]: i for i, row in enumerate(corpus)}
    rows = list(read_jsonl(folder / "queries.jsonl.gz"))
    grades = {row["id"]: {position[link]: 1.0 for link in row["correct_chunks"] if link in position} for row in rows}
    return _set([row["text"] for row in corpus], {row["id"]: row["question"] for row in rows}, grades)


def _set(corpus: list[str], queries: Mapping[str, str], grades: Mapping[str, Grades]) -> RetrievalSet:
    known = [name for name in queries if grades.get(name)]
    return RetrievalSet(corpus, [queries[name] for name in known], [grades[name] for name in known])


def _read_tsv(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data must be a folder laid out as benchmarks/README.md says.")
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


RETRIEVAL: Mapping[str, Callable[[Path], RetrievalSet]] = {
    "scifact": _judged("_train", scifact_claims),
    "squad": _squad,
    "cosqa": _judged("_dev"),
    "cranfield": _judged(""),
    "npl": _judged(""),
    "anthropic_docs": _anthropic_docs,
}
