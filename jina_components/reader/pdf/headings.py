"""Which blocks are headings, and of which level: by the bookmarks of the document, by size, weight and number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jina_components.reader.pdf.blocks import Block
from jina_components.reader.pdf.lines import Line, Table

_LARGER, _A_LITTLE_LARGER = 1.13, 1.05
_STEPS = (1.13, 1.35, 1.65, 2.1)  # of the usual size
_MOST_LARGE = 0.4  # share of the text, above which a large size is none of headings
_RARE_FONT = 0.1  # share of the text
_SHORTEST_CAPITALS = 5  # letters
_LONGEST_PLAIN = 80  # of one that is neither bold nor much larger
_MOST_BOLD = 0.3  # above this share of the text, bold type stands for nothing
_LONGEST = 180
_MOST_LINES = 4
_LOWEST_LEVEL = 6
_LONGEST_NUMBER = 6
_NUMBERED = re.compile(
    r"(?:(?:chapter|section|part|appendix|annex|article)\s+(?:\d{1,3}|[A-Z]|[IVXL]{1,6})\b"
    r"|\d{1,2}(?:\.\d{1,2}){0,4}\.?\s+(?=[^\W\d_])|[IVX]{1,5}\.\s+|[A-H]\.\s+(?=[A-Z]))",
    re.IGNORECASE,
)
_SECTION = re.compile(r"\d{1,2}\.\d{1,2}(?:\.\d{1,2}){0,3}\.?\s+[^\W\d_]")
_DEPTH = re.compile(r"\d{1,2}((?:\.\d{1,2}){0,4})\.?\s")
_CAPTION = re.compile(
    r"(?:figure|fig\.|table|tab\.|exhibit|listing|algorithm|source|note|abb\.|abbildung|tabelle)\s*\.?\s*"
    r"(?:\d|[IVX]+\b)",
    re.IGNORECASE,
)
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}|[\u2e80-\u9fff\uac00-\ud7af]")
_SENTENCE_END = re.compile(r"[.!;,。！；，][\"'”’)\]»]*$")
_SPACES = re.compile(r"[\W_]+")
_DOTS = re.compile(r"(?:\. ?){4}")

_Style = tuple[int, int, bool]
Pages = Sequence[Sequence[Block | Table]]


def find_headings(pages: Pages, outline: Mapping[str, int], tags: Sequence[Mapping[int, int]]) -> None:
    """Marks the blocks of `pages` that are headings.

    Args:
        pages: The blocks of each page.
        outline: Level, from 1, of each title among the bookmarks, as `title_key` writes it.
        tags: Levels of the marked content of each page that is tagged as headings.
    """
    usual = _usual(pages)
    found: list[tuple[Block, int]] = []
    for blocks, levels in zip(pages, tags, strict=True):
        for index, block in enumerate(blocks):
            if not isinstance(block, Block) or block.kind == "code" or not _is_title_like(block):
                continue
            marked = outline.get(title_key(_full(block)), 0) or levels.get(block.lines[0].words[0].content, 0)
            following = next((other for other in blocks[index + 1 : index + 2]), None)
            if marked or (not levels and _stands_out(block, following, usual)):
                found.append((block, marked))
    styles = sorted({_style(block, usual) for block, _ in found}, reverse=True)
    for block, marked in found:
        block.text = " ".join(_full(block).split())
        block.kind, block.number, block.lead = "heading", None, 0
        block.level = min(marked or styles.index(_style(block, usual)) + 1, _LOWEST_LEVEL)


def title_key(text: str) -> str:
    """The letters and digits of a title, in lower case."""
    return _SPACES.sub("", text).lower()


def _full(block: Block) -> str:
    """With the number that an item of a list has lost."""
    return f"{block.number}. {block.text}" if block.number is not None else block.text


@dataclass(frozen=True, slots=True)
class _Usual:
    """The text that headings stand out from: its size and font, and whether few of it is bold."""

    size: float
    sizes: Mapping[float, float]
    fonts: Mapping[str, float]
    bold_is_rare: bool


def _usual(pages: Pages) -> _Usual:
    letters: Counter[float] = Counter()
    fonts: Counter[str] = Counter()
    bold = 0
    lines = [line for blocks in pages for block in blocks for line in block.lines]
    for line in [line for line in lines if not line.is_mono] or lines:
        letters[round(2 * line.size) / 2] += len(line.text)
        fonts[line.font] += len(line.text)
        bold += len(line.text) * line.is_bold
    total = max(1, letters.total())
    shares = {font: count / total for font, count in fonts.items()}
    sizes = {size: count / total for size, count in letters.items()}
    return _Usual(letters.most_common(1)[0][0] if letters else 0.0, sizes, shares, bold < _MOST_BOLD * total)


def _is_title_like(block: Block) -> bool:
    text = block.text
    return (
        len(text) <= _LONGEST
        and len(block.lines) <= _MOST_LINES
        and _TWO_LETTERS.search(text) is not None
        and _CAPTION.match(text) is None
        and _DOTS.search(text) is None
        and not block.lines[0].words[0].is_vertical
        and not _has_columns(block.lines)
    )


def _has_columns(lines: Sequence[Line]) -> bool:
    """Whether something else than the title of a number stands beside its first line."""
    beside = [line for line in lines[1:] if line.continues and line.row == lines[0].row]
    number = len(lines[0].text) <= _LONGEST_NUMBER or _NUMBERED.match(f"{lines[0].text} a")
    return bool(beside) and (len(beside) > 1 or not number)


def _stands_out(block: Block, following: Block | Table | None, usual: _Usual) -> bool:
    if block.kind == "item" and block.number is None:
        return False
    ends = _SENTENCE_END.search(block.text[-10:]) is not None
    if block.size >= _LARGER * usual.size and block.kind == "text":
        rare = usual.sizes.get(round(2 * block.size) / 2, 0.0) < _MOST_LARGE
        return rare and (not ends or block.size >= 1.5 * usual.size)
    if ends or block.text.endswith(":") or block.size < 0.92 * usual.size or len(block.lines) > 2:
        return False
    if block.is_bold:
        over = following is not None and (
            isinstance(following, Table) or len(following.lines) <= 2 or not following.is_bold
        )
        return _NUMBERED.match(_full(block)) is not None or (usual.bold_is_rare and over and block.kind == "text")
    if not isinstance(following, Block) or following.kind == "code" or len(following.text) <= len(block.text):
        return False
    if len(block.lines) > 1 or block.kind != "text" or len(block.text) > _LONGEST_PLAIN:
        return False
    if _SECTION.match(block.text) or (block.text.isupper() and sum(map(str.isalpha, block.text)) >= _SHORTEST_CAPITALS):
        return len(following.lines) > 1
    rare = usual.fonts.get(block.lines[0].font, 0.0) < _RARE_FONT and following.lines[0].font != block.lines[0].font
    larger = block.size >= _A_LITTLE_LARGER * max(usual.size, following.size)
    return (rare or larger) and _one_font(block) and block.text[0] not in "\"'“‘*†‡"


def _one_font(block: Block) -> bool:
    return len({word.font.name for line in block.lines for word in line.words}) == 1


def _style(block: Block, usual: _Usual) -> _Style:
    """What ranks headings: size, in steps, then how few numbers theirs has, then weight."""
    found = _DEPTH.match(_full(block) + " ")
    step = sum(block.size >= ratio * usual.size for ratio in _STEPS)
    return step, -found[1].count(".") if found else 0, block.is_bold
