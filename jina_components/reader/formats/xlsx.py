"""Workbooks to `Page`: a page for each sheet, its cells as a table (SpreadsheetML, ECMA-376 part 1, 18)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.formats.number_formats import Formatter, formatter, plain
from jina_components.reader.formats.ooxml import Package, find, find_all, name, value
from jina_components.reader.formats.rendering import element, render
from jina_components.reader.formats.tables import MAX_CELLS, Cell, Grid, table_of
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_SHEETS = 5000

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_ON = ("1", "true", "on")


def read_xlsx(source: Source, options: ReadOptions) -> Page:
    """The sheets that `source` holds, in order, with the values that formulas had when it was saved.

    Each is a heading and a table of the cells in use; lines of a single cell above a table are paragraphs, and the
    value of merged cells stands in each. Warnings tell of hidden sheets, which are passed over, of formulas without a
    value, and of sheets cut at `MAX_CELLS` cells of the workbook.

    Raises:
        ExtractionError: it is broken, encrypted, too large, or all its cells are empty.
    """
    workbook = _Workbook(Package(source, options))
    sheets, pages = [], []
    left = MAX_CELLS
    for title, part in workbook.sheets:
        grid = workbook.grid(title, part, left)
        left -= grid.size
        sheets.append(title)
        pages.append(element("section", element("h2", text=title), *_blocks(grid)))
    if not any(len(page) > 1 for page in pages):
        raise ExtractionError(f"{source.label} is a workbook whose visible cells are all empty.", source.name)
    page = render(source, pages, options)
    page = workbook.package.page(replace(page, title=source.file_name or page.title))
    return replace(
        page,
        page_offsets=page.page_offsets or (0,),
        metadata={**page.metadata, "num_pages": len(sheets), "sheets": sheets},
        warnings=tuple(workbook.warnings()),
    )


def _blocks(grid: Grid) -> Iterator[HtmlElement]:
    """Lines of a single cell at the top as paragraphs; the rest as one table."""
    lines = 0
    while len(grid.columns) > 1 and lines < len(grid.rows) and len(grid.rows[lines][1]) == 1:
        (cell,) = grid.rows[lines][1].values()
        yield element("p", cell.element())
        lines += 1
    if lines < len(grid.rows):
        yield table_of(grid, from_row=lines)


@dataclass(slots=True)
class _Sheet:
    """What is found in a sheet besides its cells, by references such as `A1:B2`."""

    merged: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)


class _Workbook:
    def __init__(self, package: Package) -> None:
        self.package = package
        root = package.xml(package.main)
        from_1904 = value(find(root, "s:workbookPr"), "date1904") in _ON
        self._formats = self._load_formats(from_1904=from_1904)
        self._strings = self._load_strings()
        relations = package.relations(package.main)
        sheets = find_all(root, "s:sheets/s:sheet")
        if len(sheets) > MAX_SHEETS:
            raise ExtractionError(f"{package.source.label} has more than {MAX_SHEETS:,} sheets.", package.source.name)
        self.sheets: list[tuple[str, str]] = []
        self._hidden: list[str] = []
        self._without_value = 0
        self._cut: list[str] = []
        for sheet in sheets:
            relation = relations.get(value(sheet, "r:id"))
            if sheet.get("state", "visible") != "visible":
                self._hidden.append(sheet.get("name", ""))
            elif relation and relation.kind == "worksheet":
                self.sheets.append((sheet.get("name", ""), relation.target))

    def warnings(self) -> Iterator[str]:
        """What a reader of the sheets should know."""
        if self._hidden:
            yield f"Not read, because they are hidden: {len(self._hidden)} sheets ({', '.join(self._hidden[:10])})."
        if self._without_value:
            yield f"Formulas without a stored value: {self._without_value:,}. Save the file in a spreadsheet program."
        if self._cut:
            names = ", ".join(self._cut[:10])
            yield f"More than {MAX_CELLS:,} cells are not read: {len(self._cut)} sheets were cut ({names})."

    def grid(self, title: str, part: str, most: int) -> Grid:
        """The cells of a sheet that are not empty, up to `most`."""
        grid, about = Grid(), _Sheet()
        for row in self._walk(part, about):
            cells = dict(self._cells(row))
            if cells and not grid.add(_number(row.get("r", ""), len(grid.rows) + 1), cells, most):
                self._cut.append(title)
                break
        self._link(part, grid, about)
        work = MAX_CELLS  # ranges that overlap, as those of no true file do, could take for ever
        for corners in filter(None, map(_corners, about.merged)):
            work -= grid.spread(*corners) if work > 0 else 0
        return grid

    def _walk(self, part: str, about: _Sheet) -> Iterator[_Element]:
        """The rows of a sheet; what follows them goes to `about`."""
        wanted = tuple(map(name, ("s:row", "s:mergeCell", "s:hyperlink")))
        for each in self.package.elements(part, wanted):
            if each.tag == wanted[0]:
                yield each
            elif each.tag == wanted[1]:
                about.merged.append(each.get("ref", ""))
            else:
                about.links[each.get("ref", "")] = value(each, "r:id")

    def _cells(self, row: _Element) -> Iterator[tuple[int, Cell]]:
        column = 0
        for cell in find_all(row, "s:c"):
            found = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(found[1]) if found else column + 1
            text = self._text(cell).strip()
            if text:
                yield column, Cell(text)

    def _text(self, cell: _Element) -> str:
        kind, stored = cell.get("t", "n"), find(cell, "s:v")
        if kind == "inlineStr":
            return _string(find(cell, "s:is"))
        text = "" if stored is None else stored.text or ""
        if not text:
            self._without_value += find(cell, "s:f") is not None and kind != "str"
            return ""
        return _KINDS.get(kind, _as_it_is)(text) if kind not in ("s", "n") else self._looked_up(kind, text, cell)

    def _looked_up(self, kind: str, text: str, cell: _Element) -> str:
        if kind == "s":
            index = _number(text, len(self._strings))
            return self._strings[index] if index < len(self._strings) else ""
        style = _number(cell.get("s", ""), 0)
        form = self._formats[style] if style < len(self._formats) else plain
        try:
            return form(float(text))
        except (ValueError, OverflowError):
            return text

    def _link(self, part: str, grid: Grid, about: _Sheet) -> None:
        relations = self.package.relations(part)
        if not about.links:
            return
        cells = {(row, column): cell for row, cells in grid.rows for column, cell in cells.items()}
        for reference, relation_id in about.links.items():
            relation, corners = relations.get(relation_id), _corners(reference)
            cell = cells.get(corners[:2]) if corners else None
            if relation and relation.external and cell:
                cell.href = relation.target

    def _load_strings(self) -> list[str]:
        part = self.package.first(self.package.main, "sharedStrings")
        return [_string(each) for each in self.package.elements(part, (name("s:si"),))] if part else []

    def _load_formats(self, *, from_1904: bool) -> list[Formatter]:
        part = self.package.first(self.package.main, "styles")
        if not part:
            return []
        root = self.package.xml(part)
        codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in find_all(root, "s:numFmts/s:numFmt")}
        ids = [each.get("numFmtId", "0") for each in find_all(root, "s:cellXfs/s:xf")]
        made = {each: formatter(_number(each, 0), codes.get(each, ""), from_1904=from_1904) for each in set(ids)}
        return [made[each] for each in ids]


def _as_it_is(text: str) -> str:
    return text


# By the type of a cell: booleans, errors, ISO dates, texts of formulas.
_KINDS: dict[str, Callable[[str], str]] = {"b": lambda text: "TRUE" if text in _ON else "FALSE"}


def _string(item: _Element | None) -> str:
    """The text of a shared or inline string, without the reading aids of its characters."""
    if item is None:
        return ""
    texts = (*find_all(item, "s:t"), *find_all(item, "s:r/s:t"))
    return "".join(each.text or "" for each in texts)


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else otherwise


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _corners(reference: str) -> tuple[int, int, int, int] | None:
    """First row and column, last row and column of `A1:B2`, or of `A1`."""
    first, _, last = reference.partition(":")
    found = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
    if found[0] is None or found[1] is None:
        return None
    return int(found[0][2]), _column(found[0][1]), int(found[1][2]), _column(found[1][1])
