"""Verdicts on claims, beside simpler ways to judge the same evidence."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.grounder import OURS, Runner, answer, claims_a_second, verdicts
from benchmarks.quality.grounder_sets import SETS
from benchmarks.quality.grounder_systems import CachedScorer, EntailmentAlone, GrounderSystem, evidence_of
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from jina_components import EntailmentScorer, Grounder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALONE = "entailment model alone"


def measure(setting: Setting, *, sets: Sequence[str], claims: int, timed: int, rounds: int) -> dict[str, Result]:
    """Balanced accuracy of the claims of each set, and claims a CPU-second.

    Args:
        setting: The run's.
        sets: Of `grounder_sets.SETS`.
        claims: Of each set, drawn by hash.
        timed: Of the first set, which are judged by hand-picked evidence, nothing cached.
        rounds: Of these.
    """
    runner = Runner(setting.sets, setting.cache)
    scores: dict[str, dict[str, NDArray[Any]]] = {}
    rates: dict[str, list[float]] = defaultdict(list)
    for name in sets:
        drawn = SETS[name](setting.sets).sample(claims)
        with ExitStack() as stack:
            retriever = runner.retriever(drawn)
            if retriever is not None:
                stack.enter_context(retriever)
            answers = answer(runner.systems(drawn, retriever), drawn, retriever)
            pairs = [(claim, evidence_of(claim, retriever)) for claim in drawn.claims[:timed]]
        scores[name] = {system: _judged(*verdicts(found, drawn)) for system, found in answers.items()}
        if name == sets[-1]:
            scorer = EntailmentScorer()
            for _ in range(rounds):
                rates[OURS].append(claims_a_second(pairs, GrounderSystem(Grounder(entailment=scorer))))
                rates[ALONE].append(claims_a_second(pairs, EntailmentAlone(CachedScorer(scorer))))
    return {
        "grounder.verdicts": paired(scores, OURS, statistic=_balanced, seed=setting.seed),
        "grounder.speed": raced(rates, OURS),
    }


def _judged(said: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Whether each is right, and its class; shape [claims, 2]."""
    return np.stack([said == wanted, np.unique(wanted, return_inverse=True)[1]], axis=1).astype(np.int64)


def _balanced(judged: NDArray[np.int64]) -> float:
    """Mean over the classes of the share that is right."""
    right, classes = judged.T
    return float(np.mean([right[classes == one].mean() for one in np.unique(classes)]))
