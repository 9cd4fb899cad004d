"""Small changes to a DOM that lose no words around them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement


def remove(element: HtmlElement) -> None:
    """Take `element` out of its parent; the text after it stays."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def turn_into(element: HtmlElement, tag: str, text: str) -> None:
    """Make of `element` another one of only `text`; the text after it stays."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail


def has_class(element: HtmlElement, name: str) -> bool:
    """Whether `name` is among the classes of `element`."""
    return name in (element.get("class") or "").split()


def outermost(elements: Iterable[HtmlElement]) -> list[HtmlElement]:
    """Those of `elements`, in the order of the document, that are in no other of their kind."""
    found: list[HtmlElement] = []
    inner: set[HtmlElement] = set()
    for element in elements:
        if element not in inner:
            found.append(element)
            inner.update(element.iter(element.tag))
    return found
