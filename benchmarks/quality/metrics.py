"""Ranking metrics of one query; `relevant` maps document ids to grades above 0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def ndcg_at_10(ranked: Sequence[str], relevant: Mapping[str, float]) -> float:
    """Normalized discounted cumulative gain with the judged grade as gain, as trec_eval computes it."""
    gained = sum(relevant.get(name, 0.0) / math.log2(rank + 2) for rank, name in enumerate(ranked[:10]))
    ideal = sorted(relevant.values(), reverse=True)[:10]
    return gained / sum(grade / math.log2(rank + 2) for rank, grade in enumerate(ideal))


def mrr_at_10(ranked: Sequence[str], relevant: Mapping[str, float]) -> float:
    """Reciprocal of the first relevant rank, 0 beyond the tenth."""
    return next((1 / rank for rank, name in enumerate(ranked[:10], 1) if name in relevant), 0.0)
