"""Feeds to `Page`: RSS 0.9 to 2.0, RSS 1.0 (RDF) and Atom (RFC 4287); every entry a linked heading and its content."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.formats.rendering import element, render
from jina_components.reader.formats.xml import broken, local_name, parse_xml
from jina_components.reader.links import absolute_url
from jina_components.reader.metadata import iso_date
from jina_components.reader.parsing import parse
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_ENTRIES = 5000

_ENTRIES = ("item", "entry")
_DATES = ("published", "pubDate", "date", "issued", "updated", "modified", "lastBuildDate")
# From the fullest: `content:encoded` of RSS, `content` of Atom; then what only tells what it is about.
_CONTENTS = ("encoded", "content", "description", "summary", "subtitle")
_AUTHORS = ("creator", "author")
_MARKUP = re.compile(r"<[a-zA-Z!/]|&(?:\w{2,20}|#\d{1,7});")
# Entities of HTML that XML does not know; those it does stay.
_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)([a-zA-Z][a-zA-Z0-9]{1,30};)")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a feed, or an entry of one, says; empty where it says nothing."""

    title: str
    url: str
    date: str
    author: str
    content: HtmlElement | None


def read_feed(source: Source, options: ReadOptions) -> Page:
    """The entries that `source` holds, in its order.

    Raises:
        ExtractionError: it is no XML, or no feed.
    """
    root = parse_xml(_ENTITY.sub(_character, source.data), source, recover=True)
    channel = next((each for each in root.iter() if local_name(each) in ("channel", "feed")), root)
    found = [each for each in root.iter() if local_name(each) in _ENTRIES]
    feed = _entry(channel, source)
    if not found and not feed.title:
        raise ExtractionError(f"{source.label} is a feed without title and entries.", source.name)
    body = element("div", *_blocks(feed, "h1"))
    for each in found[:MAX_ENTRIES]:
        body.extend(_blocks(_entry(each, source), "h2"))
    page = render(source, [body], options)
    kept = {"author": feed.author, "entries": len(found)}
    return replace(
        page,
        title=feed.title or page.title,
        description="" if feed.content is None else " ".join(feed.content.text_content().split()),
        published_time=feed.date,
        language=_text(channel, "language") or channel.get("{http://www.w3.org/XML/1998/namespace}lang", ""),
        metadata={name: fact for name, fact in kept.items() if fact},
        warnings=(*broken(root), *_left_out(len(found))),
    )


def _left_out(entries: int) -> Iterator[str]:
    if entries > MAX_ENTRIES:
        yield f"{entries - MAX_ENTRIES:,} entries after the first {MAX_ENTRIES:,} were not read."


def _blocks(entry: _Entry, heading: str) -> Iterator[HtmlElement]:
    linked = element("a", text=entry.title or entry.url, attributes={"href": entry.url}) if entry.url else None
    if linked is not None and heading != "h1":
        yield element(heading, linked)
    elif entry.title:
        yield element(heading, text=entry.title)
    facts = " · ".join(filter(None, (entry.date, entry.author)))
    if facts:
        yield element("p", text=facts)
    if entry.content is not None:
        yield entry.content


def _entry(node: _Element, source: Source) -> _Entry:
    contents = (_content(each, source) for name in _CONTENTS for each in _children(node, name))
    dates = (iso_date(_text(node, name)) or _text(node, name) for name in _DATES)
    authors = ("".join(_plain(each)) for name in _AUTHORS for each in _children(node, name))
    return _Entry(
        title=next((_title(each, source) for each in _children(node, "title")), ""),
        url=_url(node, source),
        date=next(filter(None, dates), ""),
        author=", ".join(dict.fromkeys(filter(None, authors))),
        content=next((each for each in contents if each is not None), None),
    )


def _children(node: _Element, name: str) -> list[_Element]:
    """Children of a name; of media (`media:content`) only where they hold text."""
    return [each for each in node if local_name(each) == name and "search.yahoo.com/mrss" not in each.tag]


def _text(node: _Element, name: str) -> str:
    return next((" ".join("".join(map(str, each.itertext())).split()) for each in _children(node, name)), "")


def _plain(person: _Element) -> str:
    """Name of a person, who in Atom has parts."""
    name = _text(person, "name")
    return name or ("" if len(person) else " ".join((person.text or "").split()))


def _title(node: _Element, source: Source) -> str:
    content = _content(node, source)
    return "" if content is None else " ".join(content.text_content().split())


def _url(node: _Element, source: Source) -> str:
    for link in _children(node, "link"):
        target = link.get("href") or (link.text or "").strip()
        if target and link.get("rel", "alternate") == "alternate":
            return absolute_url(source.base_url, target) or ""
    guid = next(iter(_children(node, "guid")), None)
    is_url = guid is not None and guid.get("isPermaLink", "true") == "true" and "://" in (guid.text or "")
    return (guid.text or "").strip() if guid is not None and is_url else ""


def _content(node: _Element, source: Source) -> HtmlElement | None:
    """What an element holds: XHTML, escaped HTML, or text; None if nothing."""
    if len(node) and node.get("type", "xhtml") in ("xhtml", "html"):
        from lxml import etree

        text = html.escape(node.text or "") + "".join(etree.tostring(each, encoding="unicode") for each in node)
    else:
        text = (node.text or "").strip()
        if not text:
            return None
        if node.get("type") == "text" or not _MARKUP.search(text):
            paragraphs = (part.strip() for part in text.split("\n\n"))
            return element("div", *(element("p", text=part) for part in paragraphs if part))
    tree, _ = parse(f"<div>{text}</div>", source)  # in an element: it may be a comment alone
    body = tree.find("body")
    return element("div", *(tree if body is None else body), text="" if body is None else body.text or "")


def _character(found: re.Match[bytes]) -> bytes:
    character = html.unescape(f"&{found[1].decode()}")
    return found[0] if character.startswith("&") else character.encode("ascii", "xmlcharrefreplace")
