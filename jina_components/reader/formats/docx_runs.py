"""The inline content of Word paragraphs: runs, links, fields, equations, images (ECMA-376 part 1, 17.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from jina_components.reader.formats.docx_styles import Styles
from jina_components.reader.formats.drawing import drawn
from jina_components.reader.formats.omml import math_of
from jina_components.reader.formats.ooxml import Package, find, find_all, name, value
from jina_components.reader.formats.rendering import append_text, element

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

_OFF = ("0", "off", "false", "none")
# Tags by the property of a run that is switched on, the outer before the inner.
_MARKS = {"w:b": "strong", "w:i": "em", "w:strike": "del", "w:dstrike": "del"}
_MARK_STYLES = {"strong": "strong", "emphasis": "em", "intense emphasis": "em", "html code": "code",
                "verbatim char": "code", "source code": "code", "code": "code", "inline code": "code"}  # fmt: skip
_ALIGNED = {"superscript": "sup", "subscript": "sub"}
_MONOSPACED = re.compile(
    r"courier.*|consolas|menlo|monaco|lucida console|.* mono|cascadia (code|mono).*|source code pro|fira code",
    re.IGNORECASE,
)
_ORDER = ("strong", "em", "del", "sup", "sub", "code")
_CONTAINERS = frozenset(map(name, ("w:ins", "w:moveTo", "w:smartTag", "w:sdtContent", "w:customXml", "w:dir", "w:bdo",
                                   "w:rubyBase", "w:ruby", "mc:Choice")))  # fmt: skip
_TEXTS = {name("w:tab"): "\t", name("w:ptab"): "\t", name("w:noBreakHyphen"): "-"}
_SYMBOLS = {0xF0FE: "☒", 0xF0A8: "☐", 0xF06F: "☐", 0xF0FC: "✓", 0xF0FB: "✗", 0xF0E0: "→", 0xF0B7: "•",
            0xF0A7: "▪", 0xF0D8: "➢", 0xF0E8: "➔"}  # fmt: skip
_PRIVATE = range(0xE000, 0xF900)
_MAX_INSTRUCTION = 5000
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+(?:\\[a-z]\s+)*"([^"]+)"', re.IGNORECASE)
_NOTES = {name("w:footnoteReference"): "footnote", name("w:endnoteReference"): "endnote"}
_DRAWINGS = frozenset(map(name, ("w:drawing", "w:pict", "w:object")))
_OF_DRAWING = frozenset(map(name, ("w:txbxContent", "a:blip", "v:imagedata")))


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a paragraph: text, or an element, with the marks and the link it has.

    Attributes:
        text: The text, or empty.
        made: The element, or None.
        marks: Tags around it.
        href: Target of a link around it, or empty.
    """

    text: str = ""
    made: HtmlElement | None = None
    marks: frozenset[str] = frozenset()
    href: str = ""


