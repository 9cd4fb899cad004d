"""What can still be read of a damaged database, in a new one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from jina_components.core.durable import remove, sync
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.database import Database, make_database
from jina_components.retriever.stores.faiss.layout import Layout
from jina_components.retriever.stores.faiss.records import (
    COLUMNS,
    VALUES,
    Head,
    copy_note,
    notes,
    read_head,
    write_head,
)

_ROWS = 1 << 20  # rows asked for at a time, where all can be read
_LOGS = ("-wal", "-shm")


def is_sound(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with its file."""
    found = [message for (message,) in connection.execute("PRAGMA integrity_check(20)")]
    return [] if found == ["ok"] else found


def salvage(layout: Layout) -> None:
    """Put a new database in place of one that SQLite finds damaged; a sound one stays.

    Raises:
        IndexFilesError: nothing can be read of it, or the disk failed or is full.
    """
    database = Database(layout, must_exist=True, listed=False)
    path = layout.database.with_name(f"{layout.database.name}-salvaged")
    with closing(database):
        try:
            with database.opened() as connection:
                if not is_sound(connection) and _try_head(connection) is not None:
                    return
        except IndexFilesError as error:
            if not isinstance(error.__cause__, sqlite3.Error) or not _is_damage(error.__cause__):
                raise
        try:
            remove(path)
            make_database(path)
            with database.opened() as connection, closing(sqlite3.connect(path, isolation_level=None)) as target:
                target.execute("BEGIN")
                _copy(connection, target, layout)
                target.execute("COMMIT")
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sync(path)
        except BaseException:
            for suffix in ("", *_LOGS):
                remove(path.with_name(f"{path.name}{suffix}"))
            raise
    for suffix in _LOGS:  # a log belongs to the file it was written for
        remove(layout.database.with_name(f"{layout.database.name}{suffix}"))
        remove(path.with_name(f"{path.name}{suffix}"))
    path.replace(layout.database)
    sync(layout.directory)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether an error tells of the file, and not of a disk that fails or of another process."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # errors of our own have none
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def _skipping_damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, layout: Layout) -> None:
    last = -1
    head = _try_head(source)
    for record in _readable(source, _end(source, head)):
        target.execute(f"INSERT OR REPLACE INTO documents {VALUES}", record)
        last = max(last, record[0])
    if last < 0 and head is not None and head.slots:
        raise _beyond_repair(layout)
    with _skipping_damage():
        for note in notes(source):
            copy_note(target, note)
    write_head(target, head if head is not None else _guessed_head(layout, last))


def _end(connection: sqlite3.Connection, head: Head | None) -> int:
    """A row beyond all documents."""
    try:
        return int(connection.execute("SELECT coalesce(max(row), -1) FROM documents").fetchone()[0]) + 1
    except sqlite3.DatabaseError as error:
        if head is None or not _is_damage(error):
            raise
        return head.next_row


def _readable(connection: sqlite3.Connection, end: int) -> Iterator[tuple[Any, ...]]:
    """The documents of all pages that can be read: a range of rows that cannot is halved until its parts can."""
    ranges = [(0, end)]
    while ranges:
        first, end = ranges.pop()
        try:
            found = connection.execute(
                f"SELECT {COLUMNS} FROM documents NOT INDEXED WHERE row >= ? AND row < ? ORDER BY row LIMIT {_ROWS}",  # noqa: S608
                (first, end),
            ).fetchall()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            middle = (first + end) // 2
            if middle > first:
                ranges += [(middle, end), (first, middle)]
            continue
        yield from found
        if len(found) == _ROWS:
            ranges.append((found[-1][0] + 1, end))


def _try_head(connection: sqlite3.Connection) -> Head | None:
    with _skipping_damage():
        return read_head(connection)
    return None


def _guessed_head(layout: Layout, last_row: int) -> Head:
    """The head, from the newest checkpoint and the file of vectors that it belongs to."""
    for path in sorted(layout.directory.glob("checkpoint-*/contents.json"), reverse=True):
        contents = json.loads(path.read_text(encoding="utf-8"))
        generation, dimensions = int(contents["generation"]), int(contents["dimensions"])
        if layout.vectors(generation).exists() and dimensions:
            width, tokens = int(contents["token_dimensions"]), layout.tokens(generation)
            return Head(
                number=int(contents["number"]),
                generation=generation,
                slots=layout.vectors(generation).stat().st_size // (4 * dimensions),
                dimensions=dimensions,
                next_row=last_row + 1,
                checkpoint=None,
                stemming=contents["stemming"],
                tokens=tokens.stat().st_size // width if width and tokens.exists() else 0,
                token_dimensions=width,
            )
    raise _beyond_repair(layout)


def _beyond_repair(layout: Layout) -> IndexFilesError:
    return IndexFilesError(f"{layout.directory}: the index is damaged beyond repair. Build it again.")
