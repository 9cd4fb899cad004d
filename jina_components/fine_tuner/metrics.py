"""Metrics of rankings, by query. All are 1 at best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    Positions: TypeAlias = NDArray[np.int64]
    Values: TypeAlias = NDArray[np.float64]

Grades: TypeAlias = Mapping[int, float]  # positions in a corpus of the documents that are relevant to a query
NONE = -1  # fills a ranking's row where fewer were found; relevant to no query


def ndcg(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> Values:
    """nDCG@k with the judged grade as gain, as trec_eval computes it (Järvelin & Kekäläinen 2002); shape [queries].

    Args:
        ranking: Positions by query, best first; shape [queries, any].
        relevant: Of each query, at least one.
        k: Ranks that count.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    values = []
    for row, grades in zip(ranking[:, :k].tolist(), relevant, strict=True):
        ideal = sorted(grades.values(), reverse=True)[:k]
        gained = np.array([grades.get(document, 0.0) for document in row]) @ discount[: len(row)]
        values.append(gained / (np.array(ideal) @ discount[: len(ideal)]))
    return np.array(values, np.float64)


def recall(ranking: Positions, relevant: Sequence[Grades], k: int) -> Values:
    """Recall@k: the share of a query's relevant documents that are among its first k; shape [queries]."""
    rows = zip(ranking[:, :k].tolist(), relevant, strict=True)
    return np.array([len(grades.keys() & set(row)) / len(grades) for row, grades in rows], np.float64)


def mrr(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> Values:
    """MRR@k: 1 / rank of the first relevant document, 0 where none is among the first k; shape [queries]."""
    rows = zip(ranking[:, :k].tolist(), relevant, strict=True)
    hits = ([document in grades for document in row] for row, grades in rows)
    return np.array([1 / (hit.index(True) + 1) if True in hit else 0.0 for hit in hits], np.float64)


METRICS: Mapping[str, Callable[[Positions, Sequence[Grades]], Values]] = {
    "ndcg@10": ndcg,
    "mrr@10": mrr,
    "recall@10": partial(recall, k=10),
    "recall@100": partial(recall, k=100),
}
"""What rankings of 100 are measured by."""
