"""What a foreign vector index cannot tell, in SQLite: documents, their vectors and order, notes, and what is held."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_APPLICATION_ID = 0x6A63_6C67  # marks the file as ours in its header
_VERSION = 1
_SCHEMA = """
CREATE TABLE entries (
    row INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, id BLOB NOT NULL, text BLOB NOT NULL,
    metadata TEXT NOT NULL, vector BLOB NOT NULL, held INTEGER NOT NULL
);
CREATE UNIQUE INDEX entries_held ON entries (id) WHERE held;
CREATE INDEX entries_loose ON entries (row) WHERE NOT held;
CREATE TABLE notes (name BLOB PRIMARY KEY, text BLOB NOT NULL);
"""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A document that is held.

    Attributes:
        number: Grows with each one added, and is never given again.
        key: Its name in the vector index: a random UUID, a new one at each `put`.
        metadata: The document's.
    """

    number: int
    key: str
    metadata: dict[str, Any]


class Ledger:
    """The companion of a vector index, for one thread at a time and one process.

    An entry is *loose* while the vector index may have its vector and no search may find it: before it was added there
    for certain, and after it was replaced or deleted. What a killed process leaves is loose, and swept away later.

    Args:
        path: The file, made where there is none; None for memory.

    Raises:
        IndexFilesError: the file is another program's or another version's.
        sqlite3.Error: SQLite cannot open the file, or another process has it open.
    """

    def __init__(self, path: str | None) -> None:
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path, timeout=1, isolation_level=None, check_same_thread=False
        )
        try:
            self._open(path)
            self._size = self._number("SELECT count(*) FROM entries")  # kept, since every search asks for it
        except BaseException:
            self._connection.close()
            raise

    def _open(self, path: str | None) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")  # a second process would take entries being added for leavings
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        with self._transaction():
            ((marked,),), ((version,),) = run("PRAGMA application_id"), run("PRAGMA user_version")
            ((tables,),) = run("SELECT count(*) FROM sqlite_master")
            if tables and (marked, version) != (_APPLICATION_ID, _VERSION):
                raise IndexFilesError(f"{path} is no companion of a vector store of version {_VERSION}: give another.")
            if not tables:
                for statement in _SCHEMA.split(";"):
                    run(statement)
                run(f"PRAGMA application_id = {_APPLICATION_ID}")
                run(f"PRAGMA user_version = {_VERSION}")

    @property
    def size(self) -> int:
        """How many vectors the vector index may have: entries held and loose."""
        return self._size

    @property
    def num_held(self) -> int:
        """How many documents are held."""
        return self._number("SELECT count(*) FROM entries WHERE held")

    @property
    def width(self) -> int:
        """Of the vectors held; 0 where none are."""
        return self._number("SELECT length(vector) FROM entries WHERE held LIMIT 1") // 4

    def add(self, documents: Sequence[Document], vectors: FloatArray) -> list[str]:
        """Note documents as loose entries; their new keys."""
        keys = [str(uuid.uuid4()) for _ in documents]
        rows = (
            (key, _bytes(document.id), _bytes(document.text), json.dumps(document.metadata), vector.tobytes())
            for key, document, vector in zip(keys, documents, np.ascontiguousarray(vectors, "<f4"), strict=True)
        )
        with self._transaction():
            self._connection.executemany(
                "INSERT INTO entries (key, id, text, metadata, vector, held) VALUES (?, ?, ?, ?, ?, 0)", rows
            )
        self._size += len(keys)
        return keys

    def hold(self, keys: Iterable[str]) -> None:
        """Make loose entries held, and those that they replace loose: all of them or none."""
        values = _each(keys)
        with self._transaction():
            self._connection.executemany(
                "UPDATE entries SET held = 0 WHERE held AND id = (SELECT id FROM entries WHERE key = ?)", values
            )
            self._connection.executemany("UPDATE entries SET held = 1 WHERE key = ?", values)

    def loosen(self, keys: Iterable[str]) -> None:
        """Make held entries loose: all of them or none."""
        with self._transaction():
            self._connection.executemany("UPDATE entries SET held = 0 WHERE key = ?", _each(keys))

    def loose(self) -> list[str]:
        """Keys of the loose entries."""
        return [key for (key,) in self._connection.execute("SELECT key FROM entries WHERE NOT held ORDER BY row")]

    def forget(self, keys: Iterable[str]) -> None:
        """Remove loose entries, once the vector index has none of them."""
        with self._transaction():
            gone = self._connection.executemany("DELETE FROM entries WHERE key = ? AND NOT held", _each(keys)).rowcount
        self._size -= gone

    def knows(self, key: str) -> bool:
        """Whether there is such an entry, held or loose."""
        return self._one("SELECT 1 FROM entries WHERE key = ?", key) is not None

    def key_of(self, id: str) -> str | None:
        """The key of the document held with this id."""
        found = self._one("SELECT key FROM entries WHERE held AND id = ?", _bytes(id))
        return None if found is None else found[0]

    def metadata(self, key: str) -> dict[str, Any] | None:
        """Of a document held."""
        found = self._one("SELECT metadata FROM entries WHERE held AND key = ?", key)
        return None if found is None else json.loads(found[0])

    def document(self, key: str) -> Document | None:
        """A document held."""
        found = self._one("SELECT text, id, metadata FROM entries WHERE held AND key = ?", key)
        return None if found is None else Document(_str(found[0]), _str(found[1]), json.loads(found[2]))

    def vector(self, key: str) -> FloatArray | None:
        """Of a document held, shape [width]."""
        found = self._one("SELECT vector FROM entries WHERE held AND key = ?", key)
        return None if found is None else np.frombuffer(found[0], "<f4").astype(np.float32, copy=False)

    def rows(self, *, after: int = 0) -> list[Row]:
        """The next of the documents held, in the order they were added, up to 500."""
        found = self._connection.execute(
            "SELECT row, key, metadata FROM entries WHERE held AND row > ? ORDER BY row LIMIT ?", (after, _PAGE)
        )
        return [Row(number, key, json.loads(metadata)) for number, key, metadata in found]

    @property
    def last_row(self) -> int:
        """Number of the document added last; 0 where there is none."""
        return self._number("SELECT coalesce(max(row), 0) FROM entries")

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        found = self._one("SELECT text FROM notes WHERE name = ?", _bytes(name))
        return None if found is None else _str(found[0])

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text."""
        with self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_bytes(name), _bytes(text)))

    def close(self) -> None:
        """Close the file; what was in memory is gone."""
        self._connection.close()

    def _one(self, statement: str, *values: str | bytes) -> Any:  # noqa: ANN401 (a row)
        return self._connection.execute(statement, values).fetchone()

    def _number(self, statement: str) -> int:
        found = self._one(statement)
        return 0 if found is None else found[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _each(keys: Iterable[str]) -> list[tuple[str]]:
    return [(key,) for key in keys]


def _bytes(text: str) -> bytes:
    """UTF-8 in which half of a surrogate pair has a place too."""
    return text.encode("utf-8", "surrogatepass")


def _str(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
