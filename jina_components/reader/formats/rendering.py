"""The step all formats share: from HTML elements that a reader built to the content of a `Page`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MARKS = range(0xF0000, 0xFFFFE)  # characters for private use: what no document has one of marks its pages


def element(
    tag: str, *children: HtmlElement, text: str = "", attributes: Mapping[str, str] | None = None
) -> HtmlElement:
    """An HTML element with text, then children."""
    from lxml.html import Element

    made = Element(tag, dict(attributes or {}))
    made.text = text
    made.extend(children)
    return made


def append_text(parent: HtmlElement, text: str) -> None:
    """Put `text` behind all that `parent` holds."""
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def heading_of(body: HtmlElement) -> str:
    """Text of the first heading in `body`, or empty."""
    found = next(body.iter("h1", "h2", "h3", "h4", "h5", "h6"), None)
    return "" if found is None else " ".join(found.text_content().split())


def render(source: Source, pages: Sequence[HtmlElement], options: ReadOptions, *, base_url: str | None = None) -> Page:
    """The content that `options` ask for, its links and images, and the title of its first heading.

    Args:
        source: Where it comes from.
        pages: An element for each page; `page_offsets` tell where these begin, if there are several. Changed in place.
        options: How to write it.
        base_url: What relative links are resolved against; by default that of `source`.

    Raises:
        ExtractionError: there is no text in it.
    """
    from jina_components.reader.markdown import prepare, to_markdown

    body = element("body", *pages)
    title = heading_of(body) or source.file_name
    mark = _mark(pages) if len(pages) > 1 else ""
    base = source.base_url if base_url is None else base_url
    prepare(body, base)
    rendered = to_markdown(body, options, base)
    content, offsets = _taken(_as_asked(body, rendered.text, options), mark)
    if not content.strip():
        raise ExtractionError(f"{source.label} holds no text.", source.name)
    return Page(
        url=source.name,
        title=title,
        content=content,
        links=rendered.links,
        images=rendered.images,
        page_offsets=offsets,
    )


def _as_asked(body: HtmlElement, markdown: str, options: ReadOptions) -> str:
    if options.format == "html":
        from lxml.html import tostring

        for image in () if options.keep_data_urls else body.iter("img"):
            if image.get("src", "").startswith("data:"):
                del image.attrib["src"]
        return tostring(body, encoding="unicode")
    if options.format == "text":
        from jina_components.reader.visible import visible_text

        return visible_text(body)
    return markdown


def _mark(pages: Sequence[HtmlElement]) -> str:
    """Put a paragraph of one character that is found nowhere else before each page; the character."""
    used = set().union(*(map(ord, text) for page in pages for text in page.itertext()))
    mark = chr(next(code for code in _MARKS if code not in used))
    for page in pages:
        page.insert(0, element("p", text=mark))
        page[0].tail, page.text = page.text, None
    return mark


def _taken(content: str, mark: str) -> tuple[str, tuple[int, ...]]:
    """`content` without the marks, and the offset of each."""
    if not mark:
        return content, ()
    pieces = re.split(rf"(?:<p>)?{mark}(?:</p>)?\n*", content)
    offsets, length = [], len(pieces[0])
    for piece in pieces[1:]:
        offsets.append(length)
        length += len(piece)
    return "".join(pieces), tuple(offsets)
