"""Where links and images lead: absolute URLs, written so that Markdown ends them where they end."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from jina_components.reader.links import absolute_url
from jina_components.reader.markdown.line import words_of
from jina_components.reader.markdown.marks import Link
from jina_components.reader.markdown.style import Style

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_ABSOLUTE = re.compile(r"https?://[\w.-]+(?:[/?#:]|$)", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SCHEMES = frozenset(
    ("callto", "facetime", "ftp", "geo", "irc", "ircs", "magnet", "mailto", "sip", "sms", "tel", "xmpp")
)
_PHRASING = frozenset(("b", "code", "em", "i", "img", "mark", "span", "strong", "sub", "sup"))
_SPACE = re.compile(r"\s")
_UNSAFE = re.compile(r"[\s<>\\`|]")
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_MOST_LABEL = 200  # characters of a link's text that serve as its label


@dataclass(slots=True)
class Targets:
    """The links and images of one page, as they are met.

    Attributes:
        base_url: What relative ones are resolved against.
        style: How links are written.
        links: (text, absolute URL) of web pages.
        images: (alternative text, absolute URL).
    """

    base_url: str
    style: Style
    links: list[tuple[str, str]] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)
    _definitions: dict[str, tuple[str, str]] = field(default_factory=dict)  # label and target by the label's key
    _numbers: dict[str, str] = field(default_factory=dict)  # by target
    _cited: dict[str, int] = field(default_factory=dict)  # place of a URL among the different ones of `links`

    def link(self, element: HtmlElement) -> Link | None:
        """The link that an `<a>` is; None for one that leads nowhere, or within the page."""
        url = link_url(self.base_url, element.get("href"))
        if not url:
            return None
        within = (element.get("href") or "").lstrip().startswith("#")
        text = words_of("".join(element.itertext()) if _is_phrase(element) else " ".join(element.itertext()))
        if not within:
            self._list_link(text or next((words_of(image.get("alt") or "") for image in element.iter("img")), ""), url)
        return self.link_to(url, text)

    def link_to(self, url: str, text: str) -> Link:
        """A link to be written in the form that is asked for."""
        return Link(url, text, lambda inner: self._written(inner, url))

    def embedded(self, element: HtmlElement, text: str) -> str:
        """A link to what a frame or player shows; empty if it has no source."""
        url = link_url(self.base_url, element.get("src") or element.get("data"))
        if not url.startswith("http"):
            return ""
        self._list_link(text, url)
        return url

    def _list_link(self, text: str, url: str) -> None:
        if url[:4].lower() == "http":
            self.links.append((text, url))
            self._cited.setdefault(url, len(self._cited) + 1)

    def image(self, element: HtmlElement) -> tuple[str, str, str]:
        """(Alternative text, URL, title) of an `<img>`; no URL if it has none that can be fetched."""
        alt, title = words_of(element.get("alt") or ""), words_of(element.get("title") or "")
        url = self._image_url((element.get("src") or "").strip())
        if url:
            self.images.append((alt, url))
        return alt, url, title if title != alt else ""

    def _image_url(self, source: str) -> str:
        if source[:5].lower() != "data:":
            return link_url(self.base_url, source)
        if self.style.keep_data_urls:
            return source
        return f"blob:{hashlib.blake2b(source.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"

    def _written(self, text: str, url: str) -> str:
        form, target = self.style.links, destination(url)
        if form == "cited":
            return f"【{self._cited[url]}†{text}】" if url in self._cited else text
        if form == "inlined":
            return f"[{text}]({target})"
        if form != "full" and len(text) <= _MOST_LABEL and "\n" not in text and "![" not in text:
            key = " ".join(text.casefold().split())
            if self._definitions.setdefault(key, (text, target))[1] == target:
                return f"[{text}][]" if form == "collapsed" else f"[{text}]"
        return f"[{text}][{self._number(target)}]"

    def _number(self, target: str) -> str:
        if target not in self._numbers:
            free = (str(number) for number in itertools.count(len(self._numbers) + 1))
            self._numbers[target] = next(number for number in free if number not in self._definitions)
            self._definitions[self._numbers[target]] = (self._numbers[target], target)
        return self._numbers[target]

    def definitions(self) -> str:
        """Where the referenced links written so far lead, a line each."""
        return "\n".join(f"[{label}]: {target}" for label, target in self._definitions.values())


def _is_phrase(element: HtmlElement) -> bool:
    return all(child.tag in _PHRASING for child in element)


def link_url(base_url: str, href: str | None) -> str:
    """The URL a link leads to, or empty: scripts, the top of the page, and what no URL can be made of.

    Without a base, a relative one stays so, and a place within the page is none.
    """
    href = (href or "").strip()
    if not href or href in ("#", "#top"):
        return ""
    if href[0] == "#":
        return base_url.partition("#")[0] + _SPACE.sub("%20", href) if base_url else ""
    if _ABSOLUTE.match(href) and not _SPACE.search(href):
        return href
    scheme = _SCHEME.match(href)
    if scheme and scheme[1].lower() not in ("http", "https"):
        return _SPACE.sub("%20", href) if scheme[1].lower() in _SCHEMES else ""
    return absolute_url(base_url, href) if base_url or scheme else _SPACE.sub("%20", href)


def destination(url: str) -> str:
    """`url` as the destination of a Markdown link, in a line or a cell of a table."""
    url = _ENTITY.sub("&amp;", _UNSAFE.sub(lambda char: quote(char[0], safe=""), url))
    return url if _balanced(url) else f"<{url}>"


def _balanced(url: str) -> bool:
    if "(" not in url and ")" not in url:
        return True
    depth = 0
    for char in url:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
