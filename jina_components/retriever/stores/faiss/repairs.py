"""Finding what is damaged, and making it again where that can be done."""

from __future__ import annotations

import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.retriever.multi_vector import token_rows
from jina_components.retriever.stores.common import LOSSES_NOTE, are_unit
from jina_components.retriever.stores.faiss.checkpoints import CheckpointError, problems, read_checkpoint
from jina_components.retriever.stores.faiss.compaction import extend, save_checkpoint
from jina_components.retriever.stores.faiss.database import Database, mapped_errors
from jina_components.retriever.stores.faiss.engine import Engine
from jina_components.retriever.stores.faiss.layout import check_manifest, write_manifest
from jina_components.retriever.stores.faiss.records import (
    Head,
    Note,
    Record,
    drop_note,
    is_whole,
    notes,
    read_head,
    records,
    set_note,
    vector_checksums,
    write_head,
)
from jina_components.retriever.stores.faiss.salvage import is_sound, salvage
from jina_components.types import shorten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

_BATCH = 1_000
_NAMED = 10  # ids in one message
# No checksum is -1: what it should be of is lost.
_LOSE_VECTOR = "UPDATE documents SET vector_checksum = -1 WHERE row = ?"
_LOSE_TOKENS = "UPDATE documents SET tokens = 0, token_checksum = -1 WHERE row = ?"


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What `verify` or `repair` found.

    Attributes:
        problems: What was not as it was written, a sentence each; none in a whole store.
        leftovers: Files of killed processes, which harm nothing; `compact` removes them.
        lost: Ids of the documents that `repair` dropped, as far as they can be read; to be put again.
        lost_vectors: Ids of the documents that `repair` kept with a vector of zeros in place of their own: until they
            are put again (`Retriever.embed_again`), their words find them and their meaning does not.
        lost_token_vectors: Ids of the documents that `repair` kept without their token vectors: until they are put
            again, late interaction does not find them.
        lost_notes: Names of the notes that `repair` dropped. `embedder` told which model made the vectors: a
            `Retriever` takes them as its own from then on, so open it with that model.
    """

    problems: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    lost_vectors: tuple[str, ...] = ()
    lost_token_vectors: tuple[str, ...] = ()
    lost_notes: tuple[str, ...] = ()


class _Kept(NamedTuple):
    """A document whose text is whole, and where its vector and those of its tokens are; -1 where these are lost."""

    row: int
    slot: int
    first_token: int
    num_tokens: int


@dataclass(slots=True)
class _Audit:
    """Documents of one database, compared with their vectors."""

    rows: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)  # number of the change, or -1
    broken: list[str] = field(default_factory=list)
    without_vector: list[str] = field(default_factory=list)
    without_tokens: list[str] = field(default_factory=list)
    damaged_notes: list[Note] = field(default_factory=list)
    kept: list[_Kept] = field(default_factory=list)


def verify(engine: Engine) -> StoreReport:
    """Read every file of a store.

    Raises:
        IndexFilesError: there are no documents: it is no index, or one of which nothing is left.
    """
    found: list[str] = []
    leftovers: list[str] = []
    if engine.layout is not None:
        try:
            check_manifest(engine.layout)
        except IndexFilesError as error:
            if not engine.layout.database.exists():
                raise
            found.append(str(error))
    database = engine.reader if engine.layout is None else Database(engine.layout, must_exist=True, listed=False)
    try:
        with database.reading() as connection:
            found += [f"documents.sqlite3: {problem}" for problem in is_sound(connection)]
            found += _content_problems(engine, connection)
            leftovers = _leftovers(engine, read_head(connection))
    except IndexFilesError as error:
        found.append(str(error))
    finally:
        if database is not engine.reader:
            database.close()
    return StoreReport(tuple(found), tuple(leftovers))


def _content_problems(engine: Engine, connection: sqlite3.Connection) -> Iterator[str]:
    head = read_head(connection)
    vectors, tokens = _readable_vectors(engine, head)
    audit = _audit(connection, head, vectors, tokens)
    if len(audit.rows) != head.slots:
        yield f"documents.sqlite3 has {len(audit.rows)} documents for {head.slots} vectors"
    if len(vectors) < head.slots:
        yield f"vectors-{head.generation}.f32 has {len(vectors)} vectors of {head.slots}"
    if audit.broken:
        yield f"the texts or metadata of {_named(audit.broken)} are damaged"
    if audit.without_vector:
        yield f"the vectors of {_named(audit.without_vector)} are damaged or missing"
    if audit.without_tokens:
        yield f"the token vectors of {_named(audit.without_tokens)} are damaged or missing"
    for note in audit.damaged_notes:
        yield f"the note {note.shown_name!r} is damaged"
    wrong = sum(int((~are_unit(vectors[at : at + _BATCH])).sum()) for at in range(0, len(vectors), _BATCH))
    if wrong:
        yield f"{wrong} vectors are not finite or not of unit length"
    yield from _checkpoint_problems(engine, head, audit)


def _checkpoint_problems(engine: Engine, head: Head, audit: _Audit) -> Iterator[str]:
    if engine.layout is None or head.checkpoint is None:
        return
    folder = engine.layout.checkpoint(head.checkpoint)
    yield from problems(folder)
    try:
        checkpoint = read_checkpoint(folder, head)
    except CheckpointError as error:
        yield str(error)
        return
    count = len(checkpoint.rows)
    deleted = np.array(audit.deleted[:count], np.int64)
    alive = (deleted < 0) | (deleted > checkpoint.number)
    if audit.rows[:count] != checkpoint.rows.tolist() or not np.array_equal(alive, checkpoint.alive):
        yield f"{folder.name} is of other documents"


def _leftovers(engine: Engine, head: Head) -> list[str]:
    if engine.layout is None:
        return []
    with engine.working(wait=False) as free:  # else the files may be those that another process is making
        return [path.name for path in engine.layout.leftovers(head.generation, head.checkpoint)] if free else []


def _readable_vectors(engine: Engine, head: Head) -> tuple[FloatArray, NDArray[np.int8]]:
    """The vectors and the token vectors that the files have, of those that they should have."""
    return (
        engine.files.vectors.available(head.generation, head.slots, head.dimensions or 0),
        engine.files.tokens.available(head.generation, head.tokens, head.token_dimensions),
    )


def _audit(connection: sqlite3.Connection, head: Head, vectors: FloatArray, tokens: NDArray[np.int8]) -> _Audit:
    """Compare each document with its checksums.

    Its slot is its place in the order of rows. Where documents are missing the slot is looked for, by its checksum,
    among as many later ones as there are missing documents; and its token vectors where they are if none of the missing
    ones stood before it, and where they are if all did.
    """
    audit = _Audit(damaged_notes=[note for note in notes(connection) if not note.is_whole])
    [count, num_tokens] = connection.execute("SELECT count(*), coalesce(sum(tokens), 0) FROM documents").fetchone()
    missing, missing_tokens = max(head.slots - count, 0), head.tokens - num_tokens
    checksums = _Checksums(vectors)
    free = first_token = 0
    for place, record in enumerate(records(connection)):
        audit.rows.append(record.row)
        audit.deleted.append(-1 if record.deleted is None else record.deleted)
        slots = range(max(place, free), min(place + missing, len(vectors) - 1) + 1)
        slot = next((slot for slot in slots if checksums[slot] == record.vector_checksum), None)
        if slot is not None:
            free = slot + 1
        places = (first_token, first_token + missing_tokens)
        _enter(audit, record, slot, next((at for at in places if _has_tokens(tokens, at, record)), None))
        first_token += record.tokens
    return audit


def _has_tokens(tokens: NDArray[np.int8], first: int, record: Record) -> bool:
    """Whether a document's token vectors are there."""
    if not 0 <= first <= first + record.tokens <= len(tokens):
        return False
    return zlib.crc32(tokens[first : first + record.tokens].data) == record.token_checksum


