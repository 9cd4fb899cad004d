"""Lines in reading order to paragraphs, list items and code.

A line break was meant where the next line's first word would still have fitted; where the lines stand
further apart than usual; where the next one begins higher up; where the size of the type changes. Any other
break is the typesetter's: there lines are joined, and words hyphenated over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from jina_components.reader.pdf.joining import is_hyphenated, join
from jina_components.reader.pdf.lines import BULLETS, Line, Table
from jina_components.reader.pdf.order import Item

_BULLET = re.compile(rf"[{BULLETS}](?:\s+|$|(?=\w))")
_DASH = re.compile(r"[–—\-*]\s+(?=\S)")
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+(?=\S)")
_CAPTION = re.compile(r"(?:figure|fig\.|table|tab\.|exhibit|listing|example)\s*\d", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\. ?){4}\s*\w*$")  # of a table of contents
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]»\ufdd2]*$")
_LONGEST_WORD = 50

Kind = Literal["text", "item", "code", "heading"]


@dataclass(slots=True, eq=False)
class Block:
    """A paragraph, list item, heading or piece of code, and where it stands.

    `number` is that of an item of a numbered list; `level` is the level of a heading, or how deep an item is nested.
    `lead` counts the characters of a bold beginning.
    """

    text: str
    lines: list[Line] = field(default_factory=list)
    kind: Kind = "text"
    number: int | None = None
    level: int = 0
    lead: int = 0

    @property
    def size(self) -> float:
        """Of the type of its first line, in points."""
        return self.lines[0].size

    @property
    def is_bold(self) -> bool:
        """Whether all of it is."""
        return all(line.is_bold for line in self.lines)

    @property
    def left(self) -> float:
        """Where its text begins, in points."""
        return self.lines[0].left


def blocks_of(items: Sequence[Item], compounds: set[str], *, has_code: bool = True) -> list[Block | Table]:
    """The blocks of a page, tables among them.

    Args:
        items: Its lines and tables as they are read.
        compounds: Words with a hyphen, in lower case: these keep it at the end of a line.
        has_code: Whether type of one width is code.
    """
    blocks: list[Block | Table] = []
    run: list[Line] = []
    for item in items:
        if isinstance(item, Line):
            run.append(item)
            continue
        blocks += _of_lines(run, compounds, has_code=has_code)
        run = []
        blocks.append(item)
    blocks += _of_lines(run, compounds, has_code=has_code)
    made = [block for block in blocks if isinstance(block, Block)]
    _nest(made)
    for block in made:
        if block.kind == "code":
            _set_code(block)
    return blocks


def _of_lines(lines: Sequence[Line], compounds: set[str], *, has_code: bool) -> Iterator[Block]:
    leading = _leading(lines)
    block: Block | None = None
    for index, line in enumerate(lines):
        marker = _marker(lines, index)
        joiner = _joiner(lines, index, leading) if block else "\n\n"
        is_code = has_code and _starts_code(lines, index)
        if block and block.kind == "code" and _goes_on_as_code(block.lines[-1], line):
            block.lines.append(line)
        elif block and block.kind != "code" and joiner != "\n\n" and not marker and not is_code:
            _add(block, line, joiner, compounds)
        else:
            if block:
                yield block
            block = _begun(line, None if is_code else marker, is_code=is_code)
    if block:
        yield block


def _begun(line: Line, marker: re.Match[str] | None, *, is_code: bool) -> Block:
    if is_code:
        return Block(line.text, [line], "code")
    if marker is None:
        return Block(line.text, [line], lead=_lead(line))
    number = int(marker[1]) if marker.re is _NUMBER else None
    return Block(line.text[marker.end() :], [line], "item", number)


def _lead(line: Line) -> int:
    """Characters of the bold words that a line of text begins with."""
    length = 0
    for word in line.words:
        if not word.font.is_bold:
            return max(length - 1, 0)
        length += len(word.text) + 1
    return 0


def _starts_code(lines: Sequence[Line], index: int) -> bool:
    """Two lines of type of one width, one below the other, are code."""
    line = lines[index]
    if not line.is_mono:
        return False
    return any(
        0 <= near < len(lines)
        and lines[near].is_mono
        and 0.3 * line.height < abs(lines[near].bottom - line.bottom) < 2.5 * line.height
        for near in (index - 1, index + 1)
    )


def _goes_on_as_code(before: Line, line: Line) -> bool:
    drop = before.bottom - line.bottom
    return line.is_mono and abs(before.size - line.size) < 0.5 and -0.3 * line.height < drop < 4 * line.height


def _set_code(block: Block) -> None:
    """The text of code: its lines, indented as they stand, with a blank line where there is room for it."""
    lines = block.lines
    width = sum(line.right - line.left for line in lines) / max(1, sum(len(line.text) for line in lines))
    letter = max(width, 1.0)
    start = min(line.left for line in lines)
    leading = _leading(lines) or lines[0].height
    text = ""
    for before, line in zip([None, *lines], lines, strict=False):
        drop = before.bottom - line.bottom if before else 0.0
        if before and abs(drop) < 0.3 * line.height:
            text += " " * min(max(1, round((line.left - before.right) / letter)), 80) + line.text
            continue
        breaks = "\n" * (1 + (drop > 1.7 * leading)) if before else ""
        text += breaks + " " * min(round((line.left - start) / letter), 80) + line.text
    block.text = text


def _add(block: Block, line: Line, joiner: str, compounds: set[str]) -> None:
    if joiner == " ":
        block.text = join(block.text, line.text, compounds)
    else:
        block.text += joiner + line.text
    if block.lead == 0 and len(block.lines) == 1 and block.lines[0].is_bold and not line.is_bold:
        block.lead = len(block.lines[0].text) if block.kind == "text" else 0
    block.lines.append(line)


def _marker(lines: Sequence[Line], index: int) -> re.Match[str] | None:
    """The bullet or number of a list that a line begins with."""
    line = lines[index]
    if line.continues and index and lines[index - 1].row == line.row:
        return None
    text = line.text
    if (found := _BULLET.match(text)) and (found.end() < len(text) or len(text) == 1):
        return found
    if (found := _DASH.match(text)) and text[found.end()].isalpha():
        return found if _has_sibling(lines, index, _DASH) else None
    found = _NUMBER.match(text)
    return found if found and _continues_count(lines, index, int(found[1])) else None


def _has_sibling(lines: Sequence[Line], index: int, marker: re.Pattern[str]) -> bool:
    left = lines[index].left
    near = [*lines[max(0, index - 8) : index], *lines[index + 1 : index + 9]]
    return any(marker.match(line.text) and abs(line.left - left) < line.height for line in near)


def _continues_count(lines: Sequence[Line], index: int, number: int) -> bool:
    """Whether the number before or after stands near, at about the same place."""
    line = lines[index]
    for other in (*lines[max(0, index - 15) : index], *lines[index + 1 : index + 16]):
        found = _NUMBER.match(other.text)
        if found and abs(int(found[1]) - number) == 1 and abs(other.left - line.left) < 1.5 * line.height:
            return True
    return False


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance between a line and the next."""
    drops = [upper.bottom - lower.bottom for upper, lower in pairwise(lines)]
    usual = sorted(drop for drop, line in zip(drops, lines, strict=False) if 0.5 * line.height < drop < 3 * line.height)
    return usual[(len(usual) - 1) // 2] if usual else 0.0


def _joiner(lines: Sequence[Line], index: int, leading: float) -> str:
    """What stands between a line and the one before: a space, a line break or a blank line."""
    previous, line = lines[index - 1], lines[index]
    size = max(previous.height, line.height, 1.0)
    drop = previous.bottom - line.bottom
    beside = line.left >= previous.right - 0.5 * size or line.is_right_to_left
    if abs(drop) < 0.5 * size and (previous.row == line.row or beside):
        return "" if abs(line.left - previous.right) < 0.2 * size else " "
    finished = _SENTENCE_END.search(previous.text[-10:]) is not None
    if drop < 0:  # the top of the next column
        goes_on = line.text[:1].islower() or is_hyphenated(previous.text)
        return " " if goes_on and not finished and abs(previous.size - line.size) < 0.5 else "\n\n"
    if drop > 1.4 * max(leading, size) or _changes_size(previous, line):
        return "\n\n"
    if (previous.is_bold, previous.font) != (line.is_bold, line.font) and _fits(lines, index):
        return "\n\n"
    if finished and _CAPTION.match(line.text) and _fits(lines, index):
        return "\n\n"
    if is_hyphenated(previous.text):
        return " "
    if _LEADERS.search(previous.text[-_LONGEST_WORD:]) or _ends_far_right(lines, index - 1):
        return "\n"
    if finished and line.left > previous.left + 0.7 * size and not line.is_right_to_left:
        return "\n\n"
    if _fits(lines, index):
        return "\n\n" if finished else "\n"
    return " "


def _ends_far_right(lines: Sequence[Line], index: int) -> bool:
    """Whether much room is left before the piece, as before the page number in a table of contents."""
    line = lines[index]
    before = lines[index - 1]
    return line.continues and index > 0 and before.row == line.row and line.left - before.right > 2 * line.height


def _changes_size(previous: Line, line: Line) -> bool:
    """Much, or a little between two lines that each are of one size."""
    larger, smaller = max(previous.height, line.height), min(previous.height, line.height)
    return larger > 1.15 * smaller or (larger > 1.06 * smaller and len({word.size for word in line.words}) == 1
                                       and len({word.size for word in previous.words}) == 1)  # fmt: skip


def _fits(lines: Sequence[Line], index: int) -> bool:
    """Whether the first word of a line had room on the line before."""
    previous, line = lines[index - 1], lines[index]
    word = line.words[0]
    size = previous.height
    width = (word.right - word.left) + 0.3 * size
    nearby = [
        other for other in lines[max(0, index - 20) : index + 20] if abs(other.size - previous.size) <= 0.1 * size
    ]
    if line.is_right_to_left:
        edge = min(other.left for other in nearby if abs(other.right - previous.right) <= 5 * previous.height)
        return previous.left - width > edge
    edge = max(other.right for other in nearby if abs(other.left - previous.left) <= 5 * previous.height)
    return previous.right + width < edge


def _nest(blocks: Sequence[Block]) -> None:
    """Levels of the items of each list, by where they begin."""
    levels: list[float] = []
    for block in blocks:
        if block.kind != "item":
            levels = []
            continue
        while levels and block.left < levels[-1] - 0.7 * block.lines[0].height:
            levels.pop()
        if not levels or block.left > levels[-1] + 0.7 * block.lines[0].height:
            levels.append(block.left)
        block.level = min(len(levels) - 1, 5)