@dataclass(slots=True)
class Found:
    """What a paragraph holds.

    Attributes:
        pieces: Its inline content.
        after: Containers of blocks (text boxes), and elements (charts), that stand in it.
    """

    pieces: list[Piece] = field(default_factory=list)
    after: list[_Element | HtmlElement] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be seen of it."""
        return not any(piece.made is not None or piece.text.strip() for piece in self.pieces)


@dataclass(slots=True)
class _Field:
    instruction: str = ""
    href: str = ""
    separated: bool = False


class Runs:
    """Reads the inline content of the paragraphs of one part, in order: fields may span several.

    Args:
        package: The document.
        part: Name of the part, whose relationships count.
        styles: Its styles.
        numbers: Filled with the notes referred to, by kind and id: their numbers.
    """

    def __init__(self, package: Package, part: str, styles: Styles, numbers: dict[tuple[str, str], int]) -> None:
        self._package = package
        self._part = part
        self._styles = styles
        self._numbers = numbers
        self._fields: list[_Field] = []

    def found_in(self, paragraph: _Element) -> Found:
        """The content of a paragraph."""
        found = Found()
        self._walk(paragraph, "", found)
        _set_apart(found.pieces)
        return found

    def _walk(self, node: _Element, href: str, found: Found) -> None:
        for child in node:
            tag = child.tag
            if tag == name("w:r"):
                self._run(child, href, found)
            elif tag == name("w:hyperlink"):
                relation = self._package.relations(self._part).get(value(child, "r:id"))
                self._walk(child, relation.target if relation and relation.external else href, found)
            elif tag == name("w:fldSimple"):
                self._walk(child, _link_of(value(child, "w:instr")) or href, found)
            elif tag == name("w:sdt"):
                self._control(child, href, found)
            elif tag in (name("m:oMath"), name("m:oMathPara")):
                found.pieces += equations(child)
            elif tag in _CONTAINERS or tag == name("mc:AlternateContent"):
                self._walk(child, href, found)

    def _control(self, control: _Element, href: str, found: Found) -> None:
        box = find(control, "w:sdtPr/w14:checkbox")
        if box is None:
            self._walk(control, href, found)
        else:
            found.pieces.append(_checkbox(value(find(box, "w14:checked"), "w14:val") not in ("", *_OFF)))

    def _run(self, run: _Element, href: str, found: Found) -> None:
        properties = find(run, "w:rPr")
        if _is_on(properties, "w:vanish"):
            return
        marks = self._marks(properties)
        for child in run:
            tag = child.tag
            if tag == name("w:fldChar"):
                self._field(child, found)
            elif tag == name("w:instrText") and self._fields:
                self._fields[-1].instruction = (self._fields[-1].instruction + (child.text or ""))[:_MAX_INSTRUCTION]
            elif self._fields and not self._fields[-1].separated:
                continue
            elif tag in _DRAWINGS or tag == name("mc:AlternateContent"):
                self._drawing(child, href, found)
            else:
                link = (self._fields[-1].href if self._fields else "") or href
                found.pieces += self._content(child, marks, link)
                if tag in _CONTAINERS:
                    self._walk(child, href, found)

    def _content(self, child: _Element, marks: frozenset[str], href: str) -> Iterator[Piece]:
        tag = child.tag
        if tag == name("w:t"):
            yield Piece(text=child.text or "", marks=marks, href=href)
        elif tag in _TEXTS:
            yield Piece(text=_TEXTS[tag], marks=marks, href=href)
        elif tag == name("w:sym"):
            yield Piece(text=_symbol(value(child, "w:char")), marks=marks, href=href)
        elif tag == name("w:cr") or (tag == name("w:br") and value(child, "w:type") in ("", "textWrapping")):
            yield Piece(made=element("br"))
        elif tag in _NOTES:
            number = self._numbers.setdefault((_NOTES[tag], value(child, "w:id")), len(self._numbers) + 1)
            link = element("a", text=str(number), attributes={"href": f"#fn-{number}", "id": f"fnref-{number}"})
            yield Piece(made=element("sup", link, attributes={"class": "footnote-ref"}))

    def _marks(self, properties: _Element | None) -> frozenset[str]:
        if properties is None:
            return frozenset()
        marks = {tag for path, tag in _MARKS.items() if _is_on(properties, path)}
        marks.add(_MARK_STYLES.get(self._styles.name_of(value(find(properties, "w:rStyle"))), ""))
        marks.add(_ALIGNED.get(value(find(properties, "w:vertAlign")), ""))
        if _MONOSPACED.fullmatch(value(find(properties, "w:rFonts"), "w:ascii")):
            marks.add("code")
        return frozenset(marks - {""})

    def _field(self, mark: _Element, found: Found) -> None:
        kind = value(mark, "w:fldCharType")
        if kind == "begin":
            self._fields.append(_Field())
            box = find(mark, "w:ffData/w:checkBox")
            if box is not None:
                state = find(box, "w:checked")
                state = find(box, "w:default") if state is None else state
                found.pieces.append(_checkbox(state is not None and value(state) not in _OFF))
        elif kind == "separate" and self._fields:
            self._fields[-1].separated = True
            outer = self._fields[-2].href if len(self._fields) > 1 else ""
            self._fields[-1].href = _link_of(self._fields[-1].instruction) or outer
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _drawing(self, drawing: _Element, href: str, found: Found) -> None:
        alt = _alternative_text(drawing)
        for each in _outermost(drawing):
            if each.tag == name("w:txbxContent"):
                found.after.append(each)
                continue
            ids = (value(each, attribute) for attribute in ("r:embed", "r:link", "r:id"))
            url = next(filter(None, (self._package.image(self._part, each) for each in ids if each)), "")
            if url or alt:
                found.pieces.append(Piece(made=element("img", attributes={"src": url, "alt": alt}), href=href))
        found.after += drawn(self._package, self._part, drawing)


def inline(pieces: list[Piece], parent: HtmlElement) -> None:
    """Write `pieces` into `parent`: neighbours of the same marks in one element."""
    for (href, marks), group in groupby(pieces, key=lambda piece: (piece.href, piece.marks)):
        target = parent
        for tag in [*(["a"] if href else []), *(each for each in _ORDER if each in marks)]:
            target.append(element(tag, attributes={"href": href} if tag == "a" else None))
            target = target[-1]
        for piece in group:
            if piece.made is None:
                append_text(target, piece.text)
            else:
                target.append(piece.made)


def _is_on(properties: _Element | None, path: str) -> bool:
    found = None if properties is None else find(properties, path)
    return found is not None and value(found) not in _OFF


def _checkbox(checked: bool) -> Piece:
    return Piece(made=element("input", attributes={"type": "checkbox"} | ({"checked": ""} if checked else {})))


def equations(node: _Element) -> list[Piece]:
    """The equations that `m:oMath` or `m:oMathPara` holds; those of the latter stand on lines of their own."""
    display = node.tag == name("m:oMathPara")
    found = find_all(node, "m:oMath") if display else [node]
    return [Piece(made=math_of(each, display=display)) for each in found]


def _set_apart(pieces: list[Piece]) -> None:
    """Give equations that have the paragraph to themselves lines of their own, and others a space between."""
    shown = [piece for piece in pieces if piece.made is not None or piece.text.strip()]
    alone = all(piece.made is not None and piece.made.tag == "math" for piece in shown)
    for before, piece in pairwise(shown):
        if before.made is not None and piece.made is not None and before.made.tag == piece.made.tag == "math":
            before.made.tail = " "
    for piece in shown if alone else ():
        if piece.made is not None:
            piece.made.set("display", "block")


def _link_of(instruction: str) -> str:
    found = _HYPERLINK.match(instruction)
    return found[1] if found else ""


def _symbol(code: str) -> str:
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    return _SYMBOLS.get(number) or ("" if number in _PRIVATE or not 31 < number < 0xD800 else chr(number))


def _alternative_text(drawing: _Element) -> str:
    for each in drawing.iter(name("wp:docPr"), name("v:shape")):
        text = each.get("descr") or each.get("title") or each.get("alt")
        if text:
            return " ".join(text.split())
    return ""


def _outermost(drawing: _Element) -> Iterator[_Element]:
    """Text boxes and images of a drawing, but not those in its text boxes or of its fallback."""
    for child in drawing:
        if child.tag in _OF_DRAWING:
            yield child
        elif child.tag != name("mc:Fallback"):
            yield from _outermost(child)
