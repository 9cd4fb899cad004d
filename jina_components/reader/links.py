"""Links and images of the main content, followed through an extraction that forgets them.

Each link and image leaves a mark, one character of a private-use plane, in the text of the page; the marks
found in the extracted content tell which of them belong to it. (Keeping links during the extraction
instead makes it take more boilerplate for content.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from lxml.html import HtmlElement

Links = tuple[tuple[str, str], ...]

_FIRST_MARK = 0xF0000
_MOST_MARKS = 0xFFFE
_LINE_ENDS = re.compile(r"\s*+[\t\r\n]\s*+")
_MARK = re.compile(f"[{chr(_FIRST_MARK)}-{chr(_FIRST_MARK + _MOST_MARKS - 1)}]")
_PARAGRAPHS = frozenset(("blockquote", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "td"))
_IMAGE_SOURCES = (
    "data-src",
    "data-original",
    "data-lazy-src",
    "src",
)  # where images load late, src is a blank


class LinkMarks:
    """Marks in the text of a page.

    A link is marked at its first words; an image, which has none, at the next paragraph. What comes after the
    first 65,534 is not marked.
    """

    def __init__(self, tree: HtmlElement) -> None:
        self._elements: list[HtmlElement] = []
        waiting = ""
        for element in list(tree.iter("a", "img", *_PARAGRAPHS)):
            if element.tag in _PARAGRAPHS:
                waiting = waiting and _put(element, waiting)
            elif len(self._elements) < _MOST_MARKS:
                mark = chr(_FIRST_MARK + len(self._elements))
                self._elements.append(element)
                waiting += mark if element.tag == "img" else _put(_first_words(element), mark)

    def take(self, content: str, base_url: str) -> tuple[str, Links, Links]:
        """`content` without marks, its links (text, URL) and its images (alternative text, URL).

        Only absolute http(s) URLs count; links without text are left out.
        """
        found = [ord(mark) - _FIRST_MARK for mark in _MARK.findall(content)]
        elements = [self._elements[index] for index in found if index < len(self._elements)]
        links = ((_text(element.text_content()), absolute_url(base_url, element.get("href"))) for element in elements)
        images = (
            (_text(element.get("alt", "")), _image_url(element, base_url))
            for element in elements
            if element.tag == "img"
        )
        return (
            without_marks(content),
            tuple((text, url) for text, url in links if text and url),
            tuple((text, url) for text, url in images if url),
        )


def without_marks(text: str) -> str:
    """`text` as it was before it was marked."""
    return _MARK.sub("", text)


def base_of(tree: HtmlElement, base_url: str) -> str:
    """What the relative links of a page are resolved against: its `<base>`, or `base_url`."""
    href = next((element.get("href") for element in tree.iter("base") if element.get("href")), None)
    return absolute_url(base_url, href) or base_url


def _put(element: HtmlElement, mark: str) -> str:
    """Put `mark` before the text of `element`; where it has none, give the mark back."""
    text = element.text or ""
    words = text.lstrip()
    if not words:
        return mark
    element.text = text[: len(text) - len(words)] + mark + words
    return ""


def _first_words(element: HtmlElement) -> HtmlElement:
    return next((inner for inner in element.iter() if (inner.text or "").strip()), element)


def _text(text: str) -> str:
    return " ".join(without_marks(text).split())


def _image_url(element: HtmlElement, base_url: str) -> str:
    return next(filter(None, (absolute_url(base_url, element.get(name)) for name in _IMAGE_SOURCES)), "")


def absolute_url(base_url: str, href: str | None) -> str:
    """The absolute http(s) URL, or empty."""
    if not href or href.startswith("#"):
        return ""
    try:
        url = urljoin(base_url, _LINE_ENDS.sub("", href.strip()).replace(" ", "%20"))
        urlsplit(url)
    except ValueError:  # such as "http://[", which leads nowhere
        return ""
    return url if url.lower().startswith(("http://", "https://")) else ""
