"""Word documents to `Page`.

Our own walk of WordprocessingML (ECMA-376 part 1, 17): beside mammoth, which knows styles by name alone, it keeps
equations, outline levels, the numbers that Word only computes, code, check boxes, charts and text boxes in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jina_components.read_options import ReadOptions
from jina_components.reader.formats.docx_runs import Piece, Runs, equations, inline
from jina_components.reader.formats.docx_styles import Kind, Numbering, Styles
from jina_components.reader.formats.ooxml import Package, find, find_all, name, value
from jina_components.reader.formats.rendering import append_text, element, render
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

_TRANSPARENT = frozenset(map(name, ("w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo", "mc:AlternateContent",
                                    "mc:Choice")))  # fmt: skip
_EQUATIONS = frozenset(map(name, ("m:oMath", "m:oMathPara")))
_MAX_SPAN = 1000
_OF_CODE = re.compile(r"[{}()\[\];=<>_$#\\/]")
_NOTE_KINDS = ("footnote", "endnote")


def read_docx(source: Source, options: ReadOptions) -> Page:
    """The document that `source` holds: its body and notes, without page headers and footers, comments and deletions.

    Raises:
        ExtractionError: it is broken, encrypted, too large, or holds no text.
    """
    package = Package(source, options)
    return package.page(render(source, [_Document(package).body()], options))


class _Document:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._styles = Styles(package)
        self._numbering = Numbering(package)
        self._notes: dict[tuple[str, str], int] = {}

    def body(self) -> HtmlElement:
        """All blocks, then the notes they refer to."""
        made = element("div")
        root = self._package.xml(self._package.main)
        for body in find_all(root, "w:body"):
            self._writer(self._package.main).write(body, made)
        notes = [note for kind in _NOTE_KINDS for note in self._notes_of(kind)]
        if notes:
            items = (note for _, note in sorted(notes, key=lambda note: note[0]))
            made.append(element("section", element("ol", *items), attributes={"class": "footnotes"}))
        return made

    def _writer(self, part: str) -> _Writer:
        return _Writer(self._styles, self._numbering, Runs(self._package, part, self._styles, self._notes))

    def _notes_of(self, kind: str) -> Iterable[tuple[int, HtmlElement]]:
        part = self._package.first(self._package.main, f"{kind}s")
        for note in find_all(self._package.xml(part), f"w:{kind}") if part else ():
            number = self._notes.get((kind, value(note, "w:id")))
            if number is not None:
                item = element("li", attributes={"id": f"fn-{number}"})
                self._writer(part).write(note, item)
                yield number, item


class _Writer:
    """Writes blocks of Word into an HTML element."""

    def __init__(self, styles: Styles, numbering: Numbering, runs: Runs) -> None:
        self._styles = styles
        self._numbering = numbering
        self._runs = runs
        # Lists that are open, the outer first: their level, their numbering and the element.
        self._lists: list[tuple[int, str, HtmlElement]] = []

    def write(self, container: _Element, out: HtmlElement) -> None:
        """Append the blocks of `container` to `out`; lists of it end with it."""
        outer, self._lists = self._lists, []
        self._blocks(container, out)
        self._lists = outer

    def _blocks(self, container: _Element, out: HtmlElement) -> None:
        for child in container:
            if child.tag == name("w:p"):
                self._paragraph(child, out)
            elif child.tag == name("w:tbl"):
                self._lists.clear()
                self._table(child, out)
            elif child.tag in _TRANSPARENT:
                self._blocks(child, out)
            elif child.tag in _EQUATIONS:
                out.append(element("p", *(piece.made for piece in equations(child) if piece.made is not None)))

    def _paragraph(self, paragraph: _Element, out: HtmlElement) -> None:
        kind = self._styles.kind_of(paragraph)
        found = self._runs.found_in(paragraph)
        pieces = found.pieces
        if found.is_empty:
            if kind.role == "code" and len(out) and out[-1].tag == "pre":
                append_text(out[-1][0], "\n")
        elif kind.heading or kind.role == "title":
            self._lists.clear()
            self._heading(kind, pieces, out)
        elif self._numbering.level(kind)[0] not in ("", "none"):
            inline(pieces, self._item(kind, out))
        elif kind.role == "code" or _is_code(pieces):
            self._lists.clear()
            _code(pieces, out)
        elif pieces[0].made is not None and pieces[0].made.tag == "input":
            inline(pieces, self._listed(Kind(number="checkboxes"), "ul", 1, out))
        else:
            self._lists.clear()
            _plain(kind, pieces, out)
        for each in found.after:
            if each.tag == name("w:txbxContent"):
                self.write(each, out)
            else:
                out.append(each)

    def _heading(self, kind: Kind, pieces: list[Piece], out: HtmlElement) -> None:
        made = element(f"h{min(max(kind.heading, 1), 6)}")
        if self._numbering.level(kind)[0] not in ("", "none", "bullet"):
            label = self._numbering.next(kind)[1]
            made.text = f"{label} " if label else ""
        shown = (piece for piece in pieces if piece.text.strip() or piece.made is not None)
        marks = frozenset.intersection(*(piece.marks for piece in shown))  # a heading is strong as it is
        inline([Piece(piece.text, piece.made, piece.marks - marks, piece.href) for piece in pieces], made)
        out.append(made)

    def _item(self, kind: Kind, out: HtmlElement) -> HtmlElement:
        """A new item of the list that the paragraph belongs to."""
        number, label = self._numbering.next(kind)
        if self._numbering.is_ordered(kind):
            return self._listed(kind, "ol", number, out)
        item = self._listed(kind, "ul", 1, out)
        if self._numbering.level(kind)[0] != "bullet" and label:
            item.text = f"{label} "
        return item

    def _listed(self, kind: Kind, tag: str, number: int, out: HtmlElement) -> HtmlElement:
        while self._lists and self._lists[-1][0] > kind.depth:
            self._lists.pop()
        if self._lists and self._lists[-1][0] == kind.depth and not _goes_on(self._lists[-1], kind, tag):
            self._lists.pop()
        if not self._lists or self._lists[-1][0] < kind.depth:
            made = element(tag, attributes={"start": str(number)} if tag == "ol" and number != 1 else None)
            (self._lists[-1][2][-1] if self._lists else out).append(made)
            self._lists.append((kind.depth, kind.number, made))
        item = element("li")
        self._lists[-1][2].append(item)
        return item

    def _table(self, table: _Element, out: HtmlElement) -> None:
        rows = [(_number(value(find(row, "w:trPr/w:gridBefore"))), list(_cells(row))) for row in _rows(table)]
        if len(rows) == 1 and len(rows[0][1]) == 1:  # a frame around text
            self.write(rows[0][1][0], out)
            return
        made = element("table")
        above: dict[int, HtmlElement] = {}
        for number, (column, cells) in enumerate(rows):
            made.append(element("tr"))
            if column:
                made[-1].append(element("td", attributes={"colspan": str(min(column, _MAX_SPAN))}))
            for cell in cells:
                span = min(max(_number(value(find(cell, "w:tcPr/w:gridSpan"))), 1), _MAX_SPAN)
                merge = find(cell, "w:tcPr/w:vMerge")
                if merge is not None and value(merge) != "restart" and column in above:
                    above[column].set("rowspan", str(int(above[column].get("rowspan", "1")) + 1))
                else:
                    made[-1].append(self._cell(cell, "td" if number else "th", span))
                    above[column] = made[-1][-1]
                column += span
        out.append(made)

    def _cell(self, cell: _Element, tag: str, span: int) -> HtmlElement:
        made = element(tag, attributes={"colspan": str(span)} if span > 1 else None)
        self.write(cell, made)
        _simplify(made)
        return made


def _goes_on(opened: tuple[int, str, HtmlElement], kind: Kind, tag: str) -> bool:
    """Whether an item joins the list of its level: a numbered one must be of the same numbering."""
    _, number, made = opened
    return made.tag == tag and (tag == "ul" or number == kind.number)


def _plain(kind: Kind, pieces: list[Piece], out: HtmlElement) -> None:
    paragraph = element("p")
    inline(pieces, paragraph)
    if kind.role != "quote":
        out.append(paragraph)
    elif len(out) and out[-1].tag == "blockquote":
        out[-1].append(paragraph)
    else:
        out.append(element("blockquote", paragraph))


def _code(pieces: list[Piece], out: HtmlElement) -> None:
    text = "".join(piece.text if piece.made is None else "\n" * (piece.made.tag == "br") for piece in pieces)
    if len(out) and out[-1].tag == "pre":
        append_text(out[-1][0], "\n" + text)
    else:
        out.append(element("pre", element("code", text=text)))


def _is_code(pieces: list[Piece]) -> bool:
    """Whether all is monospaced, and some of it is no prose: typescripts are monospaced too."""
    texts = [piece for piece in pieces if piece.text.strip()]
    made = (piece.made is None or piece.made.tag == "br" for piece in pieces)
    return bool(texts) and all(made) and all("code" in piece.marks for piece in texts) and any(
        _OF_CODE.search(piece.text) for piece in texts
    )  # fmt: skip


def _simplify(cell: HtmlElement) -> None:
    """Paragraphs of a cell that holds nothing else become lines of it, as simple tables can show."""
    if any(block.tag != "p" for block in cell):
        return
    for number, paragraph in enumerate(list(cell)):
        if number:
            paragraph.addprevious(element("br"))
        paragraph.drop_tag()


def _rows(container: _Element) -> Iterable[_Element]:
    for child in container:
        if child.tag == name("w:tr"):
            if find(child, "w:trPr/w:del") is None:
                yield child
        elif child.tag in _TRANSPARENT:
            yield from _rows(child)


def _cells(container: _Element) -> Iterable[_Element]:
    for child in container:
        if child.tag == name("w:tc"):
            yield child
        elif child.tag in _TRANSPARENT:
            yield from _cells(child)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 5 else 0
