"""What lies in a store's directory, and which directories are one.

DIR/manifest.json        says what the directory is; written once, when everything else is there
DIR/documents.sqlite3    the truth (and -wal, -shm beside it)
DIR/vectors-<n>.f32      their vectors
DIR/tokens-<n>.i8        the vectors of their tokens, if they have some, as int8 codes
DIR/checkpoint-<…>/      what searches need, ready to be mapped
DIR/.lock                held by the process that makes or tidies up the files
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jina_components.core.durable import is_unfinished, remove
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.durable import reason, write_json

FORMAT = "jina_components.retriever"
VERSION = 3
_MANIFEST = "manifest.json"
_DATABASE = "documents.sqlite3"
_LOCK = ".lock"
_VECTORS = re.compile(r"(?:vectors|tokens)-([0-9]{1,18})\.(?:f32|i8)")
_CHECKPOINT = re.compile(r"checkpoint-[0-9]+-[0-9a-f]{12}")
_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of a store's files.

    Attributes:
        directory: Where they are.
    """

    directory: Path

    @property
    def manifest(self) -> Path:
        """What says that this is a store."""
        return self.directory / _MANIFEST

    @property
    def database(self) -> Path:
        """Documents, notes, and which of the other files count."""
        return self.directory / _DATABASE

    def vectors(self, generation: int) -> Path:
        """The vectors of a generation."""
        return self.directory / f"vectors-{generation}.f32"

    def tokens(self, generation: int) -> Path:
        """The token vectors of a generation."""
        return self.directory / f"tokens-{generation}.i8"

    def generations(self) -> list[int]:
        """Those that have a file, ascending."""
        found = (_VECTORS.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted({int(match[1]) for match in found if match})

    def checkpoint(self, name: str) -> Path:
        """A checkpoint's folder.

        Raises:
            IndexFilesError: a name that no checkpoint has, which might lead elsewhere.
        """
        if not _CHECKPOINT.fullmatch(name):
            raise IndexFilesError(f"{self.directory}: the index is damaged: {name!r} names no checkpoint. repair() it.")
        return self.directory / name

    def exists(self) -> bool:
        """Whether there is a manifest."""
        return self.manifest.exists()

    def can_write(self) -> bool:
        """Whether files may be made here."""
        return os.access(self.directory, os.W_OK) and (
            not self.database.exists() or os.access(self.database, os.R_OK | os.W_OK)
        )

    def lock(self, *, wait: bool = True) -> FileLock:
        """The lock of whoever makes or removes files beyond a commit; it raises Timeout where another has it."""
        return FileLock(self.directory / _LOCK, timeout=_LOCK_SECONDS if wait else 0)

    def leftovers(self, generation: int, checkpoint: str | None) -> list[Path]:
        """Our files that no longer count, or never did: of a killed process, or superseded."""
        kept = {self.vectors(generation).name, self.tokens(generation).name, checkpoint}
        return [path for path in sorted(self.directory.iterdir()) if _is_derived(path.name) and path.name not in kept]

    def tidy(self, generation: int, checkpoint: str | None) -> None:
        """Remove the leftovers; only under the lock, and while nobody writes."""
        for path in self.leftovers(generation, checkpoint):
            remove(path)


def check_manifest(layout: Layout) -> None:
    """Make sure that the directory is a store of this format.

    Raises:
        IndexFilesError: no index there, or of another format or version, or its documents are gone.
    """
    try:
        manifest = json.loads(layout.manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IndexFilesError(f"{layout.directory} holds no index: {_MANIFEST} is not there.") from error
    except (OSError, ValueError) as error:
        raise IndexFilesError(
            f"{layout.manifest} cannot be read, the index is damaged: {error}. repair() it."
        ) from error
    _check_format(layout, manifest)
    if not layout.database.exists():
        raise IndexFilesError(f"{layout.directory}: the index is damaged: {_DATABASE} is gone. Build it again.")


def _check_format(layout: Layout, manifest: Any) -> None:  # noqa: ANN401 (read from a file)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise IndexFilesError(f"{layout.manifest} is no manifest of an index of this library.")
    version = manifest.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        remedy = "upgrade jina-components" if newer else "build the index again from its documents"
        raise IndexFilesError(
            f"{layout.directory} is an index of format version {version}, this release reads {VERSION}: {remedy}."
        )


def create(layout: Layout, make_database: Callable[[], None]) -> None:
    """Make the directory a store, unless it is one; what a killed `create` has begun is carried on.

    Args:
        layout: The directory.
        make_database: Makes the database where there is none of ours, else leaves it as it is.

    Raises:
        IndexFilesError: it holds files of something else, or another process is at it.
        OSError: it cannot be written to.
    """
    try:
        _make_directory(layout.directory)
        check_ours(layout)
        with layout.lock():
            if not layout.exists():
                make_database()
                write_manifest(layout)
    except Timeout as error:
        raise busy(layout) from error


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise IndexFilesError(f"{directory} is a file, or below one: the path must be a directory.") from error


def write_manifest(layout: Layout) -> None:
    """Say that the directory is a store."""
    write_json(layout.manifest, {"format": FORMAT, "version": VERSION})


def check_ours(layout: Layout) -> None:
    """Never write into a folder of the user's own files.

    Raises:
        IndexFilesError: it holds something, and no index.
    """
    if layout.exists():
        return
    has_database = layout.database.exists()  # whose maker sees to it that it is ours
    for path in layout.directory.iterdir():
        begun = has_database and (path.name.startswith(_DATABASE) or _is_derived(path.name))
        if not begun and path.name != _LOCK:
            raise IndexFilesError(f"{layout.directory} is not empty and holds no index: choose a new directory.")


def place(layout: Layout | None) -> str:
    """What errors call the store."""
    return "The index in memory" if layout is None else str(layout.directory)


def disk_error(layout: Layout | None, error: OSError) -> IndexFilesError:
    """What to raise for an error of the file system."""
    return IndexFilesError(f"{place(layout)} failed: {reason(error)}.")


def unwritable(layout: Layout) -> IndexFilesError:
    """What to raise where nobody may write."""
    return IndexFilesError(f"{layout.directory} cannot be written: open a copy in another directory.")


def busy(layout: Layout) -> IndexFilesError:
    """What to raise when the lock is held for too long."""
    return IndexFilesError(
        f"{layout.directory}: another process is working on the files of this index; try again when it is done."
    )


def _is_derived(name: str) -> bool:
    return bool(
        _VECTORS.fullmatch(name)
        or _CHECKPOINT.fullmatch(name)
        or (is_unfinished(name) and name.startswith(("checkpoint-", _MANIFEST)))
    )
