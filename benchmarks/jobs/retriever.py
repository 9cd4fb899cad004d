"""Finding words and vectors, beside libraries and stores that do the same."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import Result, raced
from benchmarks.setting import Setting
from benchmarks.speed import lexical
from benchmarks.speed import retriever as vector_runner
from benchmarks.speed.retriever_contenders import CONTENDERS
from benchmarks.speed.retriever_vectors import corpus, truth

OURS, INDEX, STORE = "ours", "ours auto", "our FaissStore"
_WORDS = (OURS, "bm25s numba, all words", "bm25s", "tantivy", "SQLite FTS5")
_VECTORS = (INDEX, STORE, "faiss flat", "faiss HNSW", "hnswlib", "Chroma")


def words(
    setting: Setting, *, passages: int, questions: int, seconds: float, rounds: int, every: bool
) -> dict[str, Result]:
    """Passages indexed, and queries answered a CPU-second."""
    chosen = [name for name in lexical.ENGINES if every or name in _WORDS]
    texts, names = lexical.passages(setting.sets, passages)
    asked = lexical.questions(setting.sets, texts, names, questions)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps({"texts": texts, "questions": asked}), "utf-8")
        rows = _rounds(
            setting,
            {name: lexical.ENGINES[name].needs for name in chosen},
            rounds,
            lambda name, python: lexical.in_process(python, name, file, seconds),
        )
    return {
        "retriever.words-index": raced(_column(rows, lambda row: len(texts) / row["index s"]), OURS),
        "retriever.words-queries": raced(_column(rows, lambda row: row["queries/s"]), OURS),
    }


def vectors(setting: Setting, *, vectors: int, rounds: int, every: bool) -> dict[str, Result]:
    """Building, bytes and queries of indexes of vectors, and queries of stores."""
    made = corpus(setting.sets, setting.cache / "retriever", vectors)
    truth(made)
    chosen = [name for name in CONTENDERS if (every or name in _VECTORS) and vectors <= CONTENDERS[name].most]
    rows = _rounds(
        setting,
        {name: CONTENDERS[name].needs for name in chosen},
        rounds,
        lambda name, python: vector_runner.measured(name, python, made),
    )
    ours = [name for name in rows if name.startswith("ours ") and name != INDEX]
    indexes = {name: found for name, found in rows.items() if not CONTENDERS[name].store and name not in ours}
    stores = {name: found for name, found in rows.items() if CONTENDERS[name].store}
    sized = {name: found for name, found in indexes.items() if found[0]["bytes"]}
    return {
        "retriever.vectors-build": raced(_column(indexes, lambda row: vectors / max(row["build cpu"], 0.001)), INDEX),
        "retriever.vectors-queries": raced(_column(indexes, lambda row: row["q/cpu-s"]), INDEX),
        "retriever.vectors-memory": raced(_column(sized, lambda row: row["bytes"]), INDEX, less_is_better=True),
        "retriever.store-queries": raced(_column(stores, lambda row: row["q/cpu-s"]), STORE),
    }


def _rounds(
    setting: Setting,
    needs: Mapping[str, tuple[str, ...]],
    rounds: int,
    measure: Callable[[str, str], Any],
) -> dict[str, list[Any]]:
    """What every contender did, round by round; who fails is out."""
    pythons = setting.present(needs)
    rows: dict[str, list[Any]] = defaultdict(list)
    for _ in range(rounds):
        for name, python in list(pythons.items()):
            try:
                found = measure(name, python)
            except (ValueError, subprocess.SubprocessError) as error:
                found = str(error)
            if isinstance(found, str):
                setting.skipped[name] = found.splitlines()[-1]
                del pythons[name]
                rows.pop(name, None)
            else:
                rows[name].append(found)
    return dict(rows)


def _column(rows: Mapping[str, list[Any]], of: Callable[[Any], float]) -> dict[str, list[float]]:
    return {name: [of(row) for row in found] for name, found in rows.items()}
