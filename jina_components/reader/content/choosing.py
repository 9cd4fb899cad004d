"""The main content of a page: the element chosen, tried again with less trust in names where little is found.

Method: Readability's (https://github.com/mozilla/readability), written anew for lxml, with the page's own containers,
its lead paragraphs, and tables of words that say what stands beside a text. The containers and the tables owe ideas to
trafilatura (https://github.com/adbar/trafilatura).
"""

from __future__ import annotations

import copy
import functools
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jina_components.reader.content.candidates import best, gather, score
from jina_components.reader.content.cleaning import clean
from jina_components.reader.content.containers import narrow, settle
from jina_components.reader.content.dom import doom, drop_doomed, inner_text, names, short_text, walk
from jina_components.reader.content.leads import add_leads
from jina_components.reader.content.paragraphs import fill_paragraphs, split_at_breaks
from jina_components.reader.content.pruning import prune
from jina_components.reader.content.refining import refine
from jina_components.reader.content.signposts import drop_signposts
from jina_components.reader.content.words import BYLINE, COMPANION, MAYBE, UNLIKELY, UNLIKELY_ROLES

if TYPE_CHECKING:
    from lxml.html import HtmlElement


class _Trust(NamedTuple):
    """What an attempt goes by."""

    unlikely_names: bool
    names: bool
    looks: bool


_ATTEMPTS = (
    _Trust(True, True, True),
    _Trust(False, True, True),
    _Trust(False, False, True),
    _Trust(False, False, False),
)
_ENOUGH = 500
# Where no attempt finds that, all of the page is taken if it holds so many times as much.
_MUCH_MORE = 4
# So many elements take about a second an attempt: only the first and the last are made.
_MANY_ELEMENTS = 30_000
# Never the text, whatever an attempt trusts, but where the tag was left open and the page lies inside.
_BESIDE = frozenset(("footer", "nav"))
_NEARLY_ALL = 0.9
# `class="table-header"` is a table's own, not the page's.
_NEVER_UNLIKELY = frozenset(("a", "table", "tbody", "td", "tfoot", "th", "thead", "tr"))
# A menu around so many paragraphs of so many characters is none, as far as one looks.
_PARAGRAPHS, _PARAGRAPH, _LOOKED_AT = 2, 100, 50
_EMPTIABLE = frozenset(("div", "section", "header", "h1", "h2", "h3", "h4", "h5", "h6"))
_LONGEST_BYLINE = 100
_SAME_TITLE = 0.75
_TITLE_CHARS = 500


def whole_page(tree: HtmlElement) -> HtmlElement:
    """The body of a page without what is never content: scripts, the machinery of forms, hidden elements.

    Args:
        tree: The document; it is used up.
    """
    return prune(tree)


def main_content(tree: HtmlElement, *, title: str = "") -> HtmlElement | None:
    """The main content of a page, as a `<div>`.

    Args:
        tree: The document; what is never content is dropped from it.
        title: The page's title: a heading that repeats it is left out.

    Returns:
        None when the page has no text.
    """
    body = prune(tree)
    split_at_breaks(body)
    attempts = []
    many = body.xpath("count(descendant::*)") >= _MANY_ELEMENTS
    for trust in _ATTEMPTS[::3] if many else _ATTEMPTS:
        article = _attempt(copy.deepcopy(body), title, trust)
        chars = len(inner_text(article))
        if chars >= _ENOUGH:
            add_leads(article, body)
            return article
        attempts.append((chars, article))
    rest = _rest(copy.deepcopy(body), title)
    attempts.append((len(inner_text(rest)) // _MUCH_MORE, rest))
    chars, article = max(attempts, key=lambda attempt: attempt[0])
    return article if chars else None


def _rest(body: HtmlElement, title: str) -> HtmlElement:
    """All of a page but what its tags and names say stands beside the text."""
    _strip(body, title, unlikely=True)
    article = body.makeelement("div")
    article.text = body.text
    article.extend(list(body))
    refine(article)
    drop_signposts(article)
    return article


def _attempt(body: HtmlElement, title: str, trust: _Trust) -> HtmlElement:
    alive = list(body.iter())  # lxml makes an element's object anew whenever nobody holds it
    _strip(body, title, unlikely=trust.unlikely_names)
    measures = fill_paragraphs(body)
    scoring = score(body, measures, weigh_names=trust.names)
    article = narrow(gather(settle(best(scoring), scoring), scoring), measures)
    clean(article, conditionally=trust.looks, weigh_names=trust.names)
    refine(article)
    drop_signposts(article)
    alive.clear()
    return article


def _strip(body: HtmlElement, title: str, *, unlikely: bool) -> None:
    """Drop the first byline, the heading that repeats the title, what is empty, and, if asked, what is unlikely."""
    byline_seen, title_seen, most = False, not title, int(_NEARLY_ALL * len(inner_text(body)))
    for element in walk(body):
        name = names(element)
        if not byline_seen and _is_byline(element, name):
            byline_seen = True
            doom(element)
        elif not title_seen and element.tag in ("h1", "h2") and _repeats(element, title):
            title_seen = True
            doom(element)
        elif (
            (element.tag in _BESIDE and short_text(element, most) is not None)
            or (unlikely and _is_unlikely(element, name))
            or (element.tag in _EMPTIABLE and _is_empty(element))
        ):
            doom(element)
    drop_doomed(body)


def _is_byline(element: HtmlElement, name: str) -> bool:
    by = element.get("rel") == "author" or "author" in (element.get("itemprop") or "") or _is_byline_name(name)
    return by and bool(short_text(element, _LONGEST_BYLINE))


@functools.lru_cache(maxsize=8192)
def _is_byline_name(name: str) -> bool:
    return BYLINE.search(name) is not None


def _is_unlikely(element: HtmlElement, name: str) -> bool:
    if element.get("role") in UNLIKELY_ROLES:
        return True
    if element.tag in _NEVER_UNLIKELY or not _is_unlikely_name(name) or _is_misnamed(element, name):
        return False
    return not any(ancestor.tag in ("table", "code") for ancestor in islice(element.iterancestors(), 4))


def _is_misnamed(element: HtmlElement, name: str) -> bool:
    """Whether what is called a menu or a pager is the box around paragraphs, as of tabs."""
    if COMPANION.search(name) is None:
        return False
    long = (len(_own_text(paragraph)) >= _PARAGRAPH for paragraph in islice(element.iterdescendants("p"), _LOOKED_AT))
    return sum(long) >= _PARAGRAPHS


def _own_text(paragraph: HtmlElement) -> str:
    return "".join(paragraph.xpath("text()")).strip()


@functools.lru_cache(maxsize=8192)
def _is_unlikely_name(name: str) -> bool:
    return name != " " and UNLIKELY.search(name) is not None and MAYBE.search(name) is None


def _is_empty(element: HtmlElement) -> bool:
    if any(child.tag not in ("br", "hr") or (child.tail or "").strip() for child in element):
        return False
    return not (element.text or "").strip()


def _repeats(heading: HtmlElement, title: str) -> bool:
    """Whether hardly a word of a heading is not in the title."""
    words = re.findall(r"\w+", (short_text(heading, _TITLE_CHARS) or "").lower())
    known = set(re.findall(r"\w+", title.lower()))
    new = " ".join(word for word in words if word not in known)
    return bool(words) and len(new) < (1 - _SAME_TITLE) * len(" ".join(words))
