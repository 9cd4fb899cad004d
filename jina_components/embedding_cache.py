"""An on-disk cache of embedding vectors."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from jina_components.core.component import Component
from jina_components.core.forking import suspend_in_forks
from jina_components.core.inputs import as_list
from jina_components.errors import ConfigError, IndexFilesError, InputError

if TYPE_CHECKING:
    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

FILE = "embeddings.sqlite3"
_APPLICATION_ID = 0x6A63_6563  # marks the file as ours in its header
_VERSION = 1
_BUSY_SECONDS = 30.0
_RECENCY_SECONDS = 60.0  # how exactly the time of last use is kept: reads need not write more often
_BATCH = 1024  # entries written or evicted in one transaction, which others wait for
_PAGE = 16_384
_LOG_BYTES = 4 << 20  # beside the file, before its content moves there
_ROW_OVERHEAD = 100  # bytes an entry takes beside its vector, about

_SCHEMA = """
CREATE TABLE entries (
    digest BLOB PRIMARY KEY, vector BLOB NOT NULL, checksum BLOB NOT NULL, used REAL NOT NULL
);
CREATE INDEX entries_by_use ON entries (used);
"""
_SELECT = "SELECT vector, checksum, used FROM entries WHERE digest = ?"
_UPSERT = """
INSERT INTO entries (digest, vector, checksum, used) VALUES (?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    vector = excluded.vector, checksum = excluded.checksum, used = excluded.used
"""
_TOUCH = "UPDATE entries SET used = max(used, ?) WHERE digest = ?"
_DROP = "DELETE FROM entries WHERE digest = ?"
_EVICT = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries ORDER BY used LIMIT ?)"

# By SQLite's primary result code; all others mean a file that is not as it was written.
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has held it for too long: try again, or choose another folder",
    sqlite3.SQLITE_FULL: "the disk is full: free space, or lower max_bytes",
    sqlite3.SQLITE_IOERR: "the disk failed or a limit was met: free space, or choose another folder",
    sqlite3.SQLITE_READONLY: "it cannot be written: choose another folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: choose another folder",
}
_DAMAGED = f"it is damaged: delete {FILE}* in that folder, which costs no more than embedding again"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What shapes a vector beside its text.

    Attributes:
        model: Name of the model.
        revision: What pins its weights: a commit, or for a local folder a digest of its files.
        precision: Numeric type the model ran in.
        task: Task, or empty.
        dimensions: Width of the vectors.
        normalized: Whether they have unit length.
        prompt: The text put before each text.
        truncate: Whether a text longer than the model's context was cut to it, which is another input than all of it.
        group: What else a vector depends on, such as a digest of all texts of a late-chunking group.
    """

    model: str
    revision: str
    precision: str
    task: str
    dimensions: int
    normalized: bool
    prompt: str
    truncate: bool
    group: str = ""


class EmbeddingCache(Component):
    """Vectors of texts, kept in an SQLite file of `folder`.

    Threads and processes may share a folder on a local disk (SQLite's write-ahead log, which a kill at any moment
    leaves whole, does not work over a network). An entry that is not as it was written counts as missing.

    Args:
        folder: Made when first used.
        max_bytes: Size of the file above which the entries used longest ago are removed (use is noted to
            the minute); the log adds a few MB. None for no limit.

    Raises:
        ConfigError: `max_bytes` is not positive.
        IndexFilesError: later, from every method: the file is damaged, not ours, busy for 30 s, or the
            disk failed or is full.
    """

    def __init__(self, folder: str | os.PathLike[str], *, max_bytes: int | None = None) -> None:
        if max_bytes is not None and (not isinstance(max_bytes, int) or max_bytes < 1):
            raise ConfigError(f"max_bytes must be a positive integer or None, got {max_bytes!r}.")
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self._file = _File(self.folder / FILE)

    def get_many(self, key: CacheKey, texts: Sequence[str]) -> list[FloatArray | None]:
        """The vector of each text, in order: read-only float32 of shape [key.dimensions], or None if it is not there.

        Raises:
            InputError: no list of strings.
            IndexFilesError: see the class.
        """
        digests = _digests(key, texts)
        vectors: list[FloatArray | None] = []
        damaged, stale = [], []
        now = time.time()
        with self._file.opened() as connection:
            with _transaction(connection, "BEGIN"):
                found = [connection.execute(_SELECT, (digest,)).fetchone() for digest in digests]
            for digest, row in zip(digests, found, strict=True):
                vector = _decode(digest, row, key.dimensions) if row else None
                vectors.append(vector)
                if row and vector is None:
                    damaged.append((digest,))
                elif row and self.max_bytes is not None and now - row[-1] > _RECENCY_SECONDS:
                    stale.append((now, digest))
            if damaged or stale:
                with _transaction(connection):
                    connection.executemany(_DROP, damaged)
                    connection.executemany(_TOUCH, stale)
        if damaged:
            logger.warning("%s: dropped %d damaged entries", self.folder / FILE, len(damaged))
        return vectors

    def put_many(self, key: CacheKey, texts: Sequence[str], rows: FloatArray) -> None:
        """Keep the vectors of texts, replacing what was there.

        Args:
            key: What they were made with.
            texts: The texts.
            rows: float32, shape [len(texts), key.dimensions].

        Raises:
            InputError: rows that do not fit the texts, or one with NaN or infinity (`.index` names it).
            IndexFilesError: see the class.
        """
        digests = _digests(key, texts)
        _check_rows(key, texts, rows)
        now = time.time()
        with self._file.opened() as connection:
            for start in range(0, len(digests), _BATCH):
                part = slice(start, start + _BATCH)
                entries = [
                    (digest, vector, _checksum(digest, vector), now)
                    for digest, vector in zip(digests[part], map(_encode, rows[part]), strict=True)
                ]
                with _transaction(connection):
                    connection.executemany(_UPSERT, entries)
                if self.max_bytes is not None:
                    _evict(connection, self.max_bytes, key.dimensions * 4 + _ROW_OVERHEAD)

    def __len__(self) -> int:
        with self._file.opened() as connection:
            return int(_value(connection, "SELECT count(*) FROM entries"))

    def __bool__(self) -> bool:
        return True  # empty, it is still a cache

    def clear(self) -> None:
        """Remove all entries and give the disk space back."""
        with self._file.opened() as connection:
            with _transaction(connection):
                connection.execute("DELETE FROM entries")
            _shrink(connection)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def __repr__(self) -> str:
        return f"EmbeddingCache({str(self.folder)!r}, max_bytes={self.max_bytes})"


class _File:
    """A connection to the file, opened when first needed, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        suspend_in_forks(self)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The connection; the one place where errors of SQLite and the disk become ours."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self._path)
                yield self._connection
            except sqlite3.Error as error:
                self._disconnect()
                raise IndexFilesError(
                    f"The embedding cache {self._path} failed ({error}): {_remedy(error)}."
                ) from error
            except IndexFilesError:
                raise
            except OSError as error:
                raise IndexFilesError(f"{self._path} cannot be opened ({error}): choose another folder.") from error

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def suspend(self) -> None:
        """Close, and keep every thread from opening again until `resume`."""
        self._lock.acquire()
        self._disconnect()

    def resume(self) -> None:
        """End of `suspend`."""
        self._lock.release()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite does not wait for others while the log is switched on, so one process at a time opens.
    with FileLock(path.parent / ".lock", timeout=_BUSY_SECONDS):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.text_factory = bytes  # there is no text in a whole file, and what is none cannot be decoded
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if not _value(connection, "SELECT count(*) FROM sqlite_master"):
        # Of 384 to 1024 dimensions, few fill a page of SQLite's own 4096 bytes well: 25 to 33% lie waste.
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection):
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
    found = _value(connection, "PRAGMA application_id"), _value(connection, "PRAGMA user_version")
    if found != (_APPLICATION_ID, _VERSION):
        raise IndexFilesError(
            f"{path} is no embedding cache of this release (application {found[0]}, version {found[1]}): "
            "choose another folder, or delete the file."
        )
    # A kill loses nothing; a power failure at most the last moments, which costs embedding them again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // _PAGE}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have already ended it
            connection.execute("ROLLBACK")
        raise


def _value(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0]


def _evict(connection: sqlite3.Connection, max_bytes: int, entry_bytes: int) -> None:
    """Remove the entries used longest ago, in steps that keep others waiting for a moment only."""
    removed = 1
    while removed:
        with _transaction(connection):
            excess = _live_bytes(connection) - max_bytes
            step = min(excess // entry_bytes + 1, _BATCH) if excess > 0 else 0
            removed = connection.execute(_EVICT, (step,)).rowcount
        if removed:
            _shrink(connection)


def _live_bytes(connection: sqlite3.Connection) -> int:
    pages = _value(connection, "PRAGMA page_count") - _value(connection, "PRAGMA freelist_count")
    return pages * _value(connection, "PRAGMA page_size")


def _shrink(connection: sqlite3.Connection) -> None:
    """Give free pages back to the disk, outside a transaction."""
    connection.executescript("PRAGMA incremental_vacuum")  # `execute` would stop behind the first page


def _digests(key: CacheKey, texts: Sequence[str]) -> list[bytes]:
    seed = hashlib.blake2b(digest_size=20)
    for value in astuple(key):
        # The length before each field keeps ("ab", "c") apart from ("a", "bc"), the literal "1" from 1.
        field = ascii(value).encode()
        seed.update(len(field).to_bytes(8, "little") + field)
    digests = []
    for index, text in enumerate(as_list(texts, what="texts")):
        if not isinstance(text, str):
            raise InputError(f"texts[{index}] must be str, got {type(text).__name__}.", index)
        digest = seed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        digests.append(digest.digest())
    return digests


def _encode(row: FloatArray) -> bytes:
    return row.astype("<f4", copy=False).tobytes()


def _decode(digest: bytes, row: tuple[bytes, bytes, float], dimensions: int) -> FloatArray | None:
    """The vector, or None when its entry is not as it was written."""
    vector, checksum, _ = row
    if [type(value) for value in row] != [bytes, bytes, float] or len(vector) != dimensions * 4:
        return None
    if _checksum(digest, vector) != checksum:
        return None
    return np.frombuffer(vector, "<f4").astype(np.float32, copy=False)


def _checksum(digest: bytes, vector: bytes) -> bytes:
    return hashlib.blake2b(digest + vector, digest_size=8).digest()


def _check_rows(key: CacheKey, texts: Sequence[str], rows: FloatArray) -> None:
    if rows.dtype != np.float32 or rows.shape != (len(texts), key.dimensions):
        raise InputError(
            f"{len(texts)} texts need float32 rows of shape {[len(texts), key.dimensions]}, "
            f"got {rows.dtype} {list(rows.shape)}."
        )
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        index = int(finite.argmin())
        raise InputError(f"rows[{index}] holds NaN or infinity: no cache should remember it.", index)


def _remedy(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # errors of the module itself have none
    return _REMEDIES.get(code & 0xFF, _DAMAGED)
