"""BM25 by bounds, on an engine of a few lines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jina_components.retriever.stores.sparse import CountedStatistics, best_by_bm25, sparse_text
from jina_components.testing import MemoryStore
from jina_components.types import Document

WORDS = st.sampled_from("abcdefgh")
TEXTS = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=25)
LONG = st.tuples(WORDS, st.integers(1, 3_000)).map(lambda drawn: [drawn[0]] * drawn[1])


def _engine(texts):
    """What an engine offers: the best dot products in float32, and counts of documents by number."""
    indexed = [sparse_text(terms) for terms in texts]
    vectors = [{term: float(np.float32(weight)) for term, weight in one.weights.items()} for one in indexed]

    def candidates(weights, number):
        scores = [sum(weight * vector.get(term, 0.0) for term, weight in weights.items()) for vector in vectors]
        order = sorted((index for index, score in enumerate(scores) if score), key=lambda index: -scores[index])
        return [(index, scores[index], vectors[index]) for index in order[:number]]

    def count(number):
        return len(indexed) if number is None else sum(number in one.numbers for one in indexed)

    return candidates, CountedStatistics(count)


@given(TEXTS, st.lists(LONG, max_size=3), st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 8))
def test_the_best_are_those_of_plain_bm25(short, long, query, k):
    texts = [*short, *long]
    candidates, statistics = _engine(texts)
    found = best_by_bm25(query, k, statistics, candidates)
    store = MemoryStore(rankings=["lexical"])
    store.put([Document(" ".join(terms), str(index)) for index, terms in enumerate(texts)], None)
    (wanted,) = store.search_lexical([" ".join(query)], k)
    np.testing.assert_allclose([score for _, score in found], [score for _, score in wanted], rtol=1e-5)
    due = dict(store.search_lexical([" ".join(query)], len(texts))[0])
    np.testing.assert_allclose([score for _, score in found], [due[key] for key, _ in found], rtol=1e-5)


def test_statistics_from_before_the_first_word():
    _, before = _engine([[]])
    assert before.mean_length > 0
    assert best_by_bm25(["a"], 1, before, _engine([["a"]])[0])[0][0] == 0


def test_it_asks_for_more_until_no_other_can_be_better():
    texts = [["a"] + ["b"] * 500] * 300 + [["a"]]  # the short one is the best, and the last by its bound
    candidates, statistics = _engine(texts)
    asked = []

    def counted(weights, number):
        asked.append(number)
        return candidates(weights, number)

    assert best_by_bm25(["a"], 1, statistics, counted)[0][0] == 300
    assert asked == [20, 80, 320]
    assert best_by_bm25(["a"], 1, statistics, candidates, most=50)[0][0] == 0
    assert best_by_bm25([], 1, statistics, candidates) == []
