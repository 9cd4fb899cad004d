"""Pieces of HTML for results. All text of users and of the service goes through `text`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def text(value: object) -> str:
    """A value as text inside HTML, also inside of a quoted attribute."""
    return escape(str(value), quote=True)


def note(message: str, kind: str = "note") -> str:
    """A sentence in a box; `kind` is "note", "empty", "working", "done" or "error"."""
    return f'<p class="pg-{kind}">{text(message)}</p>'


def bar(share: float) -> str:
    """A bar of 0 to 1 of the width; a number stands beside it, so that it need not be seen."""
    return f'<div class="pg-bar" aria-hidden="true"><i style="width:{max(0.0, min(1.0, share)):.2%}"></i></div>'


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], *, kind: str = "") -> str:
    """A table, which scrolls by itself where it is too wide.

    Args:
        caption: What it shows.
        heads: Of its columns.
        rows: Of cells: text, and attributes of ours; those with a `scope` are heads of their rows.
        kind: Its class.
    """
    columns = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
    lines = "".join(f"<tr>{''.join(_cell(*cell) for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="pg-scroll" role="region" tabindex="0" aria-label="{text(caption)}"><table class="{kind}">'
        f"<caption>{text(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def web_link(url: str, words: str = "") -> str:
    """A link that opens elsewhere, if it is one of the web: others (`javascript:`) are shown as their text."""
    if not url.lower().startswith(("http://", "https://")):
        return text(words or url)
    return f'<a href="{text(url)}" target="_blank" rel="noopener noreferrer nofollow">{text(words or url)}</a>'


def _cell(content: str, attributes: str) -> str:
    tag = "th" if "scope=" in attributes else "td"
    return f"<{tag}{' ' * bool(attributes)}{attributes}>{text(content)}</{tag}>"
