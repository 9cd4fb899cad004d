"""Probabilities into labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.types import Classification, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class Scorer(NamedTuple):
    """What gives labels to vectors.

    Attributes:
        names: The labels.
        probabilities: Of each of them, shape [n, labels], for unit vectors of inputs, shape [n, dimensions].
        usage: What it cost to know the labels.
    """

    names: tuple[str, ...]
    probabilities: Callable[[FloatArray], NDArray[np.floating]]
    usage: Usage


def as_results(
    names: Sequence[str], probabilities: NDArray[np.floating], *, threshold: float, multi_label: bool
) -> list[Classification]:
    """The labels of each row.

    Args:
        names: Of the columns.
        probabilities: Shape [n, labels].
        threshold: What a label must reach.
        multi_label: Whether all labels that reach it are given, rather than the best one.
    """
    bests = probabilities.argmax(axis=1).tolist()
    results = []
    for row, best in zip(probabilities.tolist(), bests, strict=True):
        if multi_label:
            held = tuple(name for name, part in sorted(zip(names, row, strict=True), key=_falling) if part >= threshold)
        else:
            held = (names[best],) if row[best] >= threshold else ()
        label = held[0] if held else None
        results.append(Classification(label, row[best], dict(zip(names, row, strict=True)), held))
    return results


def _falling(item: tuple[str, float]) -> float:
    return -item[1]
