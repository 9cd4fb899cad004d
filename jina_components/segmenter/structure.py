"""The block structure of Markdown and plain text, found in one pass over the lines.

Not a Markdown parser: it finds where blocks begin, which of them lose their sense when they are cut, and the
headings. Terms and rules are those of CommonMark 0.31 and of GitHub's tables; where they call for looking
far ahead, or would swallow a text for the sake of one stray mark, the plainer reading is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# Kinds of blocks; 1 to 6 are headings. A LINE is one of running text whose lines are paragraphs.
RULE, BLOCK, ITEM, NESTED, LINE = 7, 8, 9, 10, 11


class Block(NamedTuple):
    """A stretch of text that begins at `start` and lasts until the next block.

    Attributes:
        start: Offset of its first line.
        level: 1 to 6 for headings, or RULE, BLOCK, ITEM, NESTED, LINE.
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
    | [ ]{0,3}(?P<wiki>=(?:[ ]?=){0,5}+)(?=[ ]?[^\s=])
    | [ \t]*+(?P<math>\$\$|\\\[|\\begin\{(?:equation|align|alignat|aligned|gather|multline|eqnarray|displaymath|cases
        |array|[pbv]?matrix|split|tabularx?|table|figure|algorithm|lstlisting|verbatim)\*?\})
    | [ ]{0,3}<h(?P<html_heading>[1-6])(?![a-z\d])
    | [ ]{0,3}<(?P<html>pre|script|style|textarea|table|!--)
    | [ ]{0,3}<(?P<html_block>p|div|section|article|aside|details|blockquote|[uod]l|li|d[td]|figure|header|footer|main
        |nav|form|t(?:r|body|head))(?=[\s>/])
    | [ ]{0,3}(?P<admonition>(?:!!!|\?\?\?|:::)\+?[ ]?\{?\w)
    | (?P<indented>[ ]{4}|\t)
    """,
    re.VERBOSE,
)
# Those of CommonMark, and of reStructuredText further ones, which must be as long as the title.
_UNDERLINE = re.compile(r"[ ]{0,3}(?:(?P<first>={2,}+)|-{2,}+|(?P<long>([~^\"+])\3{3,}+))[ \t\r]*+(?:\n|\Z)")
_DELIMITER = re.compile(r"(?=[^\n]*\|)[ \t]*+\|?[ \t]*+:?-[-:| \t]*+\r?(?:\n|\Z)")
_ROW = re.compile(r"[^\n|]*+\|[^\n]*+(?:\n|\Z)")
_CODE = re.compile(r"(?:[ ]{4}|\t)[^\n]*+(?:\n|\Z)|[ \t\r]*+\n")
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t\r]*+\n\w[\w.-]*+[ \t]*+[:=]")
_CLOSING_FENCE = {mark: re.compile(rf"\n[ \t>]*+({mark}{{3,}}+)[ \t\r]*+(?=\n|\Z)") for mark in "`~"}
_CLOSERS = {"$$": "$$", "\\[": "\\]", "!--": "-->"} | {
    tag: f"</{tag}>" for tag in ("pre", "script", "style", "textarea", "table")
}
# A line as long was not wrapped: where it ends, its paragraph does.
_UNWRAPPED = 120
# Lines that can only go on what is open: they are passed at once.
_PLAIN = re.compile(rf"(?:[^\W\d_][^\n|]{{0,{_UNWRAPPED - 2}}}+\n)++")
_LINK = re.compile(r"!?\[([^\[\]]*+)\]\([^()\s]*+\)")
_MARKUP = re.compile(r"<[^<>]*+>|\*\*|`")
_LONGEST_TITLE = 200
_MOST_LEADS = 16


def blocks(text: str) -> Iterator[Block]:
    """Blocks of a text in order, headings and thematic breaks joined to what follows them. Linear time."""
    leads: list[Block] = []
    for block in scan(text):
        is_lead = bool(block.headings) or block.level == RULE
        if is_lead:
            leads.append(block)
        if len(leads) == _MOST_LEADS or not is_lead:
            yield _joined([*leads, block]) if leads else block
            leads = []
    if leads:
        yield _joined(leads)


def scan(text: str) -> Iterator[Block]:
    """`blocks` with each heading and thematic break for itself."""
    return _Scanner(text).blocks()


def _joined(parts: list[Block]) -> Block:
    last = parts[-1]
    level = min(part.level for part in parts)
    headings = tuple(heading for part in parts for heading in part.headings)
    return Block(parts[0].start, level, last.keep, last.end, headings)


class _Scanner:
    """One pass over the lines; each handler takes the lines of one block, and returns it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open = False  # whether the next line may continue the last block
        self._in_list = False
        self._unclosed: set[str] = set()
        self._is_unwrapped = False  # whether the last line of running text was long
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
            "wiki": self._wiki_heading,
            "html_block": self._html_block,
            "admonition": self._admonition,
            "indented": self._indented,
        }

    def blocks(self) -> Iterator[Block]:
        if block := self._front_matter():
            yield block
        text, size = self._text, len(self._text)
        while self._position < size:
            # Nothing but running text begins with a letter.
            line = None if text[self._position].isalpha() else _LINE.match(text, self._position)
            block = self._handlers[line.lastgroup](line) if line else self._running_text()
            if block:
                yield block

    def _blank(self, line: re.Match[str]) -> None:
        self._go_on(line.end(), is_open=False)

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

    def _wiki_heading(self, line: re.Match[str]) -> Block | None:
        """As MediaWiki writes it: the mark on both sides, a single one apart from the title."""
        mark, start, end = line["wiki"], line.end(), self._line_end()
        title = self._text[start:end].rstrip()
        if not title.endswith(mark if len(mark) > 1 else " =") or (len(mark) == 1 and title[0] != " "):
            return self._running_text()
        return self._heading(mark.count("="), start, start + len(title) - len(mark), end)

    def _front_matter(self) -> Block | None:
        opening = _FRONT_MATTER.match(self._text)
        closing = self._text.find("\n" + opening[1], opening.end() - 1) if opening else -1
        return self._verbatim(self._line_end(closing + 1)) if closing > 0 else None

    def _rule(self, line: re.Match[str]) -> Block:
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
        closer = _CLOSERS.get(mark) or mark.replace("begin", "end")
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

    def _html_block(self, line: re.Match[str]) -> Block:
        level = ITEM if self._open else self._level()
        return self._take(Block(line.start(), level, line.start()), self._line_end(), is_open=True)

    def _admonition(self, line: re.Match[str]) -> Block:
        """Its title stays with what is indented below it."""
        self._in_list = True
        end = self._line_end()
        return self._take(Block(line.start(), BLOCK, end - 1), end)

    def _item(self, line: re.Match[str]) -> Block:
        self._is_unwrapped = False
        is_nested = line.start("item") - line.start() > 1
        level = self._level() if not self._in_list else NESTED if is_nested else ITEM
        self._in_list = True
        return self._take(Block(line.start(), level, line.start()), self._line_end(), is_open=True)

    def _running_text(self) -> Block | None:
        start, end = self._position, self._line_end()
        if self._text.find("|", start, end) >= 0 and _DELIMITER.match(self._text, end):
            return self._table()
        was_unwrapped, self._is_unwrapped = self._is_unwrapped, end - start > _UNWRAPPED
        if self._open:
            return self._next_line(start, end, is_unwrapped=was_unwrapped or self._is_unwrapped)
        if heading := self._underlined(start, end):
            return heading
        self._in_list = self._in_list and self._text[start] in " \t"
        return self._take(Block(start, self._level(), start), end, is_open=True)

    def _next_line(self, start: int, end: int, *, is_unwrapped: bool) -> Block | None:
        """A further line of running text."""
        if not (is_unwrapped and not self._in_list and self._text[start] != ">" and self._level() == BLOCK):
            self._go_on(end, is_open=True)
            return None
        return self._take(Block(start, LINE, start), end, is_open=True)

    def _underlined(self, start: int, end: int) -> Block | None:
        underline = _UNDERLINE.match(self._text, end)
        if not underline or len(underline["long"] or self._text) < end - start - 1:
            return None
        level = 1 if underline["first"] else 3 if underline["long"] else 2
        return self._heading(level, start, end, underline.end())

    def _verbatim(self, end: int, keep: int | None = None) -> Block:
        keep = self._line_end() if keep is None else keep
        return self._take(Block(self._position, self._level(), keep, end), end)

    def _take(self, block: Block, end: int, *, is_open: bool = False) -> Block:
        self._go_on(end, is_open=is_open)
        return block

    def _go_on(self, end: int, *, is_open: bool) -> None:
        if is_open and not self._is_unwrapped and (plain := _PLAIN.match(self._text, end)):
            end = plain.end()
        is_parted = self._text.startswith("\n", end)  # blank lines are common enough to be told here
        self._position, self._open = end + is_parted, is_open and not is_parted

    def _level(self) -> int:
        """Level of a block that is no heading: weaker inside a list, and after a line that announces it."""
        start = self._position
        if self._in_list and self._text[start] in " \t":
            return NESTED
        return ITEM if self._text[max(start - 8, 0) : start].rstrip().endswith((":", "：")) else BLOCK

    def _line_end(self, position: int | None = None) -> int:
        return self._text.find("\n", self._position if position is None else position) + 1 or len(self._text)
