from __future__ import annotations

import numpy as np
import pytest

from jina_components.fine_tuner.recipes.data.relevance_groups import Group, kept_apart
from jina_components.fine_tuner.recipes.fit_blend import fit


def groups_of(count, source="made up"):
    return [Group(source, str(number), "query", ["answer", *"abcd"], [1.0] * 5) for number in range(count)]


def made_scores(groups, *usefulness, seed=0):
    """Scores of parts that tell the answer by so many deviations of their noise."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(len(groups), 5, len(usefulness)))
    scores[:, 0] += usefulness
    return scores.astype(np.float32)


def test_a_part_that_tells_more_weighs_more_and_one_that_tells_nothing_nothing():
    groups = groups_of(2000)
    weights, offset, first = fit(groups, made_scores(groups, 2.0, 1.0, 0.0))
    assert weights[0] == pytest.approx(2, abs=0.2)
    assert weights[1] == pytest.approx(1, abs=0.2)
    assert weights[2] == pytest.approx(0, abs=0.2)
    assert offset < 0
    assert first > 0.8


def test_the_sigmoid_of_the_sum_is_the_probability_of_an_answer():
    groups = groups_of(4000)
    scores = made_scores(groups, 1.5, 0.5)
    weights, offset, _ = fit(groups, scores)
    chances = 1 / (1 + np.exp(-(scores @ weights + offset)))
    assert chances.mean() == pytest.approx(0.2, abs=0.01)
    likely = chances > 0.5
    answers = np.zeros_like(likely)
    answers[:, 0] = True
    assert answers[likely].mean() == pytest.approx(chances[likely].mean(), abs=0.05)


def test_a_large_source_weighs_no_more_than_a_small_one():
    many, few = groups_of(3000, "many"), groups_of(300, "few")
    scores = np.concatenate([made_scores(many, 2.0, 0.0), made_scores(few, 0.0, 2.0)])
    weights, _, _ = fit([*many, *few], scores)
    assert weights[0] == pytest.approx(weights[1], rel=0.3)


def test_some_groups_are_kept_apart():
    share = np.mean([kept_apart(group) for group in groups_of(4000)])
    assert share == pytest.approx(0.05, abs=0.01)
