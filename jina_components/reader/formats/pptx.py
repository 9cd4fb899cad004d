"""Presentations to `Page`: a page for each slide (ECMA-376 part 1, 19 and 21.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.formats.drawing import drawn, text_of
from jina_components.reader.formats.ooxml import Package, find, find_all, name, value
from jina_components.reader.formats.rendering import append_text, element, render
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_SLIDES = 5000

_DEEPEST = 8  # levels of a list, from 0

_OFF = ("0", "false", "off")
_TITLES = ("title", "ctrTitle")
_FURNITURE = ("dt", "ftr", "hdr", "sldNum", "sldImg")
_LISTING = ("", "body", "obj")  # kinds of placeholders whose paragraphs are items, unless they say otherwise
_GROUPS = frozenset(map(name, ("p:grpSp", "mc:AlternateContent", "mc:Choice")))
_MARKS = {"b": "strong", "i": "em"}


def read_pptx(source: Source, options: ReadOptions) -> Page:
    """The slides that `source` holds, in order: titles, texts, tables, charts, pictures, and the speaker's notes.

    Hidden slides are passed over, which a warning tells; `page_offsets` are those of the slides read.

    Raises:
        ExtractionError: it is broken, encrypted, too large, holds no text, or more than `MAX_SLIDES` slides.
    """
    package = Package(source, options)
    relations = package.relations(package.main)
    ids = find_all(package.xml(package.main), "p:sldIdLst/p:sldId")
    if len(ids) > MAX_SLIDES:
        raise ExtractionError(f"{source.label} has more than {MAX_SLIDES:,} slides: split it.", source.name)
    parts = [relations[each].target for each in (value(one, "r:id") for one in ids) if each in relations]
    slides = [(part, package.xml(part)) for part in parts]
    shown = [(part, slide) for part, slide in slides if slide.get("show") not in _OFF]
    hidden = len(slides) - len(shown)
    page = package.page(render(source, [_slide(package, part, slide) for part, slide in shown], options))
    return replace(
        page,
        page_offsets=page.page_offsets or (0,),
        metadata={**page.metadata, "num_pages": len(shown)},
        warnings=(f"Not read, because they are hidden: {hidden} of {len(slides)} slides.",) if hidden else (),
    )


def _slide(package: Package, part: str, slide: _Element) -> HtmlElement:
    made = element("section")
    shapes = [shape for tree in find_all(slide, "p:cSld/p:spTree") for shape in _shapes(tree)]
    for shape in sorted(shapes, key=lambda shape: _placeholder(shape) not in _TITLES):
        made.extend(_shape(package, part, shape))
    notes = package.first(part, "notesSlide")
    if notes:
        texts = [shape for shape in package.xml(notes).iter(name("p:sp")) if _placeholder(shape) == "body"]
        blocks = [block for shape in texts for block in _texts(package, notes, shape, listing=False)]
        if blocks:
            made.extend([element("h3", text="Notes"), *blocks])
    return made


def _shapes(group: _Element) -> Iterator[_Element]:
    for child in group:
        if child.tag in _GROUPS:
            yield from _shapes(child)
        elif (about := _properties(child)) is None or about.get("hidden") in (None, *_OFF):
            yield child


def _properties(shape: _Element) -> _Element | None:
    """`p:cNvPr`, which names and describes a shape."""
    return find(shape, "*/p:cNvPr")


def _placeholder(shape: _Element) -> str | None:
    """The kind of placeholder that a shape fills; None if it fills none."""
    found = find(shape, "p:nvSpPr/p:nvPr/p:ph")
    return None if found is None else found.get("type", "")


def _shape(package: Package, part: str, shape: _Element) -> Iterable[HtmlElement]:
    kind = _placeholder(shape)
    if kind in _FURNITURE:
        return
    if shape.tag == name("p:sp"):
        title = text_of(shape) if kind in _TITLES else ""
        if title:
            yield element("h2", text=title)
        elif kind not in _TITLES:
            yield from _texts(package, part, shape, listing=kind in _LISTING)
    elif shape.tag == name("p:pic"):
        yield from _picture(package, part, shape)
    elif shape.tag == name("p:graphicFrame"):
        yield from (_table(package, part, table) for table in shape.iter(name("a:tbl")))
        yield from drawn(package, part, shape)


def _picture(package: Package, part: str, shape: _Element) -> Iterator[HtmlElement]:
    about, blip = _properties(shape), find(shape, "p:blipFill/a:blip")
    alt = "" if about is None else " ".join((about.get("descr") or about.get("title") or "").split())
    ids = filter(None, (value(blip, "r:embed"), value(blip, "r:link")))
    url = next(filter(None, (package.image(part, each) for each in ids)), "")
    if url or alt:
        yield element("p", element("img", attributes={"src": url, "alt": alt}))


def _texts(package: Package, part: str, shape: _Element, *, listing: bool) -> Iterator[HtmlElement]:
    """The paragraphs of a shape; those of one that lists, and those with a bullet or number, as items."""
    lists: list[tuple[int, HtmlElement]] = []
    paragraphs = [each for each in shape.iter(name("a:p")) if _text_of(each)]
    for paragraph in paragraphs:
        properties = find(paragraph, "a:pPr")
        level = min(_number(properties.get("lvl", "0")), _DEEPEST) if properties is not None else 0
        tag = _list_kind(properties, listing=listing and (len(paragraphs) > 1 or level > 0))
        if not tag:
            lists.clear()
            made = element("p")
            _inline(package, part, paragraph, made)
            yield made
            continue
        while lists and lists[-1][0] > level:
            lists.pop()
        if not lists or lists[-1][0] < level or lists[-1][1].tag != tag:
            parent = [each for each in lists if each[0] < level]
            lists = [*parent, (level, element(tag))]
            if parent:
                parent[-1][1][-1].append(lists[-1][1])
            else:
                yield lists[-1][1]  # filled as the generator goes on
        item = element("li")
        _inline(package, part, paragraph, item)
        lists[-1][1].append(item)


def _list_kind(properties: _Element | None, *, listing: bool) -> str:
    if properties is not None:
        if find(properties, "a:buNone") is not None:
            return ""
        if find(properties, "a:buAutoNum") is not None:
            return "ol"
        if find(properties, "a:buChar") is not None or find(properties, "a:buBlip") is not None:
            return "ul"
    return "ul" if listing else ""


def _inline(package: Package, part: str, paragraph: _Element, out: HtmlElement) -> None:
    for child in paragraph:
        if child.tag == name("a:br"):
            out.append(element("br"))
        elif child.tag in (name("a:r"), name("a:fld")):
            _run(package, part, child, out)


def _run(package: Package, part: str, run: _Element, out: HtmlElement) -> None:
    text = "".join(each.text or "" for each in find_all(run, "a:t"))
    properties = find(run, "a:rPr")
    marks = [tag for key, tag in _MARKS.items() if properties is not None and properties.get(key) not in (None, *_OFF)]
    relation = package.relations(part).get(value(find(run, "a:rPr/a:hlinkClick"), "r:id"))
    tags = [("a", {"href": relation.target})] if relation and relation.external else []
    for tag, attributes in [*tags, *((mark, {}) for mark in marks)]:
        # What went before it may have the same marks.
        if not (len(out) and out[-1].tag == tag and not out[-1].tail and dict(out[-1].attrib) == attributes):
            out.append(element(tag, attributes=attributes))
        out = out[-1]
    append_text(out, text)


def _table(package: Package, part: str, table: _Element) -> HtmlElement:
    made = element("table")
    for number, row in enumerate(find_all(table, "a:tr")):
        made.append(element("tr"))
        for cell in find_all(row, "a:tc"):
            if cell.get("hMerge") in (None, *_OFF) and cell.get("vMerge") in (None, *_OFF):
                made[-1].append(_cell(package, part, cell, "td" if number else "th"))
    return made


def _cell(package: Package, part: str, cell: _Element, tag: str) -> HtmlElement:
    spans = {"colspan": cell.get("gridSpan", "1"), "rowspan": cell.get("rowSpan", "1")}
    made = element(tag, attributes={key: span for key, span in spans.items() if _number(span) > 1})
    for number, paragraph in enumerate(each for each in cell.iter(name("a:p")) if _text_of(each)):
        if number:
            made.append(element("br"))
        _inline(package, part, paragraph, made)
    return made


def _text_of(paragraph: _Element) -> str:
    return "".join(each.text or "" for each in paragraph.iter(name("a:t"))).strip()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0
