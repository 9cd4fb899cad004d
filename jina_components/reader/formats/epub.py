"""E-books to `Page`: the chapters in the order of the spine (EPUB 3.3, 5.7), each a page."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.archive import Archive
from jina_components.reader.charset import decode
from jina_components.reader.formats.rendering import element, render
from jina_components.reader.formats.xml import MAX_TREE_NODES, count_nodes, local_name, parse_xml
from jina_components.reader.metadata import iso_date
from jina_components.reader.parsing import declared_charset, parse
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_CHAPTERS = 5000

_CONTAINER = "META-INF/container.xml"
_HTML_TYPES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "")
_SELF_CLOSED = re.compile(
    r"<((?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)[a-zA-Z][\w:-]*+)"
    r"""((?:[^<>"'/]|"[^"<]*+"|'[^'<]*+')*+)/>"""
)
_DROPPED = ("script", "style", "head", "template")


def read_epub(source: Source, options: ReadOptions) -> Page:
    """The chapters that `source` holds, in reading order, without its navigation; `page_offsets` are those of chapters.

    Raises:
        ExtractionError: it is broken, protected, too large, or holds no text.
    """
    archive = Archive(source)
    _refuse_protected(archive)
    path = _package_path(archive)
    package = parse_xml(archive.read(path), source, part=path, recover=True)
    chapters, missing = _chapters(archive, package, posixpath.dirname(path), with_data=options.keep_data_urls)
    if not chapters:
        raise ExtractionError(f"{source.label} is an e-book without chapters: it is damaged.", source.name)
    page = render(source, chapters, options, base_url="")
    return _described(
        replace(
            page,
            page_offsets=page.page_offsets or (0,),
            metadata={"num_pages": len(chapters)},
            warnings=(f"Chapters that are missing in the file: {missing}.",) if missing else (),
        ),
        package,
    )


def _refuse_protected(archive: Archive) -> None:
    """Fonts may be obfuscated; chapters that are encrypted cannot be read."""
    if "META-INF/encryption.xml" not in archive:
        return
    root = parse_xml(archive.read("META-INF/encryption.xml"), archive.source, part="META-INF/encryption.xml")
    names = [each.get("URI", "") for each in root.iter() if local_name(each) == "CipherReference"]
    if any(name.lower().endswith((".xhtml", ".html", ".htm", ".xml")) for name in names):
        raise ExtractionError(f"{archive.source.label} is protected against copying.", archive.source.name)


def _package_path(archive: Archive) -> str:
    if _CONTAINER in archive:
        root = parse_xml(archive.read(_CONTAINER), archive.source, part=_CONTAINER, recover=True)
        paths = (each.get("full-path", "") for each in root.iter() if local_name(each) == "rootfile")
        path = next((path for path in paths if path in archive), "")
    else:
        path = next((name for name in archive.names if name.endswith(".opf")), "")
    if not path:
        raise ExtractionError(f"{archive.source.label} names no package file: it is damaged.", archive.source.name)
    return path


def _chapters(archive: Archive, package: _Element, folder: str, *, with_data: bool) -> tuple[list[HtmlElement], int]:
    """The chapters of the spine, but for the navigation; how many of them the file lacks."""
    source = archive.source
    items = {each.get("id", ""): each for each in package.iter() if local_name(each) == "item"}
    spine = [each for each in package.iter() if local_name(each) == "itemref"]
    if len(spine) > MAX_CHAPTERS:
        raise ExtractionError(f"{source.label} has more than {MAX_CHAPTERS:,} chapters.", source.name)
    chapters, missing, left = [], 0, MAX_TREE_NODES
    for reference in spine:
        item = items.get(reference.get("idref", ""))
        if item is None or item.get("media-type", "") not in _HTML_TYPES or "nav" in item.get("properties", "").split():
            continue
        name = _resolved(folder, item.get("href", ""))
        if name not in archive:
            missing += 1
            continue
        data = archive.read(name)
        left -= count_nodes(data)
        if left < 0:
            raise ExtractionError(f"{source.label} has too many elements: split it.", source.name)
        chapters.append(_chapter(data, archive, posixpath.dirname(name), with_data=with_data))
    return chapters, missing


def _chapter(data: bytes, archive: Archive, folder: str, *, with_data: bool) -> HtmlElement:
    text = decode(data, declared=(declared_charset(data),)).text
    made = element("section")
    if not text.strip():
        return made
    # XHTML may close elements in their own tag, which to a parser of HTML would stay open.
    # The paragraph at the end makes a document even of a comment alone.
    tree, _ = parse(_SELF_CLOSED.sub(r"<\1\2></\1>", text) + "<p></p>", archive.source)
    for dropped in list(tree.iter(*_DROPPED)):
        dropped.drop_tree()
    _resolve(tree, archive, folder, with_data=with_data)
    made.text = tree.body.text
    made.extend(list(tree.body))
    return made


def _resolve(tree: HtmlElement, archive: Archive, folder: str, *, with_data: bool) -> None:
    """Images of the archive become `data:` URLs; links within it become text."""
    for image in tree.iter("img", "image"):
        attribute = "src" if image.tag == "img" else next((key for key in image.attrib if key.endswith("href")), "href")
        target = image.get(attribute, "")
        if target and "://" not in target and not target.startswith("data:"):
            image.tag = "img"
            image.set("src", archive.image_url(_resolved(folder, target), with_data=with_data))
    for link in list(tree.iter("a")):
        target = link.get("href", "")
        if target and not target.startswith("#") and ":" not in target:
            del link.attrib["href"]


def _resolved(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, unquote(urldefrag(href).url))).lstrip("/")


def _described(page: Page, package: _Element) -> Page:
    facts: dict[str, list[str]] = {}
    for each in package.iter():
        if isinstance(each.tag, str) and each.tag.startswith("{http://purl.org/dc/elements/1.1/}"):
            text = " ".join("".join(map(str, each.itertext())).split())
            facts.setdefault(local_name(each), []).extend([text] if text else [])
    first = {name: texts[0] for name, texts in facts.items() if texts}
    kept = {"author": ", ".join(facts.get("creator", ())), "publisher": first.get("publisher", "")}
    return replace(
        page,
        title=first.get("title", "") or page.title,
        description=first.get("description", ""),
        language=first.get("language", ""),
        published_time=iso_date(first.get("date", "")),
        metadata={**page.metadata, **{name: fact for name, fact in kept.items() if fact}},
    )
