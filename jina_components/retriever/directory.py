"""An index on disk that survives a kill at any moment.

    DIR/manifest.json        names the current generation; replaced atomically, last
    DIR/generation-…/        the files of that generation, never changed once the manifest names them

A save writes a new generation beside the old one, syncs it, swaps the manifest and only then removes
the old one. Whatever interrupts it, the manifest names a complete generation.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from jina_components.errors import IndexFilesError

T = TypeVar("T")

FORMAT = "jina_components.retriever"
VERSION = 1
_MANIFEST = "manifest.json"
_GENERATION = "generation-"
_GENERATION_NAME = re.compile(rf"{_GENERATION}[0-9a-f]{{12}}")


def write_index(
    directory: Path,
    manifest: Mapping[str, Any],
    write_files: Callable[[Path], None],
    *,
    expected: str | None = None,
) -> str:
    """Replace the index in `directory` with what `write_files` writes into the folder it is given.

    Args:
        directory: Made when it is not there.
        manifest: What the manifest says beside its own entries.
        write_files: Writes the files.
        expected: The generation that this state was read from, where it was read; None replaces any.

    Returns:
        The name of the new generation.

    Raises:
        IndexFilesError: the directory is something else's, another process is saving or has saved since,
            or the disk failed or is full; an index that was there before is still whole.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _check_ours(directory)
        with FileLock(directory / ".lock", timeout=10):
            _check_expected(directory, expected)
            return _write_generation(directory, manifest, write_files)
    except Timeout as error:
        raise IndexFilesError(
            f"{directory}: another process is saving this index; try again when it is done."
        ) from error
    except IndexFilesError:
        raise
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else str(error)
        raise IndexFilesError(f"{directory}: saving failed, {reason}. What was saved before is whole.") from error


def read_index(directory: Path, read_files: Callable[[Path], T]) -> tuple[str, T]:
    """The current generation's name, and what `read_files` makes of its folder.

    Raises:
        IndexFilesError: no index there, of another format, or damaged.
    """
    while True:
        manifest = read_manifest(directory)
        folder = directory / manifest["generation"]
        try:
            _check_files(folder, manifest)
            return folder.name, read_files(folder)
        except Exception as error:
            # A writer may have moved on to the next generation while this one was read.
            if read_manifest(directory)["generation"] == manifest["generation"]:
                raise IndexFilesError(f"{directory}: the index is damaged: {error}. Build it again.") from error


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of an index.

    Raises:
        IndexFilesError: no index there, or of another format or version.
    """
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IndexFilesError(f"{directory} holds no index: {_MANIFEST} is not there.") from error
    except (OSError, ValueError) as error:
        raise IndexFilesError(f"{directory / _MANIFEST} cannot be read: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise IndexFilesError(f"{directory / _MANIFEST} is no manifest of this library.")
    if manifest.get("version") != VERSION:
        raise IndexFilesError(
            f"{directory} has format version {manifest.get('version')}, this release reads {VERSION}: build it again."
        )
    # The name becomes a path: one that leads elsewhere is none that was written here.
    if not _GENERATION_NAME.fullmatch(str(manifest.get("generation"))) or not isinstance(manifest.get("files"), dict):
        raise IndexFilesError(f"{directory / _MANIFEST} is damaged: it names no generation. Build the index again.")
    return manifest


def current_generation(directory: Path) -> str | None:
    """The generation that the manifest names, or None without a manifest.

    Raises:
        IndexFilesError: a manifest that is none of ours, or damaged.
    """
    if not (directory / _MANIFEST).exists():
        return None
    generation: str = read_manifest(directory)["generation"]
    return generation


def _write_generation(directory: Path, manifest: Mapping[str, Any], write_files: Callable[[Path], None]) -> str:
    folder = directory / f"{_GENERATION}{uuid.uuid4().hex[:12]}"
    temporary = directory / f"{_MANIFEST}.{folder.name}"
    try:
        folder.mkdir()
        write_files(folder)
        digests = {path.name: _digest(path) for path in sorted(folder.iterdir())}
        for path in [*folder.iterdir(), folder]:
            _sync(path)
        content = {
            "format": FORMAT,
            "version": VERSION,
            "generation": folder.name,
            "files": digests,
            **manifest,
        }
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        _sync(temporary)
        temporary.replace(directory / _MANIFEST)
    except BaseException:
        if current_generation(directory) != folder.name:  # an interrupt may strike right behind the swap
            shutil.rmtree(folder, ignore_errors=True)
            temporary.unlink(missing_ok=True)
        raise
    _sync(directory)
    # Under the lock nobody else writes, so every other generation is superseded or left by a killed save.
    for path in directory.iterdir():
        if _GENERATION_NAME.fullmatch(path.name) and path != folder:
            shutil.rmtree(path, ignore_errors=True)
        elif _is_temporary(path.name):
            path.unlink(missing_ok=True)
    return folder.name


def _check_ours(directory: Path) -> None:
    """Never save into a folder of the user's own files."""
    names = {path.name for path in directory.iterdir()} - {".lock"}
    if _MANIFEST in names:
        read_manifest(directory)
    elif any(not _GENERATION_NAME.fullmatch(name) and not _is_temporary(name) for name in names):
        raise IndexFilesError(f"{directory} is not empty and holds no index: choose a new directory.")


def _check_expected(directory: Path, expected: str | None) -> None:
    if expected is not None and current_generation(directory) != expected:
        raise IndexFilesError(
            f"{directory}: another process has saved since this index was opened; open it again and repeat."
        )


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name, digest in manifest["files"].items():
        if _digest(folder / Path(name).name) != digest:
            raise ValueError(f"{name} is not as it was written")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _is_temporary(name: str) -> bool:
    return (
        name.startswith(f"{_MANIFEST}.") and _GENERATION_NAME.fullmatch(name.removeprefix(f"{_MANIFEST}.")) is not None
    )


def _sync(path: Path) -> None:
    """Make sure that a file, or the entries of a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open directories, and journals their entries
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
