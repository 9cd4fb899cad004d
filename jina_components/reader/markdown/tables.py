"""Tables: which are data that pipes can draw, which need HTML, and which only arrange the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jina_components.reader.markdown.blocks import Frame

if TYPE_CHECKING:
    from lxml.html import HtmlElement

PIPES, HTML, LAYOUT = "pipes", "html", "layout"
"""What a table becomes: rows of pipes, HTML, or just the blocks in its cells."""

_BLOCKS = frozenset((
        "blockquote", "dd", "dir", "dl", "dt", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
        "listing", "menu", "ol", "pre", "table", "ul", "xmp",
    ))  # fmt: skip
_SECTIONS = frozenset(("article", "h1", "h2", "h3", "h4", "section", "table"))
_LONG_CELL = 400  # characters a cell holds on average where cells hold parts of a page
_FEWEST_ENTRIES, _LONG_ENTRY = 4, 120  # a single column with no header is data from as many rows, if so short
_MOST_FILLED = 100  # empty cells at the end of a row
_ALIGN = re.compile(r"text-align\s*:\s*(left|center|right)", re.IGNORECASE)
_DELIMITERS = {"left": ":---", "center": ":---:", "right": "---:", "": "---"}


@dataclass(slots=True)
class TableFrame(Frame):
    """A table of pipes that is being filled.

    Attributes:
        rows: Cells of each row.
        alignments: Of the columns, as far as the first row tells.
    """

    rows: list[list[str]] = field(default_factory=list)
    alignments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Facts:
    """What is in a table, tables within it apart."""

    role: str
    rows: int = 0
    cells: int = 0
    width: int = 0
    row_cells: int = 0
    characters: int = 0
    is_labelled: bool = False  # by a header or caption
    has_spans: bool = False
    has_blocks: bool = False
    has_sections: bool = False

    def note(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag == "tr":
            self.rows += 1
            self.row_cells = 0
        elif tag in ("td", "th"):
            self.cells += 1
            self.row_cells += 1
            self.width = max(self.width, self.row_cells)
            self.is_labelled = self.is_labelled or tag == "th"
            self.has_spans = self.has_spans or spans(element, "colspan") > 1 or spans(element, "rowspan") > 1
        elif tag in ("caption", "thead"):
            self.is_labelled = True
        elif tag in _BLOCKS:
            self.has_blocks = True
            self.has_sections = self.has_sections or tag in _SECTIONS

    def _is_column_of_entries(self) -> bool:
        return self.rows >= _FEWEST_ENTRIES and not self.has_blocks and self.characters < _LONG_ENTRY * self.cells

    def kind(self, *, pipes: bool) -> str:
        if self.role in ("presentation", "none") or not self.cells:
            return LAYOUT
        if not self.is_labelled and (
            (self.width < 2 and not self._is_column_of_entries())
            or self.has_sections
            or (self.has_blocks and self.rows < 2)
            or self.characters > _LONG_CELL * self.cells
        ):
            return LAYOUT
        if self.width < 2 and self.has_blocks:
            return LAYOUT
        return HTML if self.has_spans or self.has_blocks or not pipes else PIPES


def survey(root: HtmlElement, *, pipes: bool) -> Mapping[HtmlElement, str]:
    """What each table in `root` is, in one pass.

    Args:
        root: Where to look.
        pipes: Whether tables of pipes are wanted.
    """
    from lxml.etree import iterwalk

    kinds: dict[HtmlElement, str] = {}
    for outermost in root.iter("table"):
        if outermost in kinds:
            continue
        opened: list[_Facts] = []
        for event, element in iterwalk(outermost, events=("start", "end")):
            if event == "end":
                if element.tag == "table":
                    kinds[element] = opened.pop().kind(pipes=pipes)
                elif opened:
                    opened[-1].characters += len((element.tail or "").strip())
                continue
            if opened:
                opened[-1].note(element)
            if element.tag == "table":
                opened.append(_Facts((element.get("role") or "").lower()))
            opened[-1].characters += len((element.text or "").strip())
    return kinds


def spans(element: HtmlElement, name: str) -> int:
    """Rows or columns a cell takes, within what HTML allows."""
    text = (element.get(name) or "").strip()
    return max(1, min(int(text), 1000)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def aligned(element: HtmlElement) -> str:
    """How the words of a cell are aligned, or empty."""
    align = (element.get("align") or "").lower()
    if align not in _DELIMITERS:
        align = ""
    found = None if align else _ALIGN.search(element.get("style") or "")
    return found[1].lower() if found else align


def pipe_table(frame: TableFrame) -> str:
    """The table that `frame` holds, its first row as header; empty if no cell has words."""
    rows = [row for row in frame.rows if any(row)]
    if not rows:
        return ""
    width = max(map(len, rows))
    alignments = (frame.alignments + [""] * width)[:width]
    rows[0] += [""] * (width - len(rows[0]))
    # A row may have fewer cells than the header: thousands of short ones under a long one are not filled up.
    lines = [f"| {' | '.join(row)}{' | ' * min(width - len(row), _MOST_FILLED)} |" for row in rows]
    delimiters = f"| {' | '.join(_DELIMITERS[align] for align in alignments)} |"
    return "\n".join([lines[0], delimiters, *lines[1:]])
