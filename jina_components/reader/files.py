"""Local files: what path a source means, reading one within limits, finding those of a directory."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from jina_components.errors import InputError, ReadError
from jina_components.reader.sources import SUFFIXES
from jina_components.types import SourceFailure, shorten

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://|(file|data):", re.IGNORECASE)
_PASSED_OVER = (".", "~$")  # hidden; the locks that Office leaves beside open files
_WEB_PAGE = re.compile(
    r"(?:[\w-]+\.){1,8}(?:com|org|net|edu|gov|int|info|io|dev|ai|app|eu|de|uk|fr|nl|jp|cn)(?:[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
_MARKUP = re.compile(r"\s*<[!?a-z]", re.IGNORECASE)


def local_path(source: str | os.PathLike[str]) -> str:
    """The path that `source` gives; a URL in a str is none, so that no URL ever leads to a local file.

    Raises:
        InputError: another type, an empty string, a URL, or markup.
    """
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"source must be str, a path or bytes, got {type(source).__name__}.")
    path = os.fsdecode(source)
    if not path:
        raise InputError("source is an empty string: pass a path, a URL or bytes.")
    if not isinstance(source, str):
        return path
    if _MARKUP.match(path):
        raise InputError(f"A str is read as a path or a URL, got {shorten(path)!r}: pass markup as bytes.")
    scheme = _SCHEME.match(path)
    if scheme:
        is_file = path.lower().startswith("file:")
        remedy = "pass the path of the file instead" if is_file else "fetch it and pass its bytes"
        raise InputError(f"{shorten(path, 200)!r} is refused: only http and https URLs are read; {remedy}.")
    return path


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
        raise ReadError(f"{path} is a directory: pass a file, or all of it to read_all.", path)
    if not stat.S_ISREG(mode):
        raise ReadError(f"{path} is a pipe, socket or device: pass a regular file.", path)
    if len(data) > max_bytes:
        raise ReadError(f"{path} exceeds {max_bytes:,} bytes: raise max_file_bytes to accept it.", path)
    return data


def expand(sources: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str] | SourceFailure]:
    """`sources`, with each directory replaced by its files.

    These are the files below it that have a readable suffix, in order of their names. Hidden files and
    directories, and locks of Office, are passed over. Symbolic links are followed, but no directory is entered
    twice. A directory that cannot be listed, or holds no such file, gives a failure; so does an entry that cannot
    be looked at.
    """
    expanded: list[str | os.PathLike[str] | SourceFailure] = []
    for source in sources:
        is_url = isinstance(source, str) and "://" in source
        expanded += [source] if is_url or not _is_directory(source) else _find_files(os.fsdecode(source))
    return expanded


def _is_directory(source: str | os.PathLike[str]) -> bool:
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):  # whatever it is; reading it will tell
        return False


def _find_files(directory: str) -> list[str | SourceFailure]:
    suffixes = " ".join(SUFFIXES)
    nothing = _failure(directory, f"{directory} holds no file with a readable suffix ({suffixes}).")
    return list(_walk(Path(directory))) or [nothing]


def _walk(top: Path) -> Iterator[str | SourceFailure]:
    entered: set[tuple[int, int]] = set()
    waiting = [top]  # the next one last; no recursion, as directories nest deeper than calls may
    while waiting:
        path = waiting.pop()
        try:
            if not path.is_dir():
                yield from [str(path)] if path.suffix.lower() in SUFFIXES else []
                continue
            info, entries = path.stat(), sorted(path.iterdir(), reverse=True)
        except OSError as error:
            yield _failure(str(path), _explain(str(path), error))
            continue
        if (info.st_dev, info.st_ino) not in entered:
            entered.add((info.st_dev, info.st_ino))
            waiting += [entry for entry in entries if not entry.name.startswith(_PASSED_OVER)]


def _failure(directory: str, message: str) -> SourceFailure:
    return SourceFailure(directory, ReadError(message, directory))


def _explain(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        if Path(path).is_symlink():
            return f"{path} is a symbolic link to something that does not exist."
        page = f"; for the web page write https://{path}" if _WEB_PAGE.fullmatch(path) else ""
        return f"{path} does not exist; relative paths begin at {Path.cwd()}{page}."
    if isinstance(error, PermissionError):
        return f"{path} may not be read: change its permissions, or run as a user who may."
    return f"{path} cannot be read: {error}."
