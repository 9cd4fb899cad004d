"""What a classifier learns from examples: in any order, in any portions, with labels that come late."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from jina_components.classifier.online import OnlineLearner
from jina_components.classifier.prototypes import MOST
from jina_components.errors import InputError

WIDTH = 24
NAMES = ("bill", "card", "loan", "rate", "fees")


def examples(shots, *, labels=NAMES, seed=0, noise=0.9, width=WIDTH, scale=1.0, offset=0.0):
    """Vectors around a direction of their label, shuffled."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(labels), width))
    of = random.permutation(np.repeat(np.arange(len(labels)), shots))
    vectors = centres[of] / width**0.5 + noise * random.normal(size=(len(of), width)) / width**0.5
    return (vectors * scale + offset).astype(np.float32), [labels[row] for row in of]


def learned(vectors, labels, **options):
    return OnlineLearner(vectors.shape[1]).with_examples(vectors, labels, **options)


def accuracy(learner, vectors, labels):
    best = learner.probabilities(vectors).argmax(axis=1)
    return np.mean([learner.labels[row] == label for row, label in zip(best, labels, strict=True)])


def by_label(learner, vectors):
    order = np.argsort(learner.labels)
    return learner.probabilities(vectors)[:, order]


TEST = examples(200, seed=7)


@pytest.mark.parametrize("shots", [1, 10, 50])
def test_it_is_as_right_as_batch_logistic_regression(shots):
    vectors, labels = examples(shots)
    batch = LogisticRegression(C=10, max_iter=500).fit(vectors, labels).score(*TEST)
    assert accuracy(learned(vectors, labels), *TEST) >= batch - 0.01


def test_it_is_as_right_as_logistic_regression_where_labels_are_not_linear_to_be_told_from_a_mean():
    """Each label lies in two places, between which the other's lie."""
    random = np.random.default_rng(1)
    places = random.normal(size=(4, 8)) * 2
    of = random.integers(0, 4, 400)
    vectors = (places[of] + random.normal(size=(400, 8)) * 0.5).astype(np.float32)
    labels = [("a", "b")[row % 2] for row in of]
    batch = LogisticRegression(C=10, max_iter=500).fit(vectors[:200], labels[:200]).score(vectors[200:], labels[200:])
    assert accuracy(learned(vectors[:200], labels[:200]), vectors[200:], labels[200:]) >= batch - 0.02


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 50), max_size=6))
def test_portions_change_nothing(cuts):
    vectors, labels = examples(10)
    learner = OnlineLearner(WIDTH)
    edges = [0, *sorted(cuts), 50]
    for start, stop in pairwise(edges):
        learner = learner.with_examples(vectors[start:stop], labels[start:stop])
    at_once = learned(vectors, labels)
    assert learner.labels == at_once.labels
    assert learner.counts == at_once.counts
    assert np.array_equal(learner.probabilities(TEST[0]), at_once.probabilities(TEST[0]))


def test_one_example_a_call_is_as_good_as_one_call():
    vectors, labels = examples(10)
    learner = OnlineLearner(WIDTH)
    for vector, label in zip(vectors, labels, strict=True):
        learner = learner.with_examples(vector[None], [label])
    assert np.array_equal(learner.probabilities(TEST[0]), learned(vectors, labels).probabilities(TEST[0]))


@pytest.mark.parametrize("shots", [4, 50, 150])
def test_labels_may_come_in_any_order(shots):
    """Only the order within a label may matter."""
    vectors, labels = examples(shots)
    order = np.argsort(labels, kind="stable")
    mixed, grouped = learned(vectors, labels), learned(vectors[order], [labels[row] for row in order])
    assert np.array_equal(by_label(mixed, TEST[0]), by_label(grouped, TEST[0]))


@pytest.mark.parametrize("shots", [10, 50])
def test_the_order_within_a_label_hardly_matters(shots):
    vectors, labels = examples(shots)
    orders = (
        np.arange(len(labels)),
        np.arange(len(labels))[::-1],
        np.argsort(vectors[:, 0]),
        np.random.default_rng(2).permutation(len(labels)),
    )
    found = [accuracy(learned(vectors[order], [labels[row] for row in order]), *TEST) for order in orders]
    assert max(found) - min(found) < 0.02


def test_labels_known_later_are_as_good_as_known_from_the_start():
    vectors, labels = examples(20)
    early = [row for row, label in enumerate(labels) if label in NAMES[:3]]
    late = [row for row, label in enumerate(labels) if label in NAMES[3:]]
    learner = learned(vectors[early], [labels[row] for row in early])
    assert set(learner.labels) == set(NAMES[:3])
    learner.probabilities(TEST[0])  # has been in use
    learner = learner.with_examples(vectors[late], [labels[row] for row in late])
    assert set(learner.labels) == set(NAMES)
    assert np.array_equal(by_label(learner, TEST[0]), by_label(learned(vectors, labels), TEST[0]))


