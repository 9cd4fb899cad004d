"""Metrics of rankings, similarity and classification. All are 1 at best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    Positions: TypeAlias = NDArray[np.int64]

Grades: TypeAlias = Mapping[int, float]  # positions in a corpus of the documents that are relevant to a query
NONE = -1  # fills a ranking's row where fewer were found; relevant to no query


def ndcg(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> float:
    """nDCG@k with the judged grade as gain, as trec_eval computes it (Järvelin & Kekäläinen 2002).

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
    return float(np.mean(values))


def recall(ranking: Positions, relevant: Sequence[Grades], k: int) -> float:
    """Recall@k: the mean share of a query's relevant documents that are among its first k."""
    rows = zip(ranking[:, :k].tolist(), relevant, strict=True)
    return float(np.mean([len(grades.keys() & set(row)) / len(grades) for row, grades in rows]))


def mrr(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> float:
    """MRR@k: the mean of 1 / rank of the first relevant document, 0 where none is among the first k."""
    rows = zip(ranking[:, :k].tolist(), relevant, strict=True)
    hits = ([document in grades for document in row] for row, grades in rows)
    return float(np.mean([1 / (hit.index(True) + 1) if True in hit else 0.0 for hit in hits]))


def spearman(scores: ArrayLike, judged: ArrayLike) -> float:
    """Spearman's rank correlation; 0 where either side is constant."""
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(scores), rankdata(judged)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1).prod()
    return float(centred[0] @ centred[1] / norms) if norms else 0.0


def accuracy(predicted: ArrayLike, true: ArrayLike) -> float:
    """Share of predictions that are right."""
    return float(np.mean(np.asarray(predicted) == np.asarray(true)))


def balanced_accuracy(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean over the true classes of the share of their items that are predicted right."""
    from sklearn.metrics import recall_score

    return float(recall_score(true, predicted, labels=np.unique(np.asarray(true)), average="macro"))


def macro_f1(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean over all classes of F1, 0 for a class that is never predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(true, predicted, average="macro", zero_division=0))


def roc_auc(scores: ArrayLike, true: ArrayLike) -> float:
    """Chance that an item of the true class scores over one of the other: quality whatever the threshold."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(true, scores))
