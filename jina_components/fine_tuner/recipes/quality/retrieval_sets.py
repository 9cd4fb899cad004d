"""Sets of queries, a corpus, and judgements."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.metrics import Grades
from jina_components.fine_tuner.recipes.data.held_back import scifact_claims, squad_questions
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.sampling import place

SQUAD_QUESTIONS = 2000


def load_set(data: Path, name: str) -> JudgedQuestions:
    """A retrieval set by name, see `RETRIEVAL`; queries without a relevant document are left out.

    Raises:
        ConfigError: a file of the set is missing.
    """
    return RETRIEVAL[name](data / "retrieval" / name)


def _judged(split: str, held_back: Callable[[Path], frozenset[str]] | None = None) -> Callable[[Path], JudgedQuestions]:
    """Reads a set in BEIR's layout.

    Args:
        split: What stands in the names of the files of queries and judgements.
        held_back: Ids of the queries to measure with, of a folder of data; default all.
    """

    def load(folder: Path) -> JudgedQuestions:
        queries = read_jsonl(folder / f"queries{split}.jsonl")
        kept = None if held_back is None else held_back(folder.parent.parent)
        return JudgedQuestions.from_rows(
            read_jsonl(folder / "corpus.jsonl.gz"),
            (row for row in queries if kept is None or row["_id"] in kept),
            _read_tsv(folder / f"qrels{split}.tsv"),
        )

    return load


def _squad(folder: Path) -> JudgedQuestions:
    """All paragraphs, and a fixed draw of the held-back questions."""
    corpus = list(read_jsonl(folder / "train_paras.jsonl.gz"))
    position = {row["_id"]: i for i, row in enumerate(corpus)}
    held_back = squad_questions(folder.parent.parent)
    rows = [row for row in read_jsonl(folder / "train_questions.jsonl.gz") if row["_id"] in held_back]
    drawn = sorted(rows, key=lambda row: place(row["_id"]))[:SQUAD_QUESTIONS]
    queries = {row["_id"]: row["text"] for row in drawn}
    return _set([row["text"] for row in corpus], queries, {row["_id"]: {position[row["para"]]: 1.0} for row in drawn})


def _anthropic_docs(folder: Path) -> JudgedQuestions:
    corpus = list(read_jsonl(folder / "chunks.jsonl.gz"))
    position = {row["chunk_link"]: i for i, row in enumerate(corpus)}
    rows = list(read_jsonl(folder / "queries.jsonl.gz"))
    grades = {row["id"]: {position[link]: 1.0 for link in row["correct_chunks"] if link in position} for row in rows}
    return _set([row["text"] for row in corpus], {row["id"]: row["question"] for row in rows}, grades)


def _set(corpus: list[str], queries: Mapping[str, str], grades: Mapping[str, Grades]) -> JudgedQuestions:
    known = [name for name in queries if grades.get(name)]
    return JudgedQuestions(corpus, [queries[name] for name in known], [grades[name] for name in known])


def _read_tsv(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data must be a folder laid out as benchmarks/README.md says.")
    with path.open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines, delimiter="\t")


RETRIEVAL: Mapping[str, Callable[[Path], JudgedQuestions]] = {
    "scifact": _judged("_train", scifact_claims),
    "squad": _squad,
    "cosqa": _judged("_dev"),
    "cranfield": _judged(""),
    "npl": _judged(""),
    "anthropic_docs": _anthropic_docs,
}
