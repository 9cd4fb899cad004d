"""Files that are whole or not there, whenever the process is killed or the power fails."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNFINISHED = ".unfinished-"


def reason(error: OSError) -> str:
    """What went wrong, in words."""
    return "the disk is full: free space. What was saved before is whole" if error.errno in _FULL else str(error)


def sync(path: Path) -> None:
    """Make sure that a file, or the entries of a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open directories, and journals their entries
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """BLAKE2b of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """BLAKE2b of each file below a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }


def write_all(file: IO[bytes], content: memoryview) -> None:
    """Write every byte to an unbuffered file, which may take them in parts.

    Raises:
        OSError: the disk failed or is full.
    """
    left = content.cast("B")
    while left:
        left = left[file.write(left) :]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Put a JSON file in place of the one before, in one step."""
    temporary = path.with_name(f"{path.name}{_UNFINISHED}{uuid.uuid4().hex[:12]}")
    try:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_folder(path: Path, write_files: Callable[[Path], None]) -> None:
    """Make a folder of what `write_files` puts into the one it is given: all of it, or nothing."""
    temporary = path.with_name(f"{path.name}{_UNFINISHED}{uuid.uuid4().hex[:12]}")
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
    """Whether this is what a killed `write_json` or `write_folder` leaves behind."""
    return _UNFINISHED in name


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
