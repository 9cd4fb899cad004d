"""The block structure of Markdown and plain text, found in one pass over the lines.

Not a Markdown parser: it finds where blocks begin, which of them lose their sense when they are cut, and the
headings. Terms and rules are those of CommonMark 0.31 and of GitHub's tables; where they call for looking
far ahead, or would swallow a text for the sake of one stray mark, the plainer reading is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

# How much sense it makes to cut before a block, the most first; 1 to 6 are headings.
RULE, BLOCK, ITEM, NESTED = 7, 8, 9, 10


class Block(NamedTuple):
    """A stretch of text that begins at `start` and lasts until the next block.

    Attributes:
        start: Offset of its first line.
        level: 1 to 6 for headings, or RULE, BLOCK, ITEM, NESTED.
        keep: Cuts inside belong beyond it: a heading stays with what follows, a table's head with a row.
        end: Where a verbatim block (code, mathematics, raw HTML, a table) ends; 0 for running text.
        headings: (level, title) of the headings it begins with.
    """

    start: int
    level: int
    keep: int
    end: int = 0
    headings: tuple[tuple[int, str], ...] = ()


_LINE = re.compile(
    r"""
      (?P<blank>[^\S\n]*+(?:\n|\Z))
    | [ ]{0,3}(?P<heading>\#{1,6})(?=[ \t\r\n]|\Z)
    | [ \t]*+(?P<fence>`{3,}+(?![^\n]*`)|~{3,}+)
    | [ ]{0,3}(?P<rule>(?:(?:\*[ \t]*+){3,}+|(?:-[ \t]*+){3,}+|(?:_[ \t]*+){3,}+)\r?(?:\n|\Z))
    | [ \t]*+(?P<item>(?:[-+*•‣◦▪·–]|\d{1,9}[.)]|\([a-z\d]{1,3}\)))(?=[ \t\r\n]|\Z)
    | [ \t]*+(?P<row>\|)
    | [ \t]*+(?P<math>\$\$|\\\[)
    | [ ]{0,3}<h(?P<html_heading>[1-6])(?![a-z\d])
    | [ ]{0,3}<(?P<html>pre|script|style|textarea|table|!--)
    | (?P<indented>[ ]{4}|\t)
    """,
    re.VERBOSE,
)
_UNDERLINE = re.compile(r"[ ]{0,3}(?:(?P<first>={2,}+)|-{2,}+)[ \t\r]*+(?:\n|\Z)")
_DELIMITER = re.compile(r"(?=[^\n]*\|)[ \t]*+\|?[ \t]*+:?-[-:| \t]*+\r?(?:\n|\Z)")
_ROW = re.compile(r"[^\n|]*+\|[^\n]*+(?:\n|\Z)")
_CODE = re.compile(r"(?:[ ]{4}|\t)[^\n]*+(?:\n|\Z)|[ \t\r]*+\n")
_FRONT_MATTER = re.compile(r"---[ \t\r]*+\n\w[\w-]*+:")
_CLOSING_FENCE = {mark: re.compile(rf"\n[ \t>]*+({mark}{{3,}}+)[ \t\r]*+(?=\n|\Z)") for mark in "`~"}
_CLOSERS = {"$$": "$$", "\\[": "\\]", "!--": "-->"} | {
    tag: f"</{tag}>" for tag in ("pre", "script", "style", "textarea", "table")
}
_LINK = re.compile(r"!?\[([^\[\]]*+)\]\([^()\s]*+\)")
_MARKUP = re.compile(r"<[^<>]*+>|\*\*|`")
_LONGEST_TITLE = 200
_MOST_LEADS = 16


def blocks(text: str) -> Iterator[Block]:
    """Blocks of a text in order, headings and thematic breaks joined to what follows them. Linear time."""
    leads: list[Block] = []
    for block in _Scanner(text).scan():
        is_lead = bool(block.headings) or block.level == RULE
        if is_lead:
            leads.append(block)
        if len(leads) == _MOST_LEADS or not is_lead:
            yield _joined([*leads, block]) if leads else block
            leads = []
    if leads:
        yield _joined(leads)


def _joined(parts: list[Block]) -> Block:
    last = parts[-1]
    level = min(part.level for part in parts)
    headings = tuple(heading for part in parts for heading in part.headings)
    return last._replace(start=parts[0].start, level=level, headings=headings)


def heading_trails(text: str, positions: Iterable[int]) -> Iterator[str]:
    """For each of the ascending positions, the headings it stands under: `Install > Linux`, or empty.

    A position within headings stands under all of them up to the text that they head.
    """
    upcoming = blocks(text)
    block = next(upcoming, None)
    trail: dict[int, str] = {}
    for position in positions:
        while block and block.start <= position:
            for level, title in block.headings:
                trail = {above: name for above, name in trail.items() if above < level} | {level: title}
            block = next(upcoming, None)
        yield " > ".join(title for title in trail.values() if title)


class _Scanner:
    """One pass over the lines; each handler takes the lines of one block, and returns it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open = False  # whether the next line may continue the last block
        self._in_list = False
        self._unclosed: set[str] = set()
        self._handlers: dict[str | None, Callable[[re.Match[str]], Block | None]] = {
            "blank": self._blank,
            "heading": self._atx_heading,
            "fence": self._fence,
            "rule": self._rule,
            "item": self._item,
            "row": lambda _: self._table(),
            "math": self._enclosed,
            "html_heading": self._html_heading,
            "html": self._enclosed,
            "indented": self._indented,
        }

    def scan(self) -> Iterator[Block]:
        while self._position < len(self._text):
            line = _LINE.match(self._text, self._position)
            block = self._handlers[line.lastgroup](line) if line else self._running_text()
            if block:
                yield block

    def _blank(self, line: re.Match[str]) -> None:
        self._position = line.end()
        self._open = False

    def _atx_heading(self, line: re.Match[str]) -> Block:
        return self._heading(len(line["heading"]), line.end(), self._line_end())

    def _html_heading(self, line: re.Match[str]) -> Block:
        return self._heading(int(line["html_heading"]), self._position, self._line_end())

    def _heading(self, level: int, title_start: int, title_end: int, end: int | None = None) -> Block:
        title = self._text[title_start : min(title_end, title_start + _LONGEST_TITLE)]
        title = _LINK.sub(r"\1", _MARKUP.sub("", title)).strip().strip("#*_ \t")
        self._in_list = False
        end = end or title_end
        return self._take(Block(self._position, level, end, headings=((level, title),)), end)

    def _rule(self, line: re.Match[str]) -> Block:
        if self._position == 0 and _FRONT_MATTER.match(self._text):
            closing = self._text.find("\n---", line.end() - 1)
            if closing > 0:
                return self._verbatim(self._line_end(closing + 1))
        self._in_list = False
        return self._take(Block(line.start(), RULE, line.end()), line.end())

    def _fence(self, line: re.Match[str]) -> Block:
        fence = line["fence"]
        for closing in _CLOSING_FENCE[fence[0]].finditer(self._text, self._line_end() - 1):
            if len(closing[1]) >= len(fence):
                return self._verbatim(self._line_end(closing.end()))
        return self._verbatim(len(self._text))

    def _enclosed(self, line: re.Match[str]) -> Block | None:
        """Mathematics and raw HTML last to their closing mark; without one they are running text."""
        mark = line[line.lastgroup or 0]
        closer = _CLOSERS[mark]
        end = -1 if mark in self._unclosed else self._text.find(closer, line.end())
        if end < 0:
            self._unclosed.add(mark)
            return self._running_text()
        return self._verbatim(self._line_end(end))

    def _indented(self, line: re.Match[str]) -> Block | None:
        if self._open or self._in_list:
            return self._running_text()
        end = line.start()
        while following := _CODE.match(self._text, end):
            end = following.end()
        return self._verbatim(end)

    def _table(self) -> Block:
        end = self._line_end()
        delimiter = _DELIMITER.match(self._text, end)
        end = delimiter.end() if delimiter else end
        first_row = _ROW.match(self._text, end)
        keep = (first_row.end() if first_row else end) - 1
        while row := _ROW.match(self._text, end):
            end = row.end()
        return self._verbatim(end, keep=keep)

    def _item(self, line: re.Match[str]) -> Block:
        is_nested = line.start("item") - line.start() > 1
        level = self._level() if not self._in_list else NESTED if is_nested else ITEM
        self._in_list = True
        return self._take(Block(line.start(), level, line.start()), self._line_end(), is_open=True)

    def _running_text(self) -> Block | None:
        start, end = self._position, self._line_end()
        if self._text.find("|", start, end) >= 0 and _DELIMITER.match(self._text, end):
            return self._table()
        if self._open:
            self._position = end
            return None
        underline = _UNDERLINE.match(self._text, end)
        if underline:
            return self._heading(1 if underline["first"] else 2, start, end, underline.end())
        self._in_list = self._in_list and self._text[start] in " \t"
        return self._take(Block(start, self._level(), start), end, is_open=True)

    def _verbatim(self, end: int, keep: int | None = None) -> Block:
        keep = self._line_end() if keep is None else keep
        return self._take(Block(self._position, self._level(), keep, end), end)

    def _take(self, block: Block, end: int, *, is_open: bool = False) -> Block:
        self._position, self._open = end, is_open
        return block

    def _level(self) -> int:
        """Level of a block that is no heading: weaker inside a list, and after a line that announces it."""
        start = self._position
        if self._in_list and self._text[start] in " \t":
            return NESTED
        return ITEM if self._text[max(start - 8, 0) : start].rstrip().endswith((":", "：")) else BLOCK

    def _line_end(self, position: int | None = None) -> int:
        return self._text.find("\n", self._position if position is None else position) + 1 or len(self._text)
