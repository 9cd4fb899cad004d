"""The gate: no number falls below its floor unless someone says why. Run by hand, never by tests.

`floors.json` has, by mode and row, the floor and the reasons for which it was lowered. A floor of quality is what ours
reached, and of speed and memory its ratio to the pinned peer, which says more than a time on whichever machine. What is
reached may be less by the tolerance: for quality what other releases of libraries do to the last digit, for the others
what a busy machine does to a ratio.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.history import HISTORY, Run, load, load_all
from benchmarks.results import Kind, Result
from benchmarks.table import ROWS, ROWS_BY_NAME, Row
from jina_components.core.durable import write_file

FLOORS = Path(__file__).parent / "floors.json"
TOLERANCE: Mapping[Kind, float] = {"quality": 0.005, "speed": 0.25, "memory": 0.1}
"""How much less is let pass: of quality in points of 1, of the others as a share of the floor."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row held against its floor.

    Attributes:
        row: Which.
        reached: What the run has; None where it was not measured.
        floor: None where it has none yet.
    """

    row: Row
    reached: float | None
    floor: float | None

    @property
    def least(self) -> float | None:
        """What still passes."""
        if self.floor is None:
            return None
        tolerance = TOLERANCE[self.row.kind]
        return self.floor - tolerance if self.row.kind == "quality" else self.floor * (1 - tolerance)

    @property
    def fails(self) -> bool:
        """Whether it is below; what was not measured is not."""
        return self.least is not None and self.reached is not None and self.reached < self.least

    @property
    def may_rise(self) -> bool:
        """Whether more was reached than the floor, by more than chance explains, or there is no floor."""
        if self.reached is None:
            return False
        if self.floor is None:
            return True
        tolerance = TOLERANCE[self.row.kind]
        step = tolerance if self.row.kind == "quality" else self.floor * tolerance
        return self.reached > self.floor + step


def reached(row: Row, result: Result | None) -> float | None:
    """What a floor is held against; None where the row, or its pinned peer, was not measured."""
    if result is None:
        return None
    if row.kind == "quality":
        return result.ours
    return result.peers[row.peer].gap if row.peer in result.peers else None


def checks(run: Run, floors: Mapping[str, Any]) -> list[Check]:
    """Every row that has a floor in the run's mode, or a result."""
    own = floors.get(run.mode, {})
    found = [
        Check(row, reached(row, run.results.get(row.name)), own[row.name]["floor"] if row.name in own else None)
        for row in ROWS
    ]
    return [one for one in found if one.reached is not None or one.floor is not None]


def gate(options: argparse.Namespace, path: Path = FLOORS, history: Path = HISTORY) -> int:
    """Say how the newest run, or that of `options.run`, stands; move floors where asked. The exit status."""
    runs = [load(options.run)] if options.run else load_all(history)
    if not runs:
        print(f"{history} has no run: python -m benchmarks makes one.")
        return 1
    run, floors = runs[-1], _read(path)
    unknown = [name for name in (*(options.raised or ()), *options.lower) if name not in ROWS_BY_NAME]
    if unknown:
        print(f"No row is called {', '.join(unknown)}; they are {', '.join(ROWS_BY_NAME)}.")
        return 2
    if options.lower and not options.why.strip():
        print('A floor is lowered for a reason: --lower ROW --why "…".')
        return 2
    found = checks(run, floors)
    if options.lower or options.raised is not None:
        _move(found, floors, run, options)
        write_file(path, lambda file: file.write(f"{json.dumps(floors, indent=1, ensure_ascii=False)}\n".encode()))
        found = checks(run, floors)
    return _told(found, run, partial=options.partial)


def _move(found: list[Check], floors: dict[str, Any], run: Run, options: argparse.Namespace) -> None:
    own = floors.setdefault(run.mode, {})
    for check in found:
        name = check.row.name
        if check.reached is None:
            continue
        raised = options.raised is not None and (name in options.raised or not options.raised)
        entry = own.setdefault(name, {"floor": None}) if raised or name in options.lower else {}
        if name in options.lower and check.floor is not None and check.reached < check.floor:
            reason = {"from": check.floor, "to": check.reached, "why": options.why.strip(), "run": run.name}
            entry.setdefault("lowered", []).append(reason)
            entry["floor"] = check.reached
        elif raised and (check.floor is None or check.reached > check.floor):
            entry["floor"] = check.reached
    floors[run.mode] = {row.name: own[row.name] for row in ROWS if row.name in own}


def _told(found: list[Check], run: Run, *, partial: bool) -> int:
    failed = [check for check in found if check.fails]
    missing = [check for check in found if check.reached is None]
    print(f"{run.name}: {len(found)} rows")
    for check in failed:
        print(f"below its floor: {check.row.name} has {check.reached:.4g}, the floor is {check.floor:.4g} "
              f"(least {check.least:.4g})")  # fmt: skip
    for check in missing:
        print(f"not measured: {check.row.name}, whose floor is {check.floor:.4g}")
    for check in found:
        if check.may_rise:
            was = "has no floor yet" if check.floor is None else f"over its floor of {check.floor:.4g}"
            print(f"may be raised (--raise {check.row.name}): {check.reached:.4g}, {was}")
    if missing and not partial:
        print("A row that has a floor must be measured, with all data and peers; --partial lets it pass.")
    return 1 if failed or (missing and not partial) else 0


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
