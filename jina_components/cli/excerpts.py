"""The part of a text to show for a query."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from jina_components.retriever.bm25 import Analyzer
from jina_components.types import shorten

_WORD = re.compile(r"\w+")
_FIRST_UNSPACED = "\u0e00"  # from here on there are scripts without spaces, whose terms are pairs of characters


def excerpt(text: str, query: str, *, width: int = 200) -> str:
    """The window of a text that holds most of a query's words, longer ones counting for more, on one line.

    Of several windows that hold as much the first is taken; of a text that holds none its head.

    Args:
        text: What is shown.
        query: What was sought; words are alike where they are for BM25.
        width: Characters at most, ellipses included.
    """
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    room = width - 2
    first, end = _densest(list(_places(line, frozenset(Analyzer().terms(query)))), room)
    start = max(0, min(first - (room - (end - first)) // 2, len(line) - room))
    if not start:
        return shorten(line, width)
    if " " in line[start:first]:
        start = line.index(" ", start, first) + 1
    part = line[start : start + room]
    return f"…{part}{'…' if start + room < len(line) else ''}"


def _places(line: str, wanted: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """Where the wanted terms stand: start, end, term."""
    analyzer = Analyzer()
    for match in _WORD.finditer(line):
        word = match[0]
        step = len(word) if max(word) < _FIRST_UNSPACED else 1
        for at in range(0, len(word), step):
            part = word[at : at + max(step, 2)]
            for term in wanted.intersection(analyzer.terms(part)):
                yield match.start() + at, match.start() + at + len(part), term


def _densest(places: list[tuple[int, int, str]], width: int) -> tuple[int, int]:
    """Start and end of the places within `width` whose different terms are longest together."""
    best, found, last = (0, 0), 0, 0
    held: Counter[str] = Counter()
    for start, _, term in places:
        while last < len(places) and places[last][1] - start <= width:
            held[places[last][2]] += 1
            last += 1
        if (weight := sum(map(len, +held))) > found:
            best, found = (start, places[last - 1][1]), weight
        held[term] -= 1
    return best
