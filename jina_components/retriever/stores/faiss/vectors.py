"""Files of raw rows, which only grow: float32 vectors of documents, and int8 codes of the vectors of their tokens."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from jina_components.core.durable import remove, sync
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.durable import write_all
from jina_components.retriever.stores.faiss.layout import Layout, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 1 << 24  # bytes copied at a time


class RowFiles:
    """Rows of one kind by generation: in the store's directory, or without one in unnamed temporary files.

    Args:
        layout: Where; None for temporary files.
        path: The file of a generation.
        dtype: Of the rows.
    """

    def __init__(self, layout: Layout | None, path: Callable[[Layout, int], Path], dtype: str) -> None:
        self._layout = layout
        self._path = path
        self._dtype = np.dtype(dtype)
        self._temporary: dict[int, IO[bytes]] = {}
        weakref.finalize(self, _close_all, self._temporary)

    def generations(self) -> list[int]:
        """Those that may have a file."""
        return list(self._temporary) if self._layout is None else self._layout.generations()

    def make(self, generation: int) -> None:
        """Make an empty file.

        Raises:
            FileExistsError: it is there.
        """
        if self._layout is not None:
            self._path(self._layout, generation).touch(exist_ok=False)
            return
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        if self._temporary.setdefault(generation, file) is not file:  # another thread was faster
            file.close()
            raise FileExistsError(self._name(generation))

    def write(self, generation: int, row: int, rows: NDArray[Any]) -> None:
        """Write from `row` on; all is on the disk when this returns.

        Raises:
            OSError: the disk failed or is full.
        """
        self.copy(generation, row, rows, np.arange(len(rows)))

    def copy(self, generation: int, row: int, source: NDArray[Any], chosen: NDArray[np.int64]) -> None:
        """Write the `chosen` rows of `source` from `row` on, a part at a time; -1 stands for a row of zeros."""
        size = source.shape[1] * self._dtype.itemsize
        if not size:
            return
        step = max(_BATCH // size, 1)
        with self._opened(generation, "r+b") as file:
            file.seek(row * size)
            for start in range(0, len(chosen), step):
                places = chosen[start : start + step]
                part = np.zeros((len(places), source.shape[1]), self._dtype)
                part[places >= 0] = source[places[places >= 0]]
                write_all(file, part.data)
            self._sync(file)

    def map(self, generation: int, rows: int, dimensions: int) -> NDArray[Any]:
        """The first rows of a file, shape [rows, dimensions]; they are read when they are looked at.

        Raises:
            FileNotFoundError: the file is gone.
            IndexFilesError: it is too short.
        """
        size = rows * dimensions * self._dtype.itemsize
        if not size:
            return np.zeros((rows, dimensions), self._dtype)
        with self._opened(generation, "rb") as file:
            if os.fstat(file.fileno()).st_size < size:
                raise IndexFilesError(
                    f"{self._name(generation)}: the index is damaged: vectors are missing. repair() it."
                )
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, self._dtype).reshape(rows, dimensions)

    def available(self, generation: int, rows: int, dimensions: int) -> NDArray[Any]:
        """As `map`, of a file that may be short or gone: the rows that it has."""
        try:
            with self._opened(generation, "rb") as file:
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            size = 0
        held = size // (dimensions * self._dtype.itemsize) if dimensions else rows
        return self.map(generation, min(rows, held), dimensions)

    def drop(self, generation: int) -> None:
        """Remove a file."""
        if self._layout is not None:
            remove(self._path(self._layout, generation))
        elif generation in self._temporary:
            self._temporary.pop(generation).close()

    def close(self) -> None:
        """Give the temporary files back."""
        _close_all(self._temporary)

    @contextmanager
    def _opened(self, generation: int, mode: str) -> Iterator[IO[bytes]]:
        if self._layout is None:
            if generation not in self._temporary:
                raise FileNotFoundError(self._name(generation))
            yield self._temporary[generation]
        else:
            with self._path(self._layout, generation).open(mode, buffering=0) as file:
                yield file

    def _sync(self, file: IO[bytes]) -> None:
        if self._layout is not None:
            os.fsync(file.fileno())

    def _name(self, generation: int) -> str:
        return place(None) if self._layout is None else str(self._path(self._layout, generation))


class VectorFiles:
    """The vectors of a store, a file a generation of each kind.

    Attributes:
        vectors: Those of documents.
        tokens: Codes of those of their tokens; a store without has no such file.
    """

    def __init__(self, layout: Layout | None) -> None:
        self.vectors = RowFiles(layout, Layout.vectors, "<f4")
        self.tokens = RowFiles(layout, Layout.tokens, "i1")
        self._layout = layout

    def make(self, after: int, *, with_tokens: bool) -> int:
        """Empty files of a new generation, later than `after`."""
        while True:
            generation = max([after, *self.vectors.generations()]) + 1
            try:
                self.vectors.make(generation)
            except FileExistsError:  # another was faster
                continue
            if with_tokens:
                self.tokens.make(generation)
            if self._layout is not None:
                sync(self._layout.directory)
            return generation

    def drop(self, generation: int) -> None:
        """Remove the files of a generation."""
        self.vectors.drop(generation)
        self.tokens.drop(generation)

    def keep(self, generation: int) -> None:
        """Give all temporary files back but those of this generation."""
        for other in set(self.vectors.generations()) - {generation}:
            self.drop(other)

    def close(self) -> None:
        """Give the temporary files back."""
        self.vectors.close()
        self.tokens.close()


def _close_all(files: dict[int, IO[bytes]]) -> None:
    while files:
        files.popitem()[1].close()
