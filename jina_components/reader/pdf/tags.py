"""The structure tree of a tagged PDF: which of its marked content is a heading, and which a cell of a table.

ISO 32000-1, 14.7 and 14.8. Word processors and browsers write such trees.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jina_components.reader.pdf.grids import is_table
from jina_components.reader.pdf.joining import joined
from jina_components.reader.pdf.lines import Cell, Line, Table
from jina_components.reader.pdf.words import Word

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_MAX_ELEMENTS, _MAX_DEPTH = 20_000, 60
_HEADING = re.compile(r"H([1-6])?")
_CELLS = ("TD", "TH")


@dataclass(frozen=True, slots=True)
class _Field:
    """A cell of the `table`-th table of the page."""

    table: int
    row: int
    column: int
    columns: int
    rows: int


@dataclass(slots=True)
class Tags:
    """What a page's tree says of its marked content, by number: level of a heading, or the cell it stands in."""

    levels: dict[int, int] = field(default_factory=dict)
    fields: dict[int, _Field] = field(default_factory=dict)


def page_tags(page: PdfPage) -> Tags:
    """The tags of a page; empty where it has none."""
    from pypdfium2 import raw

    tree = raw.FPDF_StructTree_GetForPage(page)
    if not tree:
        return Tags()
    walk = _Walk()
    try:
        for index in range(max(raw.FPDF_StructTree_CountChildren(tree), 0)):
            walk.visit(raw.FPDF_StructTree_GetChildAtIndex(tree, index), _Place())
    finally:
        raw.FPDF_StructTree_Close(tree)
    return walk.tags


@dataclass(slots=True)
class _Place:
    """Where in the tree an element is: in which heading, table and cell."""

    depth: int = 0
    level: int = 0
    table: int = -1
    cell: _Field | None = None


class _Walk:
    def __init__(self) -> None:
        self.tags = Tags()
        self._seen = 0
        self._rows: list[int] = []  # of each table so far
        self._columns: list[int] = []  # in the row that is open, of each table
        self._buffer = ctypes.create_string_buffer(64)

    def visit(self, element: Any, place: _Place) -> None:  # noqa: ANN401 (ctypes)
        from pypdfium2 import raw

        self._seen += 1
        if not element or self._seen > _MAX_ELEMENTS or place.depth > _MAX_DEPTH:
            return
        place = self._entered(element, place)
        for index in range(max(raw.FPDF_StructElement_CountChildren(element), 0)):
            content = raw.FPDF_StructElement_GetChildMarkedContentID(element, index)
            if content >= 0:
                self._note(content, place)
            else:
                self.visit(raw.FPDF_StructElement_GetChildAtIndex(element, index), place)

    def _note(self, content: int, place: _Place) -> None:
        if place.level:
            self.tags.levels[content] = place.level
        if place.cell:
            self.tags.fields[content] = place.cell

    def _entered(self, element: Any, place: _Place) -> _Place:  # noqa: ANN401
        from pypdfium2 import raw

        length = raw.FPDF_StructElement_GetType(element, self._buffer, len(self._buffer))
        kind = self._buffer.raw[: min(length, 64)].decode("utf-16-le", "replace").rstrip("\0")
        inner = _Place(place.depth + 1, place.level, place.table, place.cell)
        if heading := _HEADING.fullmatch(kind):
            inner.level = int(heading[1] or 1)
        elif place.cell:
            return inner  # a table within a cell is its text
        elif kind == "Table":
            self._rows.append(-1)
            self._columns.append(0)
            inner.table = len(self._rows) - 1
        elif kind == "TR" and place.table >= 0:
            self._rows[place.table] += 1
            self._columns[place.table] = 0
        elif kind in _CELLS and place.table >= 0:
            columns, rows = (_span(element, name) for name in (b"ColSpan", b"RowSpan"))
            inner.cell = _Field(place.table, self._rows[place.table], self._columns[place.table], columns, rows)
            self._columns[place.table] += 1
        return inner


def _span(element: Any, name: bytes) -> int:  # noqa: ANN401
    from pypdfium2 import raw

    number = ctypes.c_float()
    for index in range(min(max(raw.FPDF_StructElement_GetAttributeCount(element), 0), 8)):
        attribute = raw.FPDF_StructElement_GetAttributeAtIndex(element, index)
        value = raw.FPDF_StructElement_Attr_GetValue(attribute, name) if attribute else None
        if value and raw.FPDF_StructElement_Attr_GetNumberValue(value, number):
            return min(max(int(number.value), 1), 1_000)
    return 1


def tagged_tables(lines: Sequence[Line], tags: Tags) -> list[Table]:
    """The tables that the tree describes, where each of their lines is of one table alone."""
    words: dict[int, dict[_Field, list[Word]]] = {}
    owned: dict[int, list[Line]] = {}
    for line in lines:
        cells = [tags.fields.get(word.content) for word in line.words]
        if not all(cells) or len({cell.table for cell in cells if cell}) != 1:
            continue
        for word, cell in zip(line.words, cells, strict=True):
            if cell:
                words.setdefault(cell.table, {}).setdefault(cell, []).append(word)
        owned.setdefault(next(cell.table for cell in cells if cell), []).append(line)
    known: dict[int, set[_Field]] = {number: set() for number in words}
    for cell in tags.fields.values():
        if cell.table in known:
            known[cell.table].add(cell)
    return [table for number in words if (table := _table(known[number], words[number], owned[number]))]


def _table(known: Iterable[_Field], words: dict[_Field, list[Word]], lines: list[Line]) -> Table | None:
    in_order = sorted(known, key=lambda cell: (cell.row, cell.column))
    rows = [_row(fields, words) for _, fields in groupby(in_order, key=lambda cell: cell.row)]
    if not is_table(rows):
        return None
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    return Table(rows, left, right, min(line.bottom for line in lines), max(line.top for line in lines), lines)


def _row(fields: Iterable[_Field], words: dict[_Field, list[Word]]) -> list[Cell]:
    cells: list[Cell] = []
    column = 0
    for place in fields:  # an empty cell has no content, and so is missing
        cells += [Cell("")] * (place.column - column)
        cells.append(Cell(joined(words.get(place, ())), place.columns, place.rows))
        column = place.column + 1
    return cells
