"""The stretches of a Markdown text that can stand alone as a quote: sentences, table rows, code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from jina_components.core.boundaries import sentences

_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_NOT_QUOTABLE = re.compile(r"\s*(#{1,6}(\s|$)|(\||:?-+:?\s*\|)[\s|:-]*$|[-=*_]{3,}\s*$|<!--|$)")
_ITEM = re.compile(r"\s*([-*+]\s|\d{1,3}[.)]\s|\|)")
_LINK = re.compile(r"\[[^\[\]]*\]\([^()\s]*\)")
_MARKS = re.compile(r"\s*(?:(?:[-*+>]|\d{1,3}[.)])\s+)*")
# A code block is quoted up to this many characters, and an introduction ("Install it with:") together with what
# it introduces likewise.
_MAX_BLOCK = 400


class Span(NamedTuple):
    """A stretch of a text."""

    start: int
    end: int


def quotable_spans(text: str) -> list[Span]:
    """Spans of `text` in order, without headings, rules, list marks and surrounding white space."""
    spans: list[Span] = []
    introduction = False
    for block in _blocks(text):
        if introduction and block.end - spans[-1].start <= _MAX_BLOCK:
            spans[-1] = _trim(text, spans[-1].start, block.end)
        elif not _is_long_code(text, block):
            edges = pairwise([block.start, *sentences(text, block.start, block.end), block.end])
            pieces = (_trim(text, start, end) for start, end in edges)
            spans.extend(piece for piece in pieces if piece.end > piece.start and not _is_link(text, piece))
        introduction = bool(spans) and text[spans[-1].end - 1] == ":"
    return spans


def _blocks(text: str) -> Iterator[Span]:
    """Paragraphs, list items, table rows and whole fenced blocks; headings and rules are left out."""
    start: int | None = None
    fence = ""
    for match in _LINE.finditer(text):
        line, begin, end = match.group(), match.start(), match.end()
        if begin == end:
            break
        if fence:
            if line.strip().startswith(fence):
                yield Span(begin if start is None else start, end)
                start, fence = None, ""
            continue
        opening = _FENCE.match(line)
        if start is not None and (opening or _NOT_QUOTABLE.match(line) or _ITEM.match(line)):
            yield Span(start, begin)
            start = None
        if opening:
            start, fence = begin, opening.group(1)
        elif start is None and not _NOT_QUOTABLE.match(line):
            start = begin
    if start is not None:
        yield Span(start, len(text))


def _is_long_code(text: str, block: Span) -> bool:
    return block.end - block.start > _MAX_BLOCK and _FENCE.match(text, block.start) is not None


def _is_link(text: str, span: Span) -> bool:
    """Whether a piece is but a link: an entry of a table of contents says where, not what."""
    return _LINK.fullmatch(text, span.start, span.end) is not None


def _trim(text: str, start: int, end: int) -> Span:
    marks = _MARKS.match(text, start, end)
    start = marks.end() if marks else start
    return Span(start, start + len(text[start:end].rstrip()))
