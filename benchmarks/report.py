"""The report: `report.md` with its charts, and the numbers of the README and the documentation; all of the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmarks.cells import gap, table, value, verdict
from benchmarks.charts import SHADES, Gap, by_set, overview
from benchmarks.history import HISTORY, Run, load_all, newest
from benchmarks.results import Kind, Peer, Result
from benchmarks.setting import ROOT
from benchmarks.table import COMPONENTS, JOBS, ROWS, WITHOUT, Row
from jina_components.core.durable import write_file

FOLDER = Path(__file__).parent
FILLED = (ROOT / "README.md", ROOT / "docs" / "numbers.md")
_PLACE = re.compile(r"(<!-- bench: ([^>]+?) -->\n).*?(<!-- /bench -->)", re.DOTALL)
# Charts of all rows of some kinds: file, kinds, title and axis.
_OVERVIEWS: tuple[tuple[str, tuple[Kind, ...], str, str], ...] = (
    ("quality", ("quality",), "Quality", "ours minus the peer's, with its 95 % interval"),
    ("speed", ("speed", "memory"), "Speed and memory", "times as fast, or as small; the least and most of all rounds"),
)
_MEASURED = "measured side by side in one run"
# Sets of a row from which a chart tells more than a table.
_DRAWN_SETS = 4


@dataclass(frozen=True)
class Line:
    """A row with its newest result, and the run that it is of."""

    row: Row
    run: Run
    result: Result

    @property
    def pinned(self) -> tuple[str, Peer] | None:
        """The pinned peer; where it did not run, the first that did; None where none did."""
        peers = self.result.peers
        name = self.row.peer if self.row.peer in peers else next(iter(peers), None)
        return None if name is None else (name, peers[name])


@dataclass(frozen=True)
class Report:
    """What a history comes to."""

    runs: Sequence[Run]

    @cached_property
    def lines(self) -> list[Line]:
        """The rows that were measured, in the order of the table."""
        found = ((row, newest(self.runs, row.name)) for row in ROWS)
        return [Line(row, *one) for row, one in found if one is not None]

    @cached_property
    def shown(self) -> list[Run]:
        """The runs that some number is of, the oldest first."""
        names = {line.run.name for line in self.lines}
        return [run for run in self.runs if run.name in names]

    def number(self, run: Run) -> int:
        """By which the report names a run."""
        return [one.name for one in self.shown].index(run.name) + 1


def draw(folder: Path = FOLDER, history: Path = HISTORY, filled: Sequence[Path] = FILLED) -> None:
    """Write the report and its charts into a folder, and fill the places of the files."""
    report = Report(load_all(history))
    if not report.lines:
        raise SystemExit(f"{history} has no results: run python -m benchmarks first.")
    pictures = folder / "report"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, content in charts(report).items():
        _write(pictures / name, content)
    _write(folder / "report.md", markdown(report))
    for path in filled:
        _write(path, fill(path.read_text("utf-8"), report))


def fill(text: str, report: Report) -> str:
    """A page with what stands between its marks, `<!-- bench: headlines -->` or a component's name, made anew.

    Raises:
        KeyError: there is nothing of that name.
    """
    return _PLACE.sub(lambda place: f"{place[1]}{_PARTS[place[2]](report)}{place[3]}", text)


def markdown(report: Report) -> str:
    """The report itself."""
    parts = ["# How we compare\n", _head(report), "## Where we stand\n", *_pictures(_overviews(report)),
             _standing(report), "## Where we lose\n", _losses(report)]  # fmt: skip
    if _missing(report):
        parts += ["## Left out\n", _missing(report)]
    for component in COMPONENTS:
        parts += [f"## {component}\n", _chapter(report, component, with_charts=True)]
    parts += ["## Runs\n", _runs(report)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def charts(report: Report) -> dict[str, str]:
    """SVG by file name."""
    drawn: dict[str, str] = {}
    for name, make in {**_overviews(report), **_by_set(report)}.items():
        drawn |= {f"{name}-{shade}.svg": picture for shade, picture in make().items()}
    return drawn


def _overviews(report: Report) -> dict[str, Callable[[], dict[str, str]]]:
    made: dict[str, Callable[[], dict[str, str]]] = {}
    for name, kinds, title, axis in _OVERVIEWS:
        gaps = [Gap(*one) for line in report.lines if line.row.kind in kinds and (one := _gap_of(line))]
        if gaps:
            made[name] = partial(overview, gaps, title, axis)
    return made


def _gap_of(line: Line) -> tuple[str, Kind, Peer] | None:
    if line.pinned is None:
        return None
    name, peer = line.pinned
    return f"{line.row.component}, {line.row.name.partition('.')[2]}: {name}", line.row.kind, peer


def _by_set(report: Report) -> dict[str, Callable[[], dict[str, str]]]:
    made: dict[str, Callable[[], dict[str, str]]] = {}
    for line in report.lines:
        row, result = line.row, line.result
        if len(result.parts) >= _DRAWN_SETS:
            title = f"{row.component}: {row.what}"
            made[_picture(row)] = partial(by_set, result.parts, [row.ours, *result.peers], title, row.metric)
    return made


def _picture(row: Row) -> str:
    return row.name.replace(".", "-")


def _pictures(names: Mapping[str, object]) -> Iterator[str]:
    """Pictures that suit a light and a dark page."""
    light, dark = SHADES
    for name in names:
        yield (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="report/{name}-{dark}.svg">'
            f'<img alt="{name}" src="report/{name}-{light}.svg"></picture>\n'
        )


def _head(report: Report) -> str:
    quick = sum(line.run.mode == "quick" for line in report.lines)
    told = (
        f"{quick} of {len(report.lines)} rows are of quick runs, which measure small samples of the sets: their "
        "qualities are not those of whole sets, but hold for both sides alike."
        if quick
        else "All rows are of full runs."
    )
    return (
        "Drawn by `python -m benchmarks report` from the [history](history) of `make bench` and `make bench-full`; not "
        f"written by hand. Ours and peers are {_MEASURED}, in turns. {told}\n\n"
        "Quality is compared by the difference, with its 95 % interval of a paired bootstrap over the items (queries, "
        "pages, claims …); speed and memory by the ratio, with the least and the most of all rounds. *Better* or "
        "*worse* says that the whole interval does, *level* that it does not tell.\n"
    )


def _standing(report: Report) -> str:
    rows: list[tuple[str, ...]] = [("component", "what", "metric", "ours", "peer", "its", "ours to it", "", "run")]
    for line in report.lines:
        row = line.row
        known = any(row.component == name for name, *_ in rows)
        cells = ["" if known else row.component, row.what, row.metric, value(row, line.result.ours)]
        if line.pinned:
            name, peer = line.pinned
            cells += [name, value(row, peer.value), gap(row, peer), verdict(row, peer)]
        else:
            cells += ["", "", "no peer ran", ""]
        rows.append((*cells, f"[{report.number(line.run)}](#runs)"))
    return table(rows, right=(3, 5, 6))


def _losses(report: Report) -> str:
    rows = [("component", "what", "ours", "peer", "its", "ours to it", "run")]
    rows += [
        (line.row.component, f"{line.row.what}, {line.row.metric}", value(line.row, line.result.ours), name,
         value(line.row, peer.value), gap(line.row, peer), f"[{report.number(line.run)}](#runs)")
        for line in report.lines
        for name, peer in line.result.peers.items()
        if peer.verdict(line.row.kind) == "worse"
    ]  # fmt: skip
    if len(rows) == 1:
        return "Nowhere, to any peer that was measured.\n"
    said = f"Everything, to any peer that was {_MEASURED}, where the whole interval says so:\n\n"
    return said + table(rows, right=(2, 4, 5))


def _missing(report: Report) -> str:
    """What no run of those shown measured, and why; peers that did not run."""
    measured = {line.row.name for line in report.lines}
    last = {name: why for run in report.runs for name, why in run.left_out.items()}
    lines = []
    for name in JOBS:
        for component in COMPONENTS:
            absent = [row.name.partition(".")[2] for row in ROWS if (row.job, row.component) == (name, component)
                      and row.name not in measured]  # fmt: skip
            if absent:
                lines.append(f"- {component}, {', '.join(absent)}: {last.get(name, 'not measured at this size')}.")
    known = {peer for line in report.lines for peer in line.result.peers}
    absent_peers = {name: why for run in report.shown for name, why in run.left_out.items() if name not in JOBS}
    lines += [f"- {name}: {why}." for name, why in absent_peers.items() if name not in known]
    return "".join(f"{line}\n" for line in lines)


def _chapter(report: Report, component: str, *, with_charts: bool = False) -> str:
    """A component's rows, with all peers, and by set."""
    parts = []
    for line in report.lines:
        row, result = line.row, line.result
        if row.component != component:
            continue
        unit = "items" if row.kind == "quality" else "rounds"
        told = f"{line.run.mode}, {line.run.started[:10]}"
        parts.append(f"**{row.what[0].upper()}{row.what[1:]}**: {row.metric} ({result.count:,} {unit}; {told})\n")
        rows = [("", row.metric, "ours to it"), (f"**{row.ours}**", f"**{value(row, result.ours)}**", "")]
        rows += [(name, value(row, peer.value), gap(row, peer)) for name, peer in result.peers.items()]
        parts.append(table(rows, right=(1, 2)))
        if result.parts:
            parts.append(_sets(line))
        if with_charts and len(result.parts) >= _DRAWN_SETS:
            parts += _pictures({_picture(row): row})
    parts += [f"No row of {kind}: {why}\n" for (name, kind), why in WITHOUT.items() if name == component]
    return "\n".join(parts)


