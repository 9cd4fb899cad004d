"""Arithmetic on texts of a vector a token (ColBERT, Khattab & Zaharia 2020, arXiv:2004.12832)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Similarities held at once (16 MB), so that memory does not grow with the length of a document.
_MAX_CELLS = 1 << 22


def max_sim(query: FloatArray, documents: Sequence[FloatArray]) -> FloatArray:
    """Late interaction: for each vector of the query its best product with a document's, summed.

    Of unit vectors, as `Embedder.embed_multi_vector` gives them, that is a sum of cosines: divided by the number of
    the query's vectors it lies within -1 and 1, whatever the query's length.

    Args:
        query: Vectors of the query, shape [tokens, dimensions].
        documents: Vectors of each document, shape [its tokens, dimensions].

    Returns:
        float32 scores, shape [len(documents)]; 0 where a side has no vectors. A document's own score, whatever it is
        compared with.

    Raises:
        InputError: no matrix, or other dimensions than the query's; `.index` names the document.
    """
    query = _matrix(query)
    if query.ndim != 2:
        raise InputError(f"The query must be of the shape [tokens, dimensions], got {query.shape}.")
    scores = np.zeros(len(documents), np.float32)
    for index, vectors in enumerate(documents):
        document = _matrix(vectors)
        if document.ndim != 2 or document.shape[1] != query.shape[1]:
            raise InputError(
                f"documents[{index}] must be of the shape [tokens, {query.shape[1]}] as the query is, got "
                f"{document.shape}.",
                index,
            )
        if len(document) and len(query):
            scores[index] = _best(query, document).sum()
    return scores


def _matrix(vectors: FloatArray) -> FloatArray:
    try:
        return np.asarray(vectors, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"Vectors must be an array of numbers, shape [tokens, dimensions]: {error}.") from error


def _best(query: FloatArray, document: FloatArray) -> FloatArray:
    """The highest product of each of the query's vectors, shape [len(query)]."""
    step = max(1, _MAX_CELLS // len(query))
    best = np.full(len(query), -np.inf, np.float32)
    for start in range(0, len(document), step):
        np.maximum(best, (document[start : start + step] @ query.T).max(axis=0), out=best)
    return best


def pool_vectors(vectors: FloatArray, factor: int) -> FloatArray:
    """A document's vectors merged to 1 / `factor` of their number, rounded up.

    Token pooling of Clavié, Chaffin & Adams 2024 (arXiv:2409.14683): Ward's clustering of the unit vectors, and the
    mean of each cluster at unit length. The first vector, a model's [CLS], stays as it is, as in PyLate, unless one
    alone is to be left. Time and memory grow with the square of n: 8,192 vectors take some ten seconds and 270 MB.

    Args:
        vectors: Unit vectors, shape [n, dimensions].
        factor: From 1, which changes nothing.

    Returns:
        Unit vectors, shape [ceil(n / factor), dimensions], in the order of the first of each cluster.
    """
    number = -(-len(vectors) // factor)
    if number == len(vectors):
        return vectors
    if number == 1:
        return normalize(vectors.mean(axis=0, keepdims=True))
    clusters = _ward(vectors[1:], number - 1)
    sums = np.zeros((number - 1, vectors.shape[1]), np.float32)
    np.add.at(sums, clusters, vectors[1:])
    return np.concatenate([vectors[:1], normalize(sums)])


def _ward(vectors: FloatArray, number: int) -> NDArray[np.int64]:
    """The cluster of each vector, numbered by their first ones.

    The tree is cut after so many merges, since a cut at a height would leave fewer clusters where heights are equal.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    count = len(vectors)
    if number == count:
        return np.arange(count)
    roots = np.arange(2 * count - 1)
    merges = linkage(pdist(vectors), method="ward")[: count - number, :2].astype(np.int64)
    for merge in range(len(merges) - 1, -1, -1):  # from the top, so that a part's root is known before its own parts
        roots[merges[merge]] = roots[count + merge]
    _, firsts, clusters = np.unique(roots[:count], return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(firsts))[clusters], np.int64)
