"""The default store: documents, vectors and words in a directory, searched in this process."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.component import Component
from jina_components.core.inputs import as_list
from jina_components.errors import ConfigError, IndexFilesError, InputError
from jina_components.filters import Filter
from jina_components.protocols import Hits, Key, RankingKind
from jina_components.retriever.bm25 import Analyzer
from jina_components.retriever.dense import Storage
from jina_components.retriever.dense.plans import plan_for
from jina_components.retriever.multi_vector import decode_tokens
from jina_components.retriever.stores.common import check_documents, check_queries, require_choice
from jina_components.retriever.stores.faiss.changes import delete_ids, delete_matching, encode_batch, put
from jina_components.retriever.stores.faiss.copies import save_copy
from jina_components.retriever.stores.faiss.engine import Engine
from jina_components.retriever.stores.faiss.layout import Layout
from jina_components.retriever.stores.faiss.maintenance import Maintenance
from jina_components.retriever.stores.faiss.records import (
    documents as documents_of,
)
from jina_components.retriever.stores.faiss.records import get_note, metadata_between, rows_of, set_note
from jina_components.retriever.stores.faiss.repairs import StoreReport, repair, verify
from jina_components.retriever.stores.faiss.state import State
from jina_components.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

_END_SECONDS = 30.0
_BATCH = 500  # documents read at a time, while other threads wait for a moment


class FaissStore(Component):
    """Documents in SQLite, with a FAISS index of their vectors and a BM25 index of their words.

    With a directory everything is durable: when `put` or `delete` returns, what it did is on the disk, and whenever the
    process is killed the index is as before or after it. Any number of processes may read a directory while one at a
    time writes to it, and see each other's changes at once; it must lie on a local disk. Without a directory documents
    are in memory and vectors in an unnamed temporary file, until `close`. Thread-safe.

    Deleted documents go at once from what searches see, and from the disk by compaction: in the background when there
    are many, or by `compact`.

    Args:
        directory: Made when first used; None for memory.
        storage: What the dense index keeps of a vector, see `dense.PLANS`; `auto` leaves an index that is there as it
            is. Its `binary` is product codes of one bit a dimension (FAISS' PQ fast scan), not the sign bits that
            `StorageType` calls so.
        stemming: Language whose endings the lexical index cuts, such as `english`; None for none, or what the index
            was made with.
        must_exist: Whether a directory that holds no index is an error, or becomes one.

    Raises:
        IndexFilesError: later, from every method: the directory is something else's or cannot be read or written, its
            files are damaged, or another process has been writing for too long.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        storage: Storage = "auto",
        stemming: str | None = None,
        must_exist: bool = False,
    ) -> None:
        if must_exist and directory is None:
            raise ConfigError("must_exist asks for a directory.")
        plan_for(storage, 0)  # which knows the names
        self.directory = None if directory is None else Path(directory).absolute()
        self._stemming = Analyzer(stemming=stemming).stemming
        layout = None if self.directory is None else Layout(self.directory)
        self._engine = Engine(layout, storage=storage, stemming=stemming, must_exist=must_exist)
        self._maintenance = Maintenance(self._engine)
        weakref.finalize(self, _end, self._maintenance, self._engine)
        self._closed = False

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """`lexical`, and `dense` and `multi_vector` unless the documents were put without such vectors."""
        state = self._state()
        kinds: set[RankingKind] = {"lexical"}
        if not state.num_held or state.vectors.shape[1]:
            kinds.add("dense")
        if not state.num_held or state.tokens.shape[1]:
            kinds.add("multi_vector")
        return frozenset(kinds)

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id: all of them or none.

        Takes two waits for the disk, three with token vectors, however many documents there are: a thousand at a time
        are put far faster than one at a time.

        Args:
            documents: The documents.
            vectors: Their unit vectors, float32, shape [len(documents), dimensions]; None for a store of words alone.
            token_vectors: A matrix of unit vectors of each, which are kept as int8; None for a store without.

        Raises:
            InputError: documents of the same id; vectors not of unit length, of another width than those held, or none
                where those held have some.
            IndexFilesError: the store cannot be written to.
        """
        rows, tokens = check_documents(documents, vectors, token_vectors), encode_batch(documents, token_vectors)
        if not documents:
            return
        self._check_open()
        with self._engine.changing() as change:
            put(change, self._engine.files, documents, rows, tokens, stemming=self._stemming)
        self._maintenance.notice(self._engine.state)

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given, or `ids` is no list.
            IndexFilesError: the store cannot be written to.
        """
        require_choice(ids, filter)
        if filter is None:
            self._check_open()
            with self._engine.changing() as change:
                count = delete_ids(change, ids or ())
        else:
            state = self._state()
            # Looked for before the change, which keeps others waiting; what comes in between is looked at there.
            rows = state.rows[self._matching(state, filter) & state.alive].tolist()
            last = int(state.rows[-1]) if state.num_slots else -1
            with self._engine.changing() as change:
                count = delete_matching(change, filter, rows, last)
        self._maintenance.notice(self._engine.state)
        return count

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            ConfigError: the documents have no vectors.
            InputError: vectors of another width than those held, or not finite.
        """
        state = self._state()
        if not state.num_held or not len(vectors) or k < 1:
            return [[] for _ in vectors]
        if not state.vectors.shape[1]:
            raise ConfigError("The documents of this store have no vectors: search_lexical finds them.")
        queries = check_queries(vectors, state.vectors.shape[1])
        slots, cosines = state.dense.search(
            queries, min(k, state.num_held), state.vectors, self._allowed(state, filter)
        )
        return [_hits(state, *found) for found in zip(slots, cosines, strict=True)]

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it."""
        state = self._state()
        if not state.num_held or k < 1:
            return [[] for _ in queries]
        k, allowed = min(k, state.num_held), self._allowed(state, filter)
        hits = (state.lexical.search(query, k, allowed) for query in queries)
        return [[(int(state.rows[slot]), score) for slot, score in found] for found in hits]

    def search_multi_vector(self, queries: Sequence[FloatArray], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query, a matrix of unit vectors, the `k` documents of the highest MaxSim, as far as int8 keeps it.

        Raises:
            ConfigError: the documents have no token vectors.
            InputError: a query of another width than those held, or not finite.
        """
        state = self._state()
        if not state.num_held or k < 1:
            return [[] for _ in queries]
        if not state.tokens.shape[1]:
            raise ConfigError("The documents of this store have no token vectors: search_dense or search_lexical.")
        k, allowed = min(k, state.num_held), self._allowed(state, filter)
        found = (state.multi_vector.search(query, k, state.tokens, allowed) for query in queries)
        return [[(int(state.rows[slot]), score) for slot, score in hits] for hits in found]

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        rows = _rows(keys)
        self._check_open()
        with self._engine.reader.opened() as connection:
            found = documents_of(connection, rows)
        return [found.get(row) for row in rows]

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        state = self._state()
        slots = state.slots_of(np.array(_rows(keys), np.int64))
        vectors = np.zeros((len(keys), state.vectors.shape[1]), np.float32)
        vectors[slots >= 0] = state.vectors[slots[slots >= 0]]
        return vectors

    def get_token_vectors(self, keys: Sequence[Key]) -> list[FloatArray]:
        """The vectors of each one's tokens as they are kept, shape [its tokens, dimensions]; none of one deleted since.

        Put into another store they are kept as the same codes.
        """
        state = self._state()
        slots = state.slots_of(np.array(_rows(keys), np.int64))
        if not state.tokens.shape[1]:
            slots[:] = -1
        offsets, none = state.multi_vector.offsets, state.tokens[:0]
        codes = (state.tokens[offsets[slot] : offsets[slot + 1]] if slot >= 0 else none for slot in slots.tolist())
        return [decode_tokens(found) for found in codes]

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order they were added; those deleted meanwhile are left out."""
        state = self._state()
        held = state.alive if filter is None else state.alive & self._matching(state, filter)
        return self._documents(state.rows[held])

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        state = self._state()
        if filter is None:
            return state.num_held
        return int(np.count_nonzero(state.alive & self._matching(state, filter)))

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        names = as_list(ids, what="ids")
        self._check_open()
        found: list[Key | None] = []
        for start in range(0, len(names), _BATCH):
            with self._engine.reader.opened() as connection:
                found += rows_of(connection, names[start : start + _BATCH])
        return found

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        self._check_open()
        with self._engine.reader.opened() as connection:
            return get_note(connection, name)

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents, as lasting as they are."""
        self._check_open()
        with self._engine.writer.writing() as connection:
            set_note(connection, name, text)
            connection.execute("COMMIT")

    def compact(self) -> None:
        """Remove deleted documents off the disk, and index what is not yet in the dense index.

        Searches and changes go on meanwhile. What searches run on is left ready to be opened.

        Raises:
            IndexFilesError: the disk failed or is full, or another process works on the files; or the last compaction
                in the background has failed.
        """
        self._check_open()
        self._maintenance.run_now()

    def verify(self) -> StoreReport:
        """Read everything, and say what is not as it was written.

        Raises:
            IndexFilesError: it is no index, or one of which nothing is left.
        """
        self._check_open()
        return verify(self._engine)

    def repair(self) -> StoreReport:
        """Make all that can be made again, and drop the documents whose text or metadata is damaged.

        Those that lost their vectors alone are kept; `Retriever.embed_again` embeds them. No other process may use the
        directory meanwhile.

        Raises:
            IndexFilesError: nothing is left to repair, or the disk failed or is full.
        """
        self._check_open()
        self._maintenance.stop()
        return repair(self._engine)

    def save_to(self, directory: str | os.PathLike[str]) -> None:
        """Write a copy without deleted documents; an index that was in `directory` is replaced in one step, or not.

        Raises:
            IndexFilesError: the directory holds files of something else, or the disk failed or is full; an index that
                was there before is still whole.
        """
        self._check_open()
        save_copy(self._engine, Layout(Path(directory).absolute()))

    def close(self) -> None:
        """Give connections and memory back; the next call opens them again. An index in memory is gone.

        Raises:
            IndexFilesError: the last compaction in the background has failed.
        """
        try:
            self._maintenance.finish()
        finally:
            self._closed = self.directory is None
            self._engine.forget()
        self._maintenance.raise_error()

    def __reduce__(self) -> tuple[Any, ...]:
        if self.directory is None:
            raise InputError("A store in memory does not pickle: give it a directory, or save_to() one.")
        return super().__reduce__()

    def __repr__(self) -> str:
        return f"FaissStore({'' if self.directory is None else repr(str(self.directory))})"

    def _state(self) -> State:
        self._check_open()
        state = self._engine.fresh()
        self._maintenance.notice(state)
        return state

    def _check_open(self) -> None:
        if self._closed:
            raise IndexFilesError("This index in memory was closed and is gone: give it a directory to keep it.")

    def _allowed(self, state: State, filter: Filter | None) -> NDArray[np.bool_] | None:
        """Slots to choose from; None for all."""
        if filter is not None:
            return state.alive & self._matching(state, filter)
        return None if state.num_held == state.num_slots else state.alive

    def _matching(self, state: State, filter: Filter) -> NDArray[np.bool_]:
        def metadata_of(first: int, end: int) -> Iterator[Mapping[str, Any]]:
            for start in range(first, end, _BATCH):
                rows = state.rows[start : min(start + _BATCH, end)].tolist()
                with self._engine.reader.opened() as connection:
                    found = metadata_between(connection, rows[0], rows[-1])
                # Another process may have compacted the index: what it removed is found by nobody.
                yield from (found.get(row, {}) for row in rows)

        return state.columns.mask(filter, metadata_of, state.num_slots)

    def _documents(self, rows: NDArray[np.int64]) -> Iterator[Document]:
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH].tolist()
            with self._engine.reader.opened() as connection:
                found = documents_of(connection, part)
            yield from (found[row] for row in part if row in found)


def _rows(keys: Sequence[Key]) -> list[int]:
    """Rows of keys; -1, which no document has, for one of another store."""
    return [-1 if isinstance(key, str) else int(key) for key in keys]


def _end(maintenance: Maintenance, engine: Engine) -> None:
    """What has to be done for a store that nobody closed, at the end of the process or wherever that is noticed."""
    maintenance.stop(_END_SECONDS)
    engine.forget()


def _hits(state: State, slots: NDArray[np.int64], scores: FloatArray) -> Hits:
    found = slots >= 0
    return list(zip(state.rows[slots[found]].tolist(), scores[found].tolist(), strict=True))
