"""A copy of a store in another directory, which takes the place of what was there in one step."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace

import numpy as np

from jina_components.retriever.columns import MetadataColumns
from jina_components.retriever.stores.faiss.checkpoints import write_checkpoint
from jina_components.retriever.stores.faiss.compaction import moved
from jina_components.retriever.stores.faiss.database import Database, make_database, mapped_errors
from jina_components.retriever.stores.faiss.engine import Engine
from jina_components.retriever.stores.faiss.layout import Layout, check_manifest, check_ours, write_manifest
from jina_components.retriever.stores.faiss.records import copy_in, copy_note, notes, read_head, records, write_head
from jina_components.retriever.stores.faiss.state import State


def save_copy(engine: Engine, layout: Layout) -> None:
    """Write a copy of a store without its deleted documents.

    To the copy's own readers this is a change like any other: the documents that were there are gone, others are there.

    Args:
        engine: The store, which goes on meanwhile.
        layout: Where the copy goes.

    Raises:
        IndexFilesError: the directory holds something else, or the disk failed or is full; what was there is whole.
    """
    if engine.layout is not None and engine.layout.directory.resolve() == layout.directory.resolve():
        return
    engine.fresh()
    source = engine.reader if engine.layout is None else Database(engine.layout)
    try:
        with mapped_errors(layout):
            _save(engine, source, layout)
    finally:
        if source is not engine.reader:
            source.close()


def _save(engine: Engine, source: Database, layout: Layout) -> None:
    _prepare(layout)
    target = Engine(layout, storage="auto", stemming=None, must_exist=True, listed=False)
    try:
        with source.reading() as connection, target.working():
            state = engine.states.settle(engine.state, connection)
            _replace(target, state, connection)
        if not layout.exists():
            write_manifest(layout)
    finally:
        target.forget()


def _prepare(layout: Layout) -> None:
    """A directory with a database; without a manifest it is no index yet."""
    layout.directory.mkdir(parents=True, exist_ok=True)
    check_ours(layout)
    if layout.exists():
        check_manifest(layout)
    else:
        make_database(layout.database)


def _replace(target: Engine, state: State, source: sqlite3.Connection) -> None:
    """Put the documents of `source`, whose state this is, in place of the target's."""
    assert target.layout is not None  # noqa: S101 (for mypy)
    with target.writer.opened() as connection:
        before = read_head(connection)
    # A new generation there; no dense index of this directory's checkpoints; and no columns, which the copy is without,
    # and whose lock is held by searches that wait for the source's connection.
    state = replace(state, generation=before.generation, dense_file=None, columns=MetadataColumns())
    new = moved(state, target.files, threading.Event())
    checkpoint = None
    try:
        with target.writer.writing() as connection:
            head = read_head(connection)
            rows = np.arange(head.next_row, head.next_row + len(new.rows), dtype=np.int64)
            # Later than all changes that readers of the target know, and than those that the documents come from.
            new = replace(new, number=head.number + 1, rows=rows)
            checkpoint = write_checkpoint(target.layout, new)
            connection.execute("DELETE FROM documents")
            connection.execute("DELETE FROM notes")
            copy_in(connection, records(source, held=True), head.next_row)
            for note in notes(source):
                copy_note(connection, note)
            head = replace(
                head,
                generation=new.generation,
                slots=len(rows),
                dimensions=new.vectors.shape[1] if len(rows) else None,
                next_row=head.next_row + len(rows),
                checkpoint=checkpoint,
                tokens=new.multi_vector.num_tokens,
                token_dimensions=new.tokens.shape[1],
                stemming=state.lexical.analyzer.stemming,
            )
            write_head(connection, head)
            connection.execute("COMMIT")
    finally:
        target.tidy()