def test_what_is_kept_does_not_grow_with_the_examples():
    vectors, labels = examples(1000, labels=("yes", "no"))
    learner = learned(vectors, labels)
    assert learner.counts == {"yes": 1000, "no": 1000} or learner.counts == {"no": 1000, "yes": 1000}
    assert learner.num_examples == 2000
    assert all(len(own.sizes) == MOST for own in learner.prototypes)
    assert {len(own.sizes) for own in learned(*examples(10)).prototypes} == {5}


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_the_scale_of_the_vectors_does_not_matter(scale, offset):
    vectors, labels = examples(20)
    plain = learned(vectors, labels).probabilities(TEST[0])
    moved = [((part.astype(np.float64) + offset) * scale).astype(np.float32) for part in (vectors, TEST[0])]
    assert np.allclose(learned(moved[0], labels).probabilities(moved[1]), plain, atol=0.01)


def test_probabilities_are_some():
    found = learned(*examples(3)).probabilities(TEST[0])
    assert found.dtype == np.float32
    assert found.shape == (len(TEST[0]), len(NAMES))
    assert (found >= 0).all()
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert learned(*examples(3)).probabilities(np.zeros((0, WIDTH), np.float32)).shape == (0, len(NAMES))


def test_one_label_alone_is_certain():
    vectors, _ = examples(4)
    assert np.array_equal(learned(vectors[:2], ["only", "only"]).probabilities(vectors), np.ones((len(vectors), 1)))


def test_vectors_that_are_all_the_same_tell_how_often_labels_are():
    vectors = np.ones((30, 4), np.float32)
    found = learned(vectors, ["often"] * 20 + ["seldom"] * 10).probabilities(vectors[:1])
    assert found[0, 0] > found[0, 1]
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "vector", [np.zeros(WIDTH), np.full(WIDTH, 3e38), np.full(WIDTH, -3e38), np.full(WIDTH, 1e-38)]
)
def test_odd_vectors_are_learned_and_labelled(vector):
    vectors, labels = examples(5)
    odd = vector[None].astype(np.float32)
    assert np.isfinite(learned(vectors, labels).probabilities(odd)).all()
    learner = learned(np.concatenate([vectors, odd]), [*labels, "odd"])
    assert np.allclose(learner.probabilities(np.concatenate([odd, vectors])).sum(axis=1), 1, atol=1e-6)


def test_words_alone_tell_labels_and_help_where_examples_are_few():
    words = np.stack(
        [examples(300, labels=NAMES)[0][np.array(examples(300)[1]) == name].mean(axis=0) for name in NAMES]
    )
    told = OnlineLearner(WIDTH).with_label_vectors(NAMES, words)
    assert told.labels == NAMES
    assert told.counts == dict.fromkeys(NAMES, 0)
    zero_shot = accuracy(told, *TEST)
    assert zero_shot > 0.8
    vectors, labels = examples(1)
    assert accuracy(told.with_examples(vectors, labels), *TEST) >= max(
        accuracy(learned(vectors, labels), *TEST), zero_shot - 0.03
    )
    many = examples(50)
    after = learned(*many).with_label_vectors(NAMES, words)
    assert np.array_equal(by_label(after, TEST[0]), by_label(after.with_label_vectors(NAMES[:2], words[:2]), TEST[0]))
    assert abs(accuracy(after, *TEST) - accuracy(learned(*many), *TEST)) < 0.01


def test_a_label_without_examples_is_found_by_its_words_although_words_lie_elsewhere():
    vectors, labels = examples(10, noise=0.3)
    kept = [row for row, label in enumerate(labels) if label != "fees"]
    elsewhere = np.random.default_rng(3).normal(size=WIDTH).astype(np.float32)
    words = np.stack([vectors[np.array(labels) == name].mean(axis=0) for name in NAMES]) + elsewhere
    learner = learned(vectors[kept], [labels[row] for row in kept]).with_label_vectors(NAMES, words)
    of_fees = vectors[np.array(labels) == "fees"]
    assert (learner.probabilities(of_fees).argmax(axis=1) == learner.labels.index("fees")).mean() > 0.8


@pytest.mark.parametrize("shots", [1, 5, 20])
def test_words_that_mislead_are_not_learned_from(shots):
    vectors, labels = examples(shots, noise=0.5)
    words = np.stack([examples(1, noise=0.0)[0][examples(1)[1].index(name)] for name in NAMES])
    misled = learned(vectors, labels).with_label_vectors(NAMES, np.roll(words, 1, axis=0))
    assert np.array_equal(by_label(misled, TEST[0]), by_label(learned(vectors, labels), TEST[0]))


def test_saved_and_loaded_it_is_the_same():
    learner = learned(*examples(40), num_iters=4).with_label_vectors(NAMES[1:3], np.ones((2, WIDTH), np.float32))
    again = OnlineLearner.from_arrays(learner.arrays(), learner.labels)
    assert (again.labels, again.counts, again.dimensions) == (learner.labels, learner.counts, WIDTH)
    more = examples(40, seed=5)
    for one, other in ((learner, again), (learner.with_examples(*more), again.with_examples(*more))):
        assert np.array_equal(one.probabilities(TEST[0]), other.probabilities(TEST[0]))
    assert np.array_equal(pickle.loads(pickle.dumps(learner)).probabilities(TEST[0]), learner.probabilities(TEST[0]))
    with pytest.raises(InputError, match="No label"):
        OnlineLearner(WIDTH).arrays()


