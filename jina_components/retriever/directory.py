"""An index on disk that survives a kill at any moment.

    DIR/manifest.json        names the current generation; replaced atomically, last
    DIR/generation-…/        the files of that generation, never changed once the manifest names them

A save writes a new generation beside the old one, syncs it, swaps the manifest and only then removes
the old one. Whatever interrupts it, the manifest names a complete generation.
"""

from __future__ import annotations

import errno
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


def write_index(directory: Path, manifest: Mapping[str, Any], write_files: Callable[[Path], None]) -> None:
    """Replace the index in `directory` with what `write_files` writes into the folder it is given.

    Raises:
        IndexFilesError: the directory is something else's, another process is saving, or the disk
            failed or is full; the index that was there before is still whole.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _check_ours(directory)
        with FileLock(directory / ".lock", timeout=10):
            _write_generation(directory, manifest, write_files)
    except Timeout as error:
        raise IndexFilesError(
            f"{directory}: another process is saving this index; try again when it is done."
        ) from error
    except IndexFilesError:
        raise
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise IndexFilesError(f"{directory}: saving failed, {reason}. What was saved before is unchanged.") from error


def read_index(directory: Path, read_files: Callable[[Path], T]) -> T:
    """What `read_files` makes of the current generation's folder.

    Raises:
        IndexFilesError: no index there, of another format, or damaged.
    """
    while True:
        manifest = read_manifest(directory)
        folder = directory / manifest["generation"]
        try:
            _check_files(folder, manifest)
            return read_files(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
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


def _write_generation(directory: Path, manifest: Mapping[str, Any], write_files: Callable[[Path], None]) -> None:
    folder = directory / f"{_GENERATION}{uuid.uuid4().hex[:12]}"
    temporary = directory / f"{_MANIFEST}.{folder.name}"
    try:
        folder.mkdir()
        write_files(folder)
        sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        for path in [*folder.iterdir(), folder]:
            _sync(path)
        content = {
            "format": FORMAT,
            "version": VERSION,
            "generation": folder.name,
            "files": sizes,
            **manifest,
        }
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        _sync(temporary)
        temporary.replace(directory / _MANIFEST)
        _sync(directory)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        temporary.unlink(missing_ok=True)
        raise
    # Under the lock nobody else writes, so every other generation is superseded or left by a killed save.
    for path in directory.iterdir():
        if path.name.startswith(_GENERATION) and path != folder:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(f"{_MANIFEST}.{_GENERATION}"):
            path.unlink(missing_ok=True)


def _check_ours(directory: Path) -> None:
    """Never save into a folder of the user's own files."""
    names = {path.name for path in directory.iterdir()} - {".lock"}
    if _MANIFEST in names:
        read_manifest(directory)
    elif any(not name.startswith((_GENERATION, f"{_MANIFEST}.")) for name in names):
        raise IndexFilesError(f"{directory} is not empty and holds no index: choose a new directory.")


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name, size in manifest["files"].items():
        if (actual := (folder / name).stat().st_size) != size:
            raise ValueError(f"{name} has {actual} bytes instead of {size}")


def _sync(path: Path) -> None:
    """Make sure that a file, or the entries of a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open directories, and journals their entries
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
