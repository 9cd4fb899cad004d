"""How far ours and a peer are apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results import paired, raced

RATES = st.lists(st.floats(0.1, 1000), min_size=1, max_size=6)


def test_a_difference_that_every_item_shows_is_one():
    rng = np.random.default_rng(0)
    theirs = rng.random(40)
    result = paired({"a": {"ours": theirs + 0.1, "peer": theirs}}, "ours")
    peer = result.peers["peer"]
    assert (peer.gap, peer.low, peer.high) == pytest.approx((0.1, 0.1, 0.1))
    assert peer.verdict("quality") == "better"
    assert result.count == 40


def test_a_difference_by_chance_is_none():
    rng = np.random.default_rng(0)
    peer = paired({"a": {"ours": rng.random(30), "peer": rng.random(30)}}, "ours").peers["peer"]
    assert peer.low < 0 < peer.high
    assert peer.verdict("quality") == "level"


def test_sets_count_alike_whatever_their_size():
    scores = {"small": {"ours": np.ones(2), "peer": np.zeros(2)}, "large": {"ours": np.zeros(50), "peer": np.ones(50)}}
    result = paired(scores, "ours")
    assert result.ours == 0.5
    assert result.peers["peer"].gap == 0
    assert result.parts["large"] == {"ours": 0, "peer": 1}


def test_a_statistic_of_rows():
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    result = paired({"a": {"ours": rows, "peer": rows * 2}}, "ours", statistic=lambda some: float(some.sum()))
    assert result.ours == 10
    assert result.peers["peer"].verdict("quality") == "worse"


def test_variants_of_ours_are_no_peers():
    one = np.ones(3)
    result = paired({"a": {"ours": one, "ours, small": one, "peer": one}}, "ours", variants=("ours, small",))
    assert list(result.peers) == ["peer"]
    assert result.parts["a"]["ours, small"] == 1


@given(RATES, st.floats(0.1, 10))
def test_a_ratio_lies_between_its_rounds(rates, factor):
    peer = raced({"ours": [rate * factor for rate in rates], "peer": rates}, "ours").peers["peer"]
    assert peer.low <= peer.gap <= peer.high
    assert (peer.low, peer.high) == pytest.approx((factor, factor))


def test_less_may_be_better():
    peer = raced({"ours": [10.0, 20.0], "peer": [40.0, 40.0]}, "ours", less_is_better=True).peers["peer"]
    assert (peer.value, peer.gap, peer.low, peer.high) == (40, 3, 2, 4)
    assert peer.verdict("memory") == "better"
