"""Files that are there whole or not at all, and journals whose lines are on the disk once written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from jina_components.core.durable import UNFINISHED, write_file
from jina_components.errors import ConfigError, IndexFilesError, JinaComponentsError

LOCK = ".lock"
"""The file by which `locked` holds a folder."""


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Put a file in place, on the disk and whole, replacing one that was there.

    Args:
        path: Where to.
        write: Writes the content into the file that it is given.

    Raises:
        IndexFilesError: it cannot be written.
    """
    with _written(path):
        write_file(path, write)


def remove_unfinished(folder: Path, names: re.Pattern[str]) -> None:
    """Remove what kills left of files that were being written.

    Args:
        folder: Where they are.
        names: What these files are called when whole; nothing else is touched.

    Raises:
        IndexFilesError: one cannot be removed.
    """
    with _written(folder):
        for path in folder.iterdir():
            if is_unfinished_of(path.name, names) and path.is_file():
                path.unlink(missing_ok=True)


def is_unfinished_of(name: str, names: re.Pattern[str]) -> bool:
    """Whether this is what a kill left of a file with one of these names."""
    return re.fullmatch(rf"(?:{names.pattern}){UNFINISHED}", name) is not None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and hold it alone.

    Raises:
        IndexFilesError: another process holds it, or it cannot be made.
    """
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / LOCK).acquire(timeout=0)
        except Timeout as error:
            raise IndexFilesError(f"{folder}: another process is at work on it; wait for its end.") from error
    with lock:
        yield


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except JinaComponentsError:  # some are OSErrors
        raise
    except OSError as error:
        raise IndexFilesError(f"{path} cannot be written: {error.strerror or error}. What is done is whole.") from error


class Journal:
    """Lines of JSON, each on the disk when `append` returns; the first is a header that says what they belong to.

    A line that a kill cut short is dropped when the file is opened.

    Args:
        path: The file; made with `header` when it is not there, or has no entries yet.
        header: JSON values by name; its `kind` says whose the file is.

    Attributes:
        header: That of the file.
        entries: What it held when it was opened.

    Raises:
        IndexFilesError: it is of another kind, is not as it was written, or cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        if not path.exists():
            _write_lines(path, header)
        self._read()
        if self.header.get("kind") != header["kind"]:
            raise IndexFilesError(f"{path} is no journal of {header['kind']}: choose a new directory.")
        if not self.entries:  # what was begun with may have been a mistake
            _write_lines(path, header)
            self._read()
        self._open()

    def _open(self) -> None:
        with _written(self.path):
            self._file = self.path.open("r+b")
            self._file.truncate(self._end)
            self._file.seek(self._end)

    def _read(self) -> None:
        with _written(self.path):
            data = self.path.read_bytes()
        self._end = data.rfind(b"\n") + 1
        try:
            lines = [json.loads(line) for line in data[: self._end].splitlines()]
            self.header: dict[str, Any] = dict(lines[0])
            self.entries: list[dict[str, Any]] = [dict(line) for line in lines[1:]]
        except (ValueError, TypeError, IndexError) as error:
            raise IndexFilesError(f"{self.path} is damaged: {error}. Delete it to begin again.") from error

    def append(self, *entries: Mapping[str, Any]) -> None:
        """Add lines."""
        with _written(self.path):
            self._file.write(b"".join(map(_line, entries)))
            self._file.flush()
            os.fsync(self._file.fileno())

    def clear(self) -> None:
        """Drop its entries."""
        self.finish(())
        self._read()
        self._open()

    def finish(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Close it and replace its entries, in one step."""
        self.close()
        _write_lines(self.path, self.header, *entries)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_same(place: Path, begun: Mapping[str, Any], now: Mapping[str, Any], *, what: str) -> None:
    """Refuse to go on with something else than what was begun.

    Raises:
        ConfigError: a value differs; the message names it.
    """
    old, new = dict(_flat(begun)), dict(_flat(now))
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if changed:
        was = ", ".join(f"{name} {old.get(name)!r} (now {new.get(name)!r})" for name in changed)
        raise ConfigError(
            f"{place} holds {what} that was begun with {was}: go on with the same, or choose another directory."
        )


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """What is within mappings of mappings, by names with dots between them."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _write_lines(path: Path, *entries: Mapping[str, Any]) -> None:
    write_atomically(path, lambda file: file.writelines(map(_line, entries)))


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
