"""Pieces of HTML for results. All text of users and of the service goes through `text`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import zip_longest
from urllib.parse import urlsplit

from jina_components.types import shorten


def text(value: object) -> str:
    """A value as text inside HTML, also inside of a quoted attribute."""
    return escape(str(value), quote=True)


def note(message: str, kind: str = "note") -> str:
    """A sentence in a box; `kind` is "note", "empty", "working", "done" or "error"."""
    return f'<p class="pg-{kind}">{text(message)}</p>'


def bar(share: float) -> str:
    """A bar of 0 to 1 of the width; a number stands beside it, so that it need not be seen."""
    return f'<div class="pg-bar" aria-hidden="true"><i style="width:{max(0.0, min(1.0, share)):.2%}"></i></div>'


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    kind: str = "",
    heat: Sequence[Sequence[float]] = (),
) -> str:
    """A table, which scrolls by itself where it is too wide.

    Args:
        caption: What it shows.
        heads: Of its columns.
        rows: Their cells, the first of each its head.
        kind: Its class.
        heat: How strongly cells are coloured, 0 to 1, for each but the first of a row.
    """
    columns = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
    lines = "".join(_row(row, warmth) for row, warmth in zip_longest(rows, heat, fillvalue=()))
    return (
        f'<div class="pg-scroll" role="region" tabindex="0" aria-label="{text(caption)}"><table class="{kind}">'
        f"<caption>{text(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _row(row: Sequence[str], heat: Sequence[float]) -> str:
    head, *cells = row
    styles = [f' style="--heat:{warmth:.3f}"' for warmth in heat] or [""] * len(cells)
    drawn = "".join(f"<td{style}>{text(cell)}</td>" for cell, style in zip(cells, styles, strict=True))
    return f'<tr><th scope="row">{text(head)}</th>{drawn}</tr>'


def web_link(url: str, words: str = "") -> str:
    """A link that opens elsewhere, if it is one of the web: others (`javascript:`) are shown as their text."""
    if not url.lower().startswith(("http://", "https://")):
        return text(words or url)
    return f'<a href="{text(url)}" target="_blank" rel="noopener noreferrer nofollow">{text(words or url)}</a>'


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
