"""What the contract checks share."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from jina_components.errors import InputError

T = TypeVar("T")

TEXTS: tuple[str, ...] = (
    "The harbour master counted forty fishing boats at dawn.",
    "Quarterly revenue fell by twelve percent.",
    "Zażółć gęślą jaźń: pchnąć w tę łódź jeża lub ośm skrzyń fig.",
    "東京は日本の首都です。",
    "def add(a, b): return a + b",
    "x",
    "Bread rises because yeast makes carbon dioxide. " * 8,
)
_THREADS = 8


def require(condition: object, message: str) -> None:
    """Raise AssertionError with `message` unless `condition` holds; works under `python -O` too."""
    if not condition:
        raise AssertionError(message)


def require_close(got: Any, wanted: Any, tolerance: float, what: str) -> None:  # noqa: ANN401 (array-likes)
    """Largest difference of two arrays, relative to the largest value, is within `tolerance`."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    require(got.shape == wanted.shape, f"{what}: shape {got.shape}, expected {wanted.shape}.")
    if wanted.size:
        difference = float(np.abs(got - wanted).max() / max(1.0, float(np.abs(wanted).max())))
        require(difference <= tolerance, f"{what}: differs by {difference:.2g}, more than {tolerance:.2g}.")


def require_input_error(call: Callable[[], object], what: str, *, index: int | None = None) -> None:
    """`call` raises InputError, and its `.index` is `index` when one is given."""
    try:
        call()
    except InputError as error:
        require(
            index is None or error.index == index,
            f"{what}: InputError.index is {error.index}, expected {index}.",
        )
        return
    except Exception as error:
        raise AssertionError(f"{what}: raised {type(error).__name__}, expected InputError.") from error
    raise AssertionError(f"{what}: was accepted, expected InputError.")


@contextmanager
def pickled(component: T) -> Iterator[T]:
    """`component` after a journey to another process; closed at the end, if it can be."""
    try:
        copy = pickle.loads(pickle.dumps(component))  # noqa: S301 (our own bytes)
    except Exception as error:
        raise AssertionError(
            f"{component!r} does not pickle: {type(error).__name__}: {error}. Keep only settings as state."
        ) from error
    try:
        yield copy
    finally:
        if hasattr(copy, "close"):
            copy.close()


def in_threads(call: Callable[[int], T], count: int) -> Sequence[T]:
    """Results of `call(0)` … `call(count - 1)`, run by several threads at once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(call, range(count)))
