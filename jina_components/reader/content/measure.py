"""How much text, and how much of it in links, the elements of a page hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# A link within the page counts less: tables of contents and footnotes belong to a text.
_WITHIN_PAGE = 0.3
_COMMAS = re.compile("[,\u060c\ufe50\ufe10\ufe11\u2e41\u2e34\u2e32\uff0c\u3001]")


class Measures:
    """Characters, linked characters and commas of every element below `root`, counted in one pass."""

    def __init__(self, root: HtmlElement) -> None:
        elements = list(root.iter())
        self._position = {element: number for number, element in enumerate(elements)}
        self._chars = [0] * len(elements)
        self._linked = [0.0] * len(elements)
        self._commas = [0] * len(elements)
        self._count(elements)

    def _count(self, elements: list[HtmlElement]) -> None:
        position, chars, linked, commas = self._position, self._chars, self._linked, self._commas
        # Backwards, whatever is inside an element comes before it.
        for number in range(len(elements) - 1, -1, -1):
            element = elements[number]
            if (text := element.text) and not text.isspace():
                chars[number] += count_chars(text)
                commas[number] += count_commas(text)
            if not number:
                return
            parent = position[element.getparent()]
            chars[parent] += chars[number]
            commas[parent] += commas[number]
            linked[parent] += linked[number]
            if element.tag == "a":
                linked[parent] += chars[number] * link_weight(element)
            if (tail := element.tail) and not tail.isspace():
                chars[parent] += count_chars(tail)
                commas[parent] += count_commas(tail)

    def put(self, element: HtmlElement) -> None:
        """Add a new element, whose children have been counted."""
        chars, linked, commas = count_chars(element.text or ""), 0.0, count_commas(element.text or "")
        for child in element:
            number = self._position[child]
            chars += self._chars[number] + count_chars(child.tail or "")
            linked += self._linked[number] + (self._chars[number] * link_weight(child) if child.tag == "a" else 0)
            commas += self._commas[number] + count_commas(child.tail or "")
        self._position[element] = len(self._chars)
        self._chars.append(chars)
        self._linked.append(linked)
        self._commas.append(commas)

    def chars(self, element: HtmlElement) -> int:
        """Characters of its text, runs of white space counted as one."""
        return self._chars[self._position[element]]

    def linked(self, element: HtmlElement) -> float:
        """Characters of the links inside it."""
        return self._linked[self._position[element]]

    def commas(self, element: HtmlElement) -> int:
        """Commas in its text, of any script."""
        return self._commas[self._position[element]]

    def unlinked(self, element: HtmlElement) -> float:
        """Characters outside of links."""
        number = self._position[element]
        return max(0.0, self._chars[number] - self._linked[number])

    def link_density(self, element: HtmlElement) -> float:
        """The part of its text that is links."""
        number = self._position[element]
        return self._linked[number] / self._chars[number] if self._chars[number] else 0.0


def count_chars(text: str) -> int:
    """Characters of a piece of text, without white space around."""
    return 0 if text.isspace() else len(" ".join(text.split()))


def count_commas(text: str) -> int:
    """Commas of any script."""
    return text.count(",") if text.isascii() else len(_COMMAS.findall(text))


def link_weight(link: HtmlElement) -> float:
    """How much a link's text counts as linked."""
    href = link.get("href")
    return _WITHIN_PAGE if href and len(href) > 1 and href[0] == "#" else 1.0
