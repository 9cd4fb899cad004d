"""Folders of what searches need, as it was after some change: opened by mapping, and followed up from there."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.arrays import save_array
from jina_components.core.durable import write_folder
from jina_components.errors import JinaComponentsError
from jina_components.retriever.bm25 import BM25Index
from jina_components.retriever.dense import DenseIndex
from jina_components.retriever.multi_vector import MultiVectorIndex
from jina_components.retriever.stores.faiss.durable import digests, sizes
from jina_components.retriever.stores.faiss.layout import Layout
from jina_components.retriever.stores.faiss.records import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.retriever.stores.faiss.state import State

_CONTENTS = "contents.json"
_ROWS = "rows.npy"
_ALIVE = "alive.npy"
_LEXICAL = "lexical"
_DENSE = "dense"
_MULTI_VECTOR = "multi_vector"


class CheckpointError(Exception):
    """A checkpoint cannot be read; everything in it can be made again."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        number: Of the last change it knows.
        rows: Row of each slot.
        alive: Whether the document of each slot is held.
        dense: The index of vectors.
        lexical: The index of words.
        multi_vector: The index of vectors of tokens.
    """

    number: int
    rows: NDArray[np.int64]
    alive: NDArray[np.bool_]
    dense: DenseIndex
    lexical: BM25Index
    multi_vector: MultiVectorIndex


def write_checkpoint(layout: Layout, state: State) -> str:
    """Write a checkpoint; its name, which counts once the head has it.

    Args:
        layout: Where.
        state: What it is to hold.

    Raises:
        OSError: the disk failed or is full; nothing is left behind.
    """
    name = f"checkpoint-{max(state.number, 0)}-{uuid.uuid4().hex[:12]}"
    # A dense index that another checkpoint has takes no more space on the disk.
    known = None if state.dense_file is None else layout.checkpoint(state.dense_file) / _DENSE
    write_folder(layout.directory / name, lambda folder: _write_files(folder, state, known))
    return name


def _write_files(folder: Path, state: State, known_dense: Path | None) -> None:
    save_array(folder / _ROWS, state.rows)
    save_array(folder / _ALIVE, state.alive)
    state.lexical.save(folder / _LEXICAL)
    state.multi_vector.save(folder / _MULTI_VECTOR)
    if known_dense is None or not _linked(known_dense, folder / _DENSE):
        state.dense.save(folder / _DENSE)
    contents = {
        "number": state.number,
        "generation": state.generation,
        "dimensions": state.vectors.shape[1],
        "token_dimensions": state.tokens.shape[1],
        "stemming": state.lexical.analyzer.stemming,
        "sizes": sizes(folder),
        "digests": digests(folder),
    }
    (folder / _CONTENTS).write_text(json.dumps(contents, indent=1), encoding="utf-8")


def _linked(known: Path, path: Path) -> bool:
    """Whether `path` could be made another name of the file `known`, which no file system has to be able to."""
    try:
        os.link(known, path)
    except OSError:
        return False
    return True


def read_checkpoint(folder: Path, head: Head) -> Checkpoint:
    """What a checkpoint holds, mapped; that its files have their sizes is checked, their digests only by `problems`.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        contents = _contents(folder)
        if contents["generation"] != head.generation:
            raise CheckpointError(f"{folder.name} is of other vectors")
        found = {name: size for name, size in sizes(folder).items() if name != _CONTENTS}
        if found != contents["sizes"]:
            raise CheckpointError(f"{folder.name} has files of another size")
        return Checkpoint(
            number=int(contents["number"]),
            rows=np.load(folder / _ROWS, allow_pickle=False),
            alive=np.load(folder / _ALIVE, allow_pickle=False),
            dense=DenseIndex.open(folder / _DENSE),
            lexical=BM25Index.load(folder / _LEXICAL),
            multi_vector=MultiVectorIndex.load(folder / _MULTI_VECTOR),
        )
    except (OSError, ValueError, KeyError, TypeError, JinaComponentsError) as error:
        raise CheckpointError(f"{folder.name} cannot be read: {error}") from error


def problems(folder: Path) -> list[str]:
    """What is wrong with the files of a checkpoint."""
    try:
        expected = _contents(folder)["digests"]
        found = {name: value for name, value in digests(folder).items() if name != _CONTENTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{folder.name} cannot be read: {error}"]
    names = sorted({*expected, *found})
    return [f"{folder.name}/{name} is not as it was written" for name in names if expected.get(name) != found.get(name)]


def _contents(folder: Path) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
    return contents
