import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.retriever.fusion import reciprocal_rank_fusion

rankings = st.lists(st.tuples(st.lists(st.integers(0, 20), unique=True), st.floats(0.1, 5)), max_size=4)


def test_by_hand():
    fused = reciprocal_rank_fusion([([7, 8], 1.0), ([8, 9], 2.0)], k=3)
    assert fused == [(8, pytest.approx(1 / 5 + 2 / 4)), (9, pytest.approx(2 / 5)), (7, pytest.approx(1 / 4))]


@given(rankings)
def test_every_row_once_best_first(lists):
    fused = reciprocal_rank_fusion(lists)
    assert sorted(row for row, _ in fused) == sorted({row for rows, _ in lists for row in rows})
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(st.lists(st.integers(), unique=True))
def test_one_ranking_keeps_its_order(rows):
    assert [row for row, _ in reciprocal_rank_fusion([(rows, 1.0)])] == rows
