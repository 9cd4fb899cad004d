"""Who wrote a page, by the elements that say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.metadata.attributes import AttributeIndex

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NO_TEXT = frozenset(("body", "head", "html", "link", "meta", "script", "style"))
_APART = frozenset(("form", "nav"))
_ASIDE = _APART | {"aside", "footer"}  # which in an article are often about it
_MOST_CANDIDATES = 50
_MOST_INNER = 60
_LONGEST = 100
# From the surest to the vaguest sign; the words are those of Readability (https://github.com/mozilla/readability).
_SIGNS = (
    ("rel", re.compile(r"(?<!\S)author(?!\S)", re.IGNORECASE)),
    ("itemprop", re.compile(r"author|creator", re.IGNORECASE)),
    ("class", re.compile(r"byline|writtenby|p-author", re.IGNORECASE)),
    ("class", re.compile(r"author", re.IGNORECASE)),
)
# An author there is one of a comment, of another article, or of the site.
_ELSEWHERE = re.compile(
    r"comment(?!s?-(?:open|closed|off))|related|recommend|reply|replies|respond|menu|(?<!elementor-)widget|"
    r"(?<!entry-)(?<!post-)(?<!article-)footer|(?<!has-)(?<!with-)(?<!no-)(?<!right-)(?<!left-)sidebar",
    re.IGNORECASE,
)
_BY = re.compile(
    r"\A(?:(?:posted|written|published|words|story|reported|text|verfasst|geschrieben|erstellt|artikel|escrito|écrit|publié|"
    r"scritto|pubblicato)\s)?"
    r"(?:by|von|par|por|di|door|autor|author|af|av)\b\s?:?\s?",
    re.IGNORECASE,
)
# What stands in the place of a name: buttons, and dates without an author.
_NO_NAME = re.compile(
    r"(?:about|all|contact|created|date|follow|last|more|posts?|posted|published|publiziert|read|see|share|show|subscribe|updated|"
    r"view|written|publisher|unknown|anonymous|guest|gast|staff$|admin$)\b",
    re.IGNORECASE,
)
_NAMES = (
    ".//*[contains(@itemprop, 'name') or contains(concat(' ', @class, ' '), ' fn ')]",
    ".//*[contains(@class, 'author') and contains(@class, 'name')]",
    ".//a[contains(@href, '/author') or contains(@href, '/people/') or contains(@href, '/by/')]",
    ".//a[contains(@class, 'author')]",
)
_MEETS_DATE = re.compile(
    r"\s(?:[|•·,–—-]|on|am|le|el|published|posted|updated)?\s?"
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s)?"
    r"(?:\d{1,2}\D|(?:19|20)\d\d\b|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s\d).*\Z"
    r"|\s(?:am|on)\Z",
    re.IGNORECASE | re.DOTALL,
)


def cleaned_name(text: str) -> str:
    """A byline without its "By" and the date behind it; empty where it is no name: a URL, a text, a number."""
    name = _BY.sub("", " ".join(text[:500].split()))
    name = _MEETS_DATE.sub("", name).strip(" ,;|•·-–—:")
    sound = len(name) < _LONGEST and "://" not in name and "@" not in name and not _NO_NAME.match(name)
    return name if sound and any(map(str.isalpha, name)) else ""


def joined(names: Iterable[str]) -> str:
    """Names without repeats and blanks."""
    return ", ".join(dict.fromkeys(filter(None, map(cleaned_name, names))))


def marked_author(index: AttributeIndex) -> str:
    """The author named by `rel`, `itemprop`, or a class that speaks of one; or empty."""
    for attribute, words in _SIGNS:
        for element in index.find(attribute, words, most=_MOST_CANDIDATES):
            if element.tag not in _NO_TEXT and not _is_elsewhere(element) and (name := _name_in(element)):
                return name
    return ""


def _name_in(element: HtmlElement) -> str:
    if len(list(islice(element.iter(), _MOST_INNER + 1))) > _MOST_INNER:
        return ""  # no byline, but what holds one
    inner = (found for path in _NAMES for found in element.xpath(path))
    texts = (" ".join(each.itertext()) for each in (*inner, element))
    return next(filter(None, (cleaned_name(text) for text in texts if len(text) < 5 * _LONGEST)), "")


def _is_elsewhere(element: HtmlElement) -> bool:
    around = [element, *element.iterancestors()][:100]
    in_article = any(each.tag == "article" for each in around)
    return any(each.tag in (_APART if in_article else _ASIDE) for each in around) or any(
        _ELSEWHERE.search(f"{each.get('class', '')} {each.get('id', '')}"[:300])
        for each in around
        if each.tag not in ("body", "html")
    )
