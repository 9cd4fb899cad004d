"""Whether probabilities mean what they say: errors, and the curve drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

BINS = 10
_SIDE, _EDGE = 300, 44
_COLORS = ("#1f9e77", "#4c78a8", "#d95f02", "#7570b3", "#a6761d", "#666666")
_STYLE = """body { font: 15px system-ui, sans-serif; max-width: 60em; margin: 2em auto; color: #222 }
td, th { padding: .2em .8em; text-align: right } td:first-child { text-align: left } pre { overflow: auto }"""


class Bin(NamedTuple):
    """Claims of like probability.

    Attributes:
        said: Their mean probability.
        true: Share of them that is true.
        claims: How many.
    """

    said: float
    true: float
    claims: int


class Calibration(NamedTuple):
    """How well probabilities are calibrated.

    Attributes:
        bins: Of ten of equal width, those that have claims.
        error: Expected calibration error: mean of |said - true| over the bins, by claims (Naeini et al. 2015).
        brier: Mean squared distance from what is true (Brier 1950); 0.25 for saying one half of everything.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float


def calibration(probabilities: Sequence[float], true: Sequence[bool]) -> Calibration:
    """Of probabilities that something is true, and whether it is."""
    said, is_true = np.asarray(probabilities, float), np.asarray(true, float)
    places = np.minimum((said * BINS).astype(int), BINS - 1)
    bins = tuple(
        Bin(float(said[places == at].mean()), float(is_true[places == at].mean()), int((places == at).sum()))
        for at in range(BINS)
        if (places == at).any()
    )
    error = sum(one.claims * abs(one.said - one.true) for one in bins) / len(said)
    return Calibration(bins, error, float(((said - is_true) ** 2).mean()))


def curve(found: Mapping[str, Calibration]) -> str:
    """Reliability curves as SVG: what is said across, what is true up, the size of a dot by its claims."""
    width, height = _SIDE + 2 * _EDGE + 220, _SIDE + 2 * _EDGE
    parts = [
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="#f6f8fa"/>',
        f'<path d="M{_at(0, 0)} L{_at(1, 1)}" stroke="#999" stroke-dasharray="4 4"/>',
    ]
    parts += [_tick(step / 5) for step in range(6)]
    for number, (name, one) in enumerate(found.items()):
        parts += _line(name, one, _COLORS[number % len(_COLORS)], _EDGE + 20 + 22 * number)
    style = "<style>text { font: 12px system-ui, sans-serif; fill: #222 }</style>"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{style}\n{body}\n</svg>\n'


def _line(name: str, found: Calibration, color: str, top: float) -> list[str]:
    path = " L".join(_at(one.said, one.true) for one in found.bins)
    total = max(sum(one.claims for one in found.bins), 1)
    dots = []
    for one in found.bins:
        x, y = _at(one.said, one.true).split()
        dots.append(f'<circle cx="{x}" cy="{y}" r="{2 + 8 * (one.claims / total) ** 0.5:.1f}" fill="{color}"/>')
    text = f"{escape(name)} (ECE {found.error:.3f})"
    return [
        f'<path d="M{path}" stroke="{color}" fill="none" stroke-width="1.5"/>', *dots,
        f'<text x="{_EDGE + _SIDE + 14}" y="{top}" style="fill:{color}">{text}</text>',
    ]  # fmt: skip


def _tick(value: float) -> str:
    x, y = _at(value, 0).split()
    left, level = _at(0, value).split()
    return (
        f'<text x="{x}" y="{float(y) + 16}" text-anchor="middle">{value:.1f}</text>'
        f'<text x="{float(left) - 8}" y="{float(level) + 4}" text-anchor="end">{value:.1f}</text>'
    )


def _at(said: float, true: float) -> str:
    return f"{_EDGE + said * _SIDE:.1f} {_EDGE + (1 - true) * _SIDE:.1f}"


def page(tables: Mapping[str, str], calibrations: Mapping[str, Calibration]) -> str:
    """The report, HTML: tables given as Markdown, and the curve."""
    parts = [f"<h2>{escape(title)}</h2>{_html(markdown)}" for title, markdown in tables.items()]
    drawn = f"<h2>Calibration: factuality said, and share of claims that are true</h2>{curve(calibrations)}"
    head = f'<!doctype html><meta charset="utf-8"><title>Grounder</title><style>{_STYLE}</style>'
    return f"{head}<h1>Grounder</h1>{''.join(parts)}{drawn}"


def _html(markdown: str) -> str:
    rows = [line.strip("| ").split(" | ") if line[2:3] != " " else ["", *line.strip("| ").split(" | ")]
            for line in markdown.splitlines() if not line.startswith("| ---")]  # fmt: skip
    cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