def _sets(line: Line) -> str:
    """A row's numbers by set, the best of each in bold."""
    parts = line.result.parts
    systems = list(next(iter(parts.values())))
    best = {name: max(row.values()) for name, row in parts.items()}
    rows = [("by set", *parts)]
    for system in sorted(systems, key=lambda name: name != line.row.ours):
        cells = [value(line.row, row[system]) for row in parts.values()]
        bold = [row[system] == best[name] for name, row in parts.items()]
        rows.append((system, *(f"**{cell}**" if top else cell for cell, top in zip(cells, bold, strict=True))))
    return table(rows, right=range(1, len(parts) + 1))


def _headlines(report: Report) -> str:
    """The README's table."""
    rows = [("", "ours, as it comes", "peer", "ours to it")]
    for line in report.lines:
        if line.row.headline and line.pinned:
            name, peer = line.pinned
            ours, its = value(line.row, line.result.ours), value(line.row, peer.value)
            rows.append(
                (f"{line.row.headline}, {line.row.metric}", f"**{ours}**", f"{its} {name}", gap(line.row, peer))
            )
    shown = [line.run for line in report.lines if line.row.headline]
    modes, processors, threads = (
        " and ".join(sorted(set(some)))
        for some in (
            [run.mode for run in shown],
            [str(run.machine["processor"]) for run in shown],
            [str(run.machine["threads"]) for run in shown],
        )
    )
    return (
        f"{table(rows, right=(1,))}\n"
        f"({modes.capitalize()} runs on {processors}, {threads} thread a contender; {_MEASURED}, with the 95 %\n"
        "interval of a difference, or the least and the most of all rounds of a ratio. "
        "[The report](benchmarks/report.md) has\nthe rest, and says where we lose.)\n"
    )


def _runs(report: Report) -> str:
    parts = []
    for run in report.shown:
        machine = "; ".join(f"{name} {one}" for name, one in run.machine.items())
        commit = (
            f" at {run.code['commit']}{' with changes' if run.code['changed'] else ''}" if run.code["commit"] else ""
        )
        versions = ", ".join(f"{name} {one}" for name, one in sorted(run.versions.items()))
        unfinished = "" if run.finished else ", interrupted"
        minutes = sum(run.seconds.values()) / 60
        parts.append(
            f"{report.number(run)}. [{run.name}](history/{run.name}.json), {minutes:.0f} minutes{unfinished}: "
            f"jina_components {run.code['version']}{commit}; {machine}; seed {run.seed}; "
            f"data {run.data or 'none'}; {versions}\n"
        )
    return "".join(parts)


_PARTS: Mapping[str, Callable[[Report], str]] = {
    "headlines": _headlines,
    "losses": _losses,
    **{name: (lambda report, name=name: _chapter(report, name)) for name in COMPONENTS},  # type: ignore[misc]
}
"""What the places of a page may be filled with."""


def _write(path: Path, content: str) -> None:
    write_file(path, lambda file: file.write(content.encode()))