def test_what_was_loaded_need_not_be_fitted_again(monkeypatch):
    learner = learned(*examples(10))
    expected = learner.probabilities(TEST[0])
    again = OnlineLearner.from_arrays(learner.arrays(), learner.labels)
    monkeypatch.setattr("scipy.optimize.minimize", None)
    assert np.array_equal(again.probabilities(TEST[0]), expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("means", None), ("means", np.zeros((3, WIDTH), np.float32)), ("means", np.zeros(4, np.float32)),
        ("sizes", np.zeros(25, np.int64)), ("groups", np.full(5, 100)), ("groups", np.array([-5, 10, 10, 5, 5])),
        ("scatters", np.full(5, np.nan)), ("scatters", np.full(5, -1.0)), ("worded", np.array([9])),
        ("num_iters", np.array([0])), ("num_iters", np.array([], np.int64)), ("weights", np.zeros((WIDTH, 4))),
        ("bias", np.full(5, np.inf)), ("centre", np.zeros(WIDTH + 1)), ("scale", np.zeros(1)),
    ],
)  # fmt: skip
def test_arrays_that_no_learner_has_are_refused(name, value):
    learner = learned(*examples(10)).with_label_vectors(["bill"], np.ones((1, WIDTH), np.float32))
    arrays = learner.arrays() | {name: value}
    if value is None:
        del arrays[name]
    with pytest.raises(InputError, match="arrays"):
        OnlineLearner.from_arrays(arrays, learner.labels)


def test_labels_that_are_too_few_are_refused():
    learner = learned(*examples(10))
    with pytest.raises(InputError, match="4 labels, and groups of 5"):
        OnlineLearner.from_arrays(learner.arrays(), NAMES[:4])


def test_wrong_vectors_are_refused():
    learner = learned(*examples(2))
    wrong = examples(1)[0].copy()
    wrong[3, 1] = np.nan
    for call in (learner.probabilities, lambda vectors: learner.with_examples(vectors, ["a"] * len(vectors))):
        with pytest.raises(InputError, match="24"):
            call(np.ones((2, WIDTH + 1), np.float32))
        with pytest.raises(InputError, match="24"):
            call(np.ones(WIDTH, np.float32))
        with pytest.raises(InputError, match="not finite") as caught:
            call(wrong)
        assert caught.value.index == 3
    with pytest.raises(InputError, match="not finite"):
        learner.probabilities(np.full((1, WIDTH), 1e300))
    with pytest.raises(InputError, match="1 vectors and 2 labels"):
        learner.with_examples(np.ones((1, WIDTH), np.float32), ["a", "b"])
    with pytest.raises(InputError, match="distinct"):
        learner.with_label_vectors(["a", "a"], np.ones((2, WIDTH), np.float32))
    with pytest.raises(InputError, match="num_iters"):
        learner.with_examples(*examples(1), num_iters=0)
    with pytest.raises(InputError, match="No label"):
        OnlineLearner(3).probabilities(np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match="dimensions"):
        OnlineLearner(0)


def test_learning_leaves_the_learner_as_it_was():
    learner = learned(*examples(10))
    before = learner.probabilities(TEST[0]).copy()
    learner.with_examples(*examples(10, seed=4)).with_examples(TEST[0][:1], ["new"])
    again = OnlineLearner.from_arrays(learner.arrays(), learner.labels)
    assert learner.num_examples == 50
    assert np.array_equal(again.probabilities(TEST[0]), before)


def test_more_iterations_fit_more_thoroughly():
    vectors, labels = examples(20)
    rough, thorough, more = (learned(vectors, labels, num_iters=count).probabilities(vectors) for count in (1, 10, 40))
    assert np.abs(thorough - more).max() < np.abs(rough - more).max()


def test_no_example_changes_nothing():
    learner = learned(*examples(3))
    same = learner.with_examples(np.zeros((0, WIDTH), np.float32), [])
    assert np.array_equal(same.probabilities(TEST[0]), learner.probabilities(TEST[0]))


@settings(max_examples=15, deadline=None)
@given(
    labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    rows=st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
def test_any_labels_of_few_distinct_vectors_are_learned(labels, rows):
    """The same vector often, and under several labels."""
    places = np.vstack([np.zeros(3), np.eye(3)]).astype(np.float32)
    learner = learned(places[rows[: len(labels)]], labels)
    assert learner.labels == tuple(dict.fromkeys(labels))
    assert learner.counts == {label: labels.count(label) for label in learner.labels}
    assert np.allclose(learner.probabilities(places).sum(axis=1), 1, atol=1e-6)
