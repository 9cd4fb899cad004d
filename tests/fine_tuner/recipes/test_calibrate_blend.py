from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.calibrate_blend import calibrate, main
from jina_components.fine_tuner.recipes.data.relevance_groups import Group, kept_apart
from jina_components.models.catalog import BY_NAME, DEFAULT_RERANKER


def groups_of(count, source="made up"):
    return [
        Group(source, str(number), f"what is number {number}?", ["answer", *"abcd"], [1.0] * 5)
        for number in range(count)
    ]


def made_sums(groups, usefulness, seed=0):
    """Sums that tell the answer by so many deviations of their noise."""
    sums = np.random.default_rng(seed).normal(size=(len(groups), 5))
    sums[:, 0] += usefulness
    return sums


def test_the_sigmoid_is_the_probability_of_an_answer_at_even_odds():
    groups = groups_of(4000)
    sums = 7 + 3 * made_sums(groups, 1.5)
    scale, offset, first = calibrate(groups, sums)
    chances = 1 / (1 + np.exp(-(sums * scale + offset)))
    pairs = chances[:, :2]  # an answer and one that is none: even odds
    assert pairs.mean() == pytest.approx(0.5, abs=0.01)
    likely = (pairs > 0.7) & (pairs < 0.9)
    answers = np.zeros_like(likely)
    answers[:, 0] = True
    assert answers[likely].mean() == pytest.approx(pairs[likely].mean(), abs=0.03)
    assert first == pytest.approx((sums.argmax(axis=1) == 0).mean())


def test_what_tells_more_is_trusted_more():
    groups = groups_of(2000)
    assert calibrate(groups, made_sums(groups, 2.0)).scale == pytest.approx(2, abs=0.2)
    assert calibrate(groups, made_sums(groups, 0.0)).scale == pytest.approx(0, abs=0.1)


def test_a_large_source_weighs_no_more_than_a_small_one():
    many, few = groups_of(3000, "many"), groups_of(300, "few")
    sums = np.concatenate([made_sums(many, 3.0), made_sums(few, 0.0)])
    assert calibrate([*many, *few], sums).scale < calibrate(groups_of(3300), sums).scale / 1.5


def test_some_groups_are_kept_apart():
    share = np.mean([kept_apart(group) for group in groups_of(4000)])
    assert share == pytest.approx(0.05, abs=0.01)


def test_the_command_prints_a_row_of_the_catalog(tmp_path, caplog):
    rows = [
        [g.source, g.id, g.query, [f"number {g.id} is this", "a sea", "a tree", "a car", "a dog"], g.cosines]
        for g in groups_of(200)
    ]
    file = tmp_path / "groups.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ["settings", *rows]), encoding="utf-8")
    with caplog.at_level(logging.INFO):
        main(["--groups", str(file)])
    assert all(f"'{part}': " in caplog.text for part in BY_NAME[DEFAULT_RERANKER].parts)
    assert "the answer is first in 1.000" in caplog.text
    with pytest.raises(ConfigError, match="'static-minilm-v1-maxsim' is no blend"):
        main(["--groups", str(file), "--blend", "static-minilm-v1-maxsim"])
