"""Small operations on a parsed page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
"""Tags of headings."""

_DOOMED = "doomed"
_NAME_CHARS = 500
# Boxes nested deep in each other, each around all that is innermost, would all read it.
_MOST_ELEMENTS = 1000


def doom(element: HtmlElement, *, apart: bool = True) -> None:
    """Mark an element to be dropped by `drop_doomed`; the words around it stay `apart`."""
    tail = element.tail
    if apart and tail and not tail[0].isspace():
        element.tail = f" {tail}"
    element.tag = _DOOMED


def drop_doomed(root: HtmlElement) -> None:
    """Drop what is marked below `root`, all at once; the text that follows each stays."""
    from lxml.etree import strip_elements

    strip_elements(root, _DOOMED, with_tail=False)


def walk(root: HtmlElement) -> Iterator[HtmlElement]:
    """The elements below `root` in document order, without those inside of doomed ones."""
    node = root
    while True:
        following = node[0] if len(node) and node.tag != _DOOMED else None
        while following is None:
            if node is root:
                return
            following = node.getnext()
            if following is None:
                node = node.getparent()
        node = following
        yield node


def names(element: HtmlElement) -> str:
    """The classes and the id of an element, cut to a length that caches can hold."""
    return f"{(element.get('class') or '')[:_NAME_CHARS]} {(element.get('id') or '')[:_NAME_CHARS]}"


def inner_text(element: HtmlElement) -> str:
    """All text of an element, each run of white space as one space."""
    return " ".join("".join(element.itertext()).split())


def short_text(element: HtmlElement, most: int) -> str | None:
    """The text of an element; None when it is longer than `most` characters or spread over very many elements."""
    if next(islice(element.iter(), _MOST_ELEMENTS, None), None) is not None:
        return None
    pieces, chars = [], 0
    for piece in element.itertext():
        pieces.append(piece)
        chars += len(piece.strip())
        if chars > most:
            return None
    text = " ".join("".join(pieces).split())
    return text if len(text) <= most else None
