"""What is never content: scripts, the machinery of forms, what a browser would not show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import doom, drop_doomed, inner_text

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NEVER = ("applet", "area", "base", "button", "canvas", "datalist", "dialog", "embed", "frame", "frameset", "head",
          "iframe", "link", "map", "meta", "noscript", "object", "param", "script", "select", "source", "style", "svg",
          "template", "textarea", "title", "track")  # fmt: skip
_SUSPECTS = "descendant::*[@hidden or @style or @aria-hidden='true' or @aria-modal='true']"
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_VEILED, _SHORTEST_VEILED = 0.8, 250
# A veil is near the root.
_LOOKED_AT = 10
# Shown in place of mathematics that is hidden from screen readers.
_SHOWN = "fallback-image"


def prune(tree: HtmlElement) -> HtmlElement:
    """The body of a page, without what is never content."""
    from lxml.etree import Comment, ProcessingInstruction, strip_elements

    body = tree.find("body")
    body = tree if body is None else body
    strip_elements(body, Comment, ProcessingInstruction, *_NEVER, with_tail=False)
    hidden = [element for element in body.xpath(_SUSPECTS) if _is_hidden(element)]
    if hidden:
        veils = _veils(body, hidden)
        for element in hidden:
            if element not in veils:
                doom(element, apart=False)
        drop_doomed(body)
    return body


def _veils(body: HtmlElement, hidden: list[HtmlElement]) -> set[HtmlElement]:
    """Hidden elements around nearly all of a page, which a script shows once it is there."""
    least = max(_VEILED * len(inner_text(body)), _SHORTEST_VEILED)
    return {element for element in hidden[:_LOOKED_AT] if len(inner_text(element)) > least}


def _is_hidden(element: HtmlElement) -> bool:
    if element.get("hidden") is not None:
        return True
    if element.get("aria-hidden") == "true" and _SHOWN not in (element.get("class") or ""):
        return True
    if element.get("aria-modal") == "true" and element.get("role") == "dialog":
        return True
    style = element.get("style")
    return style is not None and _HIDDEN_STYLE.search(style) is not None
