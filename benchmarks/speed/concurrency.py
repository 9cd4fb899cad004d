"""Many threads that embed one short text a call with one model: ours against a lock a call.

    python -m benchmarks.speed.concurrency [--data DATA] [--callers 64] [--calls 20] [--rounds 5] [--threads 1]
        [--to results.json]

`ours float32` and `ours auto` merge concurrent calls; `… behind a lock` is the same model, one call at a time, and
so is sentence-transformers, which is the baseline. Each round measures all, one after the other. Columns:

- calls/s: of all callers together, by the median round;
- ratio: against sentence-transformers behind a lock;
- to own lock: against the same model behind a lock;
- p50, p99: milliseconds that a call takes, waiting included, over all rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.contenders import BASELINE, CONCURRENCY
from benchmarks.speed.texts import EMBEDDING_SETS, TextSource
from benchmarks.speed.workers import Setting, Worker, start_all

_BEHIND = "{} behind a lock"


def main() -> None:
    """Measure and print a table."""
    parser = runs.parser(__doc__)
    parser.add_argument("--callers", type=int, default=64, help="threads that call")
    parser.add_argument("--calls", type=int, default=20, help="calls of each thread in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _measure(options, Path(temporary))


def _measure(options: argparse.Namespace, temporary: Path) -> None:
    folder = runs.model_folder(options, temporary / "model")
    source = TextSource(folder / "tokenizer.json", options.data)
    texts = source.texts(replace(EMBEDDING_SETS["short"], count=options.callers * options.calls))
    (temporary / "jobs.json").write_text(json.dumps({"short": texts}), "utf-8")
    made = runs.plan(CONCURRENCY, options)
    setting = Setting("concurrency", folder, temporary / "jobs.json", options.threads)
    workers = start_all(made.pythons, setting, made.skipped)
    rows = _rows(_rounds(workers, options), len(texts))
    runs.show(f"{options.callers} callers, {len(texts)} calls a round", rows)
    runs.finish(options, made, {"short": rows})


def _rounds(workers: Mapping[str, Worker], options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Replies by round; the first round is not counted."""
    ways = [(name, False) for name in workers if name != BASELINE] + [(name, True) for name in workers]
    replies: dict[str, list[dict[str, Any]]] = {}
    for turn in range(options.rounds + 1):
        for name, lock in ways:
            reply = workers[name].ask("crowd", job="short", threads=options.callers, lock=lock)
            if turn:
                replies.setdefault(_BEHIND.format(name) if lock else name, []).append(reply)
    return replies


def _rows(replies: Mapping[str, list[dict[str, Any]]], calls: int) -> dict[str, runs.Row]:
    seconds = {name: median(reply["seconds"] for reply in found) for name, found in replies.items()}
    rows: dict[str, runs.Row] = {}
    for name, found in replies.items():
        latencies = np.concatenate([reply["latencies"] for reply in found]) * 1000
        behind = seconds.get(_BEHIND.format(name))
        rows[name] = {
            "calls/s": round(calls / seconds[name]),
            "ratio": round(seconds[_BEHIND.format(BASELINE)] / seconds[name], 2),
            "to own lock": round(behind / seconds[name], 2) if behind else None,
            "p50 ms": round(float(np.percentile(latencies, 50)), 1),
            "p99 ms": round(float(np.percentile(latencies, 99)), 1),
        }
    return rows


if __name__ == "__main__":
    main()
