"""What Office files share (ECMA-376 part 2): parts, their relationships, the properties of the document."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.archive import Archive
from jina_components.reader.formats.xml import MAX_TREE_NODES, count_nodes, iterate_xml, local_name, parse_xml
from jina_components.reader.metadata import iso_date
from jina_components.reader.sources import Source
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.etree import _Element

_OFFICE = "http://schemas.openxmlformats.org/"
NAMESPACES = {
    "w": _OFFICE + "wordprocessingml/2006/main",
    "a": _OFFICE + "drawingml/2006/main",
    "p": _OFFICE + "presentationml/2006/main",
    "s": _OFFICE + "spreadsheetml/2006/main",
    "c": _OFFICE + "drawingml/2006/chart",
    "m": _OFFICE + "officeDocument/2006/math",
    "r": _OFFICE + "officeDocument/2006/relationships",
    "wp": _OFFICE + "drawingml/2006/wordprocessingDrawing",
    "dgm": _OFFICE + "drawingml/2006/diagram",
    "mc": _OFFICE + "markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
}
"""Prefixes by which the readers of Office files name elements."""

# Namespaces of the "strict" kind of files, as which the others are read.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/officeDocument/", b"http://schemas.openxmlformats.org/officeDocument/2006/"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
    *(
        (b"http://purl.oclc.org/ooxml/%s/" % kind, b"http://schemas.openxmlformats.org/%s/2006/" % kind)
        for kind in (b"wordprocessingml", b"presentationml", b"spreadsheetml")
    ),
)
_PROPERTIES = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords",
               "description": "description", "language": "language", "created": "created",
               "modified": "modified"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to.

    Attributes:
        kind: Last word of the relationship's type (`image`, `hyperlink`, `slide` …).
        target: Name of a part; or, if external, a URL.
        external: Whether it lies outside the file.
    """

    kind: str
    target: str
    external: bool


@cache
def name(prefixed: str) -> str:
    """`w:p` in the form that lxml gives it."""
    prefix, _, local = prefixed.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def find(element: _Element, path: str) -> _Element | None:
    """The first element at a path of prefixed names below `element`."""
    return element.find(_full(path))


def find_all(element: _Element, path: str) -> list[_Element]:
    """All elements at a path of prefixed names below `element`."""
    return element.findall(_full(path))


@cache
def _full(path: str) -> str:
    """`w:pPr/w:jc` with namespaces in place of prefixes, which lxml would look up anew in every call."""
    return "/".join(name(step) if ":" in step else step for step in path.split("/"))


def value(element: _Element | None, attribute: str = "w:val") -> str:
    """An attribute of an element that may be missing."""
    return "" if element is None else element.get(name(attribute) if ":" in attribute else attribute, "")


class Package:
    """The parts of an Office file.

    Args:
        source: The file.
        options: Whether images are wanted with their data.

    Raises:
        ExtractionError: it is broken.
    """

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self.source = source
        self._with_data = options.keep_data_urls
        self.archive = Archive(source)
        self._nodes_left = MAX_TREE_NODES
        self._relations: dict[str, dict[str, Relation]] = {}

    @cached_property
    def main(self) -> str:
        """Name of the part that holds the document."""
        found = self.first("", "officeDocument")
        if not found:
            raise ExtractionError(f"{self.source.label} names no main part: it is damaged.", self.source.name)
        return found

    def xml(self, part: str) -> _Element:
        """The root of an XML part.

        Raises:
            ExtractionError: it is missing, broken, declares a DTD, which no Office file does, or has more elements
                and attributes than are left of `MAX_TREE_NODES` for the file.
        """
        data = self._read(part)
        root = parse_xml(data, self.source, part=part, max_nodes=self._nodes_left)
        self._nodes_left -= count_nodes(data)
        if root.getroottree().docinfo.internalDTD is not None:
            raise ExtractionError(
                f"{self.source.label}: its part {part!r} declares a DTD, which is refused.", self.source.name
            )
        return root

    def elements(self, part: str, tags: tuple[str, ...]) -> Iterator[_Element]:
        """The elements of some tags in an XML part, one after another: each is emptied when the next is asked for.

        Raises:
            ExtractionError: it is missing or broken, once what is broken is reached.
        """
        yield from iterate_xml(self._read(part), tags, self.source, part=part)

    def relations(self, part: str) -> dict[str, Relation]:
        """What `part` (empty: the file) refers to, by id."""
        if part not in self._relations:
            folder, file = posixpath.split(part)
            path = posixpath.join(folder, "_rels", f"{file}.rels")
            entries = self.xml(path) if path in self.archive else ()
            self._relations[part] = {each.get("Id", ""): _relation(each, folder) for each in entries}
        return self._relations[part]

    def first(self, part: str, kind: str) -> str:
        """The first part of a kind that `part` refers to and the file has, or empty."""
        found = (each.target for each in self.relations(part).values() if each.kind == kind and not each.external)
        return next((target for target in found if target in self.archive), "")

    def image(self, part: str, relation_id: str) -> str:
        """URL of an image that `part` refers to, a `data:` one if it is in the file; empty if it is missing."""
        relation = self.relations(part).get(relation_id)
        if relation is None or relation.external:
            return relation.target if relation else ""
        return self.archive.image_url(relation.target, with_data=self._with_data)

    def page(self, page: Page) -> Page:
        """`page` with what the file says of itself."""
        facts = self._properties()
        title = facts.pop("title", "") or page.title
        return replace(
            page,
            title=title,
            description=facts.pop("description", ""),
            language=facts.pop("language", ""),
            published_time=iso_date(facts.pop("created", "")),
            metadata={**page.metadata, **facts},
        )

    def _read(self, part: str) -> bytes:
        data = self.archive.read(part)
        for strict, usual in _STRICT:
            data = data.replace(strict, usual)
        return data

    def _properties(self) -> dict[str, str]:
        part = self.first("", "core-properties")
        found = (
            (_PROPERTIES.get(local_name(each)), (each.text or "").strip()) for each in (self.xml(part) if part else ())
        )
        return {name: text for name, text in found if name and text}


def _relation(element: _Element, folder: str) -> Relation:
    kind, target = element.get("Type", "").rpartition("/")[2], element.get("Target", "")
    if element.get("TargetMode") == "External":
        return Relation(kind, target, external=True)
    return Relation(kind, posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"), external=False)
