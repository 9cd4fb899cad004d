"""Rows of a JSON Lines, CSV or Parquet file, one after the other: an id and a text, or what is wrong with the row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from jina_components.core.names import resolve_name
from jina_components.errors import InputError, JinaComponentsError, ReadError
from jina_components.scale.parquet import check_columns, read_table

Raw = tuple[int, Any]
"""A row as it stands in the file, and the number of the line it begins in (of a Parquet file the row), from 1."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row the text and the id are.

    Attributes:
        text: Name of the text's column.
        id: Name of the id's; None takes the row's number.
    """

    text: str
    id: str | None = None

    @property
    def names(self) -> list[str]:
        """Both, or the text's alone."""
        return [self.text] if self.id is None else [self.text, self.id]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was understood.

    Attributes:
        number: Line it begins in, from 1; of a Parquet file the row.
        id: Its id.
        text: Its text.
    """

    number: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be embedded, and why."""

    number: int
    reason: str


def identify(path: Path) -> dict[str, Any]:
    """What tells a file from another: its size and a digest of all of it.

    Raises:
        ReadError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()
        return {"bytes": path.stat().st_size, "digest": digest[:32]}
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.", str(path)) from error


def raw_rows(path: Path, columns: Columns) -> Iterator[Raw]:
    """The rows of a file, in order, none of them looked at; memory holds a few.

    Args:
        path: `.jsonl` or `.ndjson` (blank lines are passed over), `.csv` or `.tsv` (the first line names the columns),
            each also with `.gz` after it; `.parquet`.
        columns: What is wanted of a Parquet file.

    Raises:
        UnknownNameError: another suffix.
        ReadError: the file cannot be read, or is damaged.
        ConfigError: it has no such columns.
        MissingDependencyError: pyarrow is not installed.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"] or [""]
    rows = resolve_name(_FORMATS, suffixes[-1], what="kind of file")
    if path.is_dir():
        raise ReadError(f"{path} is a directory: pass a file.", str(path))
    number = 0
    try:
        for number, raw in rows(path, columns):
            yield number, raw
    except JinaComponentsError:  # some are OSErrors
        raise
    except csv.Error as error:
        raise ReadError(
            f"{path} cannot be read past row {number}: {error}. Look for a quote that is not closed; a text of that "
            "length needs JSON Lines or Parquet.",
            str(path),
        ) from error
    except FileNotFoundError as error:
        raise ReadError(f"There is no file {path}.", str(path)) from error
    except (OSError, EOFError, zlib.error) as error:
        place = f" past row {number}" if number else ""
        raise ReadError(
            f"{path} cannot be read{place}: {getattr(error, 'strerror', None) or error}.", str(path)
        ) from error


def json_lines(lines: Iterable[bytes]) -> Iterator[Raw]:
    """The rows of JSON Lines, as `raw_rows`; blank ones are passed over."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def parse(raw: Raw, columns: Columns) -> Row | BadRow:
    """What a row says."""
    number, content = raw
    try:
        return _row(number, json.loads(content) if isinstance(content, bytes) else content, columns)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, InputError) else f"It is no JSON: {error}."
        return BadRow(number, reason)


def _row(number: int, values: object, columns: Columns) -> Row:
    if not isinstance(values, Mapping):
        raise InputError(f"It is no JSON object but {type(values).__name__}.")
    for name in columns.names:
        if values.get(name) is None:
            raise InputError(f"It has no {name!r}.")
    text = values[columns.text]
    identity: object = number if columns.id is None else values[columns.id]
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"Its {columns.text!r} is {'blank' if isinstance(text, str) else type(text).__name__}.")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        raise InputError(f"Its {columns.id!r} is {type(identity).__name__}, no string or integer.")
    if not _is_unicode(text) or not _is_unicode(str(identity)):
        raise InputError("It is not UTF-8.")
    return Row(number, str(identity), text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_lines(path: Path, columns: Columns) -> Iterator[Raw]:  # noqa: ARG001 (the table's signature)
    with _open(path) as file:
        yield from json_lines(file)


def _separated(delimiter: str) -> Callable[[Path, Columns], Iterator[Raw]]:
    def rows(path: Path, columns: Columns) -> Iterator[Raw]:
        # Bytes that are no UTF-8 become surrogates, by which the row is found out.
        with _open(path) as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            names = next(reader, [])
            if not names:
                raise ReadError(f"{path} is empty, or its first line is: that must name the columns.", str(path))
            check_columns(path, names, columns.names)
            number = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield number, dict(zip(names, cells, strict=False))
                number = reader.line_num + 1

    return rows


def _parquet(path: Path, columns: Columns) -> Iterator[Raw]:
    return enumerate(read_table(path, columns.names), 1)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


_FORMATS: dict[str, Callable[[Path, Columns], Iterator[Raw]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}
