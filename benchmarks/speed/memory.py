"""Memory over many calls of mixed lengths: ours and the peers, one process after the other.

    python -m benchmarks.speed.memory [--data DATA] [--peers-python PEERS/bin/python] [--calls 10000] [--threads 1]
        [--contenders NAME …] [--to results.json]

Nine calls in ten embed one text, one in a hundred 32, the rest 4; lengths are those of the set `mixed` of
`embedding`. Resident memory is read at twenty moments, evenly spread. Columns:

- loaded MB: the most that was resident until the first vector;
- early MB, late MB: mean of the second to fifth moment, and of the last four;
- growth MB: their difference, which is 0 where memory is flat;
- peak MB: the most that was ever resident;
- calls/s: for scale; it is not interleaved.

Ten thousand calls take a contender three to ten minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.contenders import EMBEDDING
from benchmarks.speed.texts import EMBEDDING_SETS, Lengths, TextSource
from benchmarks.speed.workers import Setting, Worker, WorkerError

_SAMPLES, _PART = 20, 4
_SIZES, _SHARES = (1, 4, 32), (0.90, 0.09, 0.01)
_CALIBRATION = Lengths(100, 0.8, 300)


def main() -> None:
    """Measure and print a table."""
    parser = runs.parser(__doc__, rounds=1)
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _measure(options, Path(temporary))


def _measure(options: argparse.Namespace, temporary: Path) -> None:
    folder = runs.model_folder(options, temporary / "model")
    source = TextSource(folder / "tokenizer.json", options.data)
    (temporary / "jobs.json").write_text(json.dumps({"calls": _calls(source, options.calls)}), "utf-8")
    (temporary / "calibration.json").write_text(json.dumps(source.texts(_CALIBRATION, seed=1)), "utf-8")
    made = runs.plan(EMBEDDING, options)
    runs.export(made, EMBEDDING, folder, "feature-extraction", temporary / "calibration.json")
    setting = Setting("embedding", folder, temporary / "jobs.json", options.threads)
    rows: dict[str, runs.Row] = {}
    for name, python in made.pythons.items():
        try:
            rows[name] = _row(Worker(name, python, setting), options.calls)
        except WorkerError as error:
            made.skipped[name] = str(error)
            continue
        print(f"measured {name}", flush=True)
    runs.show(f"{options.calls:,} calls of mixed lengths", rows)
    runs.finish(options, made, {"calls": rows})


def _calls(source: TextSource, count: int) -> list[list[str]]:
    sizes = np.random.default_rng(2).choice(_SIZES, count, p=_SHARES)
    texts = source.texts(replace(EMBEDDING_SETS["mixed"], count=int(sizes.sum())))
    ends = np.cumsum(sizes)
    return [texts[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _row(worker: Worker, calls: int) -> runs.Row:
    try:
        reply = worker.ask("repeat", job="calls", samples=_SAMPLES)
    finally:
        worker.close()
    resident = [size / 1e6 for size in reply["resident"]]
    early, late = fmean(resident[1 : 1 + _PART]), fmean(resident[-_PART:])
    return {
        "loaded MB": round(worker.ready["peak"] / 1e6),
        "early MB": round(early),
        "late MB": round(late),
        "growth MB": round(late - early),
        "peak MB": round(reply["peak"] / 1e6),
        "calls/s": round(calls / reply["seconds"]),
    }


if __name__ == "__main__":
    main()
