"""Tuning to a domain without labels: before and after, on questions that people asked."""

from __future__ import annotations

from benchmarks.quality.fine_tuning import measured
from benchmarks.results import Result, paired
from benchmarks.setting import Setting

OURS, BEFORE = "tuned", "untuned"


def measure(setting: Setting) -> dict[str, Result]:
    """nDCG@10 by question of each set, before and after.

    `fine_tuning.measured(data, work, seed)` gives, by set and then by "tuned" and "untuned", an array of nDCG@10 by
    question.
    """
    scores = measured(setting.sets, setting.cache / "fine_tuning", setting.seed)
    return {"fine_tuner.domains": paired(scores, OURS, seed=setting.seed)}
