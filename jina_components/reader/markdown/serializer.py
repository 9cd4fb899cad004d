"""The DOM to Markdown: one pass over the elements, whatever their depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.read_options import ReadOptions
from jina_components.reader.markdown import blocks as b
from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.blocks import Block, Frame, Item
from jina_components.reader.markdown.footnotes import Footnotes, footnotes_of
from jina_components.reader.markdown.line import lines_of
from jina_components.reader.markdown.marks import Marks, Piece
from jina_components.reader.markdown.style import marks_of, style_of
from jina_components.reader.markdown.tables import survey
from jina_components.reader.markdown.targets import Targets

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_DEPTH = 24
"""Lists, quotes and definitions within each other that are written so; what is deeper joins the innermost."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page written.

    Attributes:
        text: Markdown.
        links: (text, absolute http(s) URL) of all links, in order, whether or not the text shows them.
        images: (alternative text, absolute URL) of all images likewise.
    """

    text: str
    links: tuple[tuple[str, str], ...]
    images: tuple[tuple[str, str], ...]


def skip(_writer: Writer) -> None:
    """What an element returns whose content has been dealt with."""


class Writer:
    """What has been written of a page so far, and where the next word goes.

    Attributes:
        style: How to write.
        targets: Links and images met.
        tables: What each table is.
        notes: Footnotes, their references and definitions.
        marks_by_tag: Emphasis and its like by element.
        marks: What the next word is within.
        pieces: Of the paragraph that is being filled.
        frames: Containers that are open, the innermost last.
        expanded: Abbreviations that have been written out.
    """

    def __init__(self, root: HtmlElement, options: ReadOptions, base_url: str) -> None:
        self.style = style_of(options)
        self.targets = Targets(base_url, self.style)
        self.tables = survey(root, pipes=self.style.pipes)
        self.notes = footnotes_of(root) if self.style.gfm and self.style.inline else Footnotes()
        self.marks_by_tag = marks_of(self.style)
        self.marks: Marks = ()
        self.pieces: list[Piece] = []
        self.frames = [Frame("page", self.style.line_break)]
        self.expanded: set[str] = set()

    @property
    def frame(self) -> Frame:
        """The innermost container."""
        return self.frames[-1]

    def text(self, text: str) -> None:
        """Words of the page."""
        if self.pieces or not text.isspace():
            self.pieces.append(Piece(text, self.marks))

    def ready(self, markdown: str) -> None:
        """Finished Markdown within the line."""
        if markdown:
            self.pieces.append(Piece(markdown, self.marks, m.READY))

    def flush(self) -> None:
        """End the paragraph that is being filled."""
        if not self.pieces:
            return
        if self.marks and (link := m.link_of(self.marks)) is not None:
            link.split = True
        frame = self.frame
        for line in lines_of(self.pieces, self.style, frame.line_break):
            self.add(Block(line, b.PARAGRAPH))
        self.pieces = []

    def add(self, block: Block) -> None:
        """Put `block` into the innermost container; what is loose in a list joins its last item, or is one."""
        frame = self.frame
        if frame.kind != "list":
            frame.blocks.append(block)
        elif block.kind == b.LIST and frame.items:
            text, number, loose = frame.items[-1]
            frame.items[-1] = Item(f"{text}\n{block.text}", number, loose)
        else:
            frame.items.append(Item(block.text, self.next_number(frame), loose=False))

    def next_number(self, frame: Frame) -> int | None:
        """The number of the next item of a list."""
        if not frame.ordered:
            return None
        frame.number += frame.step
        return b.list_number(frame.number - frame.step)

    def open(self, kind: str, *, line_break: str | None = None, deeper: bool = False) -> Frame:
        """Begin a container within the present one."""
        self.flush()
        outer = self.frame
        frame = Frame(kind, outer.line_break if line_break is None else line_break, outer.depth + deeper)
        self.frames.append(frame)
        return frame

    def close(self) -> Frame:
        """End the innermost container."""
        self.flush()
        return self.frames.pop()

    def too_deep(self) -> bool:
        """Whether no further list or quote is opened here."""
        return self.frame.depth >= MAX_DEPTH


End = Callable[[Writer], None]
Start = Callable[[Writer, "HtmlElement"], End | None]


def to_markdown(element: HtmlElement, options: ReadOptions, base_url: str) -> Rendered:
    """Markdown of `element` and all in it (which `prepare` has made plain).

    Args:
        element: Anything from a paragraph to a whole page; it is not changed.
        options: `images`, `links`, `style` and `keep_data_urls` count.
        base_url: What relative links are resolved against; without one they stay relative.

    Returns:
        The text, and the links and images in it, also of those that `options` keep out of the text.
    """
    from lxml.etree import iterwalk

    from jina_components.reader.markdown.elements import STARTS

    writer = Writer(element, options, base_url)
    ends: list[End | None] = []
    walker = iterwalk(element, events=("start", "end"))
    for event, inner in walker:
        start = STARTS.get(inner.tag)
        if event == "start":
            end = start(writer, inner) if start is not None else None
            if start is not None:
                ends.append(end)
            if end is skip:
                walker.skip_subtree()
            elif inner.text:
                writer.text(inner.text)
            continue
        if start is not None and (end := ends.pop()) is not None:
            end(writer)
        if inner.tail and inner is not element:
            writer.text(inner.tail)
    writer.flush()
    blocks = writer.frame.blocks
    if blocks and blocks[-1].marker == "rule":
        blocks.pop()
    if definitions := writer.targets.definitions():
        blocks.append(Block(definitions))
    targets = writer.targets
    return Rendered(b.joined(blocks)[0], tuple(targets.links), tuple(targets.images))
