"""What servers answer, checked, since anything may come. All raise ValueError or TypeError."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_order(pairs: Iterable[tuple[object, object]], count: int) -> list[object]:
    """The values by their indices, which must be 0 to `count` - 1, each once."""
    listed = list(pairs)
    if len(listed) != count:
        raise ValueError(f"{len(listed)} results for {count} items")
    values: dict[int, object] = {}
    for index, value in listed:
        if type(index) is not int or not 0 <= index < count or index in values:
            raise ValueError(f"indices are not 0 to {count - 1}, each once")
        values[index] = value
    return [values[index] for index in range(count)]


def read_vectors(values: list[object]) -> NDArray[np.float32]:
    """Rows of one width."""
    rows = [_numbers(value) for value in values]
    widths = {len(row) for row in rows}
    if len(widths) > 1 or 0 in widths:
        raise ValueError(f"vectors of widths {', '.join(map(str, sorted(widths)))}")
    with np.errstate(over="ignore"):  # what overflows float32 is found with the other infinities
        return _finite(np.array(rows, np.float32))


def read_scores(values: list[object]) -> NDArray[np.float64]:
    """One number each."""
    return _finite(_numbers(values).astype(np.float64))


def read_count(value: object) -> int:
    """A number of tokens; 0 where the server tells none."""
    if not value:
        return 0
    if not isinstance(value, int | float) or value < 0:
        raise TypeError("the number of tokens is none")
    return int(value)


def _finite(numbers: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(numbers).all():
        raise ValueError("it holds NaN or infinity")
    return numbers


def _numbers(value: object) -> NDArray[Any]:
    """A list of numbers, or base64 of little-endian float32."""
    if isinstance(value, str):
        return np.frombuffer(b64decode(value, validate=True), "<f4")
    numbers = np.asarray(value)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
        raise TypeError("what should be numbers is something else")
    return numbers
