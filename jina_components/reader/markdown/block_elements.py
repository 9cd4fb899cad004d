"""What each element that stands on lines of its own does to the Markdown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jina_components.reader.markdown import blocks as b
from jina_components.reader.markdown.blocks import Block, Item
from jina_components.reader.markdown.code_blocks import code_text, language_of
from jina_components.reader.markdown.escape import escape_heading, escape_start
from jina_components.reader.markdown.html_table import html_table, linked_text
from jina_components.reader.markdown.inline_elements import image
from jina_components.reader.markdown.marks import Marks
from jina_components.reader.markdown.serializer import End, Writer, skip
from jina_components.reader.markdown.tables import LAYOUT, PIPES, TableFrame, aligned, pipe_table

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_FEWEST_LINKS = 3  # in preformatted text that is a document rather than code
_LONGEST_HEADING = 1000


def block(writer: Writer, _element: HtmlElement) -> End:
    """What stands on lines of its own."""
    writer.flush()
    return Writer.flush


def rule(writer: Writer, _element: HtmlElement) -> End:
    """A thematic break."""
    writer.flush()
    blocks = writer.frame.blocks
    if blocks and blocks[-1].marker != "rule":  # what nothing stands before, or another rule, parts nothing
        writer.add(Block(writer.style.rule, marker="rule"))
    return skip


def heading(writer: Writer, element: HtmlElement) -> End:
    """A heading."""
    if writer.frame.kind == "heading":
        return block(writer, element)
    writer.open("heading", line_break=" ")
    return partial(_end_heading, int(element.tag[1]))


def _end_heading(level: int, writer: Writer) -> None:
    blocks = writer.close().blocks
    plain = next((at for at, block in enumerate(blocks) if block.kind != b.PARAGRAPH), len(blocks))
    text = " ".join(block.text for block in blocks[:plain])
    if not text or len(text) > _LONGEST_HEADING:
        plain = 0
    else:
        writer.add(b.heading(level, escape_heading(text) if writer.style.escape else text, writer.style.heading))
    for block in blocks[plain:]:
        is_bare = block.kind == b.PARAGRAPH and writer.style.escape
        writer.add(block._replace(text=escape_start(block.text)) if is_bare else block)


def preformatted(writer: Writer, element: HtmlElement) -> End:
    """A block of code."""
    writer.flush()
    links = [link for inner in element.iter("a") if (link := writer.targets.link(inner)) is not None]
    named = [link for link in links if "://" not in link.text]
    if len(named) >= _FEWEST_LINKS and not language_of(element) and next(element.iter("code"), None) is None:
        writer.add(Block(linked_text(element, writer)))
        return skip
    for picture in element.iter("img"):
        image(writer, picture)
    text = code_text(element)
    if text.strip():
        writer.add(b.fenced(text, language_of(element)))
    return skip


def list_of_items(writer: Writer, element: HtmlElement) -> End:
    """A list."""
    writer.flush()
    if writer.too_deep():
        return Writer.flush
    frame = writer.open("list", deeper=writer.frame.kind == "list")
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


def item(writer: Writer, element: HtmlElement) -> End:
    """An entry of a list."""
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
    if any(frame.kind == "note" for frame in writer.frames):
        return Writer.flush
    writer.open("note")
    return partial(_end_note, writer.notes.definitions[element])


def _end_note(label: str, writer: Writer) -> None:
    text, _ = b.joined(writer.close().blocks)
    holder = next(frame for frame in reversed(writer.frames) if frame.kind != "cell")
    holder.blocks.append(Block(f"[^{label}]: {b.indented(text, 4)}".rstrip()))


def section(writer: Writer, element: HtmlElement) -> End:
    """A block that may be the definition of a footnote."""
    writer.flush()
    return _note(writer, element) if element in writer.notes.definitions else Writer.flush


def quote(writer: Writer, _element: HtmlElement) -> End:
    """A block quote."""
    writer.flush()
    if writer.too_deep():
        return Writer.flush
    writer.open("quote", deeper=True)
    return _end_quote


def _end_quote(writer: Writer) -> None:
    text, _ = b.joined(writer.close().blocks)
    if text:
        writer.add(b.quoted(text))


def term(writer: Writer, _element: HtmlElement) -> End:
    """A term of a list of definitions."""
    if writer.frame.kind == "term":
        return block(writer, _element)
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


def definition(writer: Writer, _element: HtmlElement) -> End:
    """What a term means."""
    writer.flush()
    if writer.too_deep():
        return Writer.flush
    writer.open("definition", deeper=True)
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


def table(writer: Writer, element: HtmlElement) -> End:
    """A table."""
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


def row(writer: Writer, _element: HtmlElement) -> End:
    """A row of a table."""
    writer.flush()
    if isinstance(writer.frame, TableFrame):
        writer.frame.rows.append([])
    return Writer.flush


def cell(writer: Writer, element: HtmlElement) -> End:
    """A cell of a table."""
    writer.flush()
    table = writer.frame
    if not isinstance(table, TableFrame) or not table.rows:
        return Writer.flush
    if len(table.rows) == 1:
        table.alignments.append(aligned(element))
    writer.open("cell", line_break="<br>")
    return partial(_end_cell, table)


def _end_cell(table: TableFrame, writer: Writer) -> None:
    texts = [block.text for block in writer.close().blocks]
    # A backslash at the end of one would escape the break.
    texts[:-1] = [text + "\\" if text.endswith("\\") and writer.style.escape else text for text in texts[:-1]]
    text = "<br>".join(texts)
    table.rows[-1].append(text.replace("|", "\\|"))


def summary(writer: Writer, _element: HtmlElement) -> End:
    """What of `<details>` is always seen."""
    writer.flush()
    before = writer.marks
    strong = writer.marks_by_tag.get("strong")
    if strong is not None and strong not in before:
        writer.marks = (*before, strong)
    return partial(_end_summary, before)


def _end_summary(before: Marks, writer: Writer) -> None:
    writer.flush()
    writer.marks = before
