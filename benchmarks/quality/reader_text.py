"""Words and blocks of Markdown and HTML, by which readers are compared."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from lxml import etree, html
from markdown_it import MarkdownIt

BLOCKS = {
    "headings": ".//h1|.//h2|.//h3|.//h4|.//h5|.//h6",
    "links": ".//a[@href and not(contains(@href, '#'))]",
    "images": ".//img[not(contains(@src, '/math/'))]",
    "list items": ".//li",
    "code blocks": ".//pre",
    "table rows": ".//tr",
    "quotes": ".//blockquote",
}
"""What is counted, as XPath."""

_INLINE = frozenset(("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
                     "font", "i", "ins", "kbd", "label", "mark", "nobr", "q", "ruby", "s", "samp", "small", "span",
                     "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"))  # fmt: skip
_UNSEEN = ("annotation", "audio", "button", "head", "iframe", "math", "noscript", "object", "script", "select", "style",
           "svg", "template", "textarea", "title", "video")  # fmt: skip
# Mathematics is left out on both sides: pages hold it in many ways, and readers write it in as many.
_MATH = re.compile(r"(?<!\\)\$\$[^$]{1,5000}\$\$|(?<![\\$\w])\$(?=[^$\n]*[\\^_{}=])[^$\n]{1,500}\$(?![\d$])")
# So are the signs of footnotes, which readers number anew.
_NOTES = re.compile(r"\[\^?[\w-]{1,40}\]:|\[\^[\w-]{1,40}\]|\[\d{1,4}\]")
_NOTE_TEXTS = re.compile(r"^\[\^[\w-]{1,80}\]: ", re.MULTILINE)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def parsed(page: str) -> html.HtmlElement:
    """HTML as a tree, whatever is in it."""
    tree = html.fromstring(f"<div>{page}</div>" if page.strip() else "<div></div>")
    etree.strip_elements(tree, etree.Comment, etree.ProcessingInstruction, *_UNSEEN, with_tail=False)
    return tree


def rendered(markdown: str) -> html.HtmlElement:
    """Markdown as a tree."""
    return parsed(_MARKDOWN.render(_NOTE_TEXTS.sub("1. ", _MATH.sub(" ", markdown))))


def words(tree: html.HtmlElement) -> str:
    """All text of a tree; blocks are apart, link targets and images left out."""
    pieces: list[str] = []
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag not in _INLINE:
            pieces.append(" ")
        pieces.append((element.text if event == "start" else element.tail) or "")
    return _NOTES.sub(" ", normal("".join(pieces)))


def normal(text: str) -> str:
    """Text with its white space and its composed characters made alike, and without soft hyphens."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\u00ad", "")).split())


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Runs of four words, counted; a shorter text is one run."""
    found = re.findall(r"\w+", text)
    return Counter(tuple(found[start : start + 4]) for start in range(max(1, len(found) - 3)))


def blocks(tree: html.HtmlElement) -> dict[str, int]:
    """How many blocks of each kind there are."""
    return {kind: len(tree.xpath(path)) for kind, path in BLOCKS.items()}
