"""A store in this process's memory that looks at every document: slow, and plainly right."""

from __future__ import annotations

import itertools
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from jina_components.core.late_interaction import max_sim
from jina_components.errors import ConfigError
from jina_components.filters import Filter, matches
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.stores.common import (
    check_documents,
    check_queries,
    check_width,
    ranking_error,
    require_choice,
)
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_K1, _B = 0.9, 0.4


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    document: Document
    vector: FloatArray
    token_vectors: FloatArray
    counts: Counter[str]


class MemoryStore:
    """A `Store` in memory, brute force over every document: what `check_store` compares others with.

    Deterministic and exact; equal scores come in the order the documents were added. Nothing outlives the object.

    Args:
        rankings: What it can rank by.
        words: The terms of a text, for BM25; by default its case-folded runs of letters and digits.

    Raises:
        ConfigError: an unknown kind of ranking.
    """

    def __init__(
        self,
        *,
        rankings: Iterable[RankingKind] = get_args(RankingKind),
        words: Callable[[str], Iterable[str]] = _words,
    ) -> None:
        self._rankings = frozenset(rankings)
        if unknown := self._rankings.difference(get_args(RankingKind)):
            raise ConfigError(f"Unknown rankings {sorted(unknown)}; known: {', '.join(get_args(RankingKind))}.")
        self._words = words
        self._lock = threading.RLock()
        self._keys = itertools.count()
        self._rows: dict[int, _Row] = {}
        self._key_of: dict[str, int] = {}
        self._notes: dict[str, str] = {}

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """What it can rank by."""
        return self._rankings

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id: all of them or none.

        Raises:
            InputError: an id twice, vectors that are not one for each document, not of unit length or of another width
                than those held, or none where those held have some.
        """
        checked = check_documents(documents, vectors, token_vectors)
        matrix = np.zeros((len(documents), 0), np.float32) if checked is None else checked.copy()
        tokens = [np.zeros((0, 0), np.float32)] * len(documents) if token_vectors is None else token_vectors
        with self._lock:
            if documents and self._rows:
                check_width(matrix.shape[1], self._width)
            for document, vector, of_tokens in zip(documents, matrix, tokens, strict=True):
                self._rows.pop(self._key_of.get(document.id, -1), None)
                self._key_of[document.id] = key = next(self._keys)
                counts = Counter(self._words(document.text))
                self._rows[key] = _Row(document, vector, np.array(of_tokens, np.float32), counts)

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given, or `ids` is no list.
        """
        require_choice(ids, filter)
        with self._lock:
            chosen = self._key_of if ids is None else self._key_of.keys() & set(ids)
            keys = {self._key_of[name] for name in chosen} & set(self._matching(filter))
            for key in keys:
                del self._key_of[self._rows.pop(key).document.id]
        return len(keys)

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            ConfigError: it does not rank by `dense`.
            InputError: vectors of another width than those held, or not finite.
        """
        self._require_ranking("dense")
        with self._lock:
            if not self._width:
                return [[] for _ in vectors]
            queries, rows = check_queries(vectors, self._width), self._matching(filter)
            matrix = np.array([row.vector for row in rows.values()], np.float32).reshape(len(rows), self._width)
        return [_best(rows, matrix @ query, k) for query in queries]

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it.

        Raises:
            ConfigError: it does not rank by `lexical`.
        """
        self._require_ranking("lexical")
        with self._lock:
            rows, held = self._matching(filter), list(self._rows.values())
        frequencies = Counter(term for row in held for term in row.counts)
        length = sum(row.counts.total() for row in held) / max(1, len(held))
        idf = {term: math.log1p((len(held) - n + 0.5) / (n + 0.5)) for term, n in frequencies.items()}
        found = []
        for query in queries:
            terms = [term for term in self._words(query) if term in idf]
            scores = [sum(idf[term] * _saturated(row.counts, term, length) for term in terms) for row in rows.values()]
            found.append([hit for hit in _best(rows, scores, k) if hit[1] > 0])
        return found

    def search_multi_vector(self, queries: Sequence[FloatArray], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query, a matrix of unit vectors, the `k` documents of the highest MaxSim, of those with vectors.

        Raises:
            ConfigError: it does not rank by `multi_vector`.
            InputError: a query of another width than those held, or not finite.
        """
        self._require_ranking("multi_vector")
        with self._lock:
            rows = {key: row for key, row in self._matching(filter).items() if len(row.token_vectors)}
        matrices = [row.token_vectors for row in rows.values()]
        if not matrices:
            return [[] for _ in queries]
        width = matrices[0].shape[1]
        return [_best(rows, max_sim(check_queries(query, width), matrices), k) for query in queries]

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        with self._lock:
            rows = [self._rows.get(int(key)) for key in keys]
        return [None if row is None else row.document for row in rows]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        with self._lock:
            vectors = np.zeros((len(keys), self._width), np.float32)
            for position, key in enumerate(keys):
                if row := self._rows.get(int(key)):
                    vectors[position] = row.vector
        return vectors

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order they were added, as they are when the first is asked for."""
        with self._lock:
            documents = [row.document for row in self._matching(filter).values()]
        yield from documents

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        with self._lock:
            return len(self._matching(filter))

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        with self._lock:
            return [self._key_of.get(name) for name in ids]

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        return self._notes.get(name)

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents."""
        self._notes[name] = text

    def close(self) -> None:
        """Nothing is to be given back."""

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._rows)} documents)"

    @property
    def _width(self) -> int:
        return len(next(iter(self._rows.values())).vector) if self._rows else 0

    def _matching(self, filter: Filter | None) -> dict[int, _Row]:
        return {key: row for key, row in self._rows.items() if filter is None or matches(row.document.metadata, filter)}

    def _require_ranking(self, kind: RankingKind) -> None:
        if kind not in self._rankings:
            raise ranking_error(kind, self._rankings)


def _saturated(counts: Counter[str], term: str, mean_length: float) -> float:
    """What the occurrences of a term in a document count."""
    norm = _K1 * (1 - _B + _B * counts.total() / mean_length)
    return counts[term] * (_K1 + 1) / (counts[term] + norm)


def _best(rows: dict[int, _Row], scores: Iterable[float], k: int) -> Hits:
    hits: Hits = [(key, float(score)) for key, score in zip(rows, scores, strict=True)]
    return sorted(hits, key=lambda hit: -hit[1])[:k]
