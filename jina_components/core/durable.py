"""Files and folders that are there whole or not at all, whenever the process is killed or the power fails."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

UNFINISHED = r"\.unfinished-[0-9a-f]{12}"
"""Pattern of what the name of a file or folder ends in while it is written; what a kill left of one is of no use."""


def sync(path: Path) -> None:
    """Make sure that a file, or the entries of a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open directories, and journals their entries
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Put a file in place of the one before, in one step; it is on the disk when this returns.

    Args:
        path: Where to.
        write: Writes the content into the file that it is given.

    Raises:
        OSError: the disk failed or is full.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        remove(temporary)  # a full disk needs the room
        raise
    sync(path.parent)


def write_folder(path: Path, write_files: Callable[[Path], None]) -> None:
    """Make a folder of what `write_files` puts into the one it is given: all of it, or nothing.

    Raises:
        OSError: the disk failed or is full, or there is a folder with something in it.
    """
    temporary = _temporary(path)
    try:
        temporary.mkdir()
        write_files(temporary)
        for entry in [*temporary.rglob("*"), temporary]:
            sync(entry)
        temporary.replace(path)
    except BaseException:
        remove(temporary)
        raise
    sync(path.parent)


def is_unfinished(name: str) -> bool:
    """Whether this is what a killed `write_file` or `write_folder` leaves behind."""
    return re.search(rf"{UNFINISHED}\Z", name) is not None


def remove(path: Path) -> None:
    """Remove a file or a folder that nobody needs; one that Windows still keeps open stays for the next time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except PermissionError:
            if os.name != "nt":
                raise


def _temporary(path: Path) -> Path:
    """A name of its own: a process that nobody waits for any more may still be writing the same."""
    return path.with_name(f"{path.name}.unfinished-{uuid.uuid4().hex[:12]}")
