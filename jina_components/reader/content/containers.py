"""Elements that say of themselves that they hold the text: `<article>`, `<main>`, `class="entry-content"`."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from jina_components.reader.content.candidates import Scoring
from jina_components.reader.content.measure import Measures

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_TAGS = ("article", "div", "main", "section")
_PROPERTIES = frozenset(("articleBody", "text"))
_NAMES = re.compile("(?:entry|post|article|story)[-_]*(?:content|body|text)", re.IGNORECASE)

# The chosen element holds so small a part of the page's paragraphs that the text must be spread over more of it, …
_SPREAD = 0.3
# … over the element that holds this part of them.
_TOGETHER = 0.7
_PARAGRAPH = 80
_PARAGRAPH_LINKED = 0.25

# So short a text gives way to the page's main element, where that holds this many times as much.
_SHORT = 1500
_MUCH_MORE = 2

# A container inside the chosen element takes its place when it holds this part of it.
_NEARLY_ALL = 0.93


def settle(top: HtmlElement, scoring: Scoring) -> HtmlElement:
    """The element to read, given the one that scored best: where that is too small, one that holds more."""
    body, measures = scoring.body, scoring.measures
    around = {top, *top.iterancestors()}
    if not any(container in around for container in _containers(body)):
        top = _spread(top, body, measures)
    if measures.unlinked(top) < _SHORT:
        top = _main_around(top, body, measures)
    return top


def narrow(article: HtmlElement, measures: Measures) -> HtmlElement:
    """The gathered content without what stands around the container of nearly all of it.

    Args:
        article: A `<div>` of elements that are in `measures`.
        measures: Of the page.
    """
    least = _NEARLY_ALL * sum(measures.unlinked(child) for child in article)
    large = [container for container in _containers(article) if measures.unlinked(container) >= least]
    if not large:
        return article
    smallest = min(large, key=measures.unlinked)
    smallest.tail = None
    narrowed = article.makeelement("div")
    narrowed.append(smallest)
    return narrowed


def _containers(root: HtmlElement) -> list[HtmlElement]:
    return [element for element in root.iterdescendants(*_TAGS) if _is_container(element)]


def _is_container(element: HtmlElement) -> bool:
    if element.tag == "article" or _is_main(element) or element.get("role") == "article":
        return True
    return element.get("itemprop") in _PROPERTIES or _is_container_name((element.get("class") or "")[:500])


def _is_main(element: HtmlElement) -> bool:
    return element.tag == "main" or element.get("role") == "main"


@functools.lru_cache(maxsize=8192)
def _is_container_name(name: str) -> bool:
    return _NAMES.search(name) is not None


def _spread(top: HtmlElement, body: HtmlElement, measures: Measures) -> HtmlElement:
    """The element around `top` with most of the page's long paragraphs, where `top` has but a few of them."""
    held = _paragraph_chars(body, measures)
    if held[top] >= _SPREAD * held[body]:
        return top
    for ancestor in top.iterancestors():
        if ancestor is body or held[ancestor] >= _TOGETHER * held[body]:
            return ancestor
    return top


def _paragraph_chars(body: HtmlElement, measures: Measures) -> dict[HtmlElement, int]:
    """Characters of the long paragraphs with few links in each element."""
    held: dict[HtmlElement, int] = defaultdict(int)
    for element in reversed(list(body.iter())):
        if element.tag in ("p", "li", "pre", "td"):
            chars = measures.chars(element)
            if chars >= _PARAGRAPH and measures.link_density(element) < _PARAGRAPH_LINKED:
                held[element] += chars
        if element is not body and held[element]:
            held[element.getparent()] += held[element]
    return held


def _main_around(top: HtmlElement, body: HtmlElement, measures: Measures) -> HtmlElement:
    """The page's main element, around `top` or elsewhere, if it holds much more."""
    mains = [element for element in body.iterdescendants(*_TAGS) if element.tag == "article" or _is_main(element)]
    if sum(main.tag == "article" for main in mains) > 1:
        # Of many, each is one of a list.
        mains = [main for main in mains if main.tag != "article"]
    least = _MUCH_MORE * measures.unlinked(top)
    ancestors = set(top.iterancestors())
    larger = [main for main in mains if measures.unlinked(main) >= least]
    around = [main for main in larger if main in ancestors]
    if around:
        return min(around, key=measures.unlinked)
    if any(main is top or main in ancestors or top in set(main.iterancestors()) for main in mains):
        return top
    return max(larger, key=measures.unlinked, default=top)
