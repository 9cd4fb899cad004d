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
    -5.145,
    MappingProxyType({
        "bold": 0.305, "open": -0.477, "covered": 0.64, "sentence_covered": 3.519, "names_missing": -0.103,
        "confirmed": 0.34, "unmentioned": -0.209,
    }),
)  # fmt: skip
"""Whether a passage settles a claim at all."""

TRUE = Logistic(
    0.651,
    MappingProxyType({
        "whole": 0.549, "sentence": -0.019, "mean": 0.27, "turned": -0.201, "covered": 0.624,
        "sentence_covered": -0.86, "names_missing": -0.077, "confirmed": 0.331, "contradicted": -1.154,
        "unmentioned": 0.312, "denial": -0.485, "opposite": -1.96,
    }),
)  # fmt: skip
"""Whether a claim that a passage settles is true."""
