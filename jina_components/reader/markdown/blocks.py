"""Blocks of Markdown, and the containers they are put into: lists, quotes, definitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jina_components.reader.markdown.line import longest_run

PARAGRAPH, LIST, OTHER = range(3)
"""Kinds of blocks, as far as what may follow depends on it."""

_LINE = re.compile(r"\n(?=[^\n])")
_FENCES = re.compile("`{3,}")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")
_INTERRUPTING = re.compile(r"(?:[-+*]|1[.)]) \S")  # lists that CommonMark knows right after a paragraph
_MOST_NUMBER = 999_999_999


class Block(NamedTuple):
    """A block, and of a list the marker that tells it from the next."""

    text: str
    kind: int = OTHER
    marker: str = ""


class Item(NamedTuple):
    """One entry of a list.

    Attributes:
        text: Its blocks.
        number: Of an ordered list.
        loose: Whether blank lines are within it.
    """

    text: str
    number: int | None
    loose: bool


@dataclass(slots=True)
class Frame:
    """What is being filled: the page, a list, an item, a quote, a cell.

    Attributes:
        kind: Which of them.
        line_break: What a `<br>` becomes in it.
        depth: Lists, quotes and definitions around it.
        blocks: Filled so far.
        items: Of a list.
        ordered: Whether a list is numbered.
        number: Of the next item of an ordered list.
        step: From one number to the next.
    """

    kind: str
    line_break: str
    depth: int = 0
    blocks: list[Block] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    ordered: bool = False
    number: int = 1
    step: int = 1


def joined(blocks: Sequence[Block], *, in_item: bool = False) -> tuple[str, bool]:
    """The text of `blocks`, and whether blank lines separate them.

    Args:
        blocks: In order.
        in_item: Whether they are an item's, where a list may follow its paragraph at once.
    """
    out: list[str] = []
    loose = False
    before = OTHER
    for block in blocks:
        if out:
            tight = in_item and block.kind == LIST and before == PARAGRAPH and bool(_INTERRUPTING.match(block.text))
            loose = loose or not tight
            out.append("\n" if tight else "\n\n")
        out.append(block.text)
        before = block.kind
    return "".join(out), loose


def indented(text: str, width: int) -> str:
    """`text` whose lines after the first begin with `width` spaces."""
    return _LINE.sub("\n" + " " * width, text) if "\n" in text else text


def listed(frame: Frame, bullet: str, before: Block | None) -> Block | None:
    """The list that `frame` holds, with another marker than a list right before it."""
    if not frame.items:
        return None
    marker = "." if frame.ordered else bullet
    if before is not None and before.kind == LIST and before.marker == marker:
        marker = ")" if frame.ordered else "+" if bullet != "+" else "-"
    lines = []
    for text, number, _ in frame.items:
        first = marker if number is None else f"{number}{marker}"
        lines.append(f"{first} {indented(text, len(first) + 1)}".rstrip())
    separator = "\n\n" if any(item.loose for item in frame.items) else "\n"
    return Block(separator.join(lines), LIST, marker)


def list_number(value: int) -> int:
    """`value` as far as Markdown can number with it."""
    return value if 0 <= value <= _MOST_NUMBER else 1


def quoted(text: str) -> Block:
    """A block quote of `text`."""
    return Block("> " + text.replace("\n", "\n> ").replace("\n> \n", "\n>\n").replace("\n> \n", "\n>\n"))


def fenced(text: str, language: str) -> Block:
    """A fenced code block of exactly `text`."""
    fence = "`" * max(3, longest_run(_FENCES, text) + 1)
    known = _LANGUAGE.fullmatch(language)
    return Block(f"{fence}{language if known else ''}\n{text}\n{fence}")


def heading(level: int, text: str, style: str) -> Block:
    """A heading of one line."""
    if style == "setext" and level < 3:
        return Block(f"{text}\n{('=' if level == 1 else '-') * max(3, min(len(text), 80))}")
    return Block(f"{'#' * level} {text}")
