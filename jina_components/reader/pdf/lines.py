"""Words to pieces of lines, and what a page is made of: lines and tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jina_components.reader.pdf.words import Word

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufefc]")
BULLETS = "•‣◦▪▫●○■□►▶➢➤✓✔·∙❖◆◇\uf0a7\uf0b7\uf0d8\uf076\uf06e"
_MARKER = re.compile(rf"[{BULLETS}–—\-*]|\(?(?:\d{{1,3}}|[A-Za-z]|[ivx]{{2,4}})[.)]|\d{{1,2}}(?:\.\d{{1,2}}){{1,3}}\.?")
_WIDE_GAP = 0.8  # of the size of the type: cells of a table and columns stand further apart than words


def is_marker(text: str) -> bool:
    """Whether it is the bullet or number of a list or heading."""
    return _MARKER.fullmatch(text) is not None


@dataclass(slots=True, eq=False)
class Line:
    """Words on one line with no wide gap between them.

    `height` is that of the type, its size; `row` is the line that PDFium sees; one that `continues` follows another
    piece of it.
    """

    words: list[Word]
    row: int
    continues: bool = False
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0
    size: float = 0.0
    height: float = 1.0
    text: str = ""
    is_bold: bool = False
    is_mono: bool = False
    is_right_to_left: bool = False
    font: str = ""

    def __post_init__(self) -> None:
        words = self.words
        self.text = " ".join([word.text for word in words])
        self.left = min([word.left for word in words])
        self.right = max([word.right for word in words])
        main = words
        self.font = max(words, key=lambda word: len(word.text)).font.name if len(words) < 8 else words[3].font.name
        self.size = words[0].size
        if any(word.size != self.size for word in words):
            sizes: Counter[float] = Counter()
            for word in words:
                sizes[word.size] += len(word.text)
            self.size = sizes.most_common(1)[0][0]
            main = [word for word in words if word.size == self.size]  # without raised and lowered ones
        self.height = max(self.size, 1.0)
        self.bottom = min([word.bottom for word in main])
        self.top = max([word.top for word in main])
        self.is_bold = all(word.font.is_bold for word in words)
        self.is_mono = all(word.font.is_mono for word in words)
        self.is_right_to_left = not self.text.isascii() and _RIGHT_TO_LEFT.search(self.text) is not None

    @property
    def middle(self) -> float:
        """Half way between its bottom and its top."""
        return (self.bottom + self.top) / 2


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Words in the order of the content as lines, cut where the next word stands elsewhere."""
    lines: list[Line] = []
    current: list[Word] = []
    mirrored = any(_RIGHT_TO_LEFT.search(word.text) for word in words if not word.text.isascii())
    continues = False
    for word in words:
        if current:
            step = _step(current[-1], word, mirrored=mirrored)
            if step == "gap" and len(current) == 1 and _is_marker_of(current[0], word):
                step = "next"
            if step == "next":
                current.append(word)
                continue
            lines.append(Line(current, current[0].row, continues))
            continues = step == "gap"
        current = [word]
    if current:
        lines.append(Line(current, current[0].row, continues))
    return lines


def _is_marker_of(marker: Word, word: Word) -> bool:
    return is_marker(marker.text) and not is_marker(word.text) and word.left - marker.right < 4 * max(word.size, 1.0)


def _step(before: Word, word: Word, *, mirrored: bool) -> str:
    """`next` on the line, after a `gap` on it, or on another `line`."""
    if word.row == before.row and word.bottom == before.bottom and not mirrored and not word.is_vertical:
        gap = word.left - before.right
        if -word.size < gap <= _WIDE_GAP * word.size:
            return "next"
    if word.row != before.row or before.is_vertical != word.is_vertical:
        return "line"
    if word.is_vertical:
        return "next"
    overlap = min(before.top, word.top) - max(before.bottom, word.bottom)
    if overlap < 0.3 * min(before.top - before.bottom, word.top - word.bottom):
        return "line"
    size = max(before.size, word.size, 1.0)
    gap = word.left - before.right
    if mirrored:
        gap = max(gap, before.left - word.right)
        return "next" if gap < 2 * size else "gap"
    if gap < -2 * size:
        return "line"
    return "gap" if gap > _WIDE_GAP * size else "next"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, and over how many columns and rows it goes."""

    text: str
    columns: int = 1
    rows: int = 1


@dataclass(slots=True, eq=False)
class Table:
    """A table where it stands on its page; a row lacks the cells that others span."""

    rows: list[list[Cell]]
    left: float
    right: float
    bottom: float
    top: float
    lines: list[Line] = field(default_factory=list)
