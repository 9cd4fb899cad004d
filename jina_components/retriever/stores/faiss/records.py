"""What the database holds, as values: the head, documents by row, notes."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.retriever.multi_vector import Tokens
from jina_components.retriever.stores.faiss.database import encoded
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_BATCH = 500  # rows named in one query
_PARSED = json.JSONDecoder()

_HEAD = (
    "SELECT number, generation, slots, dimensions, next_row, checkpoint, stemming, tokens, token_dimensions FROM head"
)
_SET_HEAD = """
UPDATE head SET number = ?, generation = ?, slots = ?, dimensions = ?, next_row = ?, checkpoint = ?, stemming = ?,
    tokens = ?, token_dimensions = ?
"""
COLUMNS = (
    "row, CAST(id AS BLOB), CAST(text AS BLOB), CAST(metadata AS BLOB), "
    "checksum, vector_checksum, tokens, token_checksum, deleted"
)
VALUES = "VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, ?, ?)"
_RECORDS = f"SELECT {COLUMNS} FROM documents ORDER BY row"  # noqa: S608
_RECORDS_HELD = f"SELECT {COLUMNS} FROM documents WHERE deleted IS NULL ORDER BY row"  # noqa: S608
_INSERT = f"INSERT INTO documents {VALUES}"
_HELD = "SELECT row FROM documents WHERE id = CAST(? AS TEXT) AND deleted IS NULL"
_DELETE_ID = "UPDATE documents SET deleted = ? WHERE id = CAST(? AS TEXT) AND deleted IS NULL"
_DELETE_ROW = "UPDATE documents SET deleted = ? WHERE row = ? AND deleted IS NULL"
_SELECT_SOME = "SELECT row, id, text, metadata FROM documents WHERE deleted IS NULL AND row IN ({})"
_NOTES = "SELECT CAST(name AS BLOB), CAST(text AS BLOB), checksum FROM notes"
_METADATA = "SELECT row, metadata FROM documents WHERE row BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Head:
    """Where the store stands.

    Attributes:
        number: Of the last change: what is compared to learn whether another process has changed something.
        generation: Which file of vectors counts; a new one for all that is not only adding and deleting.
        slots: How many of its rows count: one for each row of `documents`, in their order, deleted ones included.
        dimensions: Width of the vectors; 0 for documents without, None before the first document.
        next_row: The row of the next document; none is ever given twice.
        checkpoint: The folder with what searches need, if one was made.
        stemming: Language whose endings the lexical index cuts.
        tokens: How many rows of the file of token vectors count: `documents.tokens` of each slot, in their order.
        token_dimensions: Their width; 0 for documents without.
    """

    number: int
    generation: int
    slots: int
    dimensions: int | None
    next_row: int
    checkpoint: str | None
    stemming: str | None
    tokens: int
    token_dimensions: int


class Record(NamedTuple):
    """A document as it lies in the database, deleted ones included.

    Attributes:
        row: Its key.
        id: The document's id, in UTF-8 if it is whole, as the next two.
        text: The document's text.
        metadata: JSON.
        checksum: Of these three.
        vector_checksum: Of its vector, or 0.
        tokens: How many vectors its tokens have.
        token_checksum: Of these, or 0.
        deleted: Number of the change that deleted it.
    """

    row: int
    id: bytes
    text: bytes
    metadata: bytes
    checksum: int
    vector_checksum: int
    tokens: int
    token_checksum: int
    deleted: int | None


class Note(NamedTuple):
    """A short text as it lies in the database.

    Attributes:
        name: What it is asked for by, in UTF-8 if it is whole.
        text: Likewise.
        checksum: Of both.
    """

    name: bytes
    text: bytes
    checksum: int

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was written."""
        return zlib.crc32(self.text, zlib.crc32(self.name)) == self.checksum

    @property
    def shown_name(self) -> str:
        """The name for messages."""
        return self.name.decode("utf-8", "replace")


def read_head(connection: sqlite3.Connection) -> Head:
    """The head."""
    found = connection.execute(_HEAD).fetchone()
    if found is None:
        raise sqlite3.DatabaseError("the head is missing")
    return Head(*found)


def read_number(connection: sqlite3.Connection) -> int:
    """Number of the last change."""
    found = connection.execute("SELECT number FROM head").fetchone()
    return -1 if found is None else found[0]


def write_head(connection: sqlite3.Connection, head: Head) -> Head:
    """Set the head, whose number is this change's; what it is now."""
    head = replace(head, number=head.number + 1)
    connection.execute(_SET_HEAD, tuple(getattr(head, name) for name in Head.__slots__))
    return head


def insert(
    connection: sqlite3.Connection, row: int, documents: Sequence[Document], vectors: FloatArray | None, tokens: Tokens
) -> None:
    """Add documents from `row` on."""
    checksums = [0] * len(documents) if vectors is None else vector_checksums(vectors)
    counts, of_tokens = tokens.counts.tolist(), token_checksums(tokens)
    connection.executemany(
        _INSERT,
        (
            Record(row + at, *content, checksum(*content), checksums[at], counts[at], of_tokens[at], deleted=None)
            for at, content in enumerate(map(_content, documents))
        ),
    )


