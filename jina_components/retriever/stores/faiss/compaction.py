"""Renewing what searches run on: a dense index of more vectors, and slots without the deleted documents."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from jina_components.retriever.dense import BuildStopped, DenseIndex
from jina_components.retriever.stores.faiss.checkpoints import write_checkpoint
from jina_components.retriever.stores.faiss.database import mapped_errors
from jina_components.retriever.stores.faiss.durable import remove
from jina_components.retriever.stores.faiss.engine import Change, Engine
from jina_components.retriever.stores.faiss.records import purge
from jina_components.retriever.stores.faiss.state import State
from jina_components.retriever.stores.faiss.vectors import VectorFiles


def moved(state: State, files: VectorFiles, stop: threading.Event) -> State:
    """The state over a new file of vectors, without the slots of deleted documents.

    Args:
        state: The state, which is not touched.
        files: Where the vectors go.
        stop: Calls it off.

    Raises:
        BuildStopped: it was called off; nothing is left behind.
        OSError: the disk failed or is full; nothing is left behind.
    """
    kept = np.flatnonzero(state.alive)
    generation = files.make(state.generation)
    try:
        files.copy(generation, 0, state.vectors, kept)
        new = replace(state, generation=generation, vectors=files.map(generation, len(kept), state.vectors.shape[1]))
        if len(kept) < state.num_slots:  # else all that is indexed stays where it is
            new = _renumbered(new, state, kept, stop)
        _check(stop)
    except BaseException:
        files.drop(generation)
        raise
    return replace(new, unsaved=0)


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise BuildStopped


def _renumbered(
    new: State, state: State, kept: np.ndarray[tuple[int], np.dtype[np.int64]], stop: threading.Event
) -> State:
    new_slots = np.full(state.num_slots, -1, np.int64)
    new_slots[kept] = np.arange(len(kept))
    return replace(
        new,
        rows=state.rows[kept],
        alive=state.alive[kept],
        dense=DenseIndex.build(new.vectors, storage=state.dense.storage, stop=stop.is_set),
        dense_file=None,
        lexical=state.lexical.compacted(new_slots),
        columns=state.columns.compacted(new_slots),
    )


def compact(engine: Engine, stop: threading.Event) -> None:
    """Drop the slots of deleted documents; searches and changes go on meanwhile. Only who is `working` may do it.

    Raises:
        BuildStopped: it was called off; nothing has changed.
        IndexFilesError: the disk failed or is full; nothing has changed.
    """
    state = engine.fresh()
    done, new, checkpoint = False, state, None
    try:
        with mapped_errors(engine.layout):
            new = moved(state, engine.files, stop)
            if engine.layout is not None:
                checkpoint = write_checkpoint(engine.layout, new)
                new = replace(new, dense_file=checkpoint)
            done = _adopt(engine, state, new, checkpoint)
    finally:
        if not done and new is not state:
            _discard(engine, new, checkpoint)


def _adopt(engine: Engine, state: State, new: State, checkpoint: str | None) -> bool:
    """Let `new`, made of `state`, take its place; False where that is no longer the place."""
    with engine.changing() as change:
        if change.head.generation != state.generation:
            return False
        slots = _append_tail(engine, change, state, new)
        purge(change.connection, state.number)
        change.write(replace(change.head, generation=new.generation, slots=slots, checkpoint=checkpoint), since=new)
    return True


def _append_tail(engine: Engine, change: Change, state: State, new: State) -> int:
    """Copy the vectors that came after `state` behind those of `new`; how many slots that makes."""
    tail = np.arange(state.num_slots, change.state.num_slots)
    engine.files.copy(new.generation, new.num_slots, change.state.vectors, tail)
    return new.num_slots + len(tail)


def _discard(engine: Engine, new: State, checkpoint: str | None) -> None:
    """Remove what was not adopted, unless the error came behind the commit."""
    if new.generation != engine.fresh().generation:
        engine.files.drop(new.generation)
        if checkpoint is not None and engine.layout is not None:
            remove(engine.layout.checkpoint(checkpoint))


def extend(engine: Engine, stop: threading.Event) -> None:
    """Let the dense index cover all vectors.

    Raises:
        BuildStopped: it was called off; nothing has changed.
    """
    state = engine.fresh()
    engine.adopt_dense(state, state.dense.extended(state.vectors, stop=stop.is_set))


def save_checkpoint(engine: Engine) -> None:
    """Write what searches run on, so that it need not be made when the index is opened. Only who is `working` may.

    Raises:
        IndexFilesError: the disk failed or is full; nothing has changed.
    """
    if engine.layout is None:
        return
    state = engine.fresh()
    with mapped_errors(engine.layout):
        name = write_checkpoint(engine.layout, state)
    try:
        with engine.changing() as change:
            if change.head.generation == state.generation:
                saved = replace(state, unsaved=0, dense_file=name)
                change.write(replace(change.head, checkpoint=name), since=saved)
    finally:
        engine.tidy()
