"""Labels from few examples, beside batch logistic regression on the same vectors."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.classifier import BATCH, OURS, SYSTEMS, UNTOLD
from benchmarks.quality.classifier_sets import SETS, Vectors, embed
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from jina_components import Embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rights = NDArray[np.float64]

_NAMES = {1: "classifier.one-example", 10: "classifier.examples", 50: "classifier.many-examples"}
_TIMED = 10


def measure(setting: Setting, *, sets: Sequence[str], shots: Sequence[int], draws: int) -> dict[str, Result]:
    """Accuracy of each test item, averaged over draws of the examples, and how fast ten a label are learned.

    Args:
        setting: The run's.
        sets: Of `classifier_sets.SETS`.
        shots: Examples of each label.
        draws: Of the examples; also the rounds of the speed.
    """
    rights: dict[int, dict[str, dict[str, Rights]]] = defaultdict(dict)
    seconds: dict[str, list[float]] = {name: [0.0] * draws for name in SYSTEMS}
    for name in sets:
        with Embedder(truncate=True, cache=setting.cache / "vectors") as embedder:
            vectors = embed(embedder, SETS[name](setting.sets))
        for count in shots:
            found, took = _right(vectors, count, draws)
            rights[count][name] = found
            if count == _TIMED:
                seconds = {system: list(map(sum, zip(seconds[system], took[system], strict=True))) for system in took}
    rows = {
        _NAMES[count]: paired(found, OURS, variants=(UNTOLD,), seed=setting.seed) for count, found in rights.items()
    }
    rates = {system: [1 / one for one in found] for system, found in seconds.items() if system != UNTOLD}
    return {**rows, "classifier.speed": raced({system: rates[system] for system in (OURS, BATCH)}, OURS)}


def _right(vectors: Vectors, shots: int, draws: int) -> tuple[dict[str, Rights], dict[str, list[float]]]:
    """By system, the share of draws in which each test item is labelled rightly, and CPU-seconds a draw."""
    rights: dict[str, list[Rights]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    items = len(vectors.test) or len(vectors.train)
    for draw in range(draws):
        rows = vectors.draw(shots, draw)
        assert rows is not None, f"a label has fewer than {shots} examples"
        tests, labels = vectors.tests(rows)
        places = np.arange(items) if len(vectors.test) else np.setdiff1d(np.arange(items), rows)
        for name, learn in SYSTEMS.items():
            started = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn's, of one pass that has not converged
                found = learn(vectors, rows)(tests).argmax(axis=1)
            seconds[name].append(time.process_time() - started)
            right = np.full(items, np.nan)
            right[places] = found == labels
            rights[name].append(right)
    tested = ~np.isnan(rights[OURS]).all(axis=0)  # of what examples are drawn from too, some are drawn every time
    return {name: np.nanmean(np.array(found)[:, tested], axis=0) for name, found in rights.items()}, seconds