def _enter(audit: _Audit, record: Record, slot: int | None, first_token: int | None) -> None:
    whole = is_whole(record)
    if record.deleted is not None:
        return
    name = record.id.decode("utf-8", "surrogatepass" if whole else "replace")
    if not whole:
        audit.broken.append(name)
        return
    if slot is None:
        audit.without_vector.append(name)
    if first_token is None:
        audit.without_tokens.append(name)
    known = (-1, 0) if first_token is None else (first_token, record.tokens)
    audit.kept.append(_Kept(record.row, -1 if slot is None else slot, *known))


class _Checksums:
    """Checksums of vectors, a batch at a time."""

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors = vectors
        self._known: list[int] = []

    def __getitem__(self, slot: int) -> int:
        if not self._vectors.shape[1]:
            return 0
        while slot >= len(self._known):
            self._known += vector_checksums(self._vectors[len(self._known) : len(self._known) + _BATCH])
        return self._known[slot]


def repair(engine: Engine) -> StoreReport:
    """Make a store whole; only who uses it alone may.

    Raises:
        IndexFilesError: nothing is left to repair, or the disk failed or is full.
    """
    report = verify(engine)
    layout = engine.layout
    if layout is None or not report.problems:
        return report
    engine.forget()
    with engine.working():
        with mapped_errors(layout):
            salvage(layout)
            database = Database(layout, must_exist=True, listed=False)
            with closing(database), database.writing() as connection:
                audit = _drop_damaged(engine, connection)
            write_manifest(layout)
        extend(engine, threading.Event())
        save_checkpoint(engine)
    return replace(
        report,
        leftovers=(),
        lost=tuple(audit.broken),
        lost_vectors=tuple(audit.without_vector),
        lost_token_vectors=tuple(audit.without_tokens),
        lost_notes=tuple(note.shown_name for note in audit.damaged_notes),
    )


