"""Telling whether a folder still holds the same model."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from jina_components.errors import ModelFilesError

_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a model is made of; the rest of a folder (cards, pictures, other formats) changes nothing.
_SUFFIXES = {".json", ".txt", ".model", ".onnx", ".safetensors"}


def fingerprint(folder: Path) -> str:
    """Hex digest of the content of a model folder's files.

    Raises:
        ModelFilesError: one cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\0".encode())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Hex digest of a file; the hub's cache names large ones by it, checked when they were fetched.

    Raises:
        ModelFilesError: it cannot be read.
    """
    if path.is_symlink() and _SHA256.fullmatch(path.readlink().name):
        return path.readlink().name
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
