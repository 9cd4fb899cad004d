from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jina_components.core.vectors import normalize
from jina_components.retriever.diversity import most_marginal, scaled


@st.composite
def pools(draw):
    count = draw(st.integers(1, 12))
    vectors = draw(arrays(np.float32, (count, 3), elements=st.floats(-1, 1, width=32)))
    relevance = draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    return relevance, normalize(vectors)


@given(pools(), st.integers(1, 15), st.floats(0, 1))
def test_each_once_and_scores_never_rise(pool, count, diversity):
    relevance, vectors = pool
    picked = most_marginal(relevance, vectors, count, diversity=diversity)
    assert len({place for place, _ in picked}) == len(picked) == min(count, len(relevance))
    scores = [score for _, score in picked]
    assert all(after <= before + 1e-6 for before, after in pairwise(scores))
    first = 0 if diversity == 1 else int(relevance.argmax())  # relevance counts for nothing then
    assert picked[0] == (first, pytest.approx((1 - diversity) * float(relevance.max())))


@given(pools())
def test_without_diversity_the_order_is_that_of_relevance(pool):
    relevance, vectors = pool
    picked = most_marginal(relevance, vectors, len(relevance), diversity=0)
    assert [place for place, _ in picked] == np.argsort(-relevance, kind="stable").tolist()


def test_a_copy_of_the_best_comes_last():
    vectors = normalize(np.array([[1, 0], [1, 0.01], [0, 1]], np.float32))
    relevance = np.array([1, 0.95, 0.4], np.float32)
    assert [place for place, _ in most_marginal(relevance, vectors, 3, diversity=0.5)] == [0, 2, 1]
    assert most_marginal(relevance, vectors, 3, diversity=0.5)[1][1] == pytest.approx(0.2)


def test_scaling():
    assert scaled(np.array([4, 2, 3], np.float32)).tolist() == [1, 0, 0.5]
    assert scaled(np.array([7, 7], np.float32)).tolist() == [1, 1]
    assert scaled(np.zeros(0, np.float32)).tolist() == []
