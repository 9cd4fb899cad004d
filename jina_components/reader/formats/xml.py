"""XML to trees, without entities, DTDs or network; and XML of no known kind to `Page`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

MAX_TREE_BYTES = 50_000_000
"""XML that is read into one tree, which takes ten times its memory and more."""

MAX_TREE_NODES = 4_000_000
"""Tags and attributes that are read into trees of one document: the smallest take forty times their bytes."""

MAX_STREAMED_BYTES = 10_000_000
"""XML from one element to the next of those that are read one after another, such as a row of cells."""

MAX_STREAMED_TAGS = 10_000_000
"""Tags of XML of which elements are read one after another."""

_SETTINGS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,  # elements nest 256 deep at most
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,
}
_FED_BYTES = 65_536
# What feeds of all sorts have and no content is lost by.
_HARMLESS = ("NS_ERR_UNDEFINED_NAMESPACE",)

# What elements of documents (DocBook, JATS, TEI, DITA, FictionBook …) are in HTML; others only hold what is in them.
_AS_HTML = {
    **dict.fromkeys(("p", "para", "simpara", "v", "l", "abstract", "subtitle"), "p"),
    **dict.fromkeys(("title", "head", "article-title"), "heading"),
    **dict.fromkeys(("itemizedlist", "list", "ul", "simplelist"), "ul"),
    **dict.fromkeys(("orderedlist", "ol", "procedure"), "ol"),
    **dict.fromkeys(("listitem", "list-item", "item", "li", "member", "step"), "li"),
    **dict.fromkeys(("programlisting", "screen", "codeblock", "preformat", "pre", "literallayout", "eg"), "pre"),
    **dict.fromkeys(("emphasis", "italic", "hi", "i", "em", "emph"), "em"),
    **dict.fromkeys(("bold", "strong", "b"), "strong"),
    **dict.fromkeys(("code", "literal", "monospace", "codeph"), "code"),
    **dict.fromkeys(("blockquote", "disp-quote", "quote", "cite", "lq"), "blockquote"),
    **dict.fromkeys(("table", "tgroup", "tbody", "thead", "tr", "td", "th", "sup", "sub"), ""),
    **dict.fromkeys(("row",), "tr"),
    **dict.fromkeys(("entry", "cell"), "td"),
    **dict.fromkeys(("link", "ulink", "ext-link", "ref", "xref", "a"), "a"),
}
_SECTIONS = frozenset(("sec", "section", "sect1", "sect2", "sect3", "sect4", "chapter", "div", "part", "topic", "body",
                       "book", "article", "text", "front", "back", "div1", "div2", "div3"))  # fmt: skip
_PARAGRAPHS = frozenset(("p", "para", "simpara"))


def count_nodes(data: bytes) -> int:
    """Tags and attributes of XML or HTML; at least as many as there are, as what bounds memory."""
    return data.count(b"<") + data.count(b"=")


def parse_xml(
    data: bytes, source: Source, *, part: str = "", recover: bool = False, max_nodes: int = MAX_TREE_NODES
) -> _Element:
    """The root element.

    Args:
        data: The XML.
        source: What to name in errors.
        part: The part of the source that it is, likewise.
        recover: Whether to read what can be read of broken XML; `broken` then tells what was wrong.
        max_nodes: Tags and attributes that it may have.

    Raises:
        ExtractionError: it is no XML, larger than `MAX_TREE_BYTES`, of too many nodes, or nested too deep.
    """
    from lxml import etree

    if len(data) > MAX_TREE_BYTES:
        raise ExtractionError(f"{_label(source, part)} exceeds {MAX_TREE_BYTES:,} bytes: split it.", source.name)
    if count_nodes(data) > max_nodes:
        raise ExtractionError(f"{_label(source, part)} has too many elements: split {source.label}.", source.name)
    try:
        root = etree.fromstring(data, etree.XMLParser(**_SETTINGS, recover=recover))
    except (etree.LxmlError, ValueError) as error:
        raise ExtractionError(f"{_label(source, part)} is no well-formed XML: {error}.", source.name) from error
    if root is None:
        raise ExtractionError(f"{_label(source, part)} holds no XML element.", source.name)
    return root


def broken(root: _Element) -> tuple[str, ...]:
    """A warning, if `root` is what could be read of broken XML."""
    errors = [entry for entry in root.getroottree().parser.error_log if entry.type_name not in _HARMLESS]
    if not errors:
        return ()
    return (f"The XML is broken in line {errors[0].line} ({errors[0].message.strip()}); some of it may be missing.",)


def iterate_xml(data: bytes, tags: tuple[str, ...], source: Source, *, part: str = "") -> Iterator[_Element]:
    """The elements of some tags, one after another: each is emptied when the next is asked for.

    Raises:
        ExtractionError: it is no XML, or beyond `MAX_STREAMED_BYTES` and `MAX_STREAMED_TAGS`, once that is reached.
    """
    from lxml import etree

    parser = etree.XMLPullParser(events=("end",), tag=tags, **_SETTINGS)
    since, seen = 0, 0
    try:
        for begin in range(0, len(data), _FED_BYTES):
            fed = data[begin : begin + _FED_BYTES]
            since, seen = since + len(fed), seen + fed.count(b"<")
            if since > MAX_STREAMED_BYTES or seen > MAX_STREAMED_TAGS:
                raise ExtractionError(f"{_label(source, part)} has too many elements: split it.", source.name)
            parser.feed(fed)
            for _, found in parser.read_events():
                since = 0
                yield cast("_Element", found)  # which by the type could be a namespace
                _forget(cast("_Element", found))
        parser.close()
    except etree.LxmlError as error:
        raise ExtractionError(f"{_label(source, part)} is no well-formed XML: {error}.", source.name) from error


def _forget(element: _Element) -> None:
    """Give back the memory of an element and of all before it."""
    element.clear()
    for each in (element, *element.iterancestors()):
        parent = each.getparent()
        while parent is not None and parent[0] is not each:
            del parent[0]


def local_name(element: _Element) -> str:
    """The name of an element without its namespace; empty for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def read_xml(source: Source, options: ReadOptions) -> Page:
    """XML of no known kind: documents (with paragraphs) as Markdown, data as it is, in a fenced block.

    Raises:
        ExtractionError: it is no XML, or a document without text.
    """
    from jina_components.reader.formats.data import fenced
    from jina_components.reader.formats.rendering import element, render

    root = parse_xml(source.data, source, recover=True)
    if not any(local_name(each) in _PARAGRAPHS for each in root.iter()):
        return fenced(source, "xml")
    body = element("div")
    _convert(root, body, 0)
    return replace(render(source, [body], options), warnings=broken(root))


def _convert(node: _Element, out: HtmlElement, depth: int) -> None:
    from jina_components.reader.formats.rendering import append_text, element

    name = local_name(node).lower()
    if not name:
        append_text(out, "")
    else:
        tag = _AS_HTML.get(name, "span" if out.tag in ("p", "li", "td", "h2") else "div") or name
        tag = f"h{min(max(depth, 1), 6)}" if tag == "heading" else tag
        # By names alone: lxml looks for each value among all attributes.
        target = next((node.get(key, "") for key in map(str, node.keys()) if key.endswith(("href", "url"))), "")
        made = element(tag, text=node.text or "", attributes={"href": target} if tag == "a" and target else None)
        out.append(made)
        for child in node:
            _convert(child, made, depth + (name in _SECTIONS))
    append_text(out, node.tail or "")


def _label(source: Source, part: str) -> str:
    return f"{source.label}: its part {part!r}" if part else source.label
