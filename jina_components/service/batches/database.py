"""The database of batches: one SQLite file, with a write-ahead log that is synced at every commit."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from jina_components.core.durable import sync
from jina_components.errors import ConfigError
from jina_components.service.errors import problem

logger = logging.getLogger(__name__)

_DATABASE = "batches.sqlite3"
_VERSION = 1
_WAIT_SECONDS = 30.0
_PAGE = 16_384  # a vector of up to 4,000 components fits
_LOG_BYTES = 64 << 20  # the log of a large batch is cut back to this

_SCHEMA = """
CREATE TABLE batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    model TEXT NOT NULL,
    task TEXT,
    dimensions INTEGER,
    normalized INTEGER NOT NULL,
    truncate INTEGER NOT NULL,
    webhook_url TEXT,
    base_url TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    completed_at REAL,
    error TEXT,
    total INTEGER NOT NULL DEFAULT 0,
    inputs INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    notices INTEGER NOT NULL DEFAULT 0,
    notify_at REAL
);
CREATE INDEX by_owner ON batches (owner, number);
CREATE INDEX unfinished ON batches (owner, number) WHERE status IN ('pending', 'processing');
CREATE INDEX to_notify ON batches (notify_at) WHERE notify_at IS NOT NULL;
CREATE TABLE lines (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    state INTEGER NOT NULL,
    custom_id TEXT,
    inputs INTEGER NOT NULL,
    tokens INTEGER NOT NULL DEFAULT 0,
    content BLOB NOT NULL,
    PRIMARY KEY (batch, line)
);
CREATE INDEX waiting ON lines (batch, line) WHERE state = 0;
"""


class BatchDatabase:
    """Connections to the file, which threads and processes may share.

    Args:
        folder: Made when first used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._anchor: sqlite3.Connection | None = None

    def open(self) -> None:
        """Make the folder and its tables, and keep the log open between calls.

        Raises:
            ConfigError: the folder cannot be written, or its database is of another release.
        """
        with self._lock:
            if self._anchor is None:
                try:
                    self._anchor = self._prepared()
                except (sqlite3.Error, OSError) as error:
                    raise ConfigError(
                        f"Batches cannot be kept in {self._folder}: {error}. Free space or name another folder."
                    ) from error

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._anchor is not None:
                self._anchor.close()
                self._anchor = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes; it is on the disk at the end of the block. Raises as `connected`."""
        with self.connected() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # some errors have already ended it
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation, so that a long one keeps no other waiting that only reads.

        Raises:
            Problem: 503, it is busy for too long, or the disk is full or failed.
        """
        try:
            self.open()
            with closing(self._connect()) as db:
                yield db
        except sqlite3.OperationalError as error:
            logger.exception("The database of batches failed.")
            raise problem(
                503, "Batches cannot be read or written right now: try later.", headers={"Retry-After": "10"}
            ) from error

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._folder / _DATABASE, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        return db

    def _prepared(self) -> sqlite3.Connection:
        self._folder.mkdir(parents=True, exist_ok=True)
        # SQLite does not wait for others while the log is switched on, so one process at a time opens.
        with FileLock(self._folder / ".lock", timeout=_WAIT_SECONDS):
            return self._prepare(self._connect())

    def _prepare(self, db: sqlite3.Connection) -> sqlite3.Connection:
        try:
            db.execute(f"PRAGMA page_size = {_PAGE}")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            version = self._checked_version(db)
            if not version:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")
            sync(self._folder)
            sync(self._folder.parent)
        except BaseException:
            db.close()
            raise
        return db

    def _checked_version(self, db: sqlite3.Connection) -> int:
        version = value(db, "PRAGMA user_version")
        if version not in (0, _VERSION):
            raise ConfigError(
                f"{self._folder} holds batches of format version {version}, this release reads {_VERSION}: upgrade "
                "jina-components, or name another folder."
            )
        return version


def value(db: sqlite3.Connection, query: str, *values: str) -> int:
    """The number that a query gives."""
    return db.execute(query, values).fetchone()[0]


def size(db: sqlite3.Connection) -> int:
    """Bytes of what is in the file; there may be free pages beside."""
    return (value(db, "PRAGMA page_count") - value(db, "PRAGMA freelist_count")) * _PAGE
