from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, ndcg_score

from jina_components.fine_tuner.recipes.quality import metrics

DOCUMENTS = 15
rankings = st.permutations(range(DOCUMENTS)).map(lambda row: np.array([row]))
judgements = st.dictionaries(st.integers(0, DOCUMENTS - 1), st.integers(1, 3).map(float), min_size=1)
RANKED = {
    "ndcg": metrics.ndcg,
    "mrr": metrics.mrr,
    "recall": lambda ranking, relevant: metrics.recall(ranking, relevant, 10),
}


def test_ndcg_and_mrr_on_hand_worked_rankings():
    ranking = np.array([[2, 0, 1]])
    wanted = (2 / np.log2(3) + 1 / 2) / (2 + 1 / np.log2(3))
    assert metrics.ndcg(ranking, [{0: 2.0, 1: 1.0}]) == pytest.approx(wanted)
    assert metrics.mrr(ranking, [{1: 1.0}]) == pytest.approx(1 / 3)
    assert metrics.mrr(ranking, [{7: 1.0}]) == 0.0


def test_recall_counts_the_share_found_within_k():
    ranking, relevant = np.array([[4, 2, 0], [1, -1, -1]]), [{2: 1.0, 9: 1.0}, {1: 3.0}]
    assert metrics.recall(ranking, relevant, 1) == pytest.approx((0 + 1) / 2)
    assert metrics.recall(ranking, relevant, 2) == pytest.approx((0.5 + 1) / 2)


@given(rankings, judgements)
def test_ndcg_agrees_with_scikit_learn(ranking, grades):
    true = np.array([[grades.get(document, 0.0) for document in range(DOCUMENTS)]])
    scores = np.empty((1, DOCUMENTS))
    scores[0, ranking[0]] = -np.arange(DOCUMENTS)
    assert metrics.ndcg(ranking, [grades]) == pytest.approx(ndcg_score(true, scores, k=10))


@pytest.mark.parametrize("name", RANKED)
@given(rankings, judgements)
def test_ranked_metrics_are_within_0_and_1_and_1_at_best(name, ranking, grades):
    metric = RANKED[name]
    assert 0 <= metric(ranking, [grades]) <= 1 + 1e-9
    best = sorted(range(DOCUMENTS), key=lambda document: -grades.get(document, 0))
    reachable = min(10, len(grades)) / len(grades) if name == "recall" else 1
    assert metric(np.array([best]), [grades]) == pytest.approx(reachable)


@given(rankings, judgements, st.integers(0, DOCUMENTS - 2))
def test_moving_a_relevant_document_up_never_hurts(ranking, grades, place):
    row = ranking[0].tolist()
    moved = [*row[:place], row[place + 1], row[place], *row[place + 2 :]]
    gain = grades.get(row[place + 1], 0) - grades.get(row[place], 0)
    if gain >= 0:
        assert metrics.ndcg(np.array([moved]), [grades]) >= metrics.ndcg(ranking, [grades]) - 1e-9


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30))
def test_spearman_agrees_with_scipy(pairs):
    first, second = np.array(pairs).T
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert metrics.spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)
    else:
        assert metrics.spearman(first, second) == 0


labels = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=4, max_size=40)


@given(labels)
def test_classification_metrics_agree_with_counting(pairs):
    predicted, true = (np.array(side) for side in zip(*pairs, strict=True))
    assert metrics.accuracy(predicted, true) == pytest.approx(np.mean(predicted == true))
    if len(set(true)) == 2:  # scikit-learn warns of one class alone
        assert metrics.balanced_accuracy(predicted, true) == pytest.approx(balanced_accuracy_score(true, predicted))
    parts = []
    for label in set(predicted) | set(true):
        hit = np.sum((predicted == label) & (true == label))
        parts.append(2 * hit / (np.sum(predicted == label) + np.sum(true == label)))
    assert metrics.macro_f1(predicted, true) == pytest.approx(np.mean(parts))


def test_always_the_same_answer_is_as_good_as_chance():
    true = [True] * 8 + [False] * 2
    assert metrics.balanced_accuracy([True] * 10, true) == 0.5
    assert metrics.roc_auc([0.3] * 10, true) == 0.5
    assert metrics.roc_auc([0.9] * 8 + [0.8] * 2, true) == 1
