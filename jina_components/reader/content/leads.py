"""The lead of an article: paragraphs between its heading and its text that many pages keep in a header of their own."""

from __future__ import annotations

import copy
import re
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import inner_text, names, short_text
from jina_components.reader.content.measure import count_chars

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_BLOCKS = frozenset(("article", "div", "dl", "figure", "h1", "h2", "h3", "ol", "p", "section", "table", "ul"))
_FOLLOWING = "(following::*[self::p or self::div])[position() <= 80]"
_NO_LEAD = re.compile("caption|figure|image|photo|comment|author|cookie|note|widget|related|placeholder", re.IGNORECASE)
_NO_LEAD_TAGS = frozenset(("aside", "figcaption", "figure", "footer", "li", "nav"))
_MOST = 3
_SHORTEST, _LONGEST = 140, 1200
_OPENING = 60
_LINKED = 0.2
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।")


def add_leads(article: HtmlElement, body: HtmlElement) -> None:
    """Put before the content the lead paragraphs that it misses.

    Args:
        article: The content, a `<div>`.
        body: The page it is from, whole.
    """
    for lead in reversed(_leads(article, body)):
        lead.tag, lead.tail = "p", None
        article.insert(0, lead)


def _leads(article: HtmlElement, body: HtmlElement) -> list[HtmlElement]:
    """Copies of the paragraphs between the page's heading and what the content begins with."""
    heading = next(body.iter("h1"), None)
    if heading is None:
        return []
    text = inner_text(article)
    found: list[HtmlElement] = []
    for element in heading.xpath(_FOLLOWING):
        if any(child.tag in _BLOCKS for child in element):
            continue
        words = inner_text(element)
        if len(words) >= _OPENING and words[:_OPENING] in text:
            return found
        if _is_lead(element):
            found.append(copy.deepcopy(element))
            if len(found) > _MOST:
                return []
    return []


def _is_lead(element: HtmlElement) -> bool:
    words = short_text(element, _LONGEST) or ""
    if len(words) < _SHORTEST or not words.rstrip("\"'”»“)").endswith(_SENTENCE_ENDS):
        return False
    for around in (element, *islice(element.iterancestors(), 2)):
        if around.tag in _NO_LEAD_TAGS or _NO_LEAD.search(names(around)):
            return False
    linked = sum(count_chars("".join(link.itertext())) for link in element.iter("a"))
    return linked <= _LINKED * len(words)
