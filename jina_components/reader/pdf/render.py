"""Blocks and tables of a PDF page as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape as escape_html
from itertools import count

from jina_components.reader.pdf.blocks import Block
from jina_components.reader.pdf.lines import Cell, Table

# Marks of ours within a text: characters that are none (Unicode, 23.7), and that no text of a page holds.
_LINK, _NUMBER_END, LINK_END = "\ufdd0", "\ufdd1", "\ufdd2"
_TO_MARKS = {ord("0") + digit: 0xFDD4 + digit for digit in range(10)}
_TO_DIGITS = {mark: digit for digit, mark in _TO_MARKS.items()}
_LINKED = re.compile("\ufdd0([\ufdd4-\ufddd]+)\ufdd1([^\ufdd0\ufdd2]*)\ufdd2")
MARKS = re.compile("[\ufdd0-\ufdef]+")
# What would read as Markdown: marks next to a word, links, tags, and what begins a block.
_INLINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|`|\*(?=\S)|(?<=\S)\*|(?<!\w)_(?=\S)|(?<=\S)_(?!\w)|\[(?=[^\]]{0,200}\]\()|<(?=[A-Za-z/!?])|~(?=~)"
)
_START = re.compile(r"(?:#{1,6}(?=\s|$)|>|[-+*](?=\s)|\d{1,9}[.)](?=\s)|(?:=+|-+)\s*$)")
_ORDERED = re.compile(r"\d{1,9}(?=[.)]\s)")
_BRACKET = re.compile(r"(?<!\\)[\[\]]")
_FENCE = re.compile(r"`{3,}")
_MOST_MISSING = 200  # cells of a table with pipes


def link_start(number: int) -> str:
    """The mark before the text of the link of this number."""
    return _LINK + str(number).translate(_TO_MARKS) + _NUMBER_END


def plain(text: str) -> str:
    """Without the marks, on one line."""
    return " ".join(MARKS.sub("", text).split())


@dataclass(frozen=True, slots=True)
class Style:
    """The part of `MarkdownStyle` that PDFs use; `links` may be `none`, for neither text nor URL.

    `marks` is whether Markdown marks headings, code and the cells of tables at all; else it is plain text.
    """

    heading: str = "atx"
    bullet: str = "-"
    strong: str = "**"
    tables: str = "gfm"
    escape: bool = True
    links: str = "inlined"
    labels: str = "full"
    marks: bool = True


@dataclass(slots=True)
class Writer:
    """Writes blocks in a style; `urls` are those that the marks within texts number."""

    style: Style
    urls: Sequence[str] = ()
    _numbers: dict[str, str] = field(default_factory=dict)
    _defined: dict[str, str] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _cited: dict[str, int] = field(default_factory=dict)  # the place of each URL among the different ones

    def page(self, blocks: Sequence[Block | Table]) -> str:
        """Markdown of a page."""
        pieces: list[str] = []
        before: Block | Table | None = None
        for block in blocks:
            text = self._table(block) if isinstance(block, Table) else self._block(block)
            if not text.strip():
                continue
            tight = isinstance(block, Block) and isinstance(before, Block) and block.kind == before.kind == "item"
            pieces += ["\n" if tight else "\n\n", text]
            before = block
        return "".join(pieces).strip("\n")

    def _block(self, block: Block) -> str:
        if block.kind == "code":
            return self._code(MARKS.sub("", block.text))
        if block.kind == "heading":
            return self._heading(block)
        if block.kind == "item":
            marker = f"{block.number}." if block.number is not None else self.style.bullet
            text = self._lines(block).replace("\n", f"\n{' ' * (len(marker) + 1)}")
            indent = "    " * block.level
            return f"{indent}{marker} {text}".replace("\n", f"\n{indent}") if text else ""
        return self._lines(block)

    def _code(self, text: str) -> str:
        fence = "`" * max([3, *(len(found) + 1 for found in _FENCE.findall(text))])
        return f"{fence}\n{text}\n{fence}" if self.style.marks else text

    def _lines(self, block: Block) -> str:
        return "\n".join(self._safe_start(line) for line in self._inline(block).split("\n"))

    def _heading(self, block: Block) -> str:
        text = self._linked(self._escaped(block.text))
        if not self.style.marks:
            return text
        if self.style.heading == "setext" and block.level < 3:
            return f"{text}\n{'=-'[block.level - 1] * max(3, len(text))}"
        return f"{'#' * block.level} {text}"

    def _inline(self, block: Block) -> str:
        lead = block.lead if self.style.strong and any(map(str.isalpha, block.text[: block.lead])) else 0
        bold, rest = block.text[:lead], block.text[lead:]
        if not bold.strip() or not rest.strip() or MARKS.search(bold):
            return self._linked(self._escaped(block.text))
        space = bold[len(bold.rstrip()) :]
        strong = f"{self.style.strong}{self._escaped(bold.strip())}{self.style.strong}{space}"
        return strong + self._linked(self._escaped(rest))

    def _escaped(self, text: str) -> str:
        if not self.style.escape:
            return text
        alone = {mark for mark in "*_`" if text.count(mark) == 1}  # which cannot enclose anything
        return _INLINE.sub(lambda found: found[0] if found[0] in alone else "\\" + found[0], text)

    def _safe_start(self, text: str) -> str:
        if not self.style.escape or not _START.match(text):
            return text
        number = _ORDERED.match(text)
        return f"{number[0]}\\{text[number.end() :]}" if number else f"\\{text}"

    def _linked(self, text: str) -> str:
        def written(found: re.Match[str]) -> str:
            given = self.urls[int(found[1].translate(_TO_DIGITS))]
            label, url = self._label(found[2]), _url(given)
            if self.style.links == "cited" and label.strip():
                return f"【{self._place(given)}†{label}】"
            if self.style.links == "inlined" and label.strip():
                return f"[{label}]({url})"
            if self.style.links == "referenced" and label.strip():
                return self._reference(label, url)
            return "" if self.style.links == "none" else label

        return MARKS.sub("", _LINKED.sub(written, text)) if _LINK in text else text

    def _label(self, text: str) -> str:
        """What may stand between the brackets of a link."""
        if not self.style.escape or text.count("[") == text.count("]"):
            return text
        return _BRACKET.sub(lambda found: "\\" + found[0], text)

    def _reference(self, label: str, url: str) -> str:
        # A label stands for one URL only, in whatever case (CommonMark 0.31, 4.7); one with brackets for none.
        key = label.casefold()
        short = self.style.labels != "full" and self._keys.get(key, url) == url and not _BRACKET.search(label)
        if short:
            if key not in self._keys:
                self._keys[key], self._defined[label] = url, url
        elif url not in self._numbers:
            number = next(number for number in count(len(self._numbers) + 1) if str(number) not in self._keys)
            self._numbers[url] = str(number)
            self._keys[str(number)] = self._defined[str(number)] = url
        if not short:
            return f"[{label}][{self._numbers[url]}]"
        return f"[{label}][]" if self.style.labels == "collapsed" else f"[{label}]"

    def _place(self, url: str) -> int:
        if not self._cited:
            self._cited = {each: place for place, each in enumerate(dict.fromkeys(self.urls), 1)}
        return self._cited[url]

    def references(self) -> str:
        """The definitions of the links written so far, a line each; empty where they are written otherwise."""
        return "\n".join(f"[{label}]: {url}" for label, url in self._defined.items())

    def _table(self, table: Table) -> str:
        rows = table.rows
        if not self.style.marks:
            return "\n".join(self._linked(" ".join(cell.text for cell in row if cell.text)) for row in rows)
        spans = any(cell.columns > 1 or cell.rows > 1 for row in rows for cell in row)
        # One long row among many short ones would make a page of nothing but pipes.
        ragged = max(map(len, rows)) * len(rows) > 2 * sum(map(len, rows)) + _MOST_MISSING
        return self._html(rows) if spans or ragged or self.style.tables == "html" else self._pipes(rows)

    def _pipes(self, rows: Sequence[Sequence[Cell]]) -> str:
        width = max(len(row) for row in rows)
        written = [[self._cell(cell) for cell in row] + [""] * (width - len(row)) for row in rows]
        lines = [f"| {' | '.join(row)} |" for row in written]
        return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])

    def _cell(self, cell: Cell) -> str:
        text = self._linked(self._escaped(cell.text)).replace("\n", " ")
        return text.replace("|", "\\|")

    def _html(self, rows: Sequence[Sequence[Cell]]) -> str:
        lines = ["<table>"]
        for row in rows:
            cells = [f"<td{_spans(cell)}>{escape_html(MARKS.sub('', cell.text), quote=False)}</td>" for cell in row]
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return "\n".join([*lines, "</table>"])


def _spans(cell: Cell) -> str:
    counts: Mapping[str, int] = {"colspan": cell.columns, "rowspan": cell.rows}
    return "".join(f' {name}="{count}"' for name, count in counts.items() if count > 1)


def _url(url: str) -> str:
    """A URL that ends where the link's bracket does."""
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")
