"""What the files of an index hold, and what went wrong with them."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jina_components.core.durable import write_file

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def reason(error: OSError) -> str:
    """What went wrong, in words."""
    return "the disk is full: free space. What was saved before is whole" if error.errno in _FULL else str(error)


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
    text = json.dumps(content, indent=1).encode()
    write_file(path, lambda file: file.write(text))
