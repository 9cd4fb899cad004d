"""Chunks, beside those of other splitters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.late_chunking import load_task
from benchmarks.quality.segmenter import COLUMNS, MODEL, Run, Vectors, cut_counts, question_values, run
from benchmarks.quality.segmenter_systems import SYSTEMS
from benchmarks.quality.segmenter_texts import texts_of_data
from benchmarks.quality.systems import default_embedders
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

OURS = "jina_components"
_TOKENS = 400
_NEEDS: dict[str, tuple[str, ...]] = {
    OURS: ("jina_components",),
    "LangChain RecursiveCharacter": ("langchain_text_splitters", "tiktoken", "llama_index.core"),
    "chonkie Recursive": ("chonkie", "tiktoken", "llama_index.core"),
    "semantic-text-splitter Markdown": ("semantic_text_splitter",),
}
_MORE_NEEDS: dict[str, tuple[str, ...]] = {
    "semchunk": ("semchunk", "tiktoken", "llama_index.core"),
    "chonkie Sentence": ("chonkie", "tiktoken", "llama_index.core"),
    "LlamaIndex SentenceSplitter": ("tiktoken", "llama_index.core"),
}
# Of each row, the columns whose parts are broken.
_ROWS = {
    "segmenter.sentences": ("mid-sentence",),
    "segmenter.blocks": ("fitting fences", "fitting tables", "orphans"),
}


def measure(setting: Setting, *, characters: int | None, rounds: int, every: bool) -> dict[str, Result]:
    """Recall of excerpts by question, what is left whole by text, and speed.

    Args:
        setting: The run's.
        characters: Of each kind of Markdown; None for all.
        rounds: Of cutting all of it.
        every: Whether to measure all peers.
    """
    pythons = setting.present(_NEEDS | (_MORE_NEEDS if every else {}))
    task = load_task(setting.sets, questions=None)
    vectors = Vectors(default_embedders(setting.sets)[MODEL], setting.cache / "chunks.npz")
    recalls = {}
    for name, python in pythons.items():
        found = run(name, python, _TOKENS, list(task.documents.values()))
        _, values = question_values(task, dict(zip(task.documents, found.spans, strict=True)), vectors)
        recalls[name] = values[:, 0]
    texts = [text for group in texts_of_data(setting.sets, characters).values() for text in group]
    rates: dict[str, list[float]] = defaultdict(list)
    runs: dict[str, Run] = {}
    for _ in range(rounds):
        for name, python in pythons.items():
            runs[name] = run(name, python, _TOKENS, texts)
            rates[name].append(sum(map(len, texts)) / 1e6 / runs[name].seconds[0])
    counts = {name: cut_counts(texts, found, _TOKENS) for name, found in runs.items()}
    whole = {
        row: paired(
            {"Markdown": {name: _broken(found, columns) for name, found in counts.items()}},
            OURS, statistic=_whole, seed=setting.seed,
        )
        for row, columns in _ROWS.items()
    }  # fmt: skip
    return {
        "segmenter.recall": paired({"chunking evaluation": recalls}, OURS, seed=setting.seed),
        **whole,
        "segmenter.speed": raced(rates, OURS),
    }


def _broken(counts: Sequence[Counter[str]], columns: Sequence[str]) -> NDArray[np.float64]:
    """How many are broken, and how many there are, by text; shape [texts, 2]."""
    parts = [COLUMNS[column] for column in columns]
    return np.array([[sum(one[part] for part in side) for side in zip(*parts, strict=True)] for one in counts], float)


def _whole(broken: NDArray[np.float64]) -> float:
    parts, all_of_them = broken.sum(axis=0)
    return float(1 - parts / max(all_of_them, 1))


assert set(_NEEDS) | set(_MORE_NEEDS) == set(SYSTEMS)
