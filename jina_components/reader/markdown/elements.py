"""What each element of HTML does to the Markdown: one function for each kind, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from jina_components.reader.markdown import blocks as b
from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.blocks import Block, Item
from jina_components.reader.markdown.code_text import code_text, language_of
from jina_components.reader.markdown.escape import escape, escape_heading
from jina_components.reader.markdown.html_table import html_table
from jina_components.reader.markdown.line import words_of
from jina_components.reader.markdown.marks import Code, Marks, Piece
from jina_components.reader.markdown.math import MATH_CLASS
from jina_components.reader.markdown.preparing import TASK_CLASS
from jina_components.reader.markdown.serializer import End, Start, Writer, skip
from jina_components.reader.markdown.tables import LAYOUT, PIPES, TableFrame, aligned, pipe_table
from jina_components.reader.markdown.targets import destination

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "e", "o", "a", "®", "™", "tm", "©", "sm"))
_PIXEL = frozenset(("0", "1", "0px", "1px"))
_LONGEST_HEADING = 1000


def _block(writer: Writer, _element: HtmlElement) -> End:
    writer.flush()
    return Writer.flush


def _skip(_writer: Writer, _element: HtmlElement) -> End:
    return skip


def _within(mark: m.AnyMark, writer: Writer) -> End:
    """What follows is within `mark` too, until the end that is returned."""
    before = writer.marks
    if before and isinstance(before[-1], Code):
        writer.marks = (*before[:-1], mark, before[-1])
    else:
        writer.marks = (*before, mark)
    return partial(_back_to, before)


def _back_to(marks: Marks, writer: Writer) -> None:
    writer.marks = marks


def _marked(writer: Writer, element: HtmlElement) -> End | None:
    mark = writer.marks_by_tag.get(element.tag)
    marks = writer.marks
    if mark is None or mark in marks or (marks and isinstance(marks[-1], Code)):
        return None
    if mark is m.STRONG and writer.frame.kind == "heading":
        return None  # it is bold already
    return _within(mark, writer)


def _raised(writer: Writer, element: HtmlElement) -> End | None:
    label = writer.notes.references.get(element)
    if label is not None:
        writer.ready(f"[^{label}]")
        return skip
    if len(element) < 2 and words_of(element.text_content()[:20]).casefold() in _ORDINALS:
        return None
    if any((link.get("href") or "").startswith("#") for link in element.iterchildren("a")):
        writer.text(element.text_content())  # a note that is not here
        return skip
    return _marked(writer, element)


def _code(writer: Writer, _element: HtmlElement) -> End | None:
    marks = writer.marks
    if not writer.style.inline or (marks and isinstance(marks[-1], Code)):
        return None
    return _within(Code(), writer)


def _link(writer: Writer, element: HtmlElement) -> End | None:
    if element in writer.notes.backlinks:
        return skip
    label = writer.notes.references.get(element)
    if label is not None:
        writer.ready(f"[^{label}]")
        return skip
    if m.link_of(writer.marks) is not None:
        return None
    if (element.get("href") or "").startswith("#") and _is_sign(element):
        return skip
    link = writer.targets.link(element)
    if writer.style.links == "none":
        for image in element.iter("img"):
            _image(writer, image)
        return skip
    if link is None or writer.style.links == "text":
        return None
    return _within(link, writer)


def _is_sign(element: HtmlElement) -> bool:
    """Whether a link to a place of the page shows no words: the mark beside a heading, an arrow."""
    return not any(char.isalnum() for char in element.text_content()) and next(element.iter("img"), None) is None


def _image(writer: Writer, element: HtmlElement) -> End:
    if element.get("width") in _PIXEL and element.get("height") in _PIXEL:
        return skip  # it counts visits
    alt, url, title = writer.targets.image(element)
    if writer.style.images == "alt":
        writer.text(alt)
    elif writer.style.images == "all" and url:
        caption = ' "' + title.replace("\\", "\\\\").replace('"', '\\"') + '"' if title else ""
        writer.ready(f"![{_alternative(alt, writer)}]({destination(url)}{caption})")
    return skip


def _alternative(alt: str, writer: Writer) -> str:
    if alt.isalnum():
        return alt
    escaped = escape(alt, writer.style) if writer.style.escape else alt
    for bracket in "[]":
        escaped = escaped.replace(m.ESCAPE + bracket, bracket).replace(bracket, m.ESCAPE + bracket)
    return escaped.replace(m.ESCAPE, "\\")


def _break(writer: Writer, _element: HtmlElement) -> End:
    if writer.pieces:
        writer.pieces.append(Piece("", writer.marks, m.BREAK))
    return skip


def _rule(writer: Writer, _element: HtmlElement) -> End:
    writer.flush()
    if writer.frame.kind not in ("item", "heading", "cell") or writer.frame.blocks:
        writer.add(Block(writer.style.rule))
    return skip


def _heading(writer: Writer, _element: HtmlElement) -> End:
    writer.open("heading", line_break=" ")
    return partial(_end_heading, int(_element.tag[1]))


def _end_heading(level: int, writer: Writer) -> None:
    blocks = writer.close().blocks
    plain = next((at for at, block in enumerate(blocks) if block.kind != b.PARAGRAPH), len(blocks))
    text = " ".join(block.text for block in blocks[:plain])
    if not text or len(text) > _LONGEST_HEADING:
        plain = 0
    else:
        writer.add(b.heading(level, escape_heading(text) if writer.style.escape else text, writer.style.heading))
    for block in blocks[plain:]:
        writer.add(block)


def _preformatted(writer: Writer, element: HtmlElement) -> End:
    writer.flush()
    for link in element.iter("a"):
        writer.targets.link(link)
    for image in element.iter("img"):
        _image(writer, image)
    text = code_text(element)
    if text.strip():
        writer.add(b.fenced(text, language_of(element)))
    return skip


def _list(writer: Writer, element: HtmlElement) -> End:
    writer.flush()
    if writer.too_deep():
        return Writer.flush
    frame = writer.open("list")
    frame.ordered = element.tag == "ol"
    if frame.ordered:
        reverse = element.get("reversed") is not None
        frame.step = -1 if reverse else 1
        frame.number = _whole(element.get("start"), len(element.findall("li")) if reverse else 1)
    return _end_list


def _whole(text: str | None, default: int) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _end_list(writer: Writer) -> None:
    frame = writer.close()
    before = writer.frame.blocks[-1] if writer.frame.blocks else None
    block = b.listed(frame, writer.style.bullet, before)
    if block is not None:
        writer.add(block)
    for note in frame.blocks:
        writer.add(note)


def _item(writer: Writer, element: HtmlElement) -> End:
    writer.flush()
    if element in writer.notes.definitions:
        return _note(writer, element)
    if writer.too_deep():
        return Writer.flush
    if writer.frame.ordered:
        writer.frame.number = _whole(element.get("value"), writer.frame.number)
    writer.open("item", line_break=writer.style.line_break, deeper=True)
    return _end_item


def _end_item(writer: Writer) -> None:
    frame = writer.close()
    text, loose = b.joined(frame.blocks, in_item=True)
    outer = writer.frame
    if outer.kind == "list":
        if text or outer.ordered:
            outer.items.append(Item(text, writer.next_number(outer), loose))
    elif text:
        entry = f"{writer.style.bullet} {b.indented(text, 2)}"
        last = outer.blocks[-1] if outer.blocks else None
        if last is not None and last.marker == "stray":
            outer.blocks[-1] = Block(f"{last.text}\n{entry}", b.LIST, "stray")
        else:
            writer.add(Block(entry, b.LIST, "stray"))


def _note(writer: Writer, element: HtmlElement) -> End:
    writer.open("note")
    return partial(_end_note, writer.notes.definitions[element])


def _end_note(label: str, writer: Writer) -> None:
    text, _ = b.joined(writer.close().blocks)
    writer.frame.blocks.append(Block(f"[^{label}]: {b.indented(text, 4)}".rstrip()))


def _section(writer: Writer, element: HtmlElement) -> End:
    """A block that may be the definition of a footnote."""
    writer.flush()
    return _note(writer, element) if element in writer.notes.definitions else Writer.flush


def _quote(writer: Writer, _element: HtmlElement) -> End:
    writer.flush()
    if writer.too_deep():
        return Writer.flush
    writer.open("quote", deeper=True)
    return _end_quote


def _end_quote(writer: Writer) -> None:
    text, _ = b.joined(writer.close().blocks)
    if text:
        writer.add(b.quoted(text))


def _term(writer: Writer, _element: HtmlElement) -> End:
    writer.open("term")
    return _end_term


def _end_term(writer: Writer) -> None:
    blocks = writer.close().blocks
    if not all(block.kind == b.PARAGRAPH for block in blocks):
        for block in blocks:
            writer.add(block)
        return
    text = "\n".join(block.text for block in blocks)
    last = writer.frame.blocks[-1] if writer.frame.blocks else None
    if text and last is not None and last.marker == "term":
        writer.frame.blocks[-1] = Block(f"{last.text}\n{text}", b.PARAGRAPH, "term")
    elif text:
        writer.add(Block(text, b.PARAGRAPH, "term"))


def _definition(writer: Writer, _element: HtmlElement) -> End:
    writer.open("definition")
    return _end_definition


def _end_definition(writer: Writer) -> None:
    blocks = writer.close().blocks
    last = writer.frame.blocks[-1] if writer.frame.blocks else None
    if not blocks or blocks[0].kind != b.PARAGRAPH or last is None or last.marker not in ("term", "definition"):
        for block in blocks:
            writer.add(block)
        return
    # Deeper indentation would make code of what it holds where definitions are not known.
    width = 0 if any(frame.kind == "definition" for frame in writer.frames) else 2
    text = b.indented(": " + b.joined(blocks)[0], width)
    writer.frame.blocks[-1] = Block(f"{last.text}\n{text}", b.PARAGRAPH, "definition")


def _table(writer: Writer, element: HtmlElement) -> End:
    writer.flush()
    kind = writer.tables[element]
    if kind == LAYOUT:
        return Writer.flush
    if kind == PIPES:
        table = TableFrame("table", writer.frame.line_break, writer.frame.depth)
        writer.frames.append(table)
        return partial(_end_table, table)
    text = html_table(element, writer)
    if text:
        writer.add(Block(text))
    return skip


def _end_table(table: TableFrame, writer: Writer) -> None:
    frame = writer.close()
    for block in frame.blocks:
        writer.add(block)
    if text := pipe_table(table):
        writer.add(Block(text))


def _row(writer: Writer, _element: HtmlElement) -> End:
    writer.flush()
    if isinstance(writer.frame, TableFrame):
        writer.frame.rows.append([])
    return Writer.flush


def _cell(writer: Writer, element: HtmlElement) -> End:
    writer.flush()
    table = writer.frame
    if not isinstance(table, TableFrame) or not table.rows:
        return Writer.flush
    if len(table.rows) == 1:
        table.alignments.append(aligned(element))
    writer.open("cell", line_break="<br>")
    return partial(_end_cell, table)


def _end_cell(table: TableFrame, writer: Writer) -> None:
    text = "<br>".join(block.text for block in writer.close().blocks)
    table.rows[-1].append(text.replace("|", "\\|"))


def _summary(writer: Writer, _element: HtmlElement) -> End:
    writer.flush()
    before = writer.marks
    strong = writer.marks_by_tag.get("strong")
    if strong is not None and strong not in before:
        writer.marks = (*before, strong)
    return partial(_end_summary, before)


def _end_summary(before: Marks, writer: Writer) -> None:
    writer.flush()
    writer.marks = before


def _quotation(writer: Writer, _element: HtmlElement) -> End:
    writer.pieces.append(Piece("“", writer.marks))
    return partial(_add_text, "”")


def _add_text(text: str, writer: Writer) -> None:
    writer.pieces.append(Piece(text, writer.marks))


def _reading(writer: Writer, _element: HtmlElement) -> End:
    """The reading of a character of East Asia."""
    _add_text("(", writer)
    return partial(_add_text, ")")


def _abbreviation(writer: Writer, element: HtmlElement) -> End | None:
    title, text = words_of(element.get("title") or ""), words_of(element.text_content())
    is_long_form = len(title) > len(text) > 1 and not any(char.isdigit() for char in title)
    if not (writer.style.inline and is_long_form) or title in writer.expanded:
        return None
    writer.expanded.add(title)
    return partial(_add_text, f" ({title})")


def _player(writer: Writer, element: HtmlElement) -> End:
    """A frame or player: a link to what it shows."""
    source = element if element.get("src") or element.get("data") else next(element.iter("source"), element)
    text = words_of(element.get("title") or element.get("aria-label") or "")
    url = writer.targets.embedded(source, text)
    if url and writer.style.links != "none":
        writer.flush()
        link = writer.targets.link_to(url, text or _PLAYERS[element.tag])
        end = _within(link, writer)
        writer.text(link.text)
        end(writer)
        writer.flush()
    return skip


_PLAYERS = {
    "iframe": "Embedded page",
    "embed": "Embedded page",
    "object": "Embedded page",
    "video": "Video",
    "audio": "Audio",
}


def _span(writer: Writer, element: HtmlElement) -> End | None:
    kind = element.get("class")
    if kind == MATH_CLASS:
        return _math(writer, element)
    if kind == TASK_CLASS:
        return _task(writer, element.get("data-checked") == "true")
    return None


def _math(writer: Writer, element: HtmlElement) -> End:
    tex = "\n".join(line.strip() for line in (element.text or "").split("\n") if line.strip())
    if element.get("data-display") != "block":
        writer.ready(f"${' '.join(tex.split())}$" if tex else "")
    elif writer.frame.kind in ("cell", "heading") or m.link_of(writer.marks) is not None:
        writer.ready(f"$${' '.join(tex.split())}$$" if tex else "")
    elif tex:
        writer.flush()
        writer.add(Block(f"$$\n{tex}\n$$"))
    return skip


def _input(writer: Writer, element: HtmlElement) -> End:
    if (element.get("type") or "").lower() == "checkbox":
        return _task(writer, element.get("checked") is not None)
    return skip


def _task(writer: Writer, checked: bool) -> End:
    if writer.style.gfm and writer.frame.kind == "item" and not writer.frame.blocks and not writer.pieces:
        writer.ready("[x]" if checked else "[ ]")
        writer.text(" ")
    return skip


_BLOCKS = (
        "address", "article", "aside", "body", "caption", "center", "details", "dialog", "dl", "fieldset",
        "figcaption", "figure", "footer", "form", "header", "hgroup", "html", "legend", "main", "nav",
        "noframes", "search", "section",
    )  # fmt: skip
_SKIPPED = (
        "applet", "area", "base", "canvas", "col", "colgroup", "datalist", "frame", "frameset", "head",
        "link", "map", "meta", "noembed", "noscript", "param", "progress", "meter", "rp", "script", "select",
        "source", "style", "svg", "template", "textarea", "title", "track",
    )  # fmt: skip
_MARKED = (
    "b",
    "cite",
    "del",
    "dfn",
    "em",
    "i",
    "mark",
    "s",
    "strike",
    "strong",
    "sub",
    "var",
)

STARTS: Mapping[str, Start] = {
    **dict.fromkeys(_BLOCKS, _block),
    **dict.fromkeys(_SKIPPED, _skip),
    **dict.fromkeys(_MARKED, _marked),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), _code),
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _list),
    **dict.fromkeys(("abbr", "acronym"), _abbreviation),
    **dict.fromkeys(("td", "th"), _cell),
    **dict.fromkeys(("p", "div"), _section),
    **dict.fromkeys(("pre", "listing", "xmp"), _preformatted),
    **dict.fromkeys(_PLAYERS, _player),
    "a": _link, "blockquote": _quote, "br": _break, "dd": _definition, "dt": _term, "hr": _rule, "img": _image,
    "input": _input, "li": _item, "q": _quotation, "rt": _reading, "span": _span, "summary": _summary, "sup": _raised,
    "table": _table, "tr": _row,
}  # fmt: skip
"""What is done at the start of an element; it returns what is done at the end."""
