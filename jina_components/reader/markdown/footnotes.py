"""Footnotes: which links refer to one, which elements define one, and which links lead back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_TARGET = re.compile(r"#(?:user-content-)?([^#]*(?:fn|foot_?note|cite_note|endnote|note)[-_:.]?[^#]*)\Z", re.IGNORECASE)
_DEFINITION_TAGS = frozenset(("li", "p", "div", "aside", "dd"))
_BACK = re.compile(r"backref|back-?link|reversefootnote|footnote-back|footnote-return", re.IGNORECASE)
_MOST_LINKS = 100  # of a note
_MARKER = re.compile(r"\W{0,3}[\w*†‡§]{1,8}\W{0,3}\Z")


@dataclass(frozen=True, slots=True)
class Footnotes:
    """Elements that make footnotes.

    Attributes:
        references: Label by the `<sup>`, or the link, that refers to a note.
        definitions: Label by the element that holds the note.
        backlinks: Links, and what stands around them alone, from notes to where they are referred to.
    """

    references: Mapping[HtmlElement, str] = field(default_factory=dict)
    definitions: Mapping[HtmlElement, str] = field(default_factory=dict)
    backlinks: Set[HtmlElement] = frozenset()


def footnotes_of(root: HtmlElement) -> Footnotes:
    """The footnotes of `root`, numbered in the order they are first referred to.

    A note counts when a short mark refers to it, in a `<sup>` or a link of a class or role that says so, and its
    element is within `root`.
    """
    candidates = [link for link in root.iter("a") if _TARGET.match(link.get("href") or "") and _is_marker(link)]
    if not candidates:
        return Footnotes()
    wanted = {(link.get("href") or "")[1:] for link in candidates}
    targets = {name: element for element in root.iter(*_DEFINITION_TAGS) if (name := element.get("id")) in wanted}
    references: dict[HtmlElement, str] = {}
    definitions: dict[HtmlElement, str] = {}
    for link in candidates:
        target = targets.get((link.get("href") or "")[1:])
        if target is None:
            continue
        label = definitions.setdefault(target, str(len(definitions) + 1))
        references[_around(link)] = label
    return Footnotes(references, definitions, _backlinks(definitions, references))


def _is_marker(link: HtmlElement) -> bool:
    text = link.text_content()
    if len(text) > 20 or not _MARKER.match(text.strip()):
        return False
    parent = link.getparent()
    about = f"{link.get('class') or ''} {link.get('role') or ''} {link.get('rel') or ''}"
    return (
        (parent is not None and parent.tag == "sup")
        or next(link.iter("sup"), None) is not None
        or "footnote" in about
        or "noteref" in about
    )


def _around(link: HtmlElement) -> HtmlElement:
    """The `<sup>` around `link` alone, or `link`."""
    parent = link.getparent()
    if parent is not None and parent.tag == "sup" and len(parent) == 1:
        around = (parent.text or "") + (link.tail or "")
        if not any(char.isalnum() for char in around):
            return parent
    return link


def _backlinks(definitions: Mapping[HtmlElement, str], references: Mapping[HtmlElement, str]) -> Set[HtmlElement]:
    places = {name for element in references for inner in (element, *element.iter()) if (name := inner.get("id"))}
    places |= {
        name for element in references if (parent := element.getparent()) is not None and (name := parent.get("id"))
    }
    found: set[HtmlElement] = set()
    for note in definitions:
        for link in islice(note.iter("a"), _MOST_LINKS):
            href = link.get("href") or ""
            if href[:1] == "#" and (href[1:] in places or _BACK.search(f"{link.get('class')} {link.get('role')}")):
                found.add(link)
    return found