def _drop_damaged(engine: Engine, connection: sqlite3.Connection) -> _Audit:
    """Keep the documents and notes that are whole, with the vectors of these documents in new files."""
    head = read_head(connection)
    vectors, tokens = _readable_vectors(engine, head)
    audit = _audit(connection, head, vectors, tokens)
    kept = np.array(audit.kept, np.int64).reshape(-1, len(_Kept._fields))
    generation = engine.files.make(head.generation, with_tokens=bool(head.token_dimensions))
    engine.files.vectors.copy(generation, 0, vectors, kept[:, 1])
    rows = token_rows(kept[:, 2], kept[:, 2] + kept[:, 3])
    engine.files.tokens.copy(generation, 0, tokens, rows)
    gone = set(audit.rows) - set(kept[:, 0].tolist())
    connection.executemany("DELETE FROM documents WHERE row = ?", [(row,) for row in gone])
    _mark_lost(connection, audit)
    if audit.broken or len(audit.rows) < head.slots:
        set_note(connection, LOSSES_NOTE, uuid.uuid4().hex)
    head = replace(
        head,
        generation=generation,
        slots=len(kept),
        tokens=len(rows),
        next_row=max(head.next_row, max(audit.rows, default=-1) + 1),
        checkpoint=None,
    )
    write_head(connection, head)
    connection.execute("COMMIT")
    return audit


def _mark_lost(connection: sqlite3.Connection, audit: _Audit) -> None:
    """Say of documents that their vectors are lost, which `verify` tells until they are put again; drop bad notes."""
    connection.executemany(_LOSE_VECTOR, [(document.row,) for document in audit.kept if document.slot < 0])
    connection.executemany(_LOSE_TOKENS, [(document.row,) for document in audit.kept if document.first_token < 0])
    for note in audit.damaged_notes:
        drop_note(connection, note)


def _named(ids: list[str]) -> str:
    some = ", ".join(repr(shorten(name)) for name in islice(ids, _NAMED))
    return f"{len(ids)} documents ({some}{', …' if len(ids) > _NAMED else ''})"
