"""Pages of the web as results name them: a title that links there, and where that is."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from jina_components.service.playground.drawing import text, web_link
from jina_components.types import shorten


def host(url: str) -> str:
    """The host of a URL; empty for what is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # such as half of an IPv6 address
        return ""


def source(url: str, title: str = "") -> str:
    """A page: its title, or its URL where it has none, and its host."""
    where = f' <small class="pg-host"><bdi>{text(host(url))}</bdi></small>' if title and host(url) else ""
    return f'<bdi class="pg-source">{web_link(url, shorten(title or url, 200))}</bdi>{where}'


def folded(summary: str, inner: str) -> str:
    """HTML behind a line of text that opens it."""
    return f'<details class="pg-fold"><summary>{text(summary)}</summary>{inner}</details>'


def listed(items: Iterable[str], *, kind: str = "ul", look: str = "") -> str:
    """A list of pieces of HTML."""
    inner = "".join(f"<li>{item}</li>" for item in items)
    return f'<{kind} class="{look}">{inner}</{kind}>' if inner else ""


def facts(*told: str) -> str:
    """Facts in a line, those that there are: pieces of HTML."""
    inner = "".join(f"<span>{fact}</span>" for fact in told if fact)
    return f'<p class="pg-told">{inner}</p>' if inner else ""


def counted(number: int, name: str) -> str:
    """`1 link`, `2 links`."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"
