from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.models import maxsim
from jina_components.models.backends.static import StaticBackend
from jina_components.models.maxsim import MaxSimScorer
from jina_components.models.sequences import TokenSequence

TABLE = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
WEIGHTS = np.linspace(0.1, 2, 20).astype(np.float32)


def tokens(ids):
    return TokenSequence(np.array(ids, np.int32))


def by_definition(query, document):
    """Each query token's best cosine, or its count, saturated; averaged with the lengths of the tokens' vectors."""
    vectors = TABLE * WEIGHTS[:, None]
    if not query or not document:
        return 0.0
    lengths = np.linalg.norm(vectors, axis=1)
    unit = vectors / lengths[:, None]
    values = []
    for q in query:
        cosines = [float(unit[q] @ unit[d]) for d in document]
        frequency = max(*cosines, sum(cosine > 0.95 for cosine in cosines), 0)
        values.append(frequency / (frequency + 0.3 * (0.6 + 0.4 * len(document) / 200)))
    return float(np.average(values, weights=lengths[query]))


ID_LISTS = st.lists(st.integers(0, 19), max_size=8)


@pytest.mark.parametrize("cells", [1, 1 << 22])
@given(ID_LISTS, st.lists(ID_LISTS, max_size=6))
@settings(max_examples=50, deadline=None)
def test_against_the_definition(cells, query, documents):
    scorer = MaxSimScorer(StaticBackend(TABLE, WEIGHTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maxsim, "_MAX_CELLS", cells)  # memory at a time: results do not depend on it
        got = scorer.score(tokens(query), [tokens(document) for document in documents])
    wanted = [by_definition(query, document) for document in documents]
    assert got.shape == (len(documents),)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_more_of_the_query_scores_higher_and_longer_documents_lower():
    scorer = MaxSimScorer(StaticBackend(np.eye(8, dtype=np.float32)))
    documents = [[3, 4], [3, 4, 4], [3, 5], [5, 6], [3, 4, *[7] * 50]]
    both, twice, one, none, long = scorer.score(tokens([3, 4]), [tokens(ids) for ids in documents])
    assert 1 > twice > both > long > one > none == 0


def test_tokens_without_weight_do_not_divide_by_zero():
    scorer = MaxSimScorer(StaticBackend(np.zeros((2, 4), np.float32)))
    assert scorer.score(tokens([0, 1]), [tokens([1])]).tolist() == [0]
