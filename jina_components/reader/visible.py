"""All visible text of an HTML page, whatever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_INLINE = ("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
           "font", "i", "img", "ins", "kbd", "label", "mark", "nobr", "q", "ruby", "s", "samp", "small",
           "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr")  # fmt: skip
_INVISIBLE = frozenset(("applet", "audio", "canvas", "datalist", "dialog", "embed", "head", "iframe", "input",
                        "math", "noscript", "object", "option", "rp", "rt", "script", "select", "style",
                        "svg", "template", "textarea", "title", "video"))  # fmt: skip
_SEPARATORS = dict.fromkeys((*_INLINE, *_INVISIBLE), "") | dict.fromkeys(("td", "th"), " ")
_SEPARATORS |= dict.fromkeys(("br", "dd", "dt", "li", "tr"), "\n")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n{3,}")


def visible_text(tree: HtmlElement) -> str:
    """Text of the elements that a browser would show; paragraphs are separated by a blank line.

    The lines of preformatted text stay, their indentation does not.

    Any depth of nesting is read.
    """
    from lxml.etree import iterwalk

    pieces: list[str] = []
    preformatted = 0
    walker = iterwalk(tree, events=("start", "end"))
    for event, element in walker:
        if event == "start" and _is_hidden(element):
            walker.skip_subtree()
            continue
        if element.tag == "pre":
            preformatted += 1 if event == "start" else -1
        separator = _SEPARATORS.get(element.tag, "\n\n")
        text = element.text if event == "start" else element.tail
        if event == "start" or separator == "\n\n":
            pieces.append(separator)
        if text:
            pieces.append(text if preformatted else _SPACES.sub(" ", text))
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _is_hidden(element: HtmlElement) -> bool:
    if element.tag in _INVISIBLE or element.get("hidden") is not None:
        return True
    style = element.get("style")
    return style is not None and _HIDDEN_STYLE.search(style) is not None
