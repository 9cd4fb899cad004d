"""Dense search of real embeddings: ours, FAISS used directly, and other libraries and stores, in one run.

    python -m benchmarks.speed.retriever --data DATA --peers-python PEERS/bin/python [--vectors 1000000] [--to FILE]

Vectors are those of the bundled static model (256 dimensions) for real texts, queries are questions of SQuAD; they are
made once and kept in `--cache`. Each contender builds and searches in a process of its own, one after the other, on
one thread; queries come one at a time. A contender that trades recall for speed is measured at the cheapest setting
that reaches a recall@10 of 0.95; ours as it comes. Stores hold the texts and return them with every hit.

Columns: `build s` and `build cpu` seconds until the last vector is searchable through the index; bytes a vector of the
index; queries a second of the process' CPU time, all its threads together, and of wall time, which says little where
others work on the machine; recall@10; and the former rate as a multiple of that of FAISS' HNSW.

Last, the time that a thousand more documents take to be put into our store of them all, durably: in batches of 100.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.retriever_contenders import CONTENDERS
from benchmarks.speed.retriever_vectors import Corpus, corpus, truth

_ONE = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS",
    "LANCE_CPU_THREADS",
)  # fmt: skip
_BASELINE = "faiss HNSW"
_LIMIT_SECONDS = 3600
_MORE, _PART = 1000, 100


def main() -> None:
    """Measure and print the tables."""
    options = _options()
    made = corpus(options.data, options.cache, options.vectors)
    truth(made)
    plan = _plan(options)
    rows: dict[str, runs.Row] = {}
    for name, python in plan.pythons.items():
        try:
            rows[name] = measured(name, python, made)
            print(f"{name}: {rows[name]}", flush=True)
        except (subprocess.SubprocessError, ValueError) as error:
            plan.skipped[name] = str(error)[-300:]
    baseline = rows.get(_BASELINE, {}).get("q/cpu-s")
    for row in rows.values():
        setting = row.pop("setting")
        row["of faiss"] = round(float(row["q/cpu-s"]) / float(baseline), 2) if baseline else None  # type: ignore[arg-type]
        row["setting"] = f"  {setting}"
    for kind, store in (("indexes", False), ("stores", True)):
        chosen = {name: row for name, row in rows.items() if CONTENDERS[name].store is store}
        runs.show(f"{kind}: {len(made.vectors):,} vectors of {made.vectors.shape[1]} dimensions", chosen)
    results: dict[str, Any] = {"searches": rows}
    if options.adds:
        results["adds"] = _adds(made)
        print(f"\n{_MORE} documents more: {results['adds']} s")
    runs.finish(options, plan, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "retriever-vectors")
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--peers-python", nargs="+", default=[], help="of an environment with benchmarks/peers.txt")
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--adds", action="store_true", help="also measure what a thousand more documents take")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    parser.set_defaults(threads=1, rounds=3)
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> runs.Plan:
    """Who runs with which interpreter, and who does not run and why."""
    plan = runs.plan({name: CONTENDERS[name] for name in options.contenders}, options)
    for name in [name for name in plan.pythons if options.vectors > CONTENDERS[name].most]:
        plan.skipped[name] = CONTENDERS[name].beyond
        del plan.pythons[name]
    return plan


def measured(name: str, python: str, made: Corpus) -> runs.Row:
    """What one contender does, in a process of its own.

    Raises:
        ValueError: it failed; what it said.
        subprocess.TimeoutExpired: it took too long.
    """
    command = [python, "-m", "benchmarks.speed.retriever_contenders", name, str(made.folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
        env=os.environ | dict.fromkeys(_ONE, "1"),
    )
    if done.returncode:
        raise ValueError(done.stderr.strip() or f"ended with {done.returncode}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    digits = {"build s": 3, "build cpu": 3, "bytes": 0, "q/cpu-s": 0, "q/s": 0, "recall": 4}
    return {
        key: round(value, digits[key]) if key in digits and value is not None else value for key, value in row.items()
    }


def _adds(made: Corpus) -> dict[str, float]:
    """Seconds for all of them, and for the longest batch with the search that follows it."""
    from jina_components import Document
    from jina_components.retriever.stores.faiss import FaissStore

    texts = made.texts()
    documents = [Document(text, id=str(row)) for row, text in enumerate(texts)]
    with tempfile.TemporaryDirectory(dir=made.folder) as folder:
        store = FaissStore(Path(folder) / "store")
        store.put(documents, np.asarray(made.vectors))
        store.compact()
        times = []
        for start in range(0, _MORE, _PART):
            part = slice(start, start + _PART)
            more = [Document(f"{texts[row]} again", id=f"more {row}") for row in range(start, start + _PART)]
            started = time.perf_counter()
            store.put(more, made.vectors[part])
            store.search_dense(made.vectors[start : start + 1], 10)
            times.append(time.perf_counter() - started)
        store.close()
    return {"all": round(sum(times), 3), "longest batch": round(max(times), 3)}


if __name__ == "__main__":
    main()
