"""What stands in preformatted text, to the letter, and the language it is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LANGUAGE_CLASS = re.compile(r"(?:^|\s)(?:lang(?:uage)?-|highlight-source-)([^\s:;{]{1,40})")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*+\n)++")


def code_text(element: HtmlElement) -> str:
    """The text of `element` with its lines and indentation; blank lines around it go, `<br>` is a line's end."""
    has_breaks = next(element.iter("br"), None) is not None
    text = _text_with_breaks(element) if has_breaks else element.text_content()
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    return _BLANK_LINES.sub("", text).rstrip()


def _text_with_breaks(element: HtmlElement) -> str:
    from lxml.etree import iterwalk

    out: list[str] = []
    for event, inner in iterwalk(element, events=("start", "end")):
        if event == "start":
            out.append("\n" if inner.tag == "br" else inner.text or "")
        elif inner is not element:
            out.append(inner.tail or "")
    return "".join(out)


def language_of(element: HtmlElement) -> str:
    """The language that the class of a `<pre>`, or of the `<code>` in it, names; else empty."""
    for candidate in (element, *element.iterchildren("code")):
        found = _LANGUAGE_CLASS.search(candidate.get("class") or "")
        if found:
            return found[1].lower()
        if name := candidate.get("data-lang") or candidate.get("data-language"):
            return name.lower()
    return ""
