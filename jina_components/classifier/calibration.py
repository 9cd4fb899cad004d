"""Probabilities that mean what they say: a temperature found without held-back examples, and how far off one is.

A temperature divides a classifier's scores before the softmax (Guo et al. 2017, "On Calibration of Modern Neural
Networks"). Here it is found by cross-validation over the prototypes of the labels: a head is fitted to some, and the
temperature is the one under which the others are most likely. A prototype is a mean, thus easier to label than the
examples it stands for, so each is tested as two examples, off by what examples are off their prototype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.classifier.regression import fit, log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.classifier.regression import Head
    from jina_components.types import FloatArray

# Known before anything is tested: the logarithm of the temperature is likely to be about this, give or take that.
_USUAL, _SPREAD = np.log(0.5), 0.7
_TEMPERATURES = np.geomspace(0.05, 10, 80)
_FOLDS, _ENOUGH_TESTS = 4, 500
_BINS = 15


class Groups(NamedTuple):
    """Prototypes of labelled examples.

    Attributes:
        means: float32, shape [groups, dimensions].
        labels: Position of the label of each.
        sizes: Examples in each, float64.
        spread: Mean squared distance of an example to the mean of its group.
    """

    means: FloatArray
    labels: NDArray[np.int64]
    sizes: NDArray[np.float64]
    spread: float

    def choose(self, chosen: NDArray[np.bool_]) -> Groups:
        """Some of them."""
        return Groups(self.means[chosen], self.labels[chosen], self.sizes[chosen], self.spread)

    def weighing(self, worth: float) -> Groups:
        """Each as that many times as many examples; none of them where that is 0."""
        return self._replace(sizes=self.sizes * worth).choose(np.full(len(self.sizes), worth > 0))


def joined(first: Groups, second: Groups) -> Groups:
    """Both, with the spread of the first."""
    return Groups(
        np.concatenate([first.means, second.means]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.sizes, second.sizes]),
        first.spread,
    )


class Calibration(NamedTuple):
    """A temperature, and how unlikely it makes what it was found by: a negative log-probability, natural."""

    temperature: float
    loss: float


def cross_validated(groups: Groups, fixed: Groups, num_labels: int, *, steps: int) -> Calibration:
    """The temperature of a head that is fitted to `groups` and `fixed`.

    A group that is all that is known of its label is not tested, and counts as found by chance. Where none is tested,
    the usual temperature is the answer.

    Args:
        groups: Tested in turn.
        fixed: Fitted to, and not tested.
        num_labels: Of the head.
        steps: Of each fit.
    """
    others = np.bincount(np.concatenate([groups.labels, fixed.labels]), minlength=num_labels) - 1
    fold = _number_within(groups.labels, num_labels) % _FOLDS
    noise = _Noise(groups, num_labels)
    scores: list[FloatArray] = []
    labels: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float64]] = []
    for number in range(_FOLDS):
        held = (fold == number) & (others[groups.labels] > 0)
        if not held.any() or sum(len(part) for part in labels) >= 2 * _ENOUGH_TESTS:
            continue
        kept, tested = joined(groups.choose(~held), fixed), groups.choose(held)
        head = fit(kept.means, kept.labels, kept.sizes, num_labels, steps=steps)
        plain, off = head.scores(tested.means), noise.scores(head, len(tested.means))
        scores += [plain + off, plain - off]
        labels += [tested.labels] * 2
        weights += [tested.sizes] * 2
    untested = len(groups.labels) - sum(len(part) for part in labels) / 2
    by_chance = untested * float(np.log(num_labels))
    if not scores:
        return Calibration(float(np.exp(_USUAL)), by_chance)
    share = np.concatenate(weights)
    # A group counts as one test, however many examples it has: they are alike.
    share *= len(share) / 2 / share.sum()
    temperature, loss = likeliest_temperature(np.concatenate(scores), np.concatenate(labels), share)
    return Calibration(temperature, loss + by_chance)


def _number_within(labels: NDArray[np.int64], num_labels: int) -> NDArray[np.int64]:
    """Each group's number among those of its label, which stand together."""
    first = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=num_labels))[:-1]])
    return np.arange(len(labels)) - first[labels]


class _Noise:
    """Draws how far an example is off its group, in the directions in which groups are off their label's mean.

    Where there are few groups, those directions are few too, and noise is spread over all directions instead.
    """

    def __init__(self, groups: Groups, num_labels: int) -> None:
        self._random = np.random.default_rng(0)
        totals = np.bincount(groups.labels, groups.sizes, num_labels)[groups.labels, None]
        means = np.zeros((num_labels, groups.means.shape[1]))
        np.add.at(means, groups.labels, groups.means * (groups.sizes[:, None] / totals))
        off = (groups.means - means[groups.labels]) * np.sqrt(groups.sizes)[:, None]
        self._dimensions = groups.means.shape[1]
        total = float(np.square(off).sum())
        free = len(groups.means) - len(np.unique(groups.labels))
        known = free**2 / (free**2 + (0.2 * self._dimensions) ** 2) if total > 0 else 0.0
        self._off = (off * np.sqrt(known * groups.spread / (total or 1.0))).astype(np.float32)
        self._anyhow = float(np.sqrt((1 - known) * groups.spread / self._dimensions))

    def scores(self, head: Head, count: int) -> FloatArray:
        """What that many draws add to the scores of a head, shape [count, labels]."""
        shaped = self._random.standard_normal((count, len(self._off)), np.float32) @ self._off
        shaped += self._random.standard_normal((count, self._dimensions), np.float32) * np.float32(self._anyhow)
        return shaped @ head.weights


def likeliest_temperature(scores: FloatArray, labels: NDArray[np.int64], weights: NDArray[np.float64]) -> Calibration:
    """The temperature with the least weighted log-loss, drawn to the usual one where there is little to tell by.

    Args:
        scores: Shape [n, labels].
        labels: Positions of the true ones.
        weights: Of each row; they sum to the number of tests.
    """
    rows = np.arange(len(labels))
    losses = np.array([-(weights @ log_softmax(scores / np.float32(one))[rows, labels]) for one in _TEMPERATURES])
    losses += 0.5 * ((np.log(_TEMPERATURES) - _USUAL) / _SPREAD) ** 2
    best = int(np.argmin(losses))
    return Calibration(float(_TEMPERATURES[best]), float(losses[best]))


def expected_calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean gap between the best label's probability and how often it is right, over 15 bins of equal width.

    Guo et al. 2017. 0 is best; 0 of nothing.

    Args:
        probabilities: Shape [n, labels].
        labels: Positions of the true ones.
    """
    sure = probabilities.max(axis=1, initial=0)
    right = probabilities.argmax(axis=1) == labels if len(labels) else np.zeros(0, bool)
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, sure - right, _BINS)
    return float(np.abs(gaps).sum() / max(len(labels), 1))
