"""Files of raw float32 rows, which only grow."""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np

from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.durable import remove, write_all
from jina_components.retriever.stores.faiss.layout import Layout, place

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_BATCH = 1 << 24  # bytes copied at a time


class VectorFiles:
    """The vectors of a store by generation: in its directory, or without one in unnamed temporary files."""

    def __init__(self, layout: Layout | None) -> None:
        self._layout = layout
        self._temporary: dict[int, IO[bytes]] = {}
        self._making = threading.Lock()
        weakref.finalize(self, _close_all, self._temporary)

    def make(self, after: int) -> int:
        """An empty file of a new generation, later than `after`."""
        with self._making:
            while True:
                generation = (
                    max([after, *(self._temporary if self._layout is None else self._layout.generations())]) + 1
                )
                try:
                    self._touch(generation)
                except FileExistsError:  # another process was faster
                    continue
                return generation

    def write(self, generation: int, slot: int, vectors: FloatArray) -> None:
        """Write rows from `slot` on; they are on the disk when this returns.

        Raises:
            OSError: the disk failed or is full.
        """
        with self._opened(generation, "r+b") as file:
            file.seek(slot * vectors.shape[1] * 4)
            write_all(file, np.ascontiguousarray(vectors, "<f4").data)
            self._sync(file)

    def copy(
        self, generation: int, slot: int, source: FloatArray, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> None:
        """Write the `rows` of `source` from `slot` on, a part at a time."""
        if not source.shape[1]:
            return
        step = max(_BATCH // max(source.shape[1] * 4, 1), 1)
        with self._opened(generation, "r+b") as file:
            file.seek(slot * source.shape[1] * 4)
            for start in range(0, len(rows), step):
                part = source[rows[start : start + step]]
                write_all(file, np.ascontiguousarray(part, "<f4").data)
            self._sync(file)

    def map(self, generation: int, slots: int, dimensions: int) -> FloatArray:
        """The first rows of a file, shape [slots, dimensions]; they are read when they are looked at.

        Raises:
            FileNotFoundError: the file is gone.
            IndexFilesError: it is too short.
        """
        size = slots * dimensions * 4
        if not size:
            return np.zeros((slots, dimensions), np.float32)
        with self._opened(generation, "rb") as file:
            if os.fstat(file.fileno()).st_size < size:
                raise IndexFilesError(
                    f"{self._name(generation)}: the index is damaged: vectors are missing. repair() it."
                )
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, "<f4").reshape(slots, dimensions)

    def num_bytes(self, generation: int) -> int:
        """Size of a file; 0 where there is none."""
        try:
            with self._opened(generation, "rb") as file:
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return 0

    def drop(self, generation: int) -> None:
        """Remove a file."""
        if self._layout is not None:
            remove(self._layout.vectors(generation))
        elif generation in self._temporary:
            self._temporary.pop(generation).close()

    def keep(self, generation: int) -> None:
        """Give all temporary files back but this one."""
        for other in set(self._temporary) - {generation}:
            self.drop(other)

    def close(self) -> None:
        """Give the temporary files back."""
        _close_all(self._temporary)

    def _touch(self, generation: int) -> None:
        if self._layout is None:
            self._temporary[generation] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        else:
            self._layout.vectors(generation).touch(exist_ok=False)

    @contextmanager
    def _opened(self, generation: int, mode: str) -> Iterator[IO[bytes]]:
        if self._layout is None:
            if generation not in self._temporary:
                raise FileNotFoundError(self._name(generation))
            yield self._temporary[generation]
        else:
            with self._layout.vectors(generation).open(mode, buffering=0) as file:
                yield file

    def _sync(self, file: IO[bytes]) -> None:
        if self._layout is not None:
            os.fsync(file.fileno())

    def _name(self, generation: int) -> str:
        return place(None) if self._layout is None else str(self._layout.vectors(generation))


def _close_all(files: dict[int, IO[bytes]]) -> None:
    while files:
        files.popitem()[1].close()
