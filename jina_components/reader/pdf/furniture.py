"""What stands at the edges of pages and is no content: running heads, footers, page numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from jina_components.reader.pdf.lines import Line

_EDGE = 0.12  # of the height of the page, where these stand
_MOST_LINES = 4  # at each edge
_FEWEST_PAGES = 3
_NUMBER = re.compile(
    r"(?:page|seite|página|p\.)? ?(?:[-–—|\[(] ?)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?: ?(?:of|/|von|de) ?\d{1,4})?(?: ?[-–—|\])])?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+|\b[ivxlc]+\b")


def without_furniture(pages: Sequence[list[Line]], heights: Sequence[tuple[float, float]]) -> list[list[Line]]:
    """The lines of each page that are content.

    What repeats at the same height of three pages or more, but for its numbers, is none; nor is a page number
    alone at the very edge, nor what the document marks as an artifact there.

    Args:
        pages: Lines of each page.
        heights: Lower and upper edge of each page, in points.
    """
    edges = [_edges(lines, height) for lines, height in zip(pages, heights, strict=True)]
    seen = Counter(key for lines in edges for key in {_key(line) for line in lines})
    common = {key for key, count in seen.items() if count >= max(_FEWEST_PAGES, 0.05 * len(pages))}
    result = []
    for lines, edge in zip(pages, edges, strict=True):
        dropped = {id(line) for line in edge if _key(line) in common or all(word.is_artifact for word in line.words)}
        dropped |= {id(line) for line in _numbers([line for line in edge if id(line) not in dropped], lines)}
        kept = [line for line in lines if id(line) not in dropped]
        result.append(kept or lines)  # a page of nothing else has that to say
    return result


def _edges(lines: Sequence[Line], height: tuple[float, float]) -> list[Line]:
    """The uppermost and the lowest lines that stand near the edge of the page."""
    margin = _EDGE * (height[1] - height[0])
    low = sorted((line for line in lines if line.top <= height[0] + margin), key=lambda line: line.bottom)
    high = sorted((line for line in lines if line.bottom >= height[1] - margin), key=lambda line: -line.top)
    return low[:_MOST_LINES] + high[:_MOST_LINES]


def _key(line: Line) -> tuple[str, int]:
    return _DIGITS.sub("0", line.text.lower()), round(line.middle / 8)


def _numbers(edge: Iterable[Line], lines: Sequence[Line]) -> list[Line]:
    """A page number: the first or the last line of the page, with nothing beside it and some room to the others."""
    found = []
    for line in edge:
        if not _NUMBER.fullmatch(line.text):
            continue
        others = [other for other in lines if other is not line]
        room = 0.5 * line.height
        if others and (
            all(other.bottom > line.top + room for other in others)
            or all(other.top < line.bottom - room for other in others)
        ):
            found.append(line)
    return found
