"""What stands around a text inside its own element: galleries, bylines, related articles, buttons."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import doom, drop_doomed, inner_text, walk
from jina_components.reader.content.measure import Measures

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_BESIDE = """gallery galleries slideshow carousel slider breadcrumb breadcrumbs byline dateline timestamp author authors bio
meta credit related recommended recommendation recommendations trending newsletter newsletters subscribe
subscription signup share sharing sharer shares social sociable follow comments respond taglist tags rating ratings
copyright disclaimer cookie consent gdpr advert advertisement ads sponsor sponsored promo cta button buttons toolbar
pagination pager nav navigation navbar menu login register sidebar alert popup modal outbrain taboola disqus wishlist
noprint sr_only visually_hidden screen_reader read_more read_also read_next also_like next_article more_from more_on
embed rate interesting_articles next_story next_post nextstory postcomment no_print print_link"""
_BESIDE_NAMES = re.compile(rf"(?<!has )(?<!with )(?<!no )\b(?:{'|'.join(_BESIDE.split()).replace('_', ' ')})\b")
_LINKED_NAMES = re.compile(r"\b(?:teasers?)\b")
_KEPT = ('pre','blockquote','table')
_ROLES = frozenset(("navigation", "complementary", "button", "menu", "menubar", "toolbar", "search", "banner", "contentinfo", "alert", "dialog"))
_TAGS = frozenset(("nav", "aside", "menu"))
import os
_LARGEST = float(os.environ.get('LARGEST','0.3'))
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")


def refine(article: HtmlElement) -> None:
    measures = Measures(article)
    most = _LARGEST * measures.chars(article)
    beside = [
        element
        for element in walk(article)
        if (element.tag in _TAGS or element.get("role") in _ROLES or _is_beside(element) or (_linked_named(element.get('class') or '') and (element.tag=='a' or measures.link_density(element)>.2))) and measures.chars(element) <= most
    ]
    import os
    if 1:
        beside += [e for e in walk(article) if _CAPTION.search(" ".join(_WORD.findall(e.get("class") or "")).lower()) and e not in beside and not _pictured(e) and measures.chars(e)<=most]
    beside = [e for e in beside if e.tag != "figure" and e.tag not in _KEPT and next(e.iterdescendants(*_KEPT), None) is None]
    outermost = set(beside) - {inner for element in beside for inner in element.iterdescendants()}
    if sum(measures.chars(element) for element in outermost) > 0.5 * measures.chars(article):
        return
    for element in beside:
        doom(element)
    drop_doomed(article)


def _is_beside(element: HtmlElement) -> bool:
    if element.tag == "a":
        return _button_named(element.get("class") or "")
    if element.tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        return False
    if _named(element.get("class") or ""):
        return True
    name = element.get("id") or ""
    return _named(name) and not _is_slug(name, element)


def _is_slug(name, element):
    opening = inner_text(element)[:100].lower()
    return all(word in opening for word in _WORD.findall(name.lower()))


@functools.lru_cache(maxsize=4096)
def _named(name: str) -> bool:
    return len(name) > 1 and _BESIDE_NAMES.search(" ".join(_WORD.findall(name)).lower()) is not None


@functools.lru_cache(maxsize=4096)
def _linked_named(name: str) -> bool:
    return len(name) > 1 and _LINKED_NAMES.search(" ".join(_WORD.findall(name)).lower()) is not None


_CAPTION = re.compile(r"\bcaptions?\b")


def _pictured(element):
    for around, _ in zip((element, *element.iterancestors()), range(3)):
        if around.tag in ("figure", "table"):
            return True
        if next(around.iter("img"), None) is not None:
            return _ < 2
    return False


def _only_link(p, measures):
    if measures.link_density(p) < 0.95 or len(p) != 1 and not any(x.tag == "a" for x in p):
        return False
    if next(p.iter("img"), None) is not None or measures.chars(p) < 20:
        return False
    def textual(s):
        return s is not None and s.tag == "p" and measures.chars(s) > 80 and measures.link_density(s) < .3
    return textual(p.getprevious()) and (p.getnext() is None or textual(p.getnext()))


@functools.lru_cache(maxsize=4096)
def _button_named(name: str) -> bool:
    return re.search(r"\b(?:print|share|button|btn|cta|comments?|read more)\b"," ".join(_WORD.findall(name)).lower()) is not None
