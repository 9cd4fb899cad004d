"""Softmax regression (multinomial logistic regression with a ridge penalty) on weighted vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

    Float64Array = NDArray[np.float64]

# Of vectors that are centred and have a mean square length of one: chosen on training and development splits.
INVERSE_PENALTY = 10.0
STEPS = 10


class Head(NamedTuple):
    """A linear classifier: `vectors @ weights + bias` are the scores of the labels.

    Attributes:
        weights: float32, shape [dimensions, labels].
        bias: float32, shape [labels].
    """

    weights: FloatArray
    bias: FloatArray

    def scores(self, vectors: FloatArray) -> FloatArray:
        """Shape [n, labels]."""
        return vectors @ self.weights + self.bias


def fit(vectors: FloatArray, labels: NDArray[np.int64], sizes: Float64Array, num_labels: int, *, steps: int) -> Head:
    """The head that minimises the weighted log-loss plus a penalty on the square of its weights, not of its bias.

    Solved by L-BFGS from zero, so that the result depends on nothing but the arguments.

    Args:
        vectors: Shape [n, dimensions], about unit length.
        labels: Position of each one's label, shape [n].
        sizes: Weight of each, shape [n].
        num_labels: Of the head.
        steps: At most.
    """
    from scipy.optimize import minimize

    dimensions = vectors.shape[1]
    rows = np.arange(len(vectors))

    def loss(flat: Float64Array) -> tuple[float, Float64Array]:
        head = _head(flat, dimensions, num_labels)
        likely = log_softmax(head.scores(vectors))
        value = -(sizes @ likely[rows, labels]) + 0.5 / INVERSE_PENALTY * float(np.square(flat[num_labels:]).sum())
        residual = np.exp(likely)
        residual[rows, labels] -= 1
        residual *= sizes[:, None].astype(np.float32)
        gradient = vectors.T @ residual
        gradient += head.weights / np.float32(INVERSE_PENALTY)
        return float(value), np.concatenate([residual.sum(axis=0), gradient.ravel()]).astype(np.float64)

    start = np.zeros((dimensions + 1) * num_labels)
    return _head(
        minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x, dimensions, num_labels
    )


def _head(flat: Float64Array, dimensions: int, num_labels: int) -> Head:
    bias, weights = np.split(flat.astype(np.float32), [num_labels])
    return Head(weights.reshape(dimensions, num_labels), bias)


def log_softmax(scores: FloatArray) -> FloatArray:
    """Logarithms of probabilities that are proportional to the exponentials of a row's scores."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted
