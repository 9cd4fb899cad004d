"""What a stretch of text can be within, and the pieces of a line before they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

# Noncharacters stand for markup while a line is composed, so that it is never taken for the page's own text.
EMPHASIS_OPENS, EMPHASIS_CLOSES = "\ufdd0", "\ufdd1"
STRONG_OPENS, STRONG_CLOSES = "\ufdd2", "\ufdd3"
STRIKE_OPENS, STRIKE_CLOSES = "\ufdd4", "\ufdd5"
LINK_OPENS = "\ufdd6"
ATOM = "\ufdd7"
"""A ready piece of Markdown, kept beside the line."""
ESCAPE = "\ufdd8"
"""A backslash of ours."""
SENTINELS = "\ufdd0-\ufdef"
"""All of them, as a range of a regular expression."""

TEXT, READY, CODE, BREAK = range(4)
"""Kinds of pieces: words of the page, finished Markdown, the text of a code span, a line break."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Emphasis and its like: what opens it and what closes it (a sentinel, or an HTML tag)."""

    opens: str
    closes: str


EMPHASIS = Mark(EMPHASIS_OPENS, EMPHASIS_CLOSES)
STRONG = Mark(STRONG_OPENS, STRONG_CLOSES)
STRIKE = Mark(STRIKE_OPENS, STRIKE_CLOSES)


@dataclass(eq=False, slots=True)
class Link:
    """A link, whose text may fall into several blocks: only one of them, with words if any has, becomes it.

    Attributes:
        url: Absolute, or with a scheme of its own.
        text: All words in it, on one line.
        written: Its Markdown around a text that is Markdown already.
        split: Whether it goes beyond one block.
        used: Whether it has been written.
    """

    url: str
    text: str
    written: Callable[[str], str]
    split: bool = False
    used: bool = False


@dataclass(eq=False, slots=True)
class Code:
    """One code span; always the innermost mark.

    Attributes:
        text: Its text, once the line is composed.
    """

    text: str = ""
    opens = closes = ""  # it is written as a whole


AnyMark: TypeAlias = Mark | Link | Code
Marks: TypeAlias = tuple[AnyMark, ...]


class Piece(NamedTuple):
    """Part of a line: text as it stands in the page (or finished Markdown), what it is within, and its kind."""

    text: str
    marks: Marks
    kind: int = TEXT


def common(first: Marks, second: Marks) -> Marks:
    """The outer marks that both share."""
    if first == second:
        return first
    shared = 0
    for one, other in zip(first, second, strict=False):
        if one is not other:
            break
        shared += 1
    return first[:shared]


def link_of(marks: Iterable[AnyMark]) -> Link | None:
    """The link among `marks`."""
    return next((mark for mark in marks if type(mark) is Link), None)
