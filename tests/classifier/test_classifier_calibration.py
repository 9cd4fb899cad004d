"""Probabilities of a classifier mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from jina_components.classifier.calibration import expected_calibration_error, likeliest_temperature
from jina_components.classifier.online import OnlineLearner


def drawn(shots, *, num_labels, seed, noise, width=48):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(50).normal(size=(num_labels, width)) / width**0.5
    of = random.permutation(np.repeat(np.arange(num_labels), shots))
    return (centres[of] + noise * random.normal(size=(len(of), width)) / width**0.5).astype(np.float32), of


@pytest.mark.parametrize(("num_labels", "noise", "shots"), [(2, 3.0, 100), (4, 1.5, 30), (10, 1.0, 20), (10, 2.0, 60)])
def test_probabilities_are_as_high_as_labels_are_right(num_labels, noise, shots):
    """Whether labels are told apart well or badly, where a fit without calibration is too sure or too unsure."""
    vectors, of = drawn(shots, num_labels=num_labels, seed=0, noise=noise)
    tests, true = drawn(300, num_labels=num_labels, seed=1, noise=noise)
    learner = OnlineLearner(48).with_examples(vectors, [str(label) for label in of])
    order = [learner.labels.index(str(label)) for label in range(num_labels)]
    assert expected_calibration_error(learner.probabilities(tests)[:, order], true) < 0.1


def test_the_temperature_of_scores_that_are_too_large_is_found():
    random = np.random.default_rng(0)
    scores = random.normal(size=(4000, 3)).astype(np.float32)
    labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    for factor in (0.5, 1, 4):
        found = likeliest_temperature(scores * np.float32(factor), labels, np.ones(4000)).temperature
        assert found == pytest.approx(factor, rel=0.15)


def test_without_tests_the_temperature_is_the_usual_one():
    found = likeliest_temperature(np.zeros((0, 2), np.float32), np.zeros(0, int), np.zeros(0))
    assert found == (pytest.approx(0.5, rel=0.05), pytest.approx(0, abs=0.01))


def test_the_calibration_error_is_that_of_a_count_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], np.float32)
    labels = np.array([0, 1, 1, 1])
    # Two at .9, half of them right; two at .6, both right.
    assert expected_calibration_error(probabilities, labels) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    assert expected_calibration_error(np.zeros((0, 2), np.float32), np.zeros(0, int)) == 0
