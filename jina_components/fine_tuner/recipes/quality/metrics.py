"""Metrics of rankings, similarity and classification. All are 1 at best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jina_components.fine_tuner import metrics
from jina_components.fine_tuner.metrics import Grades

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Positions


def ndcg(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> float:
    """The mean nDCG@k over queries."""
    return float(metrics.ndcg(ranking, relevant, k).mean())


def recall(ranking: Positions, relevant: Sequence[Grades], k: int) -> float:
    """The mean recall@k over queries."""
    return float(metrics.recall(ranking, relevant, k).mean())


def mrr(ranking: Positions, relevant: Sequence[Grades], k: int = 10) -> float:
    """The mean MRR@k over queries."""
    return float(metrics.mrr(ranking, relevant, k).mean())


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
