"""Numbers and tables as the report writes them, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Peer
from benchmarks.table import Row


def value(row: Row, number: float) -> str:
    """A number as the report writes it: shares with three digits, rates and sizes with three that count."""
    if row.kind == "quality":
        return f"{number:.3f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:.3f}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def gap(row: Row, peer: Peer) -> str:
    """A gap with its interval: a difference with its sign, or a ratio."""
    if row.kind == "quality":
        middle, low, high = (
            f"{one:+.3f}".replace("0.", ".", 1).replace("-", "−") for one in (peer.gap, peer.low, peer.high)
        )
        return f"{middle} ({low} … {high})"
    middle, low, high = map(_ratio, (peer.gap, peer.low, peer.high))
    return f"{middle} × ({low}–{high})"


def _ratio(number: float) -> str:
    return f"{number:.2g}" if number < 0.1 else f"{number:.2f}" if number < 10 else f"{number:,.0f}"


def verdict(row: Row, peer: Peer) -> str:
    """Better, level or worse; what is not level stands out."""
    said = peer.verdict(row.kind)
    return said if said == "level" else f"**{said}**"


def table(rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """A table, its first row the head; columns of numbers are set to the right."""
    head, *body = rows
    marks = ["---:" if column in right else "---" for column in range(len(head))]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, marks, *body)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)
