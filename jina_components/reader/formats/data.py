"""Data to `Page`: JSON as it is, in a fenced block; CSV and TSV as a table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.charset import decode
from jina_components.reader.formats.rendering import render
from jina_components.reader.formats.tables import MAX_TABLE_CELLS, Cell, Grid, table_of
from jina_components.reader.parsing import declared_charset
from jina_components.reader.sources import Source
from jina_components.types import Page

MAX_PARSED = 10_000_000
"""Characters of JSON that is looked into, which takes fifty times its memory."""

_TITLES = ("title", "name", "headline", "id")
_DESCRIPTIONS = ("description", "summary")
_LONGEST_LINE = 500
_DEEPEST = 100  # levels of indentation
# A string, a sign, or anything else: a number, a word.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]++|"', re.DOTALL)
_FENCE = re.compile(r"`{3,}")
_DELIMITERS = ",;\t|"
_SNIFFED = 65_536


def fenced(source: Source, kind: str, *, text: str = "") -> Page:
    """A page of a code block: the text of `source`, or the one given."""
    decoded = decode(source.data, declared=(source.charset, declared_charset(source.data)))
    text = (text or decoded.text).strip("\n")
    fence = max(["``", *_FENCE.findall(text)], key=len) + "`"
    return Page(
        url=source.name,
        title=source.file_name,
        content=f"{fence}{kind}\n{text}\n{fence}",
        metadata={"encoding": decoded.encoding},
        warnings=decoded.warnings,
    )


def read_json(source: Source, options: ReadOptions) -> Page:
    """JSON, or lines of it, in a fenced block; what is on one long line is indented. No value is written anew.

    Title and description are those that the outermost object has; of more than `MAX_PARSED` characters, there are
    none, and nothing is indented. With `format="text"` there is no fence.

    Raises:
        ExtractionError: nothing printable in it.
    """
    text = decode(source.data, declared=(source.charset,)).text.strip()
    if not text:
        raise ExtractionError(f"{source.label} holds no text but blanks.", source.name)
    held = _parsed(text)
    if held is not None and max(map(len, text.split("\n"))) > _LONGEST_LINE:
        text = _indented(text)
    page = fenced(source, "json", text=text)
    return replace(
        page,
        title=_said(held, _TITLES) or page.title,
        description=_said(held, _DESCRIPTIONS),
        content=text if options.format == "text" else page.content,
    )


def read_csv(source: Source, options: ReadOptions) -> Page:
    """Rows of values as a table, whose header is the first.

    The delimiter is the one (comma, semicolon, tab, bar) that divides most rows alike. A table of more than
    `MAX_TABLE_CELLS` cells stays as it is, in a fenced block, which a warning tells.

    Raises:
        ExtractionError: nothing printable in it.
    """
    decoded = decode(source.data, declared=(source.charset,))
    if not decoded.text.strip():
        raise ExtractionError(f"{source.label} holds no text but blanks.", source.name)
    grid = Grid()
    try:
        for number, row in enumerate(_rows(decoded.text)):
            if not grid.add(number, row, MAX_TABLE_CELLS):
                return _as_it_is(source, f"More than {MAX_TABLE_CELLS:,} cells: they are not shown as a table.")
    except csv.Error as error:
        return _as_it_is(source, f"The rows cannot be told apart ({error}): they are not shown as a table.")
    page = render(source, [table_of(grid)], options)
    return replace(
        page,
        title=source.file_name,
        metadata={"encoding": decoded.encoding, "rows": len(grid.rows), "columns": len(grid.columns)},
        warnings=decoded.warnings,
    )


def _as_it_is(source: Source, warning: str) -> Page:
    page = fenced(source, "csv")
    return replace(page, warnings=(*page.warnings, warning))


def _rows(text: str) -> Iterator[dict[int, Cell]]:
    first, _, rest = text.partition("\n")
    named = re.fullmatch(r'sep=([^"\s]|\t)\s*', first)  # what spreadsheet programs write
    delimiter = named[1] if named else _delimiter(text[:_SNIFFED])
    lines = io.StringIO(rest if named else text, newline="\n")
    for row in csv.reader(lines, delimiter=delimiter):
        # Of a row that makes the table too large, enough to tell.
        shown = enumerate(row[: MAX_TABLE_CELLS + 1])
        cells = {column: Cell(value.strip()) for column, value in shown if value.strip()}
        if cells:
            yield cells


def _delimiter(sample: str) -> str:
    """The one that occurs in most lines, as often as in the others."""

    def agreement(delimiter: str) -> tuple[int, int]:
        rows = csv.reader(sample.split("\n")[:100], delimiter=delimiter)
        try:
            counts = Counter(len(row) for row in rows if row)
        except csv.Error:
            return 0, 0
        width, rows_alike = max(counts.items(), key=lambda each: (each[0] > 1) * each[1], default=(1, 0))
        return (rows_alike, width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=agreement)


def _parsed(text: str) -> Any:  # noqa: ANN401 (any JSON)
    """What `text` says; None if it is long, broken or lines of JSON, and to stay as it is."""
    if len(text) > MAX_PARSED:
        return None
    try:
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None


def _said(held: Any, names: tuple[str, ...]) -> str:  # noqa: ANN401 (any JSON)
    if not isinstance(held, Mapping):
        return ""
    said = next((text for name in names if isinstance(text := held.get(name), str) and text.strip()), "")
    # Escapes can spell halves of surrogate pairs, which are no text.
    return " ".join(said.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split())


def _indented(text: str) -> str:
    """Each value of `text` on a line of its own; its words are those of `text`."""
    pieces: list[str] = []
    depth, last = 0, ""
    for found in _TOKEN.finditer(text):
        sign = found[0]
        depth -= sign in "]}"
        if sign in "]}":
            pieces.append("" if last in "[{" else _line(depth))
        elif last and last in "[{,":
            pieces.append(_line(depth))
        pieces.append(": " if sign == ":" else sign)
        depth += sign in "[{"
        last = sign if sign in "[]{},:" else "x"
    return "".join(pieces)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)
