import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.retriever.lexical import BM25Index, words

CORPUS = ["the cat sat on the mat", "the dog chased the cat", "birds sing", "the the the"]


def reference(query: str, corpus: list[str], k1: float = 0.9, b: float = 0.4) -> list[float]:
    """BM25 as the paper writes it, document by document."""
    split = [list(words(text)) for text in corpus]
    average = sum(map(len, split)) / len(split) or 1
    scores = []
    for terms in split:
        score = 0.0
        for term in words(query):
            frequency = sum(term in other for other in split)
            idf = math.log(1 + (len(split) - frequency + 0.5) / (frequency + 0.5))
            count = terms.count(term)
            score += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(terms) / average))
        scores.append(score)
    return scores


def make_index(corpus: list[str]) -> BM25Index:
    index = BM25Index()
    index.add(range(len(corpus)), corpus)
    return index


def test_scores_equal_the_formula():
    for query in ("cat", "the cat", "cat cat dog", "sing birds the"):
        found = dict(make_index(CORPUS).search(query, 10))
        expected = {row: score for row, score in enumerate(reference(query, CORPUS)) if score > 0}
        assert found == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.text("abc ", min_size=1, max_size=12), min_size=1, max_size=8), st.text("abc ", max_size=8))
def test_best_first_and_only_rows_that_share_a_term(corpus, query):
    found = make_index(corpus).search(query, 100)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert {row for row, _ in found} == {row for row, score in enumerate(reference(query, corpus)) if score > 0}


@given(st.lists(st.text("abc ", max_size=12), min_size=2, max_size=8), st.data())
def test_removed_rows_leave_no_trace(corpus, data):
    removed = data.draw(st.sets(st.sampled_from(range(len(corpus))), max_size=len(corpus) - 1))
    index = make_index(corpus)
    index.search("a", 3)
    index.remove(sorted(removed))
    kept = [row for row in range(len(corpus)) if row not in removed]
    alone = make_index([corpus[row] for row in kept])
    expected = {kept[row]: score for row, score in alone.search("a b c", 100)}
    assert dict(index.search("a b c", 100)) == pytest.approx(expected)


def test_allowed_rows_only():
    assert [row for row, _ in make_index(CORPUS).search("the cat", 10, np.array([1, 2]))] == [1]


def test_words_of_many_scripts():
    assert list(words("Ｃａｆｅ\u0301 naïve_1 ΣΊΣΥΦΟΣ")) == ["café", "naïve_1", "σίσυφοσ"]
    assert list(words("東京都 is 広い")) == ["東京", "京都", "is", "広い"]
    assert list(words("東")) == ["東"]
    assert list(words("!?")) == []


@given(st.lists(st.text(max_size=20), max_size=5))
def test_arrays_round_trip(corpus):
    index = make_index(corpus)
    copy = BM25Index.from_arrays(index.to_arrays(), index.vocabulary)
    for query in corpus:
        assert copy.search(query, 10) == index.search(query, 10)


def test_foreign_arrays_are_refused():
    arrays = make_index(CORPUS).to_arrays()
    with pytest.raises(ValueError, match="do not belong together"):
        BM25Index.from_arrays(arrays, ["only"])
