"""The SQLite file of a `ResponseCache`."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jina_components.errors import ConfigError

_MARKS = {"application_id": 0x6A637263, "user_version": 1}
_BUSY_SECONDS = 30.0
_WAL_BYTES = 64_000_000
_ROW_BYTES = 200  # what SQLite needs for a row beside its contents, about

# The total is kept by triggers, within the transaction of each change.
_SCHEMA = """
CREATE TABLE entry (
    key BLOB PRIMARY KEY, stored_at REAL NOT NULL, size INTEGER NOT NULL,
    header TEXT NOT NULL, unpacked_bytes INTEGER, digest BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX entry_stored_at ON entry (stored_at);
CREATE TABLE total (bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0);
CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN UPDATE total SET bytes = bytes + new.size; END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN UPDATE total SET bytes = bytes - old.size; END;
"""

# A forked child must neither use nor close its parent's connection: closing gives up the parent's locks
# (https://sqlite.org/howtocorrupt.html, section 2.6). It is kept for ever instead.
_inherited: list[sqlite3.Connection] = []


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it lies in the file.

    Attributes:
        stored_at: Seconds since the epoch.
        header: JSON.
        unpacked_bytes: Length of the body unpacked; None if it is not packed.
        digest: Of header and unpacked body.
        body: The bytes.
    """

    stored_at: float
    header: str
    unpacked_bytes: int | None
    digest: bytes
    body: bytes

    @property
    def size(self) -> int:
        """What it counts for, in bytes."""
        return len(self.body) + len(self.header) + _ROW_BYTES


class CacheFile:
    """Rows by key. One connection, which threads use in turn; a forked child opens its own.

    Raises:
        ConfigError: by every method, if the file cannot be used; the message says why and what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner_pid = 0
        self._closing: weakref.finalize[[sqlite3.Connection, int], CacheFile] | None = None

    def read(self, key: bytes, *, since: float) -> Row | None:
        """The row of `key` if it was stored at `since` or later."""
        if self._connection is None and not self._path.exists():
            return None
        query = "SELECT stored_at, header, unpacked_bytes, digest, body FROM entry WHERE key = ? AND stored_at >= ?"
        with self._opened() as connection:
            found = connection.execute(query, (key, since)).fetchone()
        return Row(*found) if found else None

    def write(self, key: bytes, row: Row, *, expired: float, max_bytes: int) -> None:
        """Put `row` in place of the one before; remove what was stored before `expired`, and the oldest of too many."""
        values = (key, row.stored_at, row.size, row.header, row.unpacked_bytes, row.digest, row.body)
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM entry WHERE key = ? OR stored_at < ?", (key, expired))
            connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            [surplus] = connection.execute("SELECT bytes - ? FROM total", (max_bytes,)).fetchone()
            if surplus > 0:
                _evict(connection, surplus)
            connection.execute("COMMIT")

    def remove(self, key: bytes) -> None:
        """Remove the row of `key`."""
        with self._opened() as connection:
            connection.execute("DELETE FROM entry WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            self._drop()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._connect()
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise ConfigError(
                    f"The response cache {self._path} cannot be used ({error}); free space, delete the file if it is "
                    "damaged, choose another path or go without a cache."
                ) from error

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None or self._owner_pid != os.getpid():
            self._drop()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection, self._owner_pid = connection, os.getpid()
            self._closing = weakref.finalize(self, _close, connection, self._owner_pid)
            _prepare(connection)
        return self._connection

    def _drop(self) -> None:
        if self._closing is not None:
            self._closing()
        self._connection = self._closing = None


def _close(connection: sqlite3.Connection, owner_pid: int) -> None:
    if owner_pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or check that an old one is ours."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _create(connection)
    marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS]
    if marks != list(_MARKS.values()):
        raise sqlite3.DatabaseError("it is a database of something else, or of another version of this package")
    # Enough for a file that stays whole; a loss of power may cost the last entries.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def _create(connection: sqlite3.Connection) -> None:
    _use_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:  # else another process was faster
        for statement in _statements(_SCHEMA):
            connection.execute(statement)
        for name, value in _MARKS.items():
            connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    # Not subject to the busy timeout when several processes make the file at the same time.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _statements(script: str) -> list[str]:
    """The statements of a script, which `executescript` would run outside of the transaction."""
    statements, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            statements.append(begun)
            begun = ""
    return statements


def _evict(connection: sqlite3.Connection, surplus: int) -> None:
    """Remove the oldest rows, until `surplus` bytes are gone."""
    oldest = connection.execute("SELECT key, size FROM entry ORDER BY stored_at")
    going = []
    for key, size in oldest:
        if surplus <= 0:
            break
        going.append((key,))
        surplus -= size
    oldest.close()
    connection.executemany("DELETE FROM entry WHERE key = ?", going)
