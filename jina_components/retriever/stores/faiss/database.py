"""The SQLite file that holds the truth: connections, transactions, and what their errors mean."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from jina_components.core.forking import suspend_in_forks
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.layout import Layout, check_manifest, create, disk_error, place, unwritable

_APPLICATION_ID = 0x6A63_7278  # marks the file as ours in its header
_VERSION = 3
_BUSY_SECONDS = 30.0

# A document's text and metadata have a checksum, and so have its vector, those of its tokens, and each note: SQLite and
# the file system find out when a file is torn, and not when a byte of it turns.
_SCHEMA = """
CREATE TABLE documents (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL,
    checksum INTEGER NOT NULL, vector_checksum INTEGER NOT NULL,
    tokens INTEGER NOT NULL, token_checksum INTEGER NOT NULL, deleted INTEGER
);
CREATE UNIQUE INDEX documents_held ON documents (id) WHERE deleted IS NULL;
CREATE INDEX documents_deleted ON documents (deleted) WHERE deleted IS NOT NULL;
CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, generation INTEGER NOT NULL,
    slots INTEGER NOT NULL, dimensions INTEGER, next_row INTEGER NOT NULL, checkpoint TEXT, stemming TEXT,
    tokens INTEGER NOT NULL, token_dimensions INTEGER NOT NULL
);
INSERT INTO head VALUES (1, 0, 0, 0, NULL, 0, NULL, NULL, 0, 0)
"""

# By SQLite's primary result code; all others mean a file that is not as it was written.
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process is writing; try again when it is done",
    sqlite3.SQLITE_FULL: "the disk is full: free space. What was saved before is whole",
    sqlite3.SQLITE_IOERR: "the disk failed or is full: free space. What was saved before is whole",
    sqlite3.SQLITE_READONLY: "it cannot be written: open a copy in another directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_AUTH: "it cannot be opened",
    sqlite3.SQLITE_PERM: "it cannot be opened",
}
_DAMAGED = "the index is damaged: repair() it"


class Database:
    """One connection, for one thread at a time; without a layout to a database in memory.

    A thread that holds one while it takes another takes that which was made first.

    Args:
        layout: Where the file is.
        must_exist: Whether a directory without an index is an error, or becomes one.
        listed: Whether the manifest has to be there and right.

    Raises:
        IndexFilesError: by every method, if the file cannot be used; the message says why and what to do.
    """

    def __init__(self, layout: Layout | None, *, must_exist: bool = False, listed: bool = True) -> None:
        self._layout = layout
        self._must_exist = must_exist
        self._listed = listed
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., Database] | None = None
        self._owner_pid = os.getpid()
        suspend_in_forks(self)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The connection."""
        with self._lock, mapped_errors(self._layout):
            try:
                yield self._connected()
            except sqlite3.Error:
                if self._layout is not None:
                    self._disconnect()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, which sees one state throughout."""
        with self.opened() as connection:
            if connection.in_transaction:  # of this very thread, where the database in memory has one connection
                yield connection
            else:
                with _transaction(connection, "BEGIN"):
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, while no other writes; what is not committed at the end is undone.

        Raises:
            IndexFilesError: another process is writing, or nobody may.
        """
        with self.opened() as connection:
            self._check_writable()
            with _transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        with self._lock:
            self._disconnect()

    def suspend(self) -> None:
        """Keep every other thread away until `resume`; a file is closed."""
        self._lock.acquire()
        if self._layout is not None:
            self._disconnect()

    def resume(self) -> None:
        """End of `suspend`."""
        self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._layout is None:
                self._connection = _connect(":memory:")
                _create_tables(self._connection)
            else:
                self._connection = _open(self._layout, must_exist=self._must_exist, listed=self._listed)
            self._closing = weakref.finalize(self, self._connection.close)
            self._closing.atexit = False  # the store closes it then, behind the work in the background
        return self._connection

    def _disconnect(self) -> None:
        if self._closing is not None:
            self._closing()
        self._connection = self._closing = None

    def _check_writable(self) -> None:
        if self._layout is None and self._owner_pid != os.getpid():
            raise IndexFilesError(
                "An index in memory cannot be changed in a forked process, where its owner would not see it: "
                "give it a directory."
            )
        if self._layout is not None and not self._layout.can_write():
            raise unwritable(self._layout)


@contextmanager
def mapped_errors(layout: Layout | None) -> Iterator[None]:
    """The one place where errors of SQLite and the disk become ours.

    Raises:
        IndexFilesError: for each of them; the message says what to do.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise IndexFilesError(f"{place(layout)} failed ({error}): {_remedy(error)}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise IndexFilesError(f"{place(layout)} failed, a document cannot be read ({error}): {_DAMAGED}.") from error
    except IndexFilesError:
        raise
    except OSError as error:
        raise disk_error(layout, error) from error


def _open(layout: Layout, *, must_exist: bool, listed: bool) -> sqlite3.Connection:
    if listed:
        if not layout.exists() and not must_exist:
            create(layout, partial(make_database, layout.database))
        check_manifest(layout)
    connection = _connect(f"{layout.database.absolute().as_uri()}?{_mode(layout)}")
    try:
        check_database(layout.database, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _mode(layout: Layout) -> str:
    if layout.can_write():
        return "mode=rw"
    # Where nobody can make the files that a shared database needs, and nobody has, it is a medium that does not change.
    shared = layout.database.with_name(f"{layout.database.name}-wal").exists()
    return "mode=ro" if shared else "mode=ro&immutable=1"


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=address != ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # Lone surrogates are no UTF-8, yet there are texts that hold some.
    connection.text_factory = _decoded
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def encoded(text: str) -> bytes:
    """What stands for a text in SQL, as `CAST(? AS TEXT)`."""
    return text.encode("utf-8", "surrogatepass")


def make_database(path: Path) -> None:
    """Make the database, unless there is one of ours.

    Raises:
        IndexFilesError: there is one of something else.
    """
    with closing(_connect(str(path))) as connection:
        if not _value(connection, "SELECT count(*) FROM sqlite_master"):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            _create_tables(connection)
        check_database(path, connection)


def _create_tables(connection: sqlite3.Connection) -> None:
    with _transaction(connection, "BEGIN IMMEDIATE"):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")


def check_database(path: Path, connection: sqlite3.Connection) -> None:
    """Make sure that the file is ours.

    Raises:
        IndexFilesError: it is of something else, or of another version.
    """
    found = _value(connection, "PRAGMA application_id"), _value(connection, "PRAGMA user_version")
    if found != (_APPLICATION_ID, _VERSION):
        raise IndexFilesError(
            f"{path} is no index of this release (application {found[0]}, version {found[1]}): "
            "choose another directory."
        )


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _value(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]


def _remedy(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # errors of the module itself have none
    return _REMEDIES.get(code & 0xFF, _DAMAGED)