def _content(document: Document) -> tuple[bytes, bytes, bytes]:
    metadata = json.dumps(document.metadata, ensure_ascii=False, separators=(",", ":"))
    return encoded(document.id), encoded(document.text), encoded(metadata)


def checksum(name: bytes, text: bytes, metadata: bytes) -> int:
    """CRC-32 of a document's content."""
    return zlib.crc32(metadata, zlib.crc32(text, zlib.crc32(name)))


def vector_checksums(vectors: FloatArray) -> list[int]:
    """CRC-32 of each row, as it lies in the file."""
    return [zlib.crc32(row) for row in vectors.astype("<f4", copy=False)]


def token_checksums(tokens: Tokens) -> list[int]:
    """CRC-32 of each document's codes, 0 of none."""
    return [zlib.crc32(codes.data) for codes in np.split(tokens.codes, np.cumsum(tokens.counts)[:-1])]


def is_whole(record: Record) -> bool:
    """Whether a document is as it was written."""
    return checksum(record.id, record.text, record.metadata) == record.checksum


def copy_in(connection: sqlite3.Connection, records: Iterable[Record], first_row: int) -> None:
    """Add documents that another database holds, from `first_row` on."""
    rows = (record._replace(row=row) for row, record in enumerate(records, first_row))
    connection.executemany(_INSERT, rows)


def records(connection: sqlite3.Connection, *, held: bool = False) -> Iterator[Record]:
    """Documents in the order of rows; with `held` not the deleted ones."""
    query = _RECORDS_HELD if held else _RECORDS
    return (Record(*found) for found in connection.execute(query))


def mark_deleted(
    connection: sqlite3.Connection, number: int, *, ids: Iterable[str] = (), rows: Iterable[int] = ()
) -> int:
    """Delete documents as part of the change `number`; how many were there."""
    by_id = connection.executemany(_DELETE_ID, [(number, encoded(name)) for name in ids]).rowcount
    by_row = connection.executemany(_DELETE_ROW, [(number, row) for row in rows]).rowcount
    return max(by_id, 0) + max(by_row, 0)


def purge(connection: sqlite3.Connection, number: int) -> None:
    """Remove what was deleted by the change `number` or earlier, off the disk."""
    connection.execute("DELETE FROM documents WHERE deleted <= ?", (number,))


def rows_of(connection: sqlite3.Connection, ids: Iterable[str]) -> list[int | None]:
    """The row of each id; None for one that is not held."""
    found = (connection.execute(_HELD, (encoded(name),)).fetchone() for name in ids)
    return [row and row[0] for row in found]


def documents(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, Document]:
    """Documents by row; those that are not held are left out."""
    found: dict[int, Document] = {}
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        query = _SELECT_SOME.format(",".join("?" * len(part)))  # only the marks of bound parameters
        for row, name, text, metadata in connection.execute(query, part):
            found[row] = stored_document(name, text, metadata)
    return found


def metadata_between(connection: sqlite3.Connection, first: int, last: int) -> dict[int, Mapping[str, Any]]:
    """Metadata by row, of `first` to `last`."""
    return {row: _PARSED.decode(metadata) for row, metadata in connection.execute(_METADATA, (first, last))}


def metadata_after(connection: sqlite3.Connection, row: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Metadata of the documents held of higher rows."""
    found = connection.execute("SELECT row, metadata FROM documents WHERE row > ? AND deleted IS NULL", (row,))
    return ((later, _PARSED.decode(metadata)) for later, metadata in found)


def stored_document(name: str, text: str, metadata: str) -> Document:
    """A document as it was written: it was checked then, which takes four times as long as all the rest."""
    document = object.__new__(Document)
    for attribute, value in (("id", name), ("text", text), ("metadata", _PARSED.decode(metadata))):
        object.__setattr__(document, attribute, value)
    return document


def get_note(connection: sqlite3.Connection, name: str) -> str | None:
    """A note, or None."""
    found = connection.execute(f"{_NOTES} WHERE name = CAST(? AS TEXT)", (encoded(name),)).fetchone()
    if found is None:
        return None
    note = Note(*found)
    if not note.is_whole:
        raise sqlite3.DatabaseError(f"the note {name!r} is damaged")
    return note.text.decode("utf-8", "surrogatepass")


def set_note(connection: sqlite3.Connection, name: str, text: str) -> None:
    """Set a note."""
    copy_note(connection, Note(encoded(name), encoded(text), zlib.crc32(encoded(text), zlib.crc32(encoded(name)))))


def copy_note(connection: sqlite3.Connection, note: Note) -> None:
    """Set a note as it lies in another database."""
    connection.execute("INSERT OR REPLACE INTO notes VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?)", note)


def notes(connection: sqlite3.Connection) -> list[Note]:
    """All notes."""
    return [Note(*found) for found in connection.execute(_NOTES)]


def drop_note(connection: sqlite3.Connection, note: Note) -> None:
    """Remove a note."""
    connection.execute("DELETE FROM notes WHERE name = CAST(? AS TEXT)", (note.name,))
