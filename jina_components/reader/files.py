"""Local files: reading one within limits, and finding those of a directory."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from jina_components.errors import ReadError
from jina_components.reader.sources import SUFFIXES
from jina_components.types import SourceFailure


def read_file(path: str, *, max_bytes: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        ReadError: there is none, it may not be read, it is something else, or is larger than `max_bytes`.
    """
    try:
        # Asked before it is opened: opening a pipe that nobody writes to would wait for ever.
        mode = Path(path).stat().st_mode
        if stat.S_ISREG(mode):
            with Path(path).open("rb") as file:
                data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise ReadError(_explain(path, error), path) from error
    if stat.S_ISDIR(mode):
        raise ReadError(f"{path} is a directory: pass it to read_all.", path)
    if not stat.S_ISREG(mode):
        raise ReadError(f"{path} is a pipe, socket or device: pass a regular file.", path)
    if len(data) > max_bytes:
        raise ReadError(f"{path} exceeds {max_bytes:,} bytes: raise max_file_bytes to accept it.", path)
    return data


def find_files(directory: str) -> Iterator[str | SourceFailure]:
    """Paths of the files below `directory` with a readable suffix, in order of their names.

    Hidden files and directories are passed over. Symbolic links are followed, but no directory is entered
    twice. A directory that cannot be listed, or a search that finds no file, gives a failure.
    """
    found = False
    for item in _walk(Path(directory), set()):
        found = True
        yield item
    if not found:
        suffixes = " ".join(SUFFIXES)
        yield _failure(directory, f"{directory} holds no file with a readable suffix ({suffixes}).")


def _walk(directory: Path, entered: set[tuple[int, int]]) -> Iterator[str | SourceFailure]:
    try:
        info = directory.stat()
        entries = sorted(directory.iterdir())
    except OSError as error:
        yield _failure(str(directory), _explain(str(directory), error))
        return
    if (info.st_dev, info.st_ino) in entered:
        return
    entered.add((info.st_dev, info.st_ino))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, entered)
        elif entry.suffix.lower() in SUFFIXES:
            yield str(entry)


def _failure(directory: str, message: str) -> SourceFailure:
    return SourceFailure(directory, ReadError(message, directory))


def _explain(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        if Path(path).is_symlink():
            return f"{path} is a symbolic link to something that does not exist."
        return f"{path} does not exist; relative paths begin at {Path.cwd()}."
    if isinstance(error, PermissionError):
        return f"{path} may not be read: change its permissions, or run as a user who may."
    return f"{path} cannot be read: {error}."
