"""Measuring a model given as plain functions: nothing here knows how it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jina_components.fine_tuner.metrics import METRICS, Grades
from jina_components.fine_tuner.recipes.quality import metrics
from jina_components.fine_tuner.recipes.quality.labelled_sets import ClassificationSet, EntailmentSet, SimilaritySet
from jina_components.fine_tuner.sampling import place

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Positions
    from jina_components.types import FloatArray

    Encode: TypeAlias = Callable[[list[str]], FloatArray]  # unit vectors

# The probability of entailment of each (premise, hypothesis).
Entails: TypeAlias = Callable[[list[tuple[str, str]]], NDArray[np.floating]]

SHOTS = 10
DRAWS = 3


def retrieval(ranking: Positions, relevant: Sequence[Grades]) -> dict[str, float]:
    """nDCG@10, MRR@10, recall@10 and recall@100 of a ranking of 100."""
    return {name: float(metric(ranking, relevant).mean()) for name, metric in METRICS.items()}


def similarity(encode: Encode, task: SimilaritySet) -> dict[str, float]:
    """Spearman correlation of cosine with people's judgement."""
    cosines = (encode(task.first) * encode(task.second)).sum(axis=1)
    return {"spearman": metrics.spearman(cosines, task.judged)}


def classification(encode: Encode, task: ClassificationSet, *, shots: int = SHOTS) -> dict[str, float]:
    """Accuracy without training, by cosine to the label's own words, and after training on a few texts a label.

    The latter is logistic regression over the vectors, averaged over three draws of the texts.
    """
    texts, true = (list(column) for column in zip(*task.test, strict=True))
    vectors = encode(texts)
    labels = task.labels
    zero_shot = [labels[row] for row in (vectors @ encode(labels).T).argmax(axis=1)]
    few_shot = [_few_shot(encode, task, vectors, shots, draw) for draw in range(DRAWS)]
    by_draw = [metrics.accuracy(predicted, true) for predicted in few_shot]
    return {"zero_shot": metrics.accuracy(zero_shot, true), f"{shots}_shot": float(np.mean(by_draw))}


def _few_shot(encode: Encode, task: ClassificationSet, vectors: FloatArray, shots: int, draw: int) -> NDArray[np.str_]:
    """Labels predicted for `vectors` from `shots` training texts a label."""
    from sklearn.linear_model import LogisticRegression

    by_label: dict[str, list[str]] = {label: [] for label in task.labels}
    for text, label in sorted(task.train, key=lambda pair: place(f"{draw} {pair[0]}")):
        if len(by_label[label]) < shots:
            by_label[label].append(text)
    texts = [text for drawn in by_label.values() for text in drawn]
    labels = [label for label, drawn in by_label.items() for _ in drawn]
    # Weak regularisation: vectors of unit length are small.
    model = LogisticRegression(C=10, max_iter=1000).fit(encode(texts), labels)
    return np.asarray(model.predict(vectors))


def entailment(entails: Entails, task: EntailmentSet) -> dict[str, float]:
    """Balanced accuracy and macro-F1 of "probability over one half", and ROC AUC, which needs no threshold."""
    probabilities = np.asarray(entails(task.pairs))
    predicted = probabilities > 0.5
    return {
        "balanced_accuracy": metrics.balanced_accuracy(predicted, task.entailed),
        "macro_f1": metrics.macro_f1(predicted, task.entailed),
        "roc_auc": metrics.roc_auc(probabilities, task.entailed),
    }


def average(values: Mapping[str, float]) -> float:
    """The plain mean over sets."""
    return float(np.mean(list(values.values())))
