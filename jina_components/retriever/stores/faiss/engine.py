"""The state that searches see, and the changes that bring it on."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from filelock import Timeout

from jina_components.retriever.columns import MetadataColumns
from jina_components.retriever.dense import DenseIndex, Storage
from jina_components.retriever.multi_vector import MultiVectorIndex
from jina_components.retriever.stores.faiss.database import Database
from jina_components.retriever.stores.faiss.layout import Layout, busy, unwritable
from jina_components.retriever.stores.faiss.records import Head, read_head, read_number, write_head
from jina_components.retriever.stores.faiss.state import State, StateReader
from jina_components.retriever.stores.faiss.vectors import VectorFiles


@dataclass(slots=True, eq=False)
class Change:
    """A change of the store that is being made; nothing of it counts before it is committed.

    Attributes:
        connection: The transaction.
        head: Where the store stood, and from `write` on stands.
        state: What searches saw before.
    """

    connection: sqlite3.Connection
    head: Head
    state: State
    written: bool = False

    def write(self, head: Head, *, since: State | None = None) -> None:
        """Say where the store stands now.

        Args:
            head: The new head; its number is counted on.
            since: The state from which the new one follows; None for the one before.
        """
        self.head = write_head(self.connection, head)
        self.state = since or self.state
        self.written = True


class Engine:
    """One store in this process: two connections, its vectors, and the state. Thread-safe.

    Args:
        layout: Where it is; None for memory.
        storage: How the dense index holds vectors.
        stemming: Language whose endings the lexical index cuts.
        must_exist: Whether a directory without an index is an error.
        listed: Whether its manifest has to be there.
    """

    def __init__(
        self, layout: Layout | None, *, storage: Storage, stemming: str | None, must_exist: bool, listed: bool = True
    ) -> None:
        self.layout = layout
        self.writer = Database(layout, must_exist=must_exist, listed=listed)
        # Searches do not wait while a change is on its way to the disk.
        self.reader = self.writer if layout is None else Database(layout, must_exist=must_exist, listed=listed)
        self.files = VectorFiles(layout)
        self.states = StateReader(layout, self.files, storage=storage, stemming=stemming)
        self.has_changed = False  # by this process, since it was opened
        self._state = self.states.blank()
        self._publishing = threading.Lock()  # no lock of a connection is taken within it, but one that is held already
        self._working = threading.Lock()
        self._pid = os.getpid()

    @property
    def state(self) -> State:
        """The state as this process knows it."""
        return self._state

    def fresh(self) -> State:
        """The state, with all that any process has committed.

        Raises:
            IndexFilesError: the files cannot be read.
        """
        with self.reader.opened() as connection:
            self._be_own()
            if read_number(connection) != self._state.number:
                with self._publishing:
                    self._state = self.states.follow(self._state, self.reader)
            return self._state

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """A change; committed at the end if it was written, and undone where an error comes before.

        Raises:
            IndexFilesError: the files cannot be read or written, or another process is writing.
        """
        self.fresh()  # which may take long after many changes of others, who could not write meanwhile
        with self.writer.writing() as connection:
            state = self.states.settle(self._state, connection)
            change = Change(connection, read_head(connection), state)
            yield change
            if change.written:
                state = self.states.settle(change.state, connection)
                with self._publishing:
                    state = _with_latest_lists(_with_longest_dense(state, self._state), self._state)
                    connection.execute("COMMIT")
                    self._state, self.has_changed = state, True

    def adopt_dense(self, state: State, dense: DenseIndex) -> None:
        """Let searches use a longer dense index of this state's vectors, unless they have moved."""
        with self._publishing:
            longer = replace(state, dense=dense, dense_file=None)
            self._state = _with_longest_dense(self._state, longer)

    def adopt_multi_vector(self, state: State, index: MultiVectorIndex) -> None:
        """Let searches use a multi-vector index made anew of this state's tokens, unless they have moved."""
        with self._publishing:
            self._state = _with_latest_lists(self._state, replace(state, multi_vector=index))

    @contextmanager
    def working(self, *, wait: bool = True) -> Iterator[bool]:
        """The right to make and remove files beyond a change: one thread of one process has it at a time.

        Args:
            wait: Whether to wait for another; else the block learns by False that there is one.

        Raises:
            IndexFilesError: another process has had it for too long.
        """
        self._be_own()
        with ExitStack() as held:
            free = self._working.acquire(blocking=wait)
            if free:
                held.callback(self._working.release)
                free = self.layout is None or self._locked(self.layout, held, wait=wait)
            yield free

    def _locked(self, layout: Layout, held: ExitStack, *, wait: bool) -> bool:
        if not layout.can_write():
            if wait:
                raise unwritable(layout)
            return False
        try:
            held.enter_context(layout.lock(wait=wait))
        except Timeout as error:
            if wait:
                raise busy(layout) from error
            return False
        return True

    def tidy(self) -> bool:
        """Remove what no longer counts off the disk, which only who is `working` may do.

        Returns:
            Whether nothing is left of what was deleted; a process that reads keeps it in the log until it is done.
        """
        with self.writer.writing() as connection:
            head = read_head(connection)
            if self.layout is not None:
                self.layout.tidy(head.generation, head.checkpoint)
            else:
                self.files.keep(head.generation)
        with self.writer.opened() as connection:
            connection.executescript("PRAGMA incremental_vacuum")  # `execute` would stop behind the first page
            blocked, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not blocked

    def forget(self) -> None:
        """Give memory and connections back; the next call opens them again, but for an index in memory."""
        self.writer.close()
        self.reader.close()
        self.files.close()
        self._state, self.has_changed = self.states.blank(), False

    def _be_own(self) -> None:
        """In a forked child, let go of the locks that threads of the parent may have held."""
        if self._pid != os.getpid():
            self._pid, self.has_changed = os.getpid(), False
            self._publishing, self._working = threading.Lock(), threading.Lock()
            self._state = replace(self._state, columns=MetadataColumns())


def _with_latest_lists(state: State, other: State) -> State:
    """The state, with the multi-vector index of the other if that has more centroids of the same tokens."""
    more = len(other.multi_vector.centroids) - len(state.multi_vector.centroids)
    if other.generation != state.generation or more <= 0:
        return state
    later = np.diff(state.multi_vector.offsets)[len(other.multi_vector) :]
    index = other.multi_vector.with_added(later, state.tokens)
    return replace(state, multi_vector=index, unsaved=state.unsaved + state.num_slots)


def _with_longest_dense(state: State, other: State) -> State:
    """The state, with the dense index of the other if that covers more of the same vectors."""
    more = len(other.dense) - len(state.dense)
    if other.generation != state.generation or more <= 0:
        return state
    return replace(state, dense=other.dense, dense_file=other.dense_file, unsaved=state.unsaved + more)
