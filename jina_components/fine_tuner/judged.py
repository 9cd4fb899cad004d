"""Questions whose answers are known: what a model is measured with."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.metrics import Grades
from jina_components.fine_tuner.sampling import place
from jina_components.fine_tuner.triplets import Split, Triplets
from jina_components.types import shorten

_CORPUS, _QUERIES = "corpus", "queries"
# Where data sets in BEIR's layout keep judgements; the first that is there is read.
_JUDGEMENTS = ("qrels.tsv", "qrels/test.tsv", "qrels/dev.tsv")


@dataclass(frozen=True)
class JudgedQuestions:
    """A corpus, queries, and for each query the relevant positions in the corpus with their grades.

    Attributes:
        corpus: The passages that are searched.
        queries: What is asked.
        relevant: Of each query, by position in the corpus, how well a passage answers: above 0.
        documents: Of each passage the document that it is of; empty where each is its own.

    Raises:
        InputError: there are not as many judgements as queries, or as many documents as passages; a query without a
            relevant passage, or one outside the corpus; `.index` is the query.
    """

    corpus: Sequence[str]
    queries: Sequence[str]
    relevant: Sequence[Grades]
    documents: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.relevant):
            raise InputError(f"{len(self.queries)} queries have {len(self.relevant)} judgements: give each its own.")
        if self.documents and len(self.documents) != len(self.corpus):
            raise InputError(f"{len(self.corpus)} passages have {len(self.documents)} documents: name that of each.")
        for row, grades in enumerate(self.relevant):
            if not grades or not all(0 <= at < len(self.corpus) and grade > 0 for at, grade in grades.items()):
                told = "needs passages of the corpus that answer it, by position, with grades above 0"
                raise InputError(f"Query {row} ({shorten(self.queries[row])!r}) {told}.", row)

    def __repr__(self) -> str:
        return f"JudgedQuestions({len(self.queries):,} queries, {len(self.corpus):,} passages)"

    @classmethod
    def load(cls, folder: str | Path) -> JudgedQuestions:
        """A data set in BEIR's layout: `corpus.jsonl` and `queries.jsonl`, each also .gz, and `qrels.tsv`.

        Rows of the former have `_id` and `text`, passages also `title` and `document`; those of the latter, after a
        head, have `query-id`, `corpus-id` and `score`. It may be `qrels/test.tsv` too.

        Raises:
            ConfigError: a file is missing, or a row is not what it should be.
        """
        home = Path(folder)
        found = next((home / name for name in _JUDGEMENTS if (home / name).is_file()), None)
        if found is None:
            raise ConfigError(f"{home} holds no judged questions: it has none of {', '.join(_JUDGEMENTS)}.")
        try:
            with found.open(encoding="utf-8", newline="") as lines:
                judgements = list(csv.DictReader(lines, delimiter="\t"))
            return cls.from_rows(_rows(home, _CORPUS), _rows(home, _QUERIES), judgements)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError | InputError):
                raise
            raise ConfigError(f"{home} is no data set in BEIR's layout: {error!r}.") from error

    @classmethod
    def from_rows(
        cls,
        corpus: Iterable[Mapping[str, Any]],
        queries: Iterable[Mapping[str, Any]],
        judgements: Iterable[Mapping[str, Any]],
    ) -> JudgedQuestions:
        """Of the rows that `load` reads; queries without a relevant passage are left out.

        Raises:
            KeyError: a row lacks a field, or a judgement names a passage that is not there.
        """
        passages = list(corpus)
        position = {str(row["_id"]): at for at, row in enumerate(passages)}
        grades: dict[str, dict[int, float]] = {}
        for row in judgements:
            if float(row["score"]) > 0:
                grades.setdefault(str(row["query-id"]), {})[position[str(row["corpus-id"])]] = float(row["score"])
        texts = {str(row["_id"]): row["text"] for row in queries}
        known = [name for name in texts if name in grades]
        documents = [str(row.get("document", row["_id"])) for row in passages]
        return cls(
            [f"{row.get('title', '')} {row['text']}".strip() for row in passages],
            [texts[name] for name in known],
            [grades[name] for name in known],
            documents if any("document" in row for row in passages) else (),
        )

    @classmethod
    def of(cls, triplets: Triplets, split: Split = "test") -> JudgedQuestions:
        """The questions of a split, which are asked of all passages; one that several passages answer is one query.

        Raises:
            InputError: the split is empty.
        """
        questions: dict[str, dict[int, float]] = {}
        names = {name: at for at, name in enumerate(triplets.passages)}
        texts: dict[str, str] = {}
        for each in getattr(triplets, split):
            texts.setdefault(alike(each.query), each.query)
            questions.setdefault(alike(each.query), {})[names[each.positive]] = 1.0
        if not questions:
            raise InputError(f"The triplets have no {split} questions: synthesize from more documents.")
        return cls(
            [passage.text for passage in triplets.passages.values()],
            list(texts.values()),
            list(questions.values()),
            [passage.document for passage in triplets.passages.values()],
        )

    @cached_property
    def clusters(self) -> Sequence[int]:
        """Of each query the number of its cluster: queries that the same documents answer are not independent."""
        known: dict[frozenset[object], int] = {}
        home = self.documents or range(len(self.corpus))
        return [known.setdefault(frozenset(home[at] for at in grades), len(known)) for grades in self.relevant]

    def check_unseen(self, trained_on: Triplets) -> None:
        """Whether a model that was tuned with triplets can be measured with these.

        Raises:
            InputError: it was tuned with some of the queries; the message tells how to leave them out.
        """
        seen = sorted(set(range(len(self.queries))) - set(self._unseen(trained_on)))
        if seen:
            raise InputError(
                f"{len(seen)} of {len(self.queries)} queries were trained with, such as "
                f"{shorten(self.queries[seen[0]])!r}: measuring with them proves nothing. "
                "Leave them out: questions.without(triplets).",
                seen[0],
            )

    def without(self, trained_on: Triplets) -> JudgedQuestions:
        """The set without the queries that triplets train or choose a checkpoint with, however they are written."""
        return self.choose(self._unseen(trained_on))

    def _unseen(self, trained_on: Triplets) -> list[int]:
        asked = {alike(each.query) for each in (*trained_on.train, *trained_on.dev)}
        return [row for row, query in enumerate(self.queries) if alike(query) not in asked]

    def sampled_rows(self, queries: int | None) -> list[int]:
        """Rows of that many of the queries, drawn by hash: a larger sample holds a smaller one. None: all."""
        order = sorted(range(len(self.queries)), key=lambda row: place(self.queries[row]))
        return sorted(order[:queries])

    def sample(self, queries: int | None) -> JudgedQuestions:
        """The set with the sampled queries alone."""
        return self.choose(self.sampled_rows(queries))

    def choose(self, rows: Iterable[int]) -> JudgedQuestions:
        """The set with the queries of these rows."""
        kept = list(rows)
        return JudgedQuestions(
            self.corpus, [self.queries[row] for row in kept], [self.relevant[row] for row in kept], self.documents
        )


def alike(query: str) -> str:
    """A query without case and what is no letter or digit: the same for those that differ in nothing else."""
    return " ".join("".join(each if each.isalnum() else " " for each in query.casefold()).split()) or query.strip()


def _rows(home: Path, name: str) -> Iterator[dict[str, Any]]:
    for path in (home / f"{name}.jsonl", home / f"{name}.jsonl.gz"):
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as f:
                yield from map(json.loads, f)
            return
    raise ConfigError(f"{home} holds no judged questions: it has no {name}.jsonl.")
