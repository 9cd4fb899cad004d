"""The lead of an article: the paragraph between its heading and its text that many pages keep in a header of its own."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import inner_text, names
from jina_components.reader.content.measure import count_chars

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_BLOCKS = frozenset(("article", "div", "dl", "figure", "h1", "h2", "h3", "ol", "p", "section", "table", "ul"))
_FOLLOWING = "following::*[self::p or self::div]"
_NO_LEAD = re.compile("caption|figure|image|photo|comment|author|cookie|note|widget|related|placeholder", re.IGNORECASE)
_FURTHEST = 80
_MOST = 3
import os
_LEAST = int(os.environ.get('LEAST', '140'))
_LONGEST = 1200
_OPENING = 60


def find_leads(body: HtmlElement, article: HtmlElement) -> list[HtmlElement]:
    """Copies of the paragraphs between the page's heading and the content."""
    heading = next(body.iter("h1"), None)
    if heading is None:
        return []
    text = inner_text(article)
    found: list[HtmlElement] = []
    for element in heading.xpath(_FOLLOWING)[:_FURTHEST]:
        if any(child.tag in _BLOCKS for child in element):
            continue
        words = inner_text(element)
        if len(words) >= _OPENING and words[:_OPENING] in text:
            return found
        if _is_lead(element, words):
            found.append(copy.deepcopy(element))
            if len(found) > _MOST:
                return []
    return []


def _is_lead(element: HtmlElement, words: str) -> bool:
    if not _LEAST <= len(words) <= _LONGEST or not words.rstrip("\"'”»“)").endswith((".", "!", "?", "…", "。")):
        return False
    for around in (element, element.getparent(), element.getparent().getparent()):
        if around is not None and (around.tag in ("figure", "figcaption", "aside", "nav", "footer", "li") or _NO_LEAD.search(names(around))):
            return False
    linked = sum(count_chars("".join(link.itertext())) for link in element.iter("a"))
    return linked <= 0.2 * len(words)
