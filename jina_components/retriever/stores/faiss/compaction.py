"""Renewing what searches run on: a dense index of more vectors, and slots without the deleted documents."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.core.durable import remove
from jina_components.retriever.dense import BuildStopped, DenseIndex
from jina_components.retriever.stores.faiss.checkpoints import write_checkpoint
from jina_components.retriever.stores.faiss.database import mapped_errors
from jina_components.retriever.stores.faiss.engine import Change, Engine
from jina_components.retriever.stores.faiss.records import purge
from jina_components.retriever.stores.faiss.state import State
from jina_components.retriever.stores.faiss.vectors import VectorFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Slots: TypeAlias = NDArray[np.int64]

_BATCH = 2_048  # documents whose tokens are copied at a time


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
    generation = files.make(state.generation, with_tokens=bool(state.tokens.shape[1]))
    try:
        files.vectors.copy(generation, 0, state.vectors, kept)
        vectors = files.vectors.map(generation, len(kept), state.vectors.shape[1])
        num_tokens = _copy_tokens(files, generation, 0, state, kept)
        tokens = files.tokens.map(generation, num_tokens, state.tokens.shape[1])
        new = replace(state, generation=generation, vectors=vectors, tokens=tokens)
        _check(stop)
        if len(kept) < state.num_slots:  # else all that is indexed stays where it is
            new = _renumbered(new, state, kept, stop)
        _check(stop)
    except BaseException:
        files.drop(generation)
        raise
    return replace(new, unsaved=0)


def _copy_tokens(files: VectorFiles, generation: int, row: int, state: State, slots: _Slots) -> int:
    """Write the token vectors of these slots from `row` on; the row behind them."""
    if not state.tokens.shape[1]:
        return 0
    for start in range(0, len(slots), _BATCH):
        rows = state.multi_vector.rows_of(slots[start : start + _BATCH])
        files.tokens.copy(generation, row, state.tokens, rows)
        row += len(rows)
    return row


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise BuildStopped


def _renumbered(new: State, state: State, kept: _Slots, stop: threading.Event) -> State:
    new_slots = np.full(state.num_slots, -1, np.int64)
    new_slots[kept] = np.arange(len(kept))
    return replace(
        new,
        rows=state.rows[kept],
        alive=state.alive[kept],
        dense=DenseIndex.build(new.vectors, storage=state.dense.storage, stop=stop.is_set),
        dense_file=None,
        lexical=state.lexical.compacted(new_slots),
        multi_vector=state.multi_vector.compacted(new_slots),
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
        slots, tokens = _append_tail(engine, change, state, new)
        purge(change.connection, state.number)
        head = replace(change.head, generation=new.generation, slots=slots, tokens=tokens, checkpoint=checkpoint)
        change.write(head, since=new)
    return True


def _append_tail(engine: Engine, change: Change, state: State, new: State) -> tuple[int, int]:
    """Copy the vectors that came after `state` behind those of `new`; how many slots and tokens that makes."""
    tail = np.arange(state.num_slots, change.state.num_slots)
    engine.files.vectors.copy(new.generation, new.num_slots, change.state.vectors, tail)
    tokens = _copy_tokens(engine.files, new.generation, new.multi_vector.num_tokens, change.state, tail)
    return new.num_slots + len(tail), tokens


def _discard(engine: Engine, new: State, checkpoint: str | None) -> None:
    """Remove what was not adopted, unless the error came behind the commit."""
    if new.generation != engine.fresh().generation:
        engine.files.drop(new.generation)
        if checkpoint is not None and engine.layout is not None:
            remove(engine.layout.checkpoint(checkpoint))


def _wants_dense(state: State) -> bool:
    """Whether many vectors are not in the dense index."""
    return bool(state.vectors.shape[1]) and state.dense.wants_rebuild(state.num_slots)


def wants_extension(state: State) -> bool:
    """Whether searches would be faster after `extend`."""
    return _wants_dense(state) or state.multi_vector.wants_rebuild()


def extend(engine: Engine, stop: threading.Event) -> None:
    """Let the dense index cover all vectors, and train the multi-vector index anew, where that is due.

    Raises:
        BuildStopped: it was called off; nothing has changed.
    """
    state = engine.fresh()
    if _wants_dense(state):
        engine.adopt_dense(state, state.dense.extended(state.vectors, stop=stop.is_set))
    if state.multi_vector.wants_rebuild():
        rebuilt = state.multi_vector.rebuilt(state.tokens, stop=stop)
        _check(stop)
        engine.adopt_multi_vector(state, rebuilt)


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
