"""Sitemaps (sitemaps.org 0.9) to `Page`: a list of links, with when each was last changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.formats.rendering import element, render
from jina_components.reader.formats.xml import iterate_xml, local_name
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_URLS = 50_000
"""What the standard allows a sitemap to hold."""

_TAGS = ("{*}url", "{*}sitemap")


def read_sitemap(source: Source, options: ReadOptions) -> Page:
    """The URLs that `source` lists: of pages, or of further sitemaps.

    Raises:
        ExtractionError: it is no well-formed XML, or lists nothing.
    """
    items: list[HtmlElement] = []
    left, is_index = 0, False
    for each in iterate_xml(source.data, _TAGS, source):
        is_index = is_index or local_name(each) == "sitemap"
        facts = _facts(each)
        if not facts.get("loc"):
            continue
        left += len(items) >= MAX_URLS
        if len(items) < MAX_URLS:
            items.append(_item(facts))
    if not items:
        raise ExtractionError(f"{source.label} is a sitemap that lists no URL.", source.name)
    page = render(source, [element("ul", *items)], options)
    return replace(
        page,
        title="Index of sitemaps" if is_index else "Sitemap",
        metadata={"urls": len(items) + left},
        warnings=(f"{left:,} URLs after the first {MAX_URLS:,} were not read.",) if left else (),
    )


def _facts(entry: _Element) -> dict[str, str]:
    """Texts of the entry and of its extensions (news, images, video) by name, the first of each."""
    facts: dict[str, str] = {}
    for each in entry.iter():
        if not len(each):
            facts.setdefault(local_name(each), " ".join((each.text or "").split()))
    return facts


def _item(facts: dict[str, str]) -> HtmlElement:
    made = element("li", element("a", text=facts.get("title") or facts["loc"], attributes={"href": facts["loc"]}))
    changed = facts.get("lastmod") or facts.get("publication_date")
    made[-1].tail = f" ({changed})" if changed else None
    return made
