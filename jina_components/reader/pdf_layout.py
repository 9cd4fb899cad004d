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
from itertools import chain, pairwise, zip_longest
from statistics import median_low

_BULLET = re.compile(r"[•‣◦▪▫●○■□►▶➢➤✓✔·∙\uf0a7\uf0b7\uf0d8\uf076]\s*")
_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_LEADERS = re.compile(r"(?:\. ?){4}\s*\w*$")  # of a table of contents
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")
_SENTENCE_END = re.compile(r"[.!?:;。！？][\"'”’)\]»]*$")
_HYPHENS = ("-", "\u2010")
_JOINED = re.compile("([^\\W\\d_]+)\u00ad([^\\W\\d_]+)")

_LONGEST_WORD = 50
_HEADING_RATIO = 1.3
_MOST_BOLD = 0.3  # above this share of the text, bold type stands for nothing
_LONGEST_HEADING = 150
_LOWEST_LEVEL = 4


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
    is_bold: bool = False
    ends_word: bool = True


@dataclass(slots=True)
class _Block:
    text: str
    height: float
    is_bold: bool
    is_item: bool
    is_heading: bool = False


def pages_to_markdown(pages: Sequence[Sequence[Line]]) -> list[str]:
    """Markdown of each page; a page without lines gives an empty string.

    Headings are short blocks that are clearly larger than most of the text, or bold above one that is not.
    The larger the type, the higher the level.
    """
    compounds = {word.lower() for page in pages for line in page for word in _COMPOUND.findall(line.text)}
    blocks = [list(_blocks(page, compounds)) for page in pages]
    _find_headings(blocks)
    sizes = sorted({_size(block) for page in blocks for block in page if block.is_heading}, reverse=True)
    return [_render(page, sizes) for page in blocks]


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
        block = _Block(text[bullet.end() :] if bullet else text, line.height, line.is_bold, bullet is not None)
    if block:
        yield block


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance between a line and the next."""
    drops = [upper.bottom - lower.bottom for upper, lower in pairwise(lines)]
    usual = [drop for drop, line in zip(drops, lines, strict=False) if 0.5 * line.height < drop < 3 * line.height]
    return median_low(usual) if usual else 0.0


def _joiner(lines: Sequence[Line], index: int, leading: float) -> str:
    """What stands between a line and the one before: nothing, a space, a line break or a blank line."""
    previous, line = lines[index - 1], lines[index]
    size = max(previous.height, line.height, 1.0)
    drop = previous.bottom - line.bottom
    if abs(drop) < 0.3 * size and -0.5 * size < line.left - previous.right:
        return "" if line.left - previous.right < 0.2 * size else " "
    finished = _ends_sentence(previous.text)
    if drop < 0:  # the top of the next column
        return "\n\n" if finished or not line.text[:1].islower() else " "
    if drop > 1.4 * max(leading, size) or abs(previous.height - line.height) > 0.15 * size:
        return "\n\n"
    if previous.is_bold != line.is_bold and _fits(lines, index):
        return "\n\n"
    if _is_hyphenated(previous.text):
        return " "
    if _LEADERS.search(previous.text[-_LONGEST_WORD:]):
        return "\n"
    if finished and line.left > previous.left + 0.7 * size:
        return "\n\n"
    if _fits(lines, index):
        return "\n\n" if finished else "\n"
    return " "


def _fits(lines: Sequence[Line], index: int) -> bool:
    """Whether the first word of a line had room on the line before."""
    previous, line = lines[index - 1], lines[index]
    nearby = lines[max(0, index - 20) : index + 20]
    column = [other.right for other in nearby if abs(other.left - previous.left) <= 5 * previous.height]
    letter = (line.right - line.left) / len(line.text)
    return previous.right + letter * (len(line.text.split(maxsplit=1)[0]) + 1) < max(column, default=0.0)


def _within_word(before: str, after: str) -> bool:
    return bool(_CJK.match(before[-1:]) and _CJK.match(after))


def _join(before: str, after: str, joiner: str, compounds: set[str]) -> str:
    if joiner != " ":
        return before + joiner + after
    if before.endswith("\u00ad"):
        return before[:-1] + after
    if not _is_hyphenated(before):
        return f"{before} {after}"
    last, first = _LAST_WORD.search(before[-_LONGEST_WORD:-1]), _FIRST_WORD.match(after)
    if not first or not last:
        return before + after
    word = _unhyphenated(last[0], first[0], compounds)
    return before[: -1 - len(last[0])] + word + after[first.end() :]


def _is_hyphenated(text: str) -> bool:
    return text[-1:] in _HYPHENS and text[-2:-1].isalpha()


def _unhyphenated(start: str, end: str, compounds: set[str]) -> str:
    """The word that was hyphenated, whose hyphen stays when the text has it elsewhere within a line."""
    return f"{start}-{end}" if f"{start}-{end}".lower() in compounds or not end[0].islower() else start + end


def _find_headings(pages: Sequence[Sequence[_Block]]) -> None:
    letters: Counter[int] = Counter()
    bold = 0
    for block in chain.from_iterable(pages):
        letters[_size(block)] += len(block.text)
        bold += len(block.text) * block.is_bold
    bold_is_rare = bold < _MOST_BOLD * letters.total()
    for page in pages:
        for block, following in zip_longest(page, page[1:]):
            large = _size(block) >= _HEADING_RATIO * letters.most_common(1)[0][0]
            above = following is not None and not following.is_bold and not _ends_sentence(block.text)
            stands_out = large or (block.is_bold and bold_is_rare and above)
            block.is_heading = stands_out and not block.is_item and _is_title_like(block.text)


def _is_title_like(text: str) -> bool:
    return len(text) <= _LONGEST_HEADING and _TWO_LETTERS.search(text) is not None


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text[-10:]) is not None


def _size(block: _Block) -> int:
    return round(block.height)


def _render(blocks: Sequence[_Block], heading_sizes: Sequence[int]) -> str:
    pieces: list[str] = []
    follows_item = False
    for block in blocks:
        pieces.append("\n" if follows_item and block.is_item else "\n\n")
        if block.is_heading:
            level = min(heading_sizes.index(_size(block)) + 1, _LOWEST_LEVEL)
            pieces.append(f"{'#' * level} {' '.join(block.text.split())}")
        else:
            pieces.append(f"- {block.text}" if block.is_item else block.text)
        follows_item = block.is_item
    return "".join(pieces).strip()
