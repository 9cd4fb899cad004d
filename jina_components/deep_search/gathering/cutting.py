"""Texts cut into pieces at their structure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from jina_components.core import boundaries
from jina_components.core.quotable import Span

# Where a piece may end, best first.
_FINDERS = (boundaries.gaps, boundaries.lines, boundaries.sentences, boundaries.words)


def cut(text: str, most: int, *, breaks: Sequence[int] = ()) -> Iterator[Span]:
    """Stretches of a text in order, each of up to `most` characters, which leave out white space alone.

    They end at an empty line, if there is one in the second half of what they may hold; else at a line, a sentence, a
    word, a user-perceived character; and at `breaks`. Takes time in proportion to the text.
    """
    edges = sorted({0, *(place for place in breaks if 0 < place < len(text)), len(text)})
    for low, high in pairwise(edges):
        start = low
        while start < high:
            end = high if high - start <= most else _end(text, start, most)
            piece = text[start:end]
            if not piece.isspace():
                yield Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
            start = end


def _end(text: str, start: int, most: int) -> int:
    middle, last = start + most // 2, start + most
    for find in _FINDERS:
        if places := [place for place in find(text, middle, last) if middle < place <= last]:
            return places[-1]
    return boundaries.last_grapheme(text, start, last)
