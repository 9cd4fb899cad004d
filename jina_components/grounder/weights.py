"""What the features of a passage weigh: numbers printed by `fine_tuner.recipes.fit_judge`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from jina_components.grounder.features import NAMES


class Logistic(NamedTuple):
    """A logistic model: the sigmoid of a bias and weighted features.

    Attributes:
        bias: What is added.
        weights: By the feature's name; 0 for those left out.
    """

    bias: float
    weights: Mapping[str, float]

    def __call__(self, vector: Sequence[float]) -> float:
        """Probability, 0 to 1, of features in the order of `NAMES`."""
        total = self.bias + sum(self.weights.get(name, 0.0) * value for name, value in zip(NAMES, vector, strict=True))
        return 1 / (1 + math.exp(-total))


DECISIVE = Logistic(
    -5.216,
    MappingProxyType({
        "bold": 0.309, "open": -0.484, "covered": 0.607, "sentence_covered": 3.574, "names_missing": -0.093,
        "confirmed": 0.347, "unmentioned": -0.162,
    }),
)  # fmt: skip
"""Whether a passage settles a claim at all."""

TRUE = Logistic(
    0.651,
    MappingProxyType({
        "whole": 0.552, "sentence": -0.021, "mean": 0.267, "turned": -0.204, "covered": 0.616,
        "sentence_covered": -0.852, "names_missing": -0.077, "confirmed": 0.329, "contradicted": -1.154,
        "unmentioned": 0.309, "denial": -0.487, "opposite": -1.996,
    }),
)  # fmt: skip
"""Whether a claim that a passage settles is true."""
