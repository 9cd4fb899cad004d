"""Paragraphs that a page holds as bare lines: text between `<br><br>`, and directly in a `<div>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jina_components.reader.content.measure import Measures

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_PHRASING = frozenset(("abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "br", "button", "cite", "code", "data",
                       "datalist", "dfn", "em", "embed", "font", "i", "img", "input", "kbd", "label", "mark", "math",
                       "meter", "noscript", "object", "output", "progress", "q", "ruby", "s", "samp", "script",
                       "select", "small", "span", "strike", "strong", "sub", "sup", "textarea", "time", "tt", "u",
                       "var", "wbr"))  # fmt: skip
_PHRASING_IF_INSIDE = frozenset(("a", "del", "ins"))
_BLOCKS = frozenset(("blockquote", "dl", "div", "img", "ol", "p", "pre", "table", "ul"))
_MAX_LINKED = 0.25


def split_at_breaks(body: HtmlElement) -> None:
    """Make a paragraph of what follows two or more `<br>`."""
    phrasing: set[HtmlElement] | None = None
    for first in list(body.iter("br")):
        if first.getparent() is None or not _in_chain(first) or next(first.iterancestors("pre"), None) is not None:
            continue
        phrasing = _phrasing(body) if phrasing is None else phrasing
        parent = first.getparent()
        last = first
        while _in_chain(last):
            following = last.getnext()
            if last is not first:
                parent.remove(last)
            last = following
        paragraph = parent.makeelement("p")
        _replace(first, last, paragraph)
        _take_phrasing(paragraph, phrasing)
        if parent.tag == "p":
            parent.tag = "div"


def _in_chain(line_break: HtmlElement) -> bool:
    """Whether another `<br>` follows directly."""
    following = line_break.getnext()
    return following is not None and following.tag == "br" and not _has_text(line_break.tail)


def _replace(first: HtmlElement, last: HtmlElement, paragraph: HtmlElement) -> None:
    parent = first.getparent()
    paragraph.text, last.tail, first.tail = last.tail, None, None
    parent.replace(first, paragraph)
    if last is not first:
        parent.remove(last)


def _take_phrasing(paragraph: HtmlElement, phrasing: set[HtmlElement]) -> None:
    """Move what follows a paragraph into it, up to a block or the next two `<br>`."""
    following = paragraph.getnext()
    while following is not None and following in phrasing and not (following.tag == "br" and _in_chain(following)):
        paragraph.append(following)
        following = paragraph.getnext()
    while len(paragraph) and paragraph[-1].tag == "br" and not _has_text(paragraph[-1].tail):
        paragraph.remove(paragraph[-1])


def _phrasing(body: HtmlElement) -> set[HtmlElement]:
    """The elements that stand within a line."""
    found: set[HtmlElement] = set()
    for element in reversed(list(body.iter())):
        tag = element.tag
        if tag in _PHRASING or (tag in _PHRASING_IF_INSIDE and all(child in found for child in element)):
            found.add(element)
    return found


def fill_paragraphs(body: HtmlElement) -> Measures:
    """Put what stands within lines directly in a `<div>` into paragraphs; how much text there is."""
    phrasing, measures = _phrasing(body), Measures(body)
    for div in list(body.iter("div")):
        if div is not body:
            _fill(div, phrasing, measures)
    return measures


def _fill(div: HtmlElement, phrasing: set[HtmlElement], measures: Measures) -> None:
    if all(child in phrasing for child in div):
        if not _has_text(div.text) and not len(div):
            return
        if measures.link_density(div) < _MAX_LINKED:
            div.tag = "p"
            return
    for paragraph in _wrap_runs(div, phrasing):
        measures.put(paragraph)
    only = div[0] if len(div) == 1 else None
    if only is not None and only.tag == "p" and not _has_text(div.text) and not _has_text(only.tail):
        if measures.link_density(only) < _MAX_LINKED:
            _unwrap_only(div, only)
    elif not any(descendant.tag in _BLOCKS for descendant in div.iterdescendants()):
        div.tag = "p"


def _unwrap_only(div: HtmlElement, paragraph: HtmlElement) -> None:
    for name in ("class", "id"):
        if (value := div.get(name)) and not paragraph.get(name):
            paragraph.set(name, value)
    paragraph.tail, div.tail = div.tail, None
    div.getparent().replace(div, paragraph)


def _wrap_runs(div: HtmlElement, phrasing: set[HtmlElement]) -> list[HtmlElement]:
    made: list[HtmlElement] = []
    open_paragraph: HtmlElement | None = None
    children = list(div)
    if _has_text(div.text):
        open_paragraph = _new_paragraph(div, made)
        open_paragraph.text, div.text = div.text, None
        div.insert(0, open_paragraph)
    for child in children:
        if child in phrasing and (open_paragraph is not None or child.tag != "br"):
            if open_paragraph is None:
                open_paragraph = _new_paragraph(div, made)
                child.addprevious(open_paragraph)
            open_paragraph.append(child)
            continue
        open_paragraph = None
        if _has_text(child.tail):
            open_paragraph = _new_paragraph(div, made)
            open_paragraph.text, child.tail = child.tail, None
            child.addnext(open_paragraph)
    return made


def _new_paragraph(div: HtmlElement, made: list[HtmlElement]) -> HtmlElement:
    made.append(div.makeelement("p"))
    return made[-1]


def _has_text(text: str | None) -> bool:
    return text is not None and not text.isspace() and text != ""
