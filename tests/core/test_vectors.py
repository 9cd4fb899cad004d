from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jina_components.core.vectors import check_dimensions, cut, normalize, top_indices
from jina_components.errors import InputError

ROWS = arrays(
    np.float32,
    array_shapes(min_dims=1, max_dims=3, max_side=8),
    elements=st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6),
)


@given(ROWS)
def test_rows_have_unit_length_or_are_zero(rows):
    unit = normalize(rows)
    assert unit.dtype == np.float32
    assert unit.shape == rows.shape
    lengths = np.linalg.norm(unit, axis=-1)
    zero = ~rows.any(axis=-1)
    np.testing.assert_allclose(lengths[~zero], 1, atol=1e-5)
    assert not unit[zero].any()
    # Direction is kept.
    products = (unit * rows).sum(axis=-1)
    np.testing.assert_allclose(products, np.linalg.norm(rows, axis=-1), rtol=1e-3, atol=1e-6)


def test_no_rows():
    assert normalize(np.zeros((0, 4), np.float32)).shape == (0, 4)
    assert cut(np.zeros((0, 4), np.float32), 2).shape == (0, 2)


def test_a_cut_keeps_the_head_of_each_row():
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(cut(rows, 2), rows[:, :2])
    np.testing.assert_array_equal(cut(rows, 4), rows)
    assert cut(rows, None) is rows or np.shares_memory(cut(rows, None), rows)
    np.testing.assert_array_equal(cut(rows[0], 3), rows[0, :3])


@pytest.mark.parametrize("dimensions", [0, -1, 5, 2.0, "3"])
def test_a_cut_out_of_range(dimensions):
    with pytest.raises(InputError, match="within 1 and 4"):
        cut(np.zeros((2, 4), np.float32), dimensions)


def test_dimensions_asked_for():
    assert check_dimensions(None, 7) == 7
    assert check_dimensions(3, 7) == 3


@given(arrays(np.float32, st.integers(0, 30), elements=st.integers(-4, 4)), st.integers(0, 35))
def test_the_best_come_first_and_ties_keep_their_order(scores, k):
    wanted = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert top_indices(scores, k).tolist() == wanted
