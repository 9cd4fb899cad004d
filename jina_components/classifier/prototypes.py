"""What is kept of a label's examples: a few running means.

Examples of a label are merged as they come, always the two groups whose merging adds the least to the scatter within
groups (Ward's criterion; J. H. Ward, "Hierarchical Grouping to Optimize an Objective Function", 1963; kept up over a
stream with a bounded number of groups as BIRCH does, Zhang, Ramakrishnan & Livny 1996). A label of n examples has at
most n / 2 groups, rounded up, and never more than `MOST`: what is kept does not grow with the examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

MOST = 128


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """The groups of a label's examples.

    Attributes:
        means: float32, shape [groups, dimensions].
        sizes: Examples in each group, int64, shape [groups].
        scatter: Sum of the examples' squared distances to the mean of their group.
    """

    means: FloatArray
    sizes: NDArray[np.int64]
    scatter: float

    @classmethod
    def none(cls, dimensions: int) -> Prototypes:
        """Of a label without examples."""
        return cls(np.zeros((0, dimensions), np.float32), np.zeros(0, np.int64), 0.0)

    @property
    def num_examples(self) -> int:
        """Examples of the label."""
        return int(self.sizes.sum())

    def __bool__(self) -> bool:
        return len(self.sizes) > 0

    def mean(self) -> NDArray[np.float64]:
        """Of the examples; there must be one."""
        return np.average(self.means.astype(np.float64), axis=0, weights=self.sizes)

    def with_vectors(self, vectors: FloatArray) -> Prototypes:
        """These and more examples, merged one after the other; shape [n, dimensions]."""
        groups = _Groups(self, vectors.shape[1])
        for seen, vector in enumerate(vectors, self.num_examples + 1):
            groups.add(vector)
            if groups.count > min(MOST, -(-seen // 2)):
                groups.merge_nearest()
        return groups.kept()


class _Groups:
    """Groups while they change, with what merging each pair of them would add to the scatter."""

    def __init__(self, kept: Prototypes, dimensions: int) -> None:
        self.count = 0
        self._scatter = kept.scatter
        room = MOST + 1
        # Of values that float32 has, so that it is the same whether examples come in one call or in many.
        self._means = np.zeros((room, dimensions))
        self._sizes = np.zeros(room, np.int64)
        self._costs = np.full((room, room), np.inf)
        for mean, size in zip(kept.means, kept.sizes, strict=True):
            self.add(mean, int(size))

    def add(self, mean: FloatArray, size: int = 1) -> None:
        """One more group."""
        self._means[self.count], self._sizes[self.count] = mean, size
        self.count += 1
        self._price(self.count - 1)

    def merge_nearest(self) -> None:
        """Two groups become one, in the place of the first; the last takes the place of the second."""
        costs = self._costs[: self.count, : self.count]
        first, second = divmod(int(costs.argmin()), self.count)
        self._scatter += costs[first, second]
        sizes = self._sizes[[first, second]]
        mean = sizes @ self._means[[first, second]] / sizes.sum()
        self._means[first], self._sizes[first] = mean.astype(np.float32), sizes.sum()
        self.count -= 1
        last = self.count
        self._means[second], self._sizes[second] = self._means[last], self._sizes[last]
        self._costs[second], self._costs[:, second] = self._costs[last], self._costs[:, last]
        self._costs[second, second] = np.inf
        self._costs[last], self._costs[:, last] = np.inf, np.inf
        self._price(first)

    def _price(self, group: int) -> None:
        """Cost of merging a group with each other."""
        sizes = self._sizes[: self.count].astype(np.float64)
        gaps = self._means[: self.count] - self._means[group]
        costs = np.einsum("gd,gd->g", gaps, gaps) * (sizes * sizes[group] / (sizes + sizes[group]))
        costs[group] = np.inf
        self._costs[group, : self.count] = self._costs[: self.count, group] = costs

    def kept(self) -> Prototypes:
        """What has become of them."""
        return Prototypes(self._means[: self.count].astype(np.float32), self._sizes[: self.count].copy(), self._scatter)
