from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from jina_components.errors import ConfigError
from jina_components.fine_tuner.bootstrap import estimates

values = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=40)


def interval(given, clusters=None, **others):
    column = np.asarray(given, np.float64)[:, None]
    asked = {"resamples": 500, "seed": 0, **others}
    return estimates(column, range(len(given)) if clusters is None else clusters, **asked)[0]


def test_it_agrees_with_scipys_interval_where_each_question_is_its_own_cluster():
    given = np.random.default_rng(1).choice([0.0, 0.1, -0.4, 0.7], 80, p=[0.5, 0.3, 0.1, 0.1])
    ours = interval(given, resamples=20_000)
    theirs = bootstrap((given,), np.mean, n_resamples=20_000, method="BCa", rng=2).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)
    assert ours.value == pytest.approx(given.mean())


def test_questions_of_one_document_count_as_one():
    few = np.random.default_rng(3).normal(0.1, 0.3, 40)
    alone = interval(few)
    again = interval(np.repeat(few, 5), np.repeat(np.arange(40), 5))
    fooled = interval(np.repeat(few, 5))
    assert (again.low, again.high) == pytest.approx((alone.low, alone.high))
    assert fooled.high - fooled.low < 0.6 * (alone.high - alone.low)


@given(values)
def test_the_interval_is_within_what_is_there_and_the_same_in_every_run(given):
    found = interval(given)
    assert min(given) - 1e-9 <= found.low <= found.high <= max(given) + 1e-9
    assert found == interval(given)


@given(values)
def test_signs_turn_with_the_values(given):
    one, other = interval(given), interval([-value for value in given])
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-6)


def test_what_is_all_alike_has_no_width_and_one_cluster_neither():
    assert interval([0.25] * 40) == interval([0.25], [0])
    assert interval([0.2, 0.4], [0, 0]).low == pytest.approx(0.3)


def test_too_few_draws_are_refused():
    with pytest.raises(ConfigError, match="100 at least, got 10"):
        interval([0.0, 1.0], resamples=10)
