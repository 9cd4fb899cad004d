"""The classifier's results as Markdown tables and as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
_COLOURS = ("#1f9e77", "#7fc8a9", "#4c78a8", "#9c755f", "#e8a13a", "#d1495b")
_PANEL, _HEIGHT, _LEFT, _TOP = 330, 230, 46, 34


def write(folder: Path, results: Sequence[Row], costs: Mapping[str, Mapping[str, float]]) -> str:
    """Writes results.md and results.svg; returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(results, costs)
    (folder / "results.md").write_text(text, encoding="utf-8")
    (folder / "results.svg").write_text(drawing(results), encoding="utf-8")
    return text


def markdown(results: Sequence[Row], costs: Mapping[str, Mapping[str, float]]) -> str:
    """A table for each embedder and set, then the orders and the costs."""
    parts = ["# Classifier", "Accuracy in percent ± its deviation over draws / log-loss / calibration error."]
    for embedder, name in _places(results):
        own = [row for row in results if (row["embedder"], row["set"]) == (embedder, name)]
        plain = [row for row in own if not row["system"].startswith("order, ")]
        parts += [f"## {name}, {embedder}", _table(plain, _cell)]
        outside = [row for row in plain if "outside_auroc" in row["more"]]
        if outside:
            parts += ["Inputs of no label, area under the ROC curve:", _table(outside, _outside)]
        ordered = [{**row, "system": row["system"][7:]} for row in own if row not in plain]
        if ordered:
            parts += ["The same examples in other orders:", _table(ordered, _cell)]
        parts += [
            f"Zero-shot, the likeliest temperature of cosines: {row['more']['temperature']:.4f}."
            for row in own
            if "temperature" in row["more"]
        ]
    for embedder, found in costs.items():
        parts += [f"## Costs, {embedder}", "\n".join(f"- {what}: {value:,.0f}" for what, value in found.items())]
    return "\n\n".join(parts) + "\n"


def _places(results: Sequence[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["embedder"], row["set"]) for row in results))


def _cell(row: Row) -> str:
    accuracy, spread = 100 * row["accuracy"], 100 * row["spread"]
    return f"{accuracy:.1f} ± {spread:.1f} / {row['log_loss']:.3f} / {row['calibration_error']:.3f}"


def _outside(row: Row) -> str:
    return f"{row['more']['outside_auroc']:.3f}"


def _table(rows: Sequence[Row], cell: Any) -> str:  # noqa: ANN401
    shots = sorted({row["shots"] for row in rows})
    systems = list(dict.fromkeys(row["system"] for row in rows))
    found = {(row["system"], row["shots"]): cell(row) for row in rows}
    heads = ["system", *(f"{count} shots" if count else "none" for count in shots)]
    lines = [heads, ["---", *["---:"] * len(shots)]]
    lines += [[system, *(found.get((system, count), "") for count in shots)] for system in systems]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def drawing(results: Sequence[Row]) -> str:
    """Accuracy by number of examples, a panel for each embedder and set, as SVG."""
    rows = [row for row in results if not row["system"].startswith("order, ")]
    systems = list(dict.fromkeys(row["system"] for row in rows if row["shots"]))
    colours = dict(zip(systems, _COLOURS * (len(systems) // len(_COLOURS) + 1), strict=False))
    places = _places(rows)
    parts = []
    for number, (embedder, name) in enumerate(places):
        own = [row for row in rows if (row["embedder"], row["set"]) == (embedder, name)]
        at = f"translate({number % 3 * _PANEL},{number // 3 * (_HEIGHT + 60)})"
        parts.append(f'<g transform="{at}">{_panel(f"{name}, {embedder}", own, colours)}</g>')
    top = -(-len(places) // 3) * (_HEIGHT + 60)
    for number, (system, colour) in enumerate(colours.items()):
        y = top + 20 * number
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 22}" y="{y + 7}">{escape(system)}</text>')
    width, height = 3 * _PANEL, top + 20 * len(colours) + 10
    style = "text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #222 } .title { font-weight: 600 }"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    ground = f'<style>{style}</style><rect width="{width}" height="{height}" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{ground}{"".join(parts)}</svg>\n'


def _panel(title: str, rows: Sequence[Row], colours: Mapping[str, str]) -> str:
    shots = sorted({row["shots"] for row in rows})
    low = int(10 * min(row["accuracy"] for row in rows)) / 10
    step = (_PANEL - _LEFT - 20) / max(len(shots) - 1, 1)

    def spot(row: Row) -> tuple[float, float]:
        share = (row["accuracy"] - low) / max(1 - low, 0.1)
        return _LEFT + step * shots.index(row["shots"]), _TOP + (_HEIGHT - _TOP) * (1 - share)

    parts = [f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>']
    for place, value in ((_HEIGHT, low), (_TOP, 1.0)):
        parts.append(f'<line x1="{_LEFT}" x2="{_PANEL - 20}" y1="{place}" y2="{place}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{place + 4}" text-anchor="end">{value:.0%}</text>')
    for number, count in enumerate(shots):
        parts.append(f'<text x="{_LEFT + step * number}" y="{_HEIGHT + 18}" text-anchor="middle">{count}</text>')
    for system, colour in reversed(list(colours.items())):
        line = " ".join("{:.1f},{:.1f}".format(*spot(row)) for row in rows if row["system"] == system)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for row in rows:
        x, y = spot(row)
        colour = colours.get(row["system"], "#222")
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
    return "".join(parts)
