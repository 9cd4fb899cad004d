"""What a Word document's styles and numbering make of a paragraph (ECMA-376 part 1, 17.7 and 17.9)."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.reader.formats.ooxml import Package, find, find_all, value

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADING = re.compile(r"heading ([1-9])")
_LIST = re.compile(r"list (?:bullet|number) ([2-5])")  # styles that indent a list, rather than go down a level of it
_ROLES = {
    "title": "title",
    "quote": "quote",
    "intense quote": "quote",
    "block text": "quote",
    "code": "code",
    "code block": "code",
    "source code": "code",
    "source": "code",
    "html preformatted": "code",
    "preformatted text": "code",
    "macro text": "code",
    "plain text": "code",
    "verbatim": "code",
    "caption": "caption",
}
_DEEPEST = 8  # levels of a list, from 0
_BASES = 20  # styles that one may be based on, one after another
_OFF = ("0", "off", "false")
_NUMBER_SIGN = re.compile(r"%([1-9])")
_SIMPLE_LABEL = re.compile(r"%[1-9][.)]?")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """What a paragraph is.

    Attributes:
        heading: Level from 1, or 0.
        role: `title`, `quote`, `code`, `caption` or empty.
        number: Id of the numbering it takes part in, or empty.
        level: Its level in that, from 0.
        depth: How deep the list that it stands in is, from 0.
    """

    heading: int = 0
    role: str = ""
    number: str = ""
    level: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Level:
    kind: str
    label: str
    start: int


class Styles:
    """The styles of a document: what each paragraph is by its own properties and those of its style."""

    def __init__(self, package: Package) -> None:
        part = package.first(package.main, "styles")
        found = find_all(package.xml(part), "w:style") if part else []
        self._styles = {value(style, "w:styleId"): style for style in found}
        self._default = next((value(s, "w:styleId") for s in found if _is_default(s)), "")
        self._kinds: dict[str, Kind] = {}

    def kind_of(self, paragraph: _Element) -> Kind:
        """What `paragraph` is."""
        properties = find(paragraph, "w:pPr")
        style = value(find(paragraph, "w:pPr/w:pStyle")) or self._default
        of_style = self._kind_of_style(style)
        if properties is None:
            return of_style
        outline = value(find(properties, "w:outlineLvl"))
        number, level = value(find(properties, "w:numPr/w:numId")), value(find(properties, "w:numPr/w:ilvl"))
        return Kind(
            heading=_heading_level(outline) if outline else of_style.heading,
            role=of_style.role,
            number=number or of_style.number,
            level=_level(level) if level else of_style.level,
            depth=_level(level) if level else of_style.depth,
        )

    def name_of(self, style: str) -> str:
        """Name of a style in lower case, or empty."""
        return value(find(self._styles[style], "w:name")).lower() if style in self._styles else ""

    def _kind_of_style(self, style: str) -> Kind:
        if style not in self._kinds:
            self._kinds[style] = self._kind_of_chain(style)
        return self._kinds[style]

    def _kind_of_chain(self, style: str) -> Kind:
        """The first of what the style and those it is based on say, of each thing."""
        heading = role = number = level = depth = ""
        for _ in range(_BASES):
            element = self._styles.get(style)
            if element is None:
                break
            named = _HEADING.fullmatch(self.name_of(style))
            outline = value(find(element, "w:pPr/w:outlineLvl"))
            heading = heading or (str(int(named[1]) - 1) if named else outline)
            role = role or _ROLES.get(self.name_of(style), "")
            number = number or value(find(element, "w:pPr/w:numPr/w:numId"))
            level = level or value(find(element, "w:pPr/w:numPr/w:ilvl"))
            indented = _LIST.fullmatch(self.name_of(style))
            depth = depth or (str(int(indented[1]) - 1) if indented else "")
            style = value(find(element, "w:basedOn"))
        return Kind(_heading_level(heading), role, number, _level(level), _level(level or depth))


class Numbering:
    """The labels of numbered paragraphs, which are counted as the document is walked."""

    def __init__(self, package: Package) -> None:
        part = package.first(package.main, "numbering")
        root = package.xml(part) if part else None
        self._levels: dict[str, dict[int, _Level]] = {}
        self._shared: dict[str, str] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        if root is not None:
            self._load(root)

    def level(self, kind: Kind) -> tuple[str, str]:
        """Number format (`bullet`, `decimal` …) and label pattern of a paragraph's level; empty if it has none."""
        level = self._levels.get(kind.number, {}).get(kind.level)
        return (level.kind, level.label) if level else ("", "")

    def next(self, kind: Kind) -> tuple[int, str]:
        """Count one paragraph: its number in its level, and its label as Word shows it."""
        levels = self._levels.get(kind.number, {})
        counts = self._counts[self._shared.get(kind.number, kind.number)]
        for above in range(kind.level):
            counts.setdefault(above, levels[above].start if above in levels else 1)
        start = levels[kind.level].start if kind.level in levels else 1
        counts[kind.level] = counts.get(kind.level, start - 1) + 1
        for below in [each for each in counts if each > kind.level]:
            del counts[below]
        label = _NUMBER_SIGN.sub(
            lambda found: _shown(counts.get(int(found[1]) - 1, 1), levels.get(int(found[1]) - 1)), self.level(kind)[1]
        )
        return counts[kind.level], label

    def is_ordered(self, kind: Kind) -> bool:
        """Whether the label is a plain number, as those of Markdown are."""
        form, label = self.level(kind)
        return form == "decimal" and _SIMPLE_LABEL.fullmatch(label) is not None

    def _load(self, root: _Element) -> None:
        abstract = {value(each, "w:abstractNumId"): each for each in find_all(root, "w:abstractNum")}
        linked = {value(find(each, "w:styleLink")): each for each in abstract.values()}
        for num in find_all(root, "w:num"):
            number, shared = value(num, "w:numId"), value(find(num, "w:abstractNumId"))
            base = abstract.get(shared)
            if base is None:
                continue
            base = linked.get(value(find(base, "w:numStyleLink")) or "none", base)
            levels = {_level(value(each, "w:ilvl")): _level_of(each) for each in find_all(base, "w:lvl")}
            restarts = False
            for override in find_all(num, "w:lvlOverride"):
                at = _level(value(override, "w:ilvl"))
                replaced, start = find(override, "w:lvl"), value(find(override, "w:startOverride"))
                if replaced is not None:
                    levels[at] = _level_of(replaced)
                if start and at in levels:
                    levels[at].start = _count(start)
                    restarts = True
            self._levels[number] = levels
            if not restarts:  # it goes on counting where others of the same list left off
                self._shared[number] = f"abstract {shared}"


def _level_of(element: _Element) -> _Level:
    start = value(find(element, "w:start"))
    return _Level(value(find(element, "w:numFmt")), value(find(element, "w:lvlText")), _count(start) if start else 1)


def _is_default(style: _Element) -> bool:
    return value(style, "w:type") == "paragraph" and value(style, "w:default") not in ("", *_OFF)


def _heading_level(outline: str) -> int:
    """Level of a heading from an outline level; 9 is body text."""
    return int(outline) + 1 if outline in set("012345678") else 0


def _level(text: str) -> int:
    return min(int(text), _DEEPEST) if text.isdecimal() and len(text) < 4 else 0


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def _shown(count: int, level: _Level | None) -> str:
    kind = level.kind if level else "decimal"
    if kind in ("lowerLetter", "upperLetter") and count > 0:
        text = chr(ord("a") + (count - 1) % 26) * min((count - 1) // 26 + 1, 10)
    elif kind in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        text = _roman(count)
    else:
        return f"{count:02}" if kind == "decimalZero" else str(count)
    return text.upper() if kind.startswith("upper") else text


def _roman(count: int) -> str:
    text = ""
    for size, letters in _ROMAN:
        text += letters * (count // size)
        count %= size
    return text
