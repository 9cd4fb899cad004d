"""Arrays as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write a `.npy` file.

    Raises:
        OSError: the disk failed or is full, with its `errno`.
    """
    with path.open("wb") as file:
        write_array(file, array)


def write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    """Write what a `.npy` file holds, as `np.save` does, whose own error for files does not say when the disk is full.

    Raises:
        OSError: the disk failed or is full, with its `errno`.
    """
    np.save(_Writer(file.write), array, allow_pickle=False)


class _Writer:
    """Hides that a file is one."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write
