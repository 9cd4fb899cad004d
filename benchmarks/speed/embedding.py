"""Embedding all-MiniLM-L6-v2 on a CPU: ours and the peers side by side in one run.

    python -m benchmarks.speed.embedding [--data DATA] [--peers-python PEERS/bin/python] [--rounds 5] [--threads 1]
        [--sets short passage long mixed] [--contenders NAME …] [--scale 1.0] [--to results.json]

Every contender is a process of its own; in each round all embed the same texts, one after the other. Columns:

- tokens/s: of our tokenizer's count, by the median round's wall time;
- ratio: how many times the baseline's (sentence-transformers in torch at float32) speed;
- cpu/wall: how many threads really worked;
- cosine, least: mean and minimum over the texts against the baseline's vectors (not for bundled models of ours);
- peak MB: the most memory the process ever had resident, until after this set;
- cold s: from the start of the process to its first vector.

Sets, in tokens: short 12, passage 130, long 420, and mixed, log-normal with a mean of 70 and a heavy tail up to 500.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.contenders import BASELINE, EMBEDDING
from benchmarks.speed.texts import EMBEDDING_SETS, Lengths, TextSource
from benchmarks.speed.workers import Setting, Worker, close_all, measure, start_all

_CALIBRATION = Lengths(100, 0.8, 300)


class Lap(NamedTuple):
    """A set that all contenders have embedded: its texts, their tokens, and each contender's replies by round."""

    texts: int
    tokens: int
    timings: Mapping[str, list[dict[str, float]]]


def main() -> None:
    """Measure and print a table for each set."""
    options = parser().parse_args()
    made = runs.plan(EMBEDDING, options)
    results: dict[str, dict[str, runs.Row]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, lap, workers in laps(options, made, Path(temporary)):
            results[name] = _rows(workers, lap.timings, lap.tokens, _vectors(Path(temporary), name, lap.timings))
            runs.show(f"{name}: {lap.texts} texts, {lap.tokens:,} tokens", results[name])
    runs.finish(options, made, results)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = runs.parser(__doc__)
    made.add_argument("--sets", nargs="+", choices=EMBEDDING_SETS, default=list(EMBEDDING_SETS))
    made.add_argument("--scale", type=float, default=1.0, help="part of the texts of each set, or a multiple")
    return made


def laps(
    options: argparse.Namespace, made: runs.Plan, temporary: Path
) -> Iterator[tuple[str, Lap, Mapping[str, Worker]]]:
    """Set by set, what all contenders of a plan took; vectors are in the folder, see `workers.measure`."""
    folder = runs.model_folder(options, temporary / "model")
    source = TextSource(folder / "tokenizer.json", options.data)
    jobs = {}
    for name in options.sets:
        lengths = EMBEDDING_SETS[name]
        jobs[name] = source.texts(replace(lengths, count=max(1, round(lengths.count * options.scale))))
    (temporary / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    (temporary / "calibration.json").write_text(json.dumps(source.texts(_CALIBRATION, seed=1)), "utf-8")
    runs.export(made, EMBEDDING, folder, "feature-extraction", temporary / "calibration.json")
    setting = Setting("embedding", folder, temporary / "jobs.json", options.threads)
    workers = start_all(made.pythons, setting, made.skipped)
    for name, texts in jobs.items():
        timings = measure(workers, name, options.rounds, temporary, made.skipped)
        yield name, Lap(len(texts), source.count(texts), timings), workers
    close_all(workers)


def _vectors(temporary: Path, job: str, timings: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: np.load(temporary / f"{job} {name}.npy") for name in timings}
    return {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in found.items()}


def _rows(
    workers: Mapping[str, Worker], timings: Mapping[str, list[dict[str, float]]], tokens: int, vectors: dict[str, Any]
) -> dict[str, runs.Row]:
    baseline = median(reply["seconds"] for reply in timings[BASELINE])
    rows: dict[str, runs.Row] = {}
    for name, replies in timings.items():
        seconds = median(reply["seconds"] for reply in replies)
        cosines = None if EMBEDDING[name].bundled else (vectors[name] * vectors[BASELINE]).sum(1)
        rows[name] = {
            "tokens/s": round(tokens / seconds),
            "ratio": round(baseline / seconds, 2),
            "cpu/wall": round(median(reply["cpu"] / reply["seconds"] for reply in replies), 2),
            "cosine": None if cosines is None else round(float(cosines.mean()), 6),
            "least": None if cosines is None else round(float(cosines.min()), 6),
            "peak MB": round(replies[-1]["peak"] / 1e6),
            "cold s": round(workers[name].cold_seconds, 2),
        }
    return rows


if __name__ == "__main__":
    main()
