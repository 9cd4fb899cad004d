"""Results as JSON that grows by measuring more, and as Markdown and a chart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import numpy as np

# The metric that stands for a task in the summary and the chart, with its title: a row a column.
SUMMARY = {
    "Retrieval, nDCG@10": ("retrieval", "ndcg@10"),
    "Reranking of BM25's top 100, nDCG@10": ("reranking BM25", "ndcg@10"),
    "Reranking of the hybrid top 100, nDCG@10": ("reranking hybrid", "ndcg@10"),
    "STS, Spearman": ("similarity", "spearman"),
    "Classification, zero-shot accuracy": ("classification", "zero_shot"),
    "Classification, 10-shot accuracy": ("classification", "10_shot"),
    "Entailment, balanced accuracy": ("entailment", "balanced_accuracy"),
}
AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class Result:
    """What one system reached on one set.

    Attributes:
        task: Such as "retrieval".
        set: Such as "squad".
        system: Such as "BM25".
        items: Queries, pairs or texts it was measured on.
        values: By metric.
    """

    task: str
    set: str
    system: str
    items: int
    values: Mapping[str, float]


def merge(path: Path, results: Iterable[Result]) -> list[Result]:
    """Adds results to those of the file, which they replace where task, set and system are the same."""
    old = [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    by_key = {(result.task, result.set, result.system): result for result in [*old, *results]}
    kept = list(by_key.values())
    lines = ",\n ".join(json.dumps(asdict(result)) for result in kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[{lines}]\n", encoding="utf-8")
    return kept


def table(results: Iterable[Result], task: str, metric: str) -> dict[str, dict[str, float]]:
    """A metric by system and set; a system that was measured on as many sets as any has an average too."""
    rows: dict[str, dict[str, float]] = {}
    for result in results:
        if result.task == task and metric in result.values:
            rows.setdefault(result.system, {})[result.set] = result.values[metric]
    sets = {name for row in rows.values() for name in row}
    for row in rows.values():
        if row.keys() == sets:
            row[AVERAGE] = float(np.mean(list(row.values())))
    return rows


def summary(results: list[Result]) -> dict[str, dict[str, float]]:
    """The average over a task's sets, by column of `SUMMARY` and system, best first."""
    columns = {}
    for title, (task, metric) in SUMMARY.items():
        rows = table(results, task, metric).items()
        averages = {system: row[AVERAGE] for system, row in rows if AVERAGE in row}
        columns[title] = dict(sorted(averages.items(), key=lambda item: -item[1]))
    return {title: column for title, column in columns.items() if column}


def markdown(results: list[Result]) -> str:
    """The averages, then every metric of every task by set; the best of a column is bold."""
    parts = ["# Quality\n", "Measured by `python -m benchmarks.quality.models`; see benchmarks/README.md.\n"]
    parts += ["## Averages over the sets of a task\n", _markdown_table(_turned(summary(results)), {})]
    for task, metric in dict.fromkeys((result.task, metric) for result in results for metric in result.values):
        items = {result.set: f"{result.set} ({result.items:,})" for result in results if result.task == task}
        parts += [f"## {task}: {metric}\n", _markdown_table(table(results, task, metric), items)]
    return "\n".join(parts)


def _turned(columns: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Rows by system of columns by title."""
    systems = dict.fromkeys(system for column in columns.values() for system in column)
    return {
        system: {title: column[system] for title, column in columns.items() if system in column} for system in systems
    }


def _markdown_table(rows: Mapping[str, Mapping[str, float]], heads: Mapping[str, str]) -> str:
    """Rows by system; `heads` says what a column is headed by, when not by its name."""
    names = [*dict.fromkeys(name for row in rows.values() for name in row if name != AVERAGE)]
    names += [AVERAGE] if len(names) > 1 and any(AVERAGE in row for row in rows.values()) else []
    best = {name: max(row[name] for row in rows.values() if name in row) for name in names}

    def cell(row: Mapping[str, float], name: str) -> str:
        if name not in row:
            return ""
        return f"**{row[name]:.3f}**" if row[name] == best[name] else f"{row[name]:.3f}"

    lines = [["system", *(heads.get(name, name) for name in names)], ["---", *(["---:"] * len(names))]]
    lines += [[system, *(cell(row, name) for name in names)] for system, row in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_WIDTH, _LABEL, _ROW, _HEAD, _GAP = 760, 300, 22, 34, 18
_STYLE = """text { font: 13px system-ui, 'DejaVu Sans', sans-serif; fill: #222 } .title { font-weight: 600 }
.bar { fill: #4c78a8 } .first { fill: #1f9e77 } .track { fill: #eef1f4 }"""


def chart(columns: Mapping[str, Mapping[str, float]]) -> str:
    """A panel of horizontal bars from 0 to 1 for each column, as SVG; the best of a panel stands out."""
    parts, top = [], _GAP
    for title, column in columns.items():
        parts.append(f'<text class="title" x="{_GAP}" y="{top + 14}">{escape(title)}</text>')
        for number, (system, value) in enumerate(column.items()):
            parts.append(_bar(system, value, top + _HEAD - 8 + number * _ROW, first=number == 0))
        top += _HEAD + len(column) * _ROW + _GAP
    size = f'width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}"'
    ground = f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>'
    body = "\n".join([f"<style>{_STYLE}</style>", ground, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{body}\n</svg>\n'


def _bar(system: str, value: float, top: float, *, first: bool) -> str:
    room = _WIDTH - _LABEL - 60
    box = f'x="{_LABEL}" y="{top}" height="{_ROW - 6}" rx="2"'
    return (
        f'<text x="{_LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(system)}</text>'
        f'<rect class="track" {box} width="{room}"/>'
        f'<rect class="{"first" if first else "bar"}" {box} width="{room * min(max(value, 0), 1):.1f}"/>'
        f'<text x="{_LABEL + room + 8}" y="{top + 12}">{value:.3f}</text>'
    )


def write(folder: Path, results: Iterable[Result]) -> list[Result]:
    """Adds the results to `folder`: results.json, and results.md and results.svg drawn from all that it holds."""
    kept = merge(folder / "results.json", results)
    (folder / "results.md").write_text(markdown(kept), encoding="utf-8")
    (folder / "results.svg").write_text(chart(summary(kept)), encoding="utf-8")
    return kept
