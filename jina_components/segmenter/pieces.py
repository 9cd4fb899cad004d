"""Pieces: every line, list item, quote, table and block of code for itself, as the hosted Segmenter cuts a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from jina_components.core import boundaries as at
from jina_components.segmenter.cutting import Cutter
from jina_components.segmenter.rulers import CharacterRuler
from jina_components.segmenter.structure import NESTED, RULE, Block, scan


class _Limits(NamedTuple):
    """Up to where an element stays one piece; beyond, each of its lines is one.

    Attributes:
        begins: Its first line.
        characters: Of the whole.
        lines: Of the whole.
        line: Characters of each line.
    """

    begins: re.Pattern[str]
    characters: int
    lines: int
    line: int


_UNLIMITED = 1 << 31
_VISIBLE = re.compile(r"\S")
_MARK = r"(?:[-+*•‣◦▪·–]|\d{1,9}[.)]|\([a-z\d]{1,3}\))(?=[ \t\r\n]|\Z)"
_ITEM = re.compile(rf"[ \t]*{_MARK}")
_QUOTE = re.compile(r"[ \t]*>")
# The limits of Jina's public expression of August 2024, for what blocks of structure are.
_VERBATIM = (
    _Limits(re.compile(r"[ \t]*(?:`{3}|~{3})"), 1500, _UNLIMITED, _UNLIMITED),
    _Limits(re.compile(r"[ \t]*(?:\$\$|\\\[)"), 500, _UNLIMITED, _UNLIMITED),
    _Limits(re.compile(r"[ ]{0,3}<table"), 2000, _UNLIMITED, _UNLIMITED),
    _Limits(re.compile(r"[ ]{0,3}<"), 1000, _UNLIMITED, _UNLIMITED),
    _Limits(re.compile(r"(?: {4}|\t)"), _UNLIMITED, 20, _UNLIMITED),
    _Limits(re.compile(r"[^\n]*\|"), _UNLIMITED, 22, _UNLIMITED),  # with the head and the line below it
    _Limits(re.compile(""), 1000, _UNLIMITED, _UNLIMITED),
)
_LIST = _Limits(_ITEM, _UNLIMITED, 7, 200)  # an item with 6 nested ones
_QUOTED = _Limits(_QUOTE, _UNLIMITED, 15, 200)
_LONGEST_LINE = 800
_LONGEST_SENTENCE = 400


def piece_starts(text: str) -> Iterator[int]:
    """Where pieces begin, ascending; none for white space alone.

    The first begins behind the white space that the text begins with; what is between two others belongs to the one
    before. Linear time.
    """
    place = -1
    for start in _starts(text):
        if start > place:
            found = _VISIBLE.search(text, start)
            place = found.start() if found else len(text)
            if found:
                yield place


def _starts(text: str) -> Iterator[int]:
    items: list[tuple[int, int]] = []  # one with those nested in it
    for block, following in pairwise(chain(scan(text), [None])):
        if block is None:
            break
        end = following.start if following else len(text)
        is_item = not block.end and _LIST.begins.match(text, block.start)
        if not (is_item and items and block.level == NESTED):
            yield from _of_list(text, items)
            items = []
        if is_item:
            items.append((block.start, end))
        else:
            yield from _of_block(text, block, end)
    yield from _of_list(text, items)


def _of_list(text: str, items: list[tuple[int, int]]) -> Iterator[int]:
    if items and _is_within(text, items[0][0], items[-1][1], _LIST):
        yield items[0][0]
        return
    for start, end in items:
        yield from _whole_or_lines(text, start, end, _LIST)


def _of_block(text: str, block: Block, end: int) -> Iterator[int]:
    if block.headings or block.level == RULE:
        yield block.start
    elif block.end:
        limits = next(limits for limits in _VERBATIM if limits.begins.match(text, block.start))
        yield from _whole_or_lines(text, block.start, end, limits)
    else:
        yield from _lines(text, block.start, end)


def _whole_or_lines(text: str, start: int, end: int, limits: _Limits) -> Iterator[int]:
    if _is_within(text, start, end, limits):
        yield start
    else:
        yield from _lines(text, start, end)


def _is_within(text: str, start: int, end: int, limits: _Limits) -> bool:
    lines = text[start:end].rstrip().split("\n")
    return (
        len(lines) <= limits.lines
        and sum(map(len, lines)) + len(lines) <= limits.characters
        and max(map(len, lines)) <= limits.line
    )


def _lines(text: str, start: int, end: int) -> Iterator[int]:
    """Beginnings of lines that are not blank; the lines of a quote stay together up to its limits."""
    quoted: list[int] = []
    for line, line_end in pairwise(chain([start], at.lines(text, start, end - 1), [end])):
        if quoted and len(quoted) < _QUOTED.lines and _is_quoted(text, line, line_end):
            quoted.append(line)
            continue
        quoted = [line] if _is_quoted(text, line, line_end) else []
        if line_end - line > _LONGEST_LINE:
            yield from _sentences(text, line, line_end)
        else:
            yield line


def _is_quoted(text: str, start: int, end: int) -> bool:
    return end - start <= _QUOTED.line and bool(_QUOTED.begins.match(text, start, end))


def _sentences(text: str, start: int, end: int) -> Iterator[int]:
    cutter = Cutter(text, CharacterRuler(text), limit=_LONGEST_SENTENCE, structure=())
    for sentence, following in pairwise(chain([start], at.sentences(text, start, end - 1), [end])):
        yield from (cut for cut, _ in cutter.cuts(sentence, following))
