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
    -5.402, MappingProxyType({"bold": 0.302, "open": -0.491, "covered": 0.748, "sentence_covered": 3.665})
)
"""Whether a passage settles a claim at all."""

TRUE = Logistic(
    0.621,
    MappingProxyType(
        {"whole": 0.799, "confirmed": 0.268, "contradicted": -1.372, "denial": -0.495, "opposite": -1.981}
    ),
)
"""Whether a claim that a passage settles is true."""
