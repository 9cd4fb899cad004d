"""What searches run on: an immutable value, brought up to date from the database."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.retriever.bm25 import Analyzer, BM25Index
from jina_components.retriever.columns import MetadataColumns
from jina_components.retriever.dense import DenseIndex, Storage
from jina_components.retriever.multi_vector import MultiVectorIndex
from jina_components.retriever.stores.common import agreed_analyzer
from jina_components.retriever.stores.faiss.checkpoints import CheckpointError, read_checkpoint
from jina_components.retriever.stores.faiss.layout import Layout, place
from jina_components.retriever.stores.faiss.records import Head, read_head
from jina_components.retriever.stores.faiss.vectors import VectorFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

_BATCH = 16_384  # texts indexed at a time
_ADDED = "SELECT row, text, deleted IS NULL, tokens FROM documents WHERE row > ? ORDER BY row"
# Without statistics SQLite would rather look at every row than at the few deleted ones.
_DELETED = "SELECT row FROM documents INDEXED BY documents_deleted WHERE deleted > ? AND row <= ? ORDER BY row"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A store at one moment. Slots are rows of the vectors file, numbered from 0.

    Attributes:
        number: Of the last change it knows.
        generation: Which vectors file.
        rows: Row of each slot, ascending: the keys of its documents.
        alive: Whether the document of each slot is held.
        vectors: Shape [slots, dimensions], mapped; no columns where documents have no vectors.
        dense: Finds vectors; it may cover more or fewer of them in each process.
        dense_file: The checkpoint that holds the same dense index, if one does.
        lexical: Finds words.
        tokens: Codes of the vectors of tokens, shape [all tokens, their dimensions], mapped.
        multi_vector: Finds documents by these; of no slots where documents have none.
        columns: Finds metadata.
        unsaved: Documents added and deleted since its checkpoint, and those that an index covers anew since.
        num_held: Documents held.
    """

    number: int
    generation: int
    rows: NDArray[np.int64]
    alive: NDArray[np.bool_]
    vectors: FloatArray
    dense: DenseIndex
    dense_file: str | None
    lexical: BM25Index
    tokens: NDArray[np.int8]
    multi_vector: MultiVectorIndex
    columns: MetadataColumns = field(default_factory=MetadataColumns)
    unsaved: int = 0
    num_held: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_held", int(np.count_nonzero(self.alive)))

    @property
    def num_slots(self) -> int:
        """Documents held, and deleted ones that still have a slot."""
        return len(self.rows)

    def slots_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slot of each row; -1 for one that is not held."""
        slots = np.searchsorted(self.rows, rows)
        slots[slots == self.num_slots] = 0
        if not self.num_slots:
            return np.full(len(rows), -1, np.int64)
        return np.where((self.rows[slots] == rows) & self.alive[slots], slots, -1)


class _Reads(Protocol):
    def reading(self) -> AbstractContextManager[sqlite3.Connection]: ...


class StateReader:
    """Brings states up to date with the database."""

    def __init__(self, layout: Layout | None, files: VectorFiles, *, storage: Storage, stemming: str | None) -> None:
        self._layout = layout
        self._files = files
        self._storage = storage
        self._stemming = stemming

    def blank(self, stemming: str | None = None) -> State:
        """The state that knows nothing yet."""
        none = np.zeros(0, np.int64)
        vectors = np.zeros((0, 0), np.float32)
        lexical = BM25Index.empty(Analyzer(stemming=stemming))
        dense = DenseIndex.build(vectors, storage=self._storage)
        return State(
            number=-1,
            generation=-1,
            rows=none,
            alive=none.astype(bool),
            vectors=vectors,
            dense=dense,
            dense_file=None,
            lexical=lexical,
            tokens=vectors.astype(np.int8),
            multi_vector=MultiVectorIndex.empty(),
        )

    def follow(self, state: State, database: _Reads) -> State:
        """The state as the database has it now.

        Raises:
            IndexFilesError: files that it names are missing or damaged.
            IndexMismatchError: the lexical index cuts endings of another language than asked for.
        """
        failed: Head | None = None
        while True:
            with database.reading() as connection:
                head = read_head(connection)
                again = failed is not None and (head.generation, head.checkpoint) == (
                    failed.generation,
                    failed.checkpoint,
                )
                try:
                    return self.current(state, connection, use_checkpoint=not again)
                except (CheckpointError, FileNotFoundError) as error:
                    # A writer may have moved on and removed the files while they were read.
                    if again:
                        raise self._damaged(error) from error
                    failed = head

    def settle(self, state: State, connection: sqlite3.Connection) -> State:
        """The state as a writer sees it, whose files nobody removes.

        Raises:
            IndexFilesError: files that it names are missing or damaged.
        """
        try:
            try:
                return self.current(state, connection, use_checkpoint=True)
            except CheckpointError:
                return self.current(state, connection, use_checkpoint=False)
        except FileNotFoundError as error:
            raise self._damaged(error) from error

    def current(self, state: State, connection: sqlite3.Connection, *, use_checkpoint: bool) -> State:
        """The state as a transaction sees it.

        Raises:
            CheckpointError: the checkpoint cannot be read.
            FileNotFoundError: the vectors are gone.
        """
        head = read_head(connection)
        if head.number == state.number:
            return state
        if head.slots:
            agreed_analyzer(self._stemming, head.stemming, place(self._layout))
        if head.generation != state.generation:
            state = self._start(head, use_checkpoint=use_checkpoint)
        state = _without_deleted(state, connection)
        state, counts = _with_added(state, connection)
        num_tokens = state.multi_vector.num_tokens + int(counts.sum())
        if (state.num_slots, num_tokens) != (head.slots, head.tokens):
            raise self._damaged(
                f"{state.num_slots} documents of {num_tokens} tokens for {head.slots} and {head.tokens} vectors"
            )
        width = head.token_dimensions
        tokens = self._files.tokens.map(head.generation, head.tokens, width)
        return replace(
            state,
            number=head.number,
            vectors=self._files.vectors.map(head.generation, head.slots, head.dimensions or 0),
            tokens=tokens,
            multi_vector=state.multi_vector.with_added(counts, tokens) if len(counts) and width else state.multi_vector,
        )

    def _start(self, head: Head, *, use_checkpoint: bool) -> State:
        """The state of the checkpoint, or one from which everything is to be indexed; without vectors."""
        if self._layout is not None and head.checkpoint is not None:
            if use_checkpoint:
                found = read_checkpoint(self._layout.checkpoint(head.checkpoint), head)
                dense = self._of_storage(found.dense)
                return replace(
                    self.blank(),
                    number=found.number,
                    generation=head.generation,
                    rows=found.rows,
                    alive=found.alive,
                    dense=dense,
                    dense_file=head.checkpoint if dense is found.dense else None,
                    lexical=found.lexical,
                    multi_vector=found.multi_vector,
                )
            logger.warning("%s: %s cannot be read, indexing again", place(self._layout), head.checkpoint)
        return replace(self.blank(head.stemming), generation=head.generation)

    def _of_storage(self, dense: DenseIndex) -> DenseIndex:
        """The index, or where another storage was asked for one of nothing, to be extended in the background."""
        if self._storage in ("auto", dense.storage):
            return dense
        return DenseIndex.build(np.zeros((0, 0), np.float32), storage=self._storage)

    def _damaged(self, why: object) -> IndexFilesError:
        return IndexFilesError(f"{place(self._layout)}: the index is damaged: {why}. repair() it.")


def _without_deleted(state: State, connection: sqlite3.Connection) -> State:
    last = int(state.rows[-1]) if state.num_slots else -1
    found = connection.execute(_DELETED, (state.number, last)).fetchall()
    if not found:
        return state
    slots = np.searchsorted(state.rows, np.array(found, np.int64)[:, 0])
    alive = state.alive.copy()
    alive[slots] = False
    return replace(state, alive=alive, lexical=state.lexical.without(slots), unsaved=state.unsaved + len(found))


def _with_added(state: State, connection: sqlite3.Connection) -> tuple[State, NDArray[np.int64]]:
    """The state with later documents, whose token vectors it does not know yet, and how many of these each has."""
    rows, alive, counts, lexical = [state.rows], [state.alive], [np.zeros(0, np.int64)], state.lexical
    first = state.num_slots
    for found in _batches(connection, int(state.rows[-1]) if state.num_slots else -1):
        rows.append(np.array([row for row, _, _, _ in found], np.int64))
        alive.append(np.array([held for _, _, held, _ in found], bool))
        counts.append(np.array([count for _, _, _, count in found], np.int64))
        held = np.flatnonzero(alive[-1])
        lexical = lexical.with_added(held + first, [found[index][1] for index in held])
        first += len(found)
    added = np.concatenate(counts)
    if not len(added):
        return state, added
    return replace(
        state,
        rows=np.concatenate(rows),
        alive=np.concatenate(alive),
        lexical=lexical,
        unsaved=state.unsaved + len(added),
    ), added


def _batches(connection: sqlite3.Connection, last: int) -> Iterator[list[tuple[int, str, int, int]]]:
    cursor = connection.execute(_ADDED, (last,))
    while found := cursor.fetchmany(_BATCH):
        yield found
