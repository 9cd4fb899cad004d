"""What each element within a line does to the Markdown."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.blocks import Block
from jina_components.reader.markdown.escape import escape
from jina_components.reader.markdown.images import is_lost, is_pixel
from jina_components.reader.markdown.line import words_of
from jina_components.reader.markdown.marks import Code, Marks, Piece
from jina_components.reader.markdown.math import MATH_CLASS
from jina_components.reader.markdown.preparing import TASK_CLASS
from jina_components.reader.markdown.serializer import End, Writer, skip
from jina_components.reader.markdown.targets import destination

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "e", "o", "a", "®", "™", "tm", "©", "sm"))
_MOST_IN_ABBREVIATION = 10  # elements; unclosed ones hold the rest of the page, each
PLAYERS = {
    "iframe": "Embedded page",
    "embed": "Embedded page",
    "object": "Embedded page",
    "video": "Video",
    "audio": "Audio",
}


def leave_out(_writer: Writer, _element: HtmlElement) -> End:
    """What is not content, or not seen."""
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


def marked(writer: Writer, element: HtmlElement) -> End | None:
    """Emphasis and its like."""
    mark = writer.marks_by_tag.get(element.tag)
    marks = writer.marks
    if mark is None or mark in marks or (marks and isinstance(marks[-1], Code)):
        return None
    if mark is m.STRONG and writer.frame.kind == "heading":
        return None  # it is bold already
    return _within(mark, writer)


def raised(writer: Writer, element: HtmlElement) -> End | None:
    """A superscript: a footnote, an ordinal, or a power."""
    label = writer.notes.references.get(element)
    if label is not None:
        writer.ready(f"[^{label}]")
        return skip
    if len(element) < 2 and words_of(element.text_content()[:20]).casefold() in _ORDINALS:
        return None
    if any((link.get("href") or "").startswith("#") for link in element.iterchildren("a")):
        writer.text(element.text_content())  # a note that is not here
        return skip
    return marked(writer, element)


def code(writer: Writer, _element: HtmlElement) -> End | None:
    """A code span."""
    marks = writer.marks
    if not writer.style.inline or (marks and isinstance(marks[-1], Code)):
        return None
    return _within(Code(), writer)


def link(writer: Writer, element: HtmlElement) -> End | None:
    """A link, a footnote, or the way back from one."""
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
        for picture in element.iter("img"):
            image(writer, picture)
        return skip
    if link is None or writer.style.links == "text":
        return None
    return _within(link, writer)


def _is_sign(element: HtmlElement) -> bool:
    """Whether a link to a place of the page shows no words: the mark beside a heading, an arrow."""
    return not any(char.isalnum() for char in element.text_content()) and next(element.iter("img"), None) is None


def image(writer: Writer, element: HtmlElement) -> End:
    """An image."""
    if is_pixel(element):
        return skip  # it counts visits
    alt, url, title = writer.targets.image(element)
    if writer.style.numbered_images and url:
        alt = f"Image {len(writer.targets.images)}{f': {alt}' if alt else ''}"
        if writer.style.images == "alt":
            alt = f"({alt})" if ":" in alt else ""
    if writer.style.images == "alt" or (writer.style.images == "all" and is_lost(element)):
        writer.text(f" {alt} ")
    elif writer.style.images == "all" and url:
        caption = ' "' + title.replace("\\", "\\\\").replace('"', '\\"') + '"' if title else ""
        writer.ready(f"![{_alternative(alt, writer)}]({destination(url)}{caption})")
    return skip


def _alternative(alt: str, writer: Writer) -> str:
    if alt.isalnum():
        return alt
    escaped = escape(alt, writer.style, at_start=False) if writer.style.escape else alt
    for bracket in "[]":
        escaped = escaped.replace(m.ESCAPE + bracket, bracket).replace(bracket, m.ESCAPE + bracket)
    return escaped.replace(m.ESCAPE, "\\")


def line_break(writer: Writer, _element: HtmlElement) -> End:
    """A line break."""
    if writer.pieces:
        writer.pieces.append(Piece("", writer.marks, m.BREAK))
    return skip


def quotation(writer: Writer, _element: HtmlElement) -> End:
    """Words in quotation marks."""
    writer.pieces.append(Piece("“", writer.marks))
    return partial(_add_text, "”")


def _add_text(text: str, writer: Writer) -> None:
    writer.pieces.append(Piece(text, writer.marks))


def reading(writer: Writer, _element: HtmlElement) -> End:
    """The reading of a character of East Asia."""
    _add_text("(", writer)
    return partial(_add_text, ")")


def abbreviation(writer: Writer, element: HtmlElement) -> End | None:
    """An abbreviation, written out where it first stands."""
    title = words_of(element.get("title") or "")
    if not title or next(islice(element.iter(), _MOST_IN_ABBREVIATION, None), None) is not None:
        return None
    text = words_of(element.text_content())
    is_long_form = len(title) > len(text) > 1 and not any(char.isdigit() for char in title)
    if not (writer.style.inline and is_long_form) or title in writer.expanded:
        return None
    writer.expanded.add(title)
    return partial(_add_text, f" ({title})")


def player(writer: Writer, element: HtmlElement) -> End:
    """A frame or player: a link to what it shows."""
    text, url = embedded(writer, element)
    if url and writer.style.shows_links:
        writer.flush()
        end = _within(writer.targets.link_to(url, text), writer)
        writer.text(text)
        end(writer)
        writer.flush()
    return skip


def embedded(writer: Writer, element: HtmlElement) -> tuple[str, str]:
    """(Name, absolute URL) of what a frame or player shows; no URL if it has no source."""
    source = element if element.get("src") or element.get("data") else next(element.iter("source"), element)
    title = words_of(element.get("title") or element.get("aria-label") or "")
    return title or PLAYERS[element.tag], writer.targets.embedded(source, title)


def span(writer: Writer, element: HtmlElement) -> End | None:
    """A formula, the box of a task, or nothing."""
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


def check_box(writer: Writer, element: HtmlElement) -> End:
    """The box of a task."""
    if (element.get("type") or "").lower() == "checkbox":
        return _task(writer, element.get("checked") is not None)
    return skip


def _task(writer: Writer, checked: bool) -> End:
    if writer.style.gfm and writer.frame.kind == "item" and not writer.frame.blocks and not writer.pieces:
        writer.ready("[x]" if checked else "[ ]")
        writer.text(" ")
    return skip
