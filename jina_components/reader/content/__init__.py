"""The main content of an HTML page."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from jina_components.reader.content.candidates import best, gather, score
from jina_components.reader.content.clean import clean
from jina_components.reader.content.containers import narrow, settle
from jina_components.reader.content.dom import doom, drop_doomed, inner_text, names, walk
from jina_components.reader.content.leads import find_leads
from jina_components.reader.content.paragraphs import fill_paragraphs, split_at_breaks
from jina_components.reader.content.prune import prune
from jina_components.reader.content.refine import refine
from jina_components.reader.content.signposts import drop_signposts
from jina_components.reader.content.words import BYLINE, MAYBE, UNLIKELY, UNLIKELY_ROLES

if TYPE_CHECKING:
    from lxml.html import HtmlElement

__all__ = ["main_content", "whole_page"]

_ENOUGH = 500
# What to trust less and less: that unlikely names are no content, names at all, and what the text looks like.
_ATTEMPTS = ((True, True, True), (False, True, True), (False, False, True), (False, False, False))
_EMPTIABLE = frozenset(("div", "section", "header", "h1", "h2", "h3", "h4", "h5", "h6"))


def whole_page(tree: HtmlElement) -> HtmlElement:
    return prune(tree)


def main_content(tree: HtmlElement, *, title: str = "") -> HtmlElement | None:
    body = prune(tree)
    split_at_breaks(body)
    attempts = []
    for unlikely, weigh_names, conditionally in _ATTEMPTS:
        copied = copy.deepcopy(body)
        article = _attempt(copied, title, unlikely, weigh_names, conditionally)
        chars = len(inner_text(article))
        if chars >= _ENOUGH:
            for number, lead in enumerate(find_leads(body, article)):
                lead.tail = None
                if lead.tag not in ("h2", "h3"):
                    lead.tag = "p"
                article.insert(number, lead)
            return article
        attempts.append((chars, article))
    chars, article = max(attempts, key=lambda attempt: attempt[0])
    return article if chars else None


def _attempt(body, title, unlikely, weigh_names, conditionally):
    _strip(body, title, unlikely)
    fill_paragraphs(body)
    scoring = score(body, weigh_names=weigh_names)
    top = settle(best(scoring), scoring)
    article = narrow(gather(top, scoring), scoring.measures)
    clean(article, conditionally=conditionally, weigh_names=weigh_names)
    refine(article)
    drop_signposts(article)
    return article


def _strip(body, title, unlikely):
    byline = False
    titled = False
    title_words = set(_words(title))
    for element in walk(body):
        name = names(element)
        if not byline and _is_byline(element, name):
            byline = True
            doom(element)
        elif not titled and element.tag in ("h1", "h2") and title_words and _repeats(element, title_words):
            titled = True
            doom(element)
        elif unlikely and (_is_unlikely(element, name) or element.get("role") in UNLIKELY_ROLES):
            doom(element)
        elif element.tag in _EMPTIABLE and _is_empty(element):
            doom(element)
    drop_doomed(body)


def _is_byline(element, name):
    return (element.get("rel") == "author" or "author" in (element.get("itemprop") or "") or BYLINE.search(name)) and 0 < len(inner_text(element)) < 100


def _is_unlikely(element, name):
    if name == " " or not UNLIKELY.search(name) or MAYBE.search(name) or element.tag in ("body", "a"):
        return False
    return not any(a.tag in ("table", "code") for a, _ in zip(element.iterancestors(), range(4)))


def _is_empty(element):
    return all(child.tag in ("br", "hr") and not (child.tail or "").strip() for child in element) and not (element.text or "").strip()


def _words(text):
    return re.findall(r"\w+", text.lower())

def _repeats(heading, title_words):
    words = _words(inner_text(heading))
    if not words: return False
    unique = [w for w in words if w not in title_words]
    return 1 - len(" ".join(unique)) / len(" ".join(words)) > 0.75


import os
V=os.environ.get('V','')
def _only_heading(e):
    return len(e)==1 and e[0].tag in ('h2','h3','h4') and not (e.text or '').strip() and not (e[0].tail or '').strip() and next(e.iter('a'),None) is None
