"""From the start of a process to its first vector: ours and sentence-transformers in turns.

    python -m benchmarks.speed.startup [--rounds 5] [--to results.json]

Wall and CPU seconds, medians over `--rounds` processes each, after one that is not counted; CPU seconds are those of
the process. Fails when the bundled default takes a second or more, or imports torch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.speed import runs
from benchmarks.speed.contenders import BASELINE, STARTUP
from benchmarks.speed.workers import Setting, Worker, WorkerError

_BUNDLED, _LIMIT = "ours, bundled", 1.0


def main() -> None:
    """Measure, print a table, and check the bundled default."""
    options = runs.parser(__doc__).parse_args()
    made = runs.plan(STARTUP, options)
    rows = _rows(*starts(options, made))
    runs.show("cold process to first vector", rows)
    runs.finish(options, made, {"startup": rows})
    _check(rows.get(_BUNDLED, {}))


def starts(
    options: argparse.Namespace, made: runs.Plan
) -> tuple[dict[str, list[float]], dict[str, list[dict[str, float]]]]:
    """By contender and round, wall seconds to the first vector, and what the process replied; who fails is skipped."""
    wall: dict[str, list[float]] = {name: [] for name in made.pythons}
    ready: dict[str, list[dict[str, float]]] = {name: [] for name in made.pythons}
    with tempfile.TemporaryDirectory() as temporary:
        folder = runs.model_folder(options, Path(temporary) / "model")
        setting = Setting("startup", folder, Path(temporary) / "none.json", options.threads)
        for turn in range(options.rounds + 1):
            for name in list(wall):
                try:
                    worker = Worker(name, made.pythons[name], setting)
                except WorkerError as error:
                    made.skipped[name] = str(error)
                    del wall[name], ready[name]
                    continue
                worker.close()
                if turn:
                    wall[name].append(worker.cold_seconds)
                    ready[name].append(worker.ready)
    return wall, ready


def _rows(wall: dict[str, list[float]], ready: dict[str, list[dict[str, float]]]) -> dict[str, runs.Row]:
    baseline = median(wall[BASELINE]) if BASELINE in wall else None
    return {
        name: {
            "wall s": round(median(seconds), 2),
            "cpu s": round(median(reply["cpu"] for reply in ready[name]), 2),
            "ratio": round(baseline / median(seconds), 2) if baseline else None,
            "torch": "yes" if any(reply["torch"] for reply in ready[name]) else "no",
            "peak MB": round(median(reply["peak"] for reply in ready[name]) / 1e6),
        }
        for name, seconds in wall.items()
    }


def _check(row: runs.Row) -> None:
    if row.get("torch") != "no":
        sys.exit("The bundled default imports torch, or does not run.")
    if float(row["wall s"] or 0) >= _LIMIT:
        sys.exit(f"The bundled default takes {row['wall s']} s to its first vector, over {_LIMIT} s.")


if __name__ == "__main__":
    main()
