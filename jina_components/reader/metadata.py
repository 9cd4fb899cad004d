"""What an HTML page says of itself: title, description, date, language, author."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_DESCRIPTION = (
    "description",
    "og:description",
    "twitter:description",
    "dc.description",
    "dcterms.description",
)
_PUBLISHED = (
    "article:published_time",
    "datepublished",
    "og:published_time",
    "citation_publication_date",
    "parsely-pub-date",
    "dc.date.issued",
    "dcterms.created",
    "dc.date",
    "dcterms.date",
    "pubdate",
    "date",
)
_AUTHOR = ("author", "dc.creator", "dcterms.creator", "citation_author", "parsely-author", "article:author")
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{1,8})*", re.IGNORECASE)
_SHORTEST_HEADLINE = 10


@dataclass(frozen=True, slots=True)
class Claims:
    """What a page claims; empty where it claims nothing."""

    title: str
    description: str
    published_time: str
    language: str
    author: str
    site: str


def claims_of(tree: HtmlElement) -> Claims:
    """Read `<title>`, `<meta>` (Open Graph, Dublin Core, …), JSON-LD (schema.org) and `lang`."""
    meta = _meta(tree)
    linked = list(_linked_data(tree))
    dates = [meta.get(name, "") for name in _PUBLISHED] + [node.get("datePublished") for node in linked]
    authors = [meta.get(name, "") for name in _AUTHOR] + [_author(node.get("author")) for node in linked]
    return Claims(
        title=_title(tree, meta),
        description=_first(meta.get(name, "") for name in _DESCRIPTION),
        published_time=_first(iso_date(date) for date in dates if isinstance(date, str)),
        language=_language(tree, meta),
        author=_first(author for author in authors if "://" not in author),
        site=meta.get("og:site_name", ""),
    )


def iso_date(text: str) -> str:
    """A date of ISO 8601 or RFC 5322 as ISO 8601, in the precision it has; empty for anything else."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        try:
            return parsedate_to_datetime(text).isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            return ""
    return moment.isoformat() if ":" in text or "T" in text else moment.date().isoformat()


def _meta(tree: HtmlElement) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in tree.iter("meta"):
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            content = " ".join(element.get("content", "").split())
            if content and element.get(attribute):
                found.setdefault(element.get(attribute, "").strip().lower(), content)
    for element in tree.iter("time"):
        if element.get("itemprop") == "datePublished" or element.get("pubdate") is not None:
            found.setdefault("datepublished", element.get("datetime", ""))
    return found


def _linked_data(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    """Objects of the page's JSON-LD, the outer before the inner."""
    for script in tree.iterfind('.//script[@type="application/ld+json"]'):
        try:
            waiting = [json.loads(script.text or "", strict=False)]
        except (ValueError, RecursionError):
            continue  # pages with broken JSON-LD are common; they just claim less
        for node in waiting:  # which grows on the way
            if isinstance(node, dict):
                yield node
                waiting.extend(node.values())
            elif isinstance(node, list):
                waiting.extend(node)


def _title(tree: HtmlElement, meta: dict[str, str]) -> str:
    whole = _line(next(tree.iter("title"), None))
    headlines = [_line(element) for element in tree.iter("h1")]
    # `<title>` often adds the name of the site to the headline.
    headline = _first(h for h in headlines if len(h) >= _SHORTEST_HEADLINE and h.lower() in whole.lower())
    given = (
        meta.get("og:title", ""),
        headline,
        whole,
        meta.get("twitter:title", ""),
        meta.get("dc.title", ""),
    )
    return _first((*given, *headlines))


def _language(tree: HtmlElement, meta: dict[str, str]) -> str:
    root = tree.getroottree().getroot()
    candidates = (root.get("lang"), root.get("xml:lang"), meta.get("content-language"), meta.get("og:locale"))
    tags = (tag.strip() for tag in candidates if tag)
    return _first(tag.replace("_", "-") for tag in tags if _LANGUAGE.fullmatch(tag))


def _author(node: object) -> str:
    people = node if isinstance(node, list) else [node]
    names = (person.get("name") if isinstance(person, dict) else person for person in people)
    return ", ".join(name.strip() for name in names if isinstance(name, str))


def _line(element: HtmlElement | None) -> str:
    return "" if element is None else " ".join(element.text_content().split())


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
