"""Many inputs through a model, so many at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.flow import Flow
from jina_components.core.vectors import check_dimensions
from jina_components.models.multi_vector import shaped
from jina_components.models.pending import Pending

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# Texts tokenized at a time: the next are tokenized while the model runs these, and no more are held than AHEAD lots.
WINDOW, AHEAD = 1024, 2
# Fewer where each token gives a vector.
TOKEN_WINDOW = 256
# Texts of so many characters together are tokenized by the caller: another thread would take longer to answer.
_AT_ONCE = 1000
# Images that are fetched and prepared at a time; one of 512 x 512 pixels takes 3 MB.
IMAGE_WINDOW = 16


class Rows:
    """Vectors by the index of their text, in an array that is made when their width is known."""

    def __init__(self, count: int, dimensions: int | None) -> None:
        self.dimensions = dimensions
        self.array: FloatArray = np.zeros((count, 0), np.float32)

    def allocate(self, width: int) -> None:
        """Make the array, unless it is there; InputError where more dimensions are wanted than it has."""
        if not self.array.shape[1]:
            check_dimensions(self.dimensions, width)
            self.array = np.zeros((len(self.array), width), np.float32)

    def __setitem__(self, indices: Sequence[int], vectors: FloatArray) -> None:
        self.allocate(vectors.shape[1])
        self.array[indices] = vectors

    def __getitem__(self, indices: Sequence[int]) -> FloatArray:
        return self.array[indices]


class TokenRows:
    """Vectors of the tokens of texts by the index of their text."""

    def __init__(self, count: int, dimensions: int, pool_factor: int) -> None:
        self.vectors: list[FloatArray] = [np.zeros((0, dimensions), np.float32)] * count
        self._dimensions, self._pool_factor = dimensions, pool_factor

    def __setitem__(self, indices: Sequence[int], vectors: Sequence[FloatArray]) -> None:
        for index, own in zip(indices, vectors, strict=True):
            self.vectors[index] = own

    def finish(self, indices: Sequence[int]) -> None:
        """Cut, normalize and merge the vectors of texts."""
        for index in indices:
            self.vectors[index] = shaped(self.vectors[index], self._dimensions, self._pool_factor)


def run_windows(
    inputs: Sequence[Any],
    windows: Sequence[Sequence[int]],
    rows: Rows | TokenRows,
    submit: Callable[[Sequence[Any], Sequence[int]], Pending[Any]],
    after: Callable[[Sequence[int]], None] | None,
) -> Flow[int]:
    """Embed the inputs of the windows into their rows, and count the tokens; `after` is called with each window."""
    tokens = 0
    running: deque[tuple[Sequence[int], Pending[Any]]] = deque()
    waiting = deque(windows)
    try:
        while waiting or running:
            if waiting and len(running) < AHEAD:
                window = waiting.popleft()
                begin = partial(submit, [inputs[index] for index in window], window)
                running.append((window, begin() if _is_short(begin.args[0]) else (yield begin)))
                continue
            window, pending = running[0]
            rows[window], ran = pending.finish((yield pending.future))
            running.popleft()
            tokens += ran
            if after is not None:
                yield partial(after, window)
    finally:
        for _, pending in running:
            pending.cancel()
    return tokens


def _is_short(inputs: Sequence[Any]) -> bool:
    return all(isinstance(item, str) for item in inputs) and sum(map(len, inputs)) <= _AT_ONCE


def fill(rows: FloatArray, places: Sequence[int], found: Sequence[FloatArray | None]) -> list[int]:
    """Put the vectors that were found into their places; those of the others."""
    missing = []
    for index, vector in zip(places, found, strict=True):
        if vector is None:
            missing.append(index)
        else:
            rows[index] = vector
    return missing


def windows_of(
    inputs: Sequence[Any], indices: Sequence[int], *, by_length: bool, size: int = WINDOW
) -> list[Sequence[int]]:
    """Indices in lots, the longest texts first, so that the lengths of a pass are near each other."""
    if by_length and len(indices) > size:
        indices = sorted(indices, key=lambda index: -len(inputs[index]))
    return [indices[start : start + size] for start in range(0, len(indices), size)]
