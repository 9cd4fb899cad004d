"""What stands around a text inside its own element: galleries, bylines, related articles, buttons."""

from __future__ import annotations

import functools
import re
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import HEADINGS, doom, drop_doomed, names, walk
from jina_components.reader.content.measure import Measures
from jina_components.reader.content.words import NOTE

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Words of classes and ids, `_` for the space between two.
_BESIDE = """ads advert advertisement also_like author authors bio breadcrumb breadcrumbs button buttons byline
carousel comments consent cookie copyright credit cta dateline disclaimer disqus embed follow galleries gallery gdpr
login menu meta modal more_from more_on nav navbar navigation newsletter newsletters next_article next_post
next_story no_print noprint outbrain pager pagination popup promo rating ratings read_also read_more read_next
recommendation recommendations recommended related respond screen_reader share sharer shares sharing sidebar signup
slider slideshow social sociable sponsor sponsored sr_only subscribe subscription taboola taglist tags timestamp
toolbar trending visually_hidden"""
_BESIDE_IF_LINKED = "teaser teasers"
_BESIDE_OF_LINKS = "btn button comment comments cta print read_more share teaser teasers"
_CAPTION = "caption captions"

_ROLES = frozenset(("banner", "button", "complementary", "contentinfo", "dialog", "menu", "menubar",
                    "navigation", "search", "toolbar"))  # fmt: skip
_TAGS = frozenset(("aside", "menu", "nav"))
# These and what holds them are content, whatever their names.
_KEPT = ("blockquote", "figure", "pre", "table")
_HOLDERS_KEPT = ("blockquote", "pre", "table")

_LARGEST = 0.3
_MOST = 0.5
_LINKED = 0.2
# A post among others: its classes name the categories and tags it is filed under.
_POST = re.compile(r"\b(?:hentry|post-\d+|type-post)\b")
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
_SLUG_CHARS = 100
_NAME_CHARS = 500
# A caption's picture is among so many elements.
_NEAR = 50


def _any_word(words: str) -> re.Pattern[str]:
    alternatives = "|".join(words.split()).replace("_", " ")
    return re.compile(rf"(?<!has )(?<!with )(?<!no )\b(?:{alternatives})\b")


_BESIDE_NAMES, _IF_LINKED_NAMES = _any_word(_BESIDE), _any_word(_BESIDE_IF_LINKED)
_LINK_NAMES, _CAPTION_NAMES = _any_word(_BESIDE_OF_LINKS), _any_word(_CAPTION)


def refine(article: HtmlElement) -> None:
    """Drop from the content what its names and roles say stands beside the text, unless that is most of it."""
    measures = Measures(article)
    largest, left = _LARGEST * measures.chars(article), _MOST * measures.chars(article)
    dropped = []
    for element in walk(article):
        if measures.chars(element) <= largest and _is_beside(element, measures) and not _holds_content(element):
            dropped.append((element, element.tag))
            left -= measures.chars(element)
            doom(element)
    if left < 0:
        for element, tag in dropped:
            element.tag = tag
    drop_doomed(article)


def _is_beside(element: HtmlElement, measures: Measures) -> bool:
    tag, classes = element.tag, element.get("class") or ""
    if tag in HEADINGS or tag in _KEPT:
        return False
    if tag in _TAGS:
        return tag != "aside" or NOTE.search(names(element)) is None
    if element.get("role") in _ROLES:
        return True
    if tag == "a":
        return _has_word(classes, _LINK_NAMES)
    if _has_word(classes, _BESIDE_NAMES):
        return True
    if _has_word(classes, _IF_LINKED_NAMES) and measures.link_density(element) > _LINKED:
        return True
    if _has_word(classes, _CAPTION_NAMES) and not _is_pictured(element):
        return True
    name = element.get("id") or ""
    return _has_word(name, _BESIDE_NAMES) and not _is_slug(name, element)


def _has_word(name: str, pattern: re.Pattern[str]) -> bool:
    return _matches(name[:_NAME_CHARS], pattern)


@functools.lru_cache(maxsize=8192)
def _matches(name: str, pattern: re.Pattern[str]) -> bool:
    if name == "" or _POST.search(name):
        return False
    return pattern.search(" ".join(_WORD.findall(name)).lower()) is not None


def _holds_content(element: HtmlElement) -> bool:
    return next(element.iterdescendants(*_HOLDERS_KEPT), None) is not None


def _is_slug(name: str, element: HtmlElement) -> bool:
    """Whether an id repeats the words of the section's heading, and so says nothing of its kind."""
    opening = "".join(islice(element.itertext(), 20))[:_SLUG_CHARS].lower()
    return all(word in opening for word in _WORD.findall(name.lower()))


def _is_pictured(caption: HtmlElement) -> bool:
    """Whether a caption's picture is there."""
    around = (caption, *islice(caption.iterancestors(), 2))
    if any(element.tag in ("figure", "table") for element in around):
        return True
    return any(inner.tag == "img" for element in around[:2] for inner in islice(element.iterdescendants(), _NEAR))
