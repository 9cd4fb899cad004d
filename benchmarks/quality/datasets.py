"""Retrieval sets of a data folder: `retrieval/<name>/` in BEIR's layout, and SQuAD."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_components.types import Document

RETRIEVAL_SETS = ("squad", "scifact", "cosqa", "cranfield", "npl")


@dataclass(frozen=True)
class Query:
    """A query, the grades of its relevant documents by id, and its verbatim answers where known."""

    text: str
    relevant: Mapping[str, float]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RetrievalSet:
    """Documents and judged queries."""

    documents: list[Document]
    queries: list[Query]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON-lines file, gzipped or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def load_retrieval_set(data: Path, name: str, *, queries: int | None = None, seed: int = 0) -> RetrievalSet:
    """A set; `queries` samples that many questions of SQuAD, which has 87,599."""
    folder = data / "retrieval" / name
    return _load_squad(folder, queries or 2000, seed) if name == "squad" else _load_judged(folder)


def _load_judged(folder: Path) -> RetrievalSet:
    """Queries without a relevant document in the corpus are left out."""
    documents = [
        Document(f"{row.get('title', '')}\n{row['text']}".strip(), row["_id"])
        for row in read_jsonl(folder / "corpus.jsonl.gz")
        if f"{row.get('title', '')}{row['text']}".strip()
    ]
    known = {document.id for document in documents}
    grades: dict[str, dict[str, float]] = defaultdict(dict)
    with next(folder.glob("qrels*.tsv")).open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["corpus-id"] in known and float(row["score"]) > 0:
                grades[row["query-id"]][row["corpus-id"]] = float(row["score"])
    rows = read_jsonl(next(folder.glob("queries*.jsonl")))
    return RetrievalSet(documents, [Query(row["text"], grades[row["_id"]]) for row in rows if row["_id"] in grades])


def _load_squad(folder: Path, queries: int, seed: int) -> RetrievalSet:
    documents = [
        Document(row["text"], row["_id"], {"title": row["title"].replace("_", " ")})
        for row in read_jsonl(folder / "train_paras.jsonl.gz")
    ]
    rows: Sequence[dict[str, Any]] = list(read_jsonl(folder / "train_questions.jsonl.gz"))
    chosen = random.Random(seed).sample(rows, queries)
    return RetrievalSet(documents, [Query(row["text"], {row["para"]: 1.0}, tuple(row["answers"])) for row in chosen])
