"""A store over a foreign vector index and a companion of its own."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from jina_components.core.component import Component
from jina_components.errors import ConfigError, IndexFilesError, InputError, JinaComponentsError
from jina_components.filters import Filter, matches
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.stores import common
from jina_components.retriever.stores.wrapped.ledger import Ledger
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_BATCH = 1_000  # what an index is given at once, of which some have a limit
_GROWTH = 4  # how many times more hits are asked for, where too few of them match the filter


class VectorEngine(Protocol):
    """What a `WrappedStore` needs of a vector index; it may raise anything. One thread at a time calls it."""

    @property
    def name(self) -> str:
        """How messages call it."""
        ...

    def add(self, keys: Sequence[str], documents: Sequence[Document], vectors: FloatArray) -> None:
        """Add vectors under keys it has not seen."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Remove those of the keys that it has."""
        ...

    def nearest(self, vector: FloatArray, k: int) -> list[str | None]:
        """Keys of the `k` nearest vectors, nearest first; None for one that was not added here."""
        ...


class WrappedStore(Component):
    """A `Store` that finds the nearest vectors in a foreign index, and keeps all else in a companion.

    The companion, an SQLite database, holds documents, metadata, vectors, their order and notes, so that what the
    index cannot tell is answered here: `get`, `get_vectors`, `scan`, `count`, `keys_of`, filters. A document's key in
    the index is new at each `put`; a `put` or `delete` takes place when the companion says so, in one transaction, and
    what the index has besides, after a crash too, is never found and is removed by the next write.

    Scores are cosines of the vectors kept here. The index ranks candidates: by cosine, inner product or distance, which
    for unit vectors is the same order. How near its candidates are to the true nearest is the index's.

    Filters are applied here to what the index gives, with four times more asked for until `k` match or it has given
    everything: exact, and slow where few documents match. Threads take turns.

    Args:
        engine: The vector index, which holds nothing but what this store puts there.
        path: File of the companion, which one process has open at a time; None for memory.
    """

    def __init__(self, engine: VectorEngine, *, path: str | os.PathLike[str] | None = None) -> None:
        self._engine = engine
        self._path = None if path is None else os.fspath(path)
        self._lock = threading.RLock()
        self._opened: Ledger | None = None

    def __repr__(self) -> str:
        path = "" if self._path is None else f", path={self._path!r}"
        return f"{type(self).__name__}({self._engine.name}{path})"

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """By vectors alone."""
        return frozenset({"dense"})

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id: all of them or none.

        Raises:
            InputError: an id twice, no vectors, token vectors, or vectors that are not one for each document or are of
                another width than those held.
            ConfigError: the index cannot add.
            IndexFilesError: the index or the companion failed; then nothing has changed.
        """
        matrix = common.check_documents(documents, vectors, token_vectors)
        if not documents:
            return
        if matrix is None or token_vectors is not None:
            raise InputError(
                f"{self._engine.name} ranks by one vector a document: give vectors, and no token vectors; for the "
                "other rankings use another store, such as FaissStore."
            )
        with self._ledger() as ledger:
            common.check_width(matrix.shape[1], ledger.width or matrix.shape[1])
            keys = ledger.add(documents, matrix)
            for start in range(0, len(keys), _BATCH):
                part = slice(start, start + _BATCH)
                with self._asking("add"):
                    self._engine.add(keys[part], documents[part], matrix[part])
            ledger.hold(keys)
            self._sweep(ledger)

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given.
            ConfigError: the index cannot delete.
            IndexFilesError: the index or the companion failed.
        """
        common.require_choice(ids, filter)
        with self._ledger() as ledger:
            if ids is None:
                keys = [key for page in _pages(ledger, filter) for key in page]
            else:
                keys = [key for key in {ledger.key_of(name) for name in ids} if key is not None]
            ledger.loosen(keys)
            self._sweep(ledger)
        return len(keys)

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            InputError: vectors of another width than those held, or not finite.
            ConfigError: the index holds what this store did not put, or cannot search by vectors.
            IndexFilesError: the index or the companion failed, or the index has lost what was put.
        """
        with self._ledger() as ledger:
            if not (width := ledger.width):
                return [[] for _ in vectors]
            queries = common.check_queries(vectors, width)
            return [self._nearest(ledger, query, k, filter) for query in queries]

    def search_lexical(
        self,
        queries: Sequence[str],  # noqa: ARG002 (as in Store)
        k: int,  # noqa: ARG002
        filter: Filter | None = None,  # noqa: ARG002
    ) -> list[Hits]:
        """Not offered.

        Raises:
            ConfigError: always.
        """
        raise common.ranking_error("lexical", self.rankings)

    def search_multi_vector(
        self,
        queries: Sequence[FloatArray],  # noqa: ARG002 (as in Store)
        k: int,  # noqa: ARG002
        filter: Filter | None = None,  # noqa: ARG002
    ) -> list[Hits]:
        """Not offered.

        Raises:
            ConfigError: always.
        """
        raise common.ranking_error("multi_vector", self.rankings)

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        with self._ledger() as ledger:
            return [ledger.document(str(key)) for key in keys]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        with self._ledger() as ledger:
            vectors = np.zeros((len(keys), ledger.width), np.float32)
            for row, key in zip(vectors, keys, strict=True):
                vector = ledger.vector(str(key))
                row[:] = 0 if vector is None else vector
        return vectors

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order they were added; those added meanwhile are not among them."""
        with self._ledger() as ledger:
            last, number = ledger.last_row, 0
        while number < last:
            with self._ledger() as ledger:
                rows = ledger.rows(after=number)
                number = rows[-1].number if rows else last
                chosen = [row.key for row in rows if row.number <= last and _fits(row.metadata, filter)]
            for key in chosen:
                yield from (document for document in self.get([key]) if document is not None)

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        with self._ledger() as ledger:
            return ledger.num_held if filter is None else sum(map(len, _pages(ledger, filter)))

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        with self._ledger() as ledger:
            return [ledger.key_of(name) for name in ids]

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        with self._ledger() as ledger:
            return ledger.get_note(name)

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents."""
        with self._ledger() as ledger:
            ledger.set_note(name, text)

    def close(self) -> None:
        """Close the companion; the next call opens it again, and one in memory is gone. The index is the caller's."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    def _nearest(self, ledger: Ledger, query: FloatArray, k: int, filter: Filter | None) -> Hits:
        total = ledger.size
        asked = min(total, k)
        while True:
            with self._asking("search by vector"):
                given = self._engine.nearest(query, asked)
            keys = [key for key in self._known(ledger, given) if _fits(ledger.metadata(key), filter)]
            if len(keys) >= k or asked == total:
                break
            asked = min(total, asked * _GROWTH)
        if not keys:
            return []
        scores = np.stack([vector for key in keys if (vector := ledger.vector(key)) is not None]) @ query
        best = np.argsort(-scores, kind="stable")[:k]
        return [(keys[place], float(scores[place])) for place in best]

    def _known(self, ledger: Ledger, given: Sequence[str | None]) -> list[str]:
        """The keys that a search gave.

        Raises:
            ConfigError: one that is not of this store.
            IndexFilesError: none at all.
        """
        if not given:
            raise IndexFilesError(
                f"{self._engine.name} gave nothing, where {ledger.num_held} documents were put: it has lost them, or "
                "the companion belongs to another. Put the documents into a new pair of both."
            )
        keys = [key for key in dict.fromkeys(given) if key is not None and ledger.knows(key)]
        if len(keys) < len(set(given)):
            raise ConfigError(
                f"{self._engine.name} gave a document that this store did not put there: give the store a collection "
                "of its own, and with a collection that lasts, the same companion file (path=...) each time."
            )
        return keys

    def _sweep(self, ledger: Ledger) -> None:
        """Remove from the index what no search may find."""
        keys = ledger.loose()
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            with self._asking("delete"):
                self._engine.remove(part)
            ledger.forget(part)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """The index's errors as ours."""
        try:
            yield
        except JinaComponentsError:
            raise
        except NotImplementedError as error:
            raise ConfigError(f"{self._engine.name} cannot {what}, which this store needs of it.") from error
        except Exception as error:  # engines raise whatever theirs do
            raise IndexFilesError(f"{self._engine.name} failed to {what}: {error}") from error

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        """The companion, one thread's at a time.

        Raises:
            IndexFilesError: it cannot be opened, read or written.
        """
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = Ledger(self._path)
                yield self._opened
            except sqlite3.Error as error:
                raise IndexFilesError(
                    f"The companion {self._path or 'in memory'} cannot be used: {error}. One process has it at a time, "
                    "and its folder must exist and be writable."
                ) from error


def _pages(ledger: Ledger, filter: Filter | None) -> Iterator[list[str]]:
    """Keys of the documents that match."""
    number = 0
    while rows := ledger.rows(after=number):
        number = rows[-1].number
        yield [row.key for row in rows if _fits(row.metadata, filter)]


def _fits(metadata: dict[str, object] | None, filter: Filter | None) -> bool:
    """Whether a document is held, and matches."""
    return metadata is not None and (filter is None or matches(metadata, filter))
