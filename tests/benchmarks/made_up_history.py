"""Runs and results made up for the tests of the history, the report and the gate."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.history import Run
from benchmarks.results import Result, paired, raced
from benchmarks.table import ROWS


def a_run(started: str = "2026-01-02T03:04:05Z", mode: str = "quick", **changed: Any) -> Run:
    """A run that has measured nothing."""
    settings: dict[str, Any] = {
        "seed": 0, "code": {"version": "1.0", "commit": "0123456789ab", "changed": False},
        "machine": {"processor": "A CPU", "cores": 2, "threads": 1}, "data": "d1", "finished": True,
    }  # fmt: skip
    return Run(started, mode, **{**settings, **changed})  # type: ignore[arg-type]


def quality(ours: float, peer: float, name: str = "peer", *, system: str = "ours", sets: int = 1) -> Result:
    """A result of three items a set that are all alike, so that its interval is a point."""
    scores = {f"set {number}": {system: np.full(3, ours), name: np.full(3, peer)} for number in range(sets)}
    return paired(scores, system)


def speed(ratio: float, name: str = "peer") -> Result:
    """A result of two rounds that are alike."""
    return raced({"ours": [100 * ratio] * 2, name: [100.0] * 2}, "ours")


def measured(gap: float = 1.2, **changed: Any) -> Run:
    """A run of all rows; our quality is half of `gap`, the peer's a half, and our speed `gap` times the peer's."""
    run = a_run(**changed)
    for row in ROWS:
        run.results[row.name] = quality(gap / 2, 0.5, row.peer) if row.kind == "quality" else speed(gap, row.peer)
    return run
