"""Lines of PDF pages to paragraphs, list items and headings, by where they stand and how large they are.

A line break was meant where the next line's first word would still have fitted; where the lines stand
further apart than usual; where the next one begins higher up; where the size of the type changes. Any other
break is the typesetter's: there lines are joined, and words hyphenated over it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_BULLET = re.compile(r"[•‣◦▪▫●○■□►▶➢➤✓✔·∙\uf0a7\uf0b7\uf0d8\uf076]\s*")
_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]»]*$")
_JOINED = re.compile("([^\\W\\d_]+)\u00ad([^\\W\\d_]+)")

_HEADING_RATIO = 1.2
_LONGEST_HEADING = 150
_MOST_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as it stands on its page, in points; one of right-to-left text is mirrored.

    `ends_word` says that a space ends it; lines of Chinese, Japanese and Korean break within words. A hyphen
    that was joined already is a soft hyphen, U+00AD.
    """

    text: str
    left: float
    right: float
    bottom: float
    height: float
    ends_word: bool = True


@dataclass(slots=True)
class _Block:
    text: str
    height: float
    is_item: bool = False


def pages_to_markdown(pages: Sequence[Sequence[Line]]) -> list[str]:
    """Markdown of each page; a page without lines gives an empty string.

    Headings are the short blocks set clearly larger than most of the text; a larger one stands higher.
    """
    compounds = {word.lower() for page in pages for line in page for word in _COMPOUND.findall(line.text)}
    blocks = [list(_blocks(page, compounds)) for page in pages]
    levels = _heading_levels(blocks)
    return [_render(page, levels) for page in blocks]


def _blocks(lines: Sequence[Line], compounds: set[str]) -> Iterator[_Block]:
    leading = _leading(lines)
    block: _Block | None = None
    for index, line in enumerate(lines):
        text = _JOINED.sub(lambda found: _unhyphenated(found[1], found[2], compounds), line.text)
        bullet = _BULLET.match(text)
        joiner = _joiner(lines, index, leading) if block else "\n\n"
        if block and joiner != "\n\n" and not bullet:
            unspaced = joiner == " " and not lines[index - 1].ends_word and _within_word(block.text, text)
            block.text = _join(block.text, text, "" if unspaced else joiner, compounds)
            continue
        if block:
            yield block
        block = _Block(text[bullet.end() :] if bullet else text, line.height, bullet is not None)
    if block:
        yield block


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance between a line and the next."""
    drops = [upper.bottom - lower.bottom for upper, lower in pairwise(lines)]
    usual = [
        drop for drop, line in zip(drops, lines, strict=False) if 0.5 * line.height < drop < 3 * line.height
    ]
    return median(usual) if usual else 0.0


def _joiner(lines: Sequence[Line], index: int, leading: float) -> str:
    """What stands between a line and the one before: nothing, a space, a line break or a blank line."""
    previous, line = lines[index - 1], lines[index]
    size = max(previous.height, line.height, 1.0)
    drop = previous.bottom - line.bottom
    if abs(drop) < 0.3 * size and -0.5 * size < line.left - previous.right:
        return "" if line.left - previous.right < 0.2 * size else " "
    finished = _SENTENCE_END.search(previous.text) is not None
    if drop < 0:  # the top of the next column
        return "\n\n" if finished or not line.text[:1].islower() else " "
    if drop > 1.4 * max(leading, size) or abs(previous.height - line.height) > 0.15 * size:
        return "\n\n"
    if finished and line.left > previous.left + 0.7 * size:
        return "\n\n"
    if _fits(lines, index):
        return "\n\n" if finished else "\n"
    return " "


def _fits(lines: Sequence[Line], index: int) -> bool:
    """Whether the first word of a line had room on the line before."""
    previous, line = lines[index - 1], lines[index]
    nearby = lines[max(0, index - 20) : index + 20]
    edge = max(other.right for other in nearby if abs(other.left - previous.left) < 5 * previous.height)
    letter = (line.right - line.left) / len(line.text)
    return previous.right + letter * (len(line.text.split(maxsplit=1)[0]) + 1) < edge


def _within_word(before: str, after: str) -> bool:
    return bool(_CJK.match(before[-1:]) and _CJK.match(after))


def _join(before: str, after: str, joiner: str, compounds: set[str]) -> str:
    if joiner != " ":
        return before + joiner + after
    if before.endswith("\u00ad"):
        return before[:-1] + after
    last, first = _LAST_WORD.search(before[:-1]), _FIRST_WORD.match(after)
    if not (before.endswith(("-", "\u2010")) and last):
        return f"{before} {after}"
    if not first:
        return before + after
    return before[: last.start()] + _unhyphenated(last[0], first[0], compounds) + after[first.end() :]


def _unhyphenated(start: str, end: str, compounds: set[str]) -> str:
    """The word that was hyphenated, whose hyphen stays when the text has it elsewhere within a line."""
    return f"{start}-{end}" if f"{start}-{end}".lower() in compounds or not end[0].islower() else start + end


def _heading_levels(pages: Sequence[Sequence[_Block]]) -> dict[int, int]:
    """Level of each size of type that headings have."""
    blocks = [block for page in pages for block in page]
    sizes: Counter[int] = Counter()
    for block in blocks:
        sizes[round(block.height)] += len(block.text)
    body = sizes.most_common(1)[0][0] if sizes else 0
    large = {round(block.height) for block in blocks if _is_title_like(block)}
    headings = sorted((size for size in large if size >= _HEADING_RATIO * body), reverse=True)
    return {size: min(level, _MOST_LEVELS) for level, size in enumerate(headings, 1)}


def _is_title_like(block: _Block) -> bool:
    return len(block.text) <= _LONGEST_HEADING and not block.is_item and bool(_TWO_LETTERS.search(block.text))


def _render(blocks: Sequence[_Block], levels: dict[int, int]) -> str:
    pieces: list[str] = []
    for index, block in enumerate(blocks):
        level = levels.get(round(block.height)) if _is_title_like(block) else None
        if level:
            pieces.append(f"\n\n{'#' * level} {' '.join(block.text.split())}")
        elif block.is_item:
            pieces.append(("\n" if index and blocks[index - 1].is_item else "\n\n") + f"- {block.text}")
        else:
            pieces.append(f"\n\n{block.text}")
    return "".join(pieces).strip()
