"""What the URLs of a page are resolved against, and to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from lxml.html import HtmlElement

Links = tuple[tuple[str, str], ...]
"""(Text, URL) of each link or image."""

_LINE_ENDS = re.compile(r"[^\S\t\r\n]*+[\t\r\n]\s*+")


def base_of(tree: HtmlElement, base_url: str) -> str:
    """What the relative links of a page are resolved against: its `<base>`, or `base_url`."""
    href = next((element.get("href") for element in tree.iter("base") if element.get("href")), None)
    return absolute_url(base_url, href) or base_url


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
