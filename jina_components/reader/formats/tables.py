"""Cells in rows and columns, to an HTML table."""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jina_components.reader.formats.rendering import element

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_TABLE_CELLS = 100_000
"""Cells that one table shows, empty ones of rows in use included; more take the form of CSV."""

MAX_CELLS = 1_000_000
"""Cells of a document that are read, likewise."""


@dataclass(slots=True)
class Cell:
    """What a cell shows, and the URL that it links to, if any."""

    text: str
    href: str = ""

    def element(self, tag: str = "span") -> HtmlElement:
        """An element that holds it."""
        if self.href:
            return element(tag, element("a", text=self.text, attributes={"href": self.href}))
        first, *more = self.text.split("\n")
        made = element(tag, text=first)
        for line in more:
            made.append(element("br"))
            made[-1].tail = line
        return made


@dataclass(slots=True)
class Grid:
    """Cells that are not empty.

    Attributes:
        rows: The number of each row in use and its cells by number of column, in order.
        columns: The columns in use.
    """

    rows: list[tuple[int, dict[int, Cell]]] = field(default_factory=list)
    columns: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Cells of the table it makes."""
        return len(self.rows) * len(self.columns)

    def add(self, number: int, cells: dict[int, Cell], most: int) -> bool:
        """Add a row, unless the table would then have more than `most` cells."""
        columns = self.columns.union(cells)
        if (len(self.rows) + 1) * len(columns) > most:
            return False
        self.rows.append((number, cells))
        self.columns = columns
        return True

    def spread(self, top: int, left: int, bottom: int, right: int) -> int:
        """Write the first cell of a range into the others of it that are in use; the cells looked at."""
        begin = bisect_left(self.rows, top, key=lambda row: row[0])
        cell = self.rows[begin][1].get(left) if begin < len(self.rows) and self.rows[begin][0] == top else None
        if cell is None:
            return 1
        columns = [column for column in self.columns if left <= column <= right]
        end = bisect_left(self.rows, bottom + 1, key=lambda row: row[0])
        for _, cells in self.rows[begin:end]:
            for column in columns:
                cells.setdefault(column, cell)
        return len(self.columns) + (end - begin) * len(columns)


def table_of(grid: Grid, *, from_row: int = 0) -> HtmlElement:
    """A table of the columns in use, whose first row is the header; or a code block of CSV, if it is too large."""
    columns, empty = sorted(grid.columns), Cell("")
    if grid.size > MAX_TABLE_CELLS:
        file = io.StringIO()
        rows = ([cells.get(column, empty).text for column in columns] for _, cells in grid.rows[from_row:])
        csv.writer(file, lineterminator="\n").writerows(rows)
        return element("pre", element("code", text=file.getvalue(), attributes={"class": "language-csv"}))
    made = element("table")
    for number, (_, cells) in enumerate(grid.rows[from_row:]):
        tag = "td" if number else "th"
        made.append(element("tr", *(cells.get(column, empty).element(tag) for column in columns)))
    return made
