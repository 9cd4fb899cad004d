"""What a registry knows of its classifiers, in SQLite: whose they are, and how often they were trained and used."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jina_components.core.durable import remove
from jina_components.errors import JinaComponentsError, ModelFilesError

_DATABASE = "registry.sqlite3"
_FORMAT_VERSION = 1
_WAIT_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS classifiers (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    access TEXT NOT NULL,
    use_label_names INTEGER NOT NULL,
    labels TEXT NOT NULL DEFAULT '[]',
    updated_number INTEGER NOT NULL DEFAULT 0,
    used_number INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    used_at TEXT
);
CREATE INDEX IF NOT EXISTS by_owner ON classifiers (owner);
CREATE TABLE IF NOT EXISTS deleted (id TEXT PRIMARY KEY);
"""
_SELECT = """
SELECT id, owner, model, access, use_label_names, labels, updated_number, used_number, created_at, updated_at, used_at
FROM classifiers
"""


@dataclass(frozen=True, slots=True)
class RegisteredClassifier:
    """A classifier of a registry. Times are UTC in ISO 8601.

    Attributes:
        id: UUID.
        owner: Who made it.
        model: Name of the embedder that it learns with.
        access: Who may classify with it.
        use_label_names: Whether it learns from the names of labels too, as a `Classifier` so made.
        labels: Those learned.
        updated_number: How often it was trained.
        used_number: How often it was asked to classify.
        created_at: When it was made.
        updated_at: When it was trained last, or made.
        used_at: When it was last asked to classify; None before.
    """

    id: str
    owner: str
    model: str
    access: str
    use_label_names: bool
    labels: tuple[str, ...]
    updated_number: int
    used_number: int
    created_at: str
    updated_at: str
    used_at: str | None


class Entries:
    """The database of a registry. Threads and processes may share it.

    Args:
        folder: Of the registry, with a directory of each classifier; made when first used.

    Raises:
        ModelFilesError: later, from every method: the database is damaged, something else's, or the disk failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._is_ready = False

    def add(self, made: RegisteredClassifier) -> None:
        """Register one; on the disk when this returns."""
        given = (*astuple(made)[:5], json.dumps(made.labels), *astuple(made)[6:])
        with self._connected() as connection:
            connection.execute("INSERT INTO classifiers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", given)

    def find(self, id: str) -> RegisteredClassifier | None:
        """The one of this id, if there is one."""
        with self._connected() as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return None if row is None else _registered(row)

    def of(self, owner: str) -> tuple[RegisteredClassifier, ...]:
        """A user's, in the order that they were made."""
        with self._connected() as connection:
            rows = connection.execute(f"{_SELECT} WHERE owner = ? ORDER BY created_at, rowid", (owner,)).fetchall()
        return tuple(map(_registered, rows))

    def note_training(self, id: str, labels: Sequence[str], number: int) -> bool:
        """Say what a classifier has learned, unless that is known; whether it is there."""
        with self._connected() as connection:
            connection.execute(
                "UPDATE classifiers SET labels = ?, updated_number = ?, updated_at = ? "
                "WHERE id = ? AND updated_number < ?",
                (json.dumps(labels), number, now(), id, number),
            )
            return connection.execute("SELECT 1 FROM classifiers WHERE id = ?", (id,)).fetchone() is not None

    def note_use(self, id: str) -> bool:
        """Count that a classifier was used; whether it is there."""
        with self._connected() as connection:
            return bool(
                connection.execute(
                    "UPDATE classifiers SET used_number = used_number + 1, used_at = ? WHERE id = ?", (now(), id)
                ).rowcount
            )

    def delete(self, id: str) -> None:
        """Take one out, with its directory; a kill in between is made up for when the database is opened next."""
        with self._connected() as connection:
            connection.execute("INSERT OR IGNORE INTO deleted VALUES (?)", (id,))
            connection.execute("DELETE FROM classifiers WHERE id = ?", (id,))
        remove(self._folder / id)

    def end_deletions(self) -> None:
        """Remove directories of what was deleted, where that could not be done at once."""
        with self._connected() as connection:
            self._remove_deleted(connection)

    def _remove_deleted(self, connection: sqlite3.Connection) -> None:
        """Nothing but directories of what was deleted, for an old copy of the database knows not all."""
        for (name,) in connection.execute("SELECT id FROM deleted").fetchall():
            remove(self._folder / name)
            if not (self._folder / name).exists():
                connection.execute("DELETE FROM deleted WHERE id = ?", (name,))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation, so that none is open when the process forks."""
        try:
            self._prepare()
            with closing(self._connect()) as connection, connection:
                yield connection
        except JinaComponentsError:  # some are OSErrors
            raise
        except (sqlite3.Error, OSError) as error:
            raise ModelFilesError(
                f"{self._folder / _DATABASE} cannot be used: {error}. If it is damaged, restore it from a copy."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / _DATABASE, timeout=_WAIT_SECONDS)

    def _prepare(self) -> None:
        """Once: make the folder and its tables, and end deletions that were cut short."""
        with self._lock:
            if self._is_ready:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _FORMAT_VERSION):
                    raise ModelFilesError(
                        f"{self._folder} is a registry of format version {version}, this release reads "
                        f"{_FORMAT_VERSION}: upgrade jina-components."
                    )
                connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_FORMAT_VERSION};")
                self._remove_deleted(connection)
            self._is_ready = True


def now() -> str:
    """The time, as entries have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _registered(row: Sequence[Any]) -> RegisteredClassifier:
    number, owner, model, access, use_label_names, labels, *rest = row
    return RegisteredClassifier(number, owner, model, access, bool(use_label_names), tuple(json.loads(labels)), *rest)
