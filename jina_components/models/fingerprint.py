"""Telling whether a folder still holds the same model."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """Hex digest of a model folder: the content of its JSON files, and name, size and time of change of the others.

    A copy of a folder has another digest unless it keeps the times; a changed one always has.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        content = path.read_bytes() if path.suffix == ".json" else f"{status.st_size} {status.st_mtime_ns}".encode()
        for field in (path.relative_to(folder).as_posix().encode(), content):
            digest.update(len(field).to_bytes(8, "little") + field)
    return digest.hexdigest()
