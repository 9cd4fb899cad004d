"""Tables that pipes cannot draw, as HTML of what carries meaning alone."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from jina_components.reader.markdown.code_blocks import code_text
from jina_components.reader.markdown.images import is_lost
from jina_components.reader.markdown.inline_elements import PLAYERS, embedded
from jina_components.reader.markdown.line import visible
from jina_components.reader.markdown.tables import spans
from jina_components.reader.markdown.targets import link_url

if TYPE_CHECKING:
    from lxml.html import HtmlElement

    from jina_components.reader.markdown.serializer import Writer

_KEPT = frozenset(
    (
        "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "dl", "dt", "em", "h1", "h2", "h3",
        "h4", "h5", "h6", "hr", "i", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "strong", "sub",
        "sup", "table", "td", "th", "thead", "tr", "ul", "var",
    )
)  # fmt: skip
_SKIPPED = frozenset(
    (
        "applet", "base", "canvas", "col", "colgroup", "datalist", "frame", "head", "input", "link", "meta",
        "noscript", "script", "select", "source", "style", "svg", "template", "textarea", "title",
    )
)  # fmt: skip
_VOID = frozenset(("br", "hr"))
_BLOCKS = frozenset((
        "blockquote", "caption", "dd", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
        "pre", "table", "td", "th", "thead", "tr", "ul",
    ))  # fmt: skip
_LINES = frozenset(("caption", "table", "thead", "tr"))
_AROUND_TAG = re.compile(r" *(\n|</?(?:" + "|".join(sorted(_BLOCKS)) + r")(?:\s[^<>]*+)?>) *")


def html_table(table: HtmlElement, writer: Writer) -> str:
    """`table` as HTML without blank lines, which would end it; empty if it has no words and no images."""
    from lxml.etree import iterwalk

    out: list[str] = []
    links: list[bool] = []
    content = False
    walker = iterwalk(table, events=("start", "end"))
    for event, element in walker:
        tag = element.tag
        if event == "start":
            if tag in _SKIPPED:
                walker.skip_subtree()
            elif tag == "img" or tag in PLAYERS:
                walker.skip_subtree()
                out.append(_image(element, writer) if tag == "img" else _player(element, writer))
                content = content or bool(out[-1])
            elif tag == "pre":
                walker.skip_subtree()
                content = True
                out.append(f"<pre>{_escaped(code_text(element)).replace(chr(10), '&#10;')}</pre>")
            else:
                out.append(_opening(element, writer, links))
                if element.text:
                    content = content or not element.text.isspace()
                    out.append(_flowing(element.text))
            continue
        if tag in _KEPT and tag not in _VOID and tag != "pre":
            out.append(f"</{tag}>\n" if tag in _LINES else f"</{tag}>")
        elif tag == "a" and links.pop():
            out.append("</a>")
        if element is not table and element.tail:
            content = content or not element.tail.isspace()
            out.append(_flowing(element.tail))
    return _AROUND_TAG.sub(r"\1", re.sub(r" {2,}", " ", "".join(out))).strip() if content else ""


def linked_text(element: HtmlElement, writer: Writer) -> str:
    """A `<pre>` with its links, which a fenced block would lose; its text to the letter."""
    from lxml.etree import iterwalk

    shown = writer.style.shows_links
    out: list[str] = []
    for event, inner in iterwalk(element, events=("start", "end")):
        url = link_url(writer.targets.base_url, inner.get("href")) if shown and inner.tag == "a" else ""
        if event == "start":
            out.append(f'<a href="{_escaped(url)}">' if url else "\n" if inner.tag == "br" else "")
            out.append(_escaped(inner.text or ""))
        else:
            out.append("</a>" if url else "")
            out.append(_escaped(inner.tail or "") if inner is not element else "")
    return f"<pre>{''.join(out).strip(chr(10)).rstrip()}</pre>"


def _opening(element: HtmlElement, writer: Writer, links: list[bool]) -> str:
    tag = element.tag
    if tag == "a":
        link = writer.targets.link(element)
        shown = link is not None and writer.style.shows_links and not any(links)
        links.append(shown)
        return f'<a href="{_escaped(link.url)}">' if link is not None and shown else ""
    if tag not in _KEPT:
        return " " if tag in ("div", "section", "article", "figure", "figcaption") else ""
    return f"<{tag}{_attributes(element)}>" + ("\n" if tag in ("table", "thead") else "")


def _attributes(element: HtmlElement) -> str:
    if element.tag in ("td", "th"):
        taken = ((name, spans(element, name)) for name in ("colspan", "rowspan"))
        return "".join(f' {name}="{count}"' for name, count in taken if count > 1)
    if element.tag == "ol" and (element.get("start") or "").isdigit():
        return f' start="{element.get("start")}"'
    return ""


def _image(element: HtmlElement, writer: Writer) -> str:
    alt, url, _ = writer.targets.image(element)
    if writer.style.images == "alt" or (writer.style.images == "all" and is_lost(element)):
        return _escaped(alt)
    return f'<img src="{_escaped(url)}" alt="{_escaped(alt)}">' if url and writer.style.images == "all" else ""


def _player(element: HtmlElement, writer: Writer) -> str:
    text, url = embedded(writer, element)
    return f'<a href="{_escaped(url)}">{_escaped(text)}</a>' if url and writer.style.shows_links else ""


def _flowing(text: str) -> str:
    text = visible(text)
    edges = (" " if text[:1].isspace() else "", " " if text[-1:].isspace() else "")
    return edges[0] + _escaped(" ".join(text.split())) + edges[1]


def _escaped(text: str) -> str:
    return html.escape(text, quote=True).replace("&#x27;", "'")
