from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import jina_components
from jina_components.core import late_interaction
from jina_components.core.late_interaction import max_sim, pool_vectors
from jina_components.core.vectors import normalize
from jina_components.errors import InputError

NUMBERS = st.floats(-8, 8, width=16)


def matrices(most):
    return st.integers(0, most).flatmap(lambda rows: arrays(np.float32, (rows, 3), elements=NUMBERS))


def by_loops(query, document):
    """Of each vector of the query its best product, summed in float64."""
    if not len(query) or not len(document):
        return 0.0
    return sum(max(sum(float(a) * float(b) for a, b in zip(q, d, strict=True)) for d in document) for q in query)


@pytest.mark.parametrize("cells", [1, 5, 1 << 22])
@given(matrices(5), st.lists(matrices(7), max_size=5))
@settings(max_examples=50, deadline=None)
def test_max_sim_by_loops(cells, query, documents):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_interaction, "_MAX_CELLS", cells)  # memory at a time: results do not depend on it
        scores = max_sim(query, documents)
    assert scores.dtype == np.float32
    assert scores.shape == (len(documents),)
    np.testing.assert_allclose(scores, [by_loops(query, document) for document in documents], rtol=1e-5, atol=1e-4)


def test_max_sim_of_a_document_does_not_depend_on_its_neighbours():
    random = np.random.default_rng(0)
    query, *documents = (random.standard_normal((n, 16)).astype(np.float32) for n in (32, 1, 300, 7, 40))
    together = max_sim(query, documents)
    assert together.tolist() == [float(max_sim(query, [document])[0]) for document in documents]
    assert together[::-1].tolist() == max_sim(query, documents[::-1]).tolist()


def test_max_sim_is_public():
    assert jina_components.max_sim is max_sim
    assert max_sim(np.zeros((2, 3)), []).shape == (0,)
    assert max_sim(np.eye(2, 3), [np.eye(2, 3), np.zeros((0, 3))]).tolist() == [2, 0]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((2, 4)), np.zeros((1, 2, 3))])
def test_max_sim_of_wrong_shapes(wrong):
    with pytest.raises(InputError, match=r"documents\[1\].*\[tokens, 3\]") as caught:
        max_sim(np.zeros((2, 3)), [np.zeros((1, 3)), wrong])
    assert caught.value.index == 1
    if wrong.ndim != 2:
        with pytest.raises(InputError, match="The query must be"):
            max_sim(wrong, [])


UNIT = st.integers(0, 20).flatmap(lambda rows: arrays(np.float32, (rows, 4), elements=NUMBERS)).map(normalize)


@given(UNIT, st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_pooling_leaves_its_share_of_unit_vectors(vectors, factor):
    pooled = pool_vectors(vectors, factor)
    assert pooled.dtype == np.float32
    assert pooled.shape == (math.ceil(len(vectors) / factor), 4)
    lengths = np.linalg.norm(pooled, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-5)  # opposite vectors have no mean
    if len(pooled) > 1:
        np.testing.assert_array_equal(pooled[0], vectors[0])


@given(UNIT)
def test_a_factor_of_1_changes_nothing(vectors):
    assert pool_vectors(vectors, 1) is vectors


def test_pooling_merges_what_is_alike():
    """Three directions with a little noise, and a first vector that stays alone."""
    random = np.random.default_rng(0)
    kinds = [2, 0, 1, 0, 2, 1, 0, 2, 1, 1, 0]
    vectors = normalize(np.eye(4, dtype=np.float32)[[3, *kinds]] + random.normal(0, 0.01, (12, 4)).astype(np.float32))
    pooled = pool_vectors(vectors, 3)
    wanted = [vectors[0], *(vectors[1:][np.array(kinds) == kind].mean(0) for kind in (2, 0, 1))]
    np.testing.assert_allclose(pooled, normalize(np.array(wanted)), atol=1e-6)


def test_pooling_vectors_that_look_like_distances_does_not_warn():
    """As many as they have dimensions, alike over the diagonal, on which they are 0."""
    vectors = np.ones((4, 4), np.float32) - np.eye(4, dtype=np.float32)
    assert pool_vectors(normalize(vectors[[0, *range(4)]]), 2).shape == (3, 4)


def test_pooling_equal_vectors_leaves_as_many():
    """A cut at a height, where all merges have the same, would leave one."""
    assert pool_vectors(np.tile(np.eye(1, 4, dtype=np.float32), (10, 1)), 2).shape == (5, 4)


def test_pooled_documents_keep_their_scores_roughly():
    random = np.random.default_rng(1)
    kinds = normalize(random.standard_normal((20, 32)).astype(np.float32))
    document = normalize(np.repeat(kinds, 4, axis=0) + random.normal(0, 0.02, (80, 32)).astype(np.float32))
    whole, pooled = max_sim(kinds, [document, pool_vectors(document, 3)])
    assert abs(whole - pooled) < 0.02 * whole
