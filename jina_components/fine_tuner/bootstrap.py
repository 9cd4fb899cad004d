"""How sure a mean over questions is, by drawing the documents that they are about again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import ConfigError

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Values

_OUTSIDE = 0.025  # of 95 %, on either side
# Means at a time: a draw has a count for each cluster.
_SLICE = 500


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


def estimates(values: Values, clusters: Sequence[int], *, resamples: int, seed: int) -> list[Estimate]:
    """The mean of each column, with the interval of the cluster bootstrap.

    Whole clusters are drawn with replacement, for what one document answers is not independent (Field & Welsh 2007);
    the interval is BCa, corrected for bias and skew (Efron 1987): gains by question are seldom even, where plain
    percentiles call chance a gain two or three times too often. Where few clusters are not zero, this one does too.

    Args:
        values: Shape [questions, columns]; columns of the same question are drawn together.
        clusters: Of each question the number of its cluster, from 0 without a gap.
        resamples: Draws.
        seed: Of the draws.

    Raises:
        ConfigError: fewer than 100 draws, which tell no interval.
    """
    if resamples < 100:
        raise ConfigError(f"resamples must be 100 at least, got {resamples!r}.")
    count = max(clusters) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, np.asarray(clusters), values)
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    drawn = _drawn(sums, sizes, resamples, seed)
    means = sums.sum(axis=0) / sizes.sum()
    rest = sizes.sum() - sizes
    # Each cluster's pull on the mean: that of the others, or nothing where there is no other.
    left_out = (sums.sum(axis=0) - sums) / rest[:, None] if count > 1 else means[None]
    return [
        Estimate(float(mean), *_interval(column, float(mean), pulls))
        for mean, column, pulls in zip(means, drawn.T, left_out.T, strict=True)
    ]


def _drawn(sums: Values, sizes: Values, resamples: int, seed: int) -> Values:
    """Means of the draws, shape [resamples, columns]."""
    random = np.random.default_rng(seed)
    even = np.full(len(sizes), 1 / len(sizes))
    parts = []
    for start in range(0, resamples, _SLICE):
        times = random.multinomial(len(sizes), even, size=min(_SLICE, resamples - start)).astype(np.float64)
        parts.append((times @ sums) / (times @ sizes)[:, None])
    return np.concatenate(parts)


def _interval(drawn: Values, mean: float, left_out: Values) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri

    pulls = left_out.mean() - left_out
    spread = float((pulls**2).sum())
    if not spread > 0:  # all alike
        return mean, mean
    skew = float((pulls**3).sum()) / (6 * spread**1.5)
    below = float((np.mean(drawn < mean) + np.mean(drawn <= mean)) / 2)
    bias = ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    ends = bias + ndtri(np.array([_OUTSIDE, 1 - _OUTSIDE]))
    low, high = np.quantile(drawn, ndtr(bias + ends / (1 - skew * ends)))
    return float(low), float(high)
