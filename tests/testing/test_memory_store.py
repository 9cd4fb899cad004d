"""The store that others are compared with: its values by hand, and what it refuses."""

import math

import numpy as np
import pytest

from jina_components import Document
from jina_components.errors import ConfigError, InputError
from jina_components.filters import Field
from jina_components.testing import MemoryStore

DOCUMENTS = [
    Document("Kavo kavo lumi", "a", {"n": 1}),
    Document("lumi", "b", {"n": 2}),
    Document("zent, morag", "c"),
]
VECTORS = np.array([[1, 0], [0.6, 0.8], [0, -1]], np.float32)
TOKENS = [np.eye(2, dtype=np.float32), np.array([[0.6, 0.8]], np.float32), np.zeros((0, 2), np.float32)]


@pytest.fixture
def store():
    made = MemoryStore()
    made.put(DOCUMENTS, VECTORS, TOKENS)
    return made


def named(store, hits):
    return [
        (document.id, pytest.approx(score, abs=1e-6))
        for document, (_, score) in zip(store.get([k for k, _ in hits]), hits, strict=True)
    ]


def test_cosines(store):
    (first, second) = store.search_dense(np.array([[1, 0], [0, -1]], np.float32), 2)
    assert named(store, first) == [("a", 1.0), ("b", 0.6)]
    assert named(store, second) == [("c", 1.0), ("a", 0.0)]
    (only,) = store.search_dense(VECTORS[:1], 5, Field("n") > 1)
    assert named(store, only) == [("b", 0.6)]
    assert store.get_vectors([only[0][0], 99]).tolist() == [VECTORS[1].tolist(), [0, 0]]


def test_bm25(store):
    def weight(times, length, documents):
        return (
            math.log(1 + (3 - documents + 0.5) / (documents + 0.5))
            * times
            * 1.9
            / (times + 0.9 * (0.6 + 0.4 * length / 2))
        )

    both, twice, none = store.search_lexical(["KAVO lumi", "lumi lumi unheard", "unheard"], 5)
    assert named(store, both) == [("a", weight(2, 3, 1) + weight(1, 3, 2)), ("b", weight(1, 1, 2))]
    assert named(store, twice) == [("b", 2 * weight(1, 1, 2)), ("a", 2 * weight(1, 3, 2))]
    assert none == []
    (filtered,) = store.search_lexical(["lumi"], 5, Field("n") == 1)
    assert named(store, filtered) == [("a", weight(1, 3, 2))]  # the statistics are those of all documents


def test_late_interaction(store):
    (hits,) = store.search_multi_vector([np.eye(2, dtype=np.float32)], 5)
    assert named(store, hits) == [("a", 2.0), ("b", 1.4)]


def test_terms_of_ones_own():
    store = MemoryStore(rankings=["lexical"], words=list)
    store.put([Document("ab", "x"), Document("b", "y")], None)
    assert [len(hits) for hits in store.search_lexical(["a", "b"], 5)] == [1, 2]
    assert store.rankings == {"lexical"}
    assert repr(store) == "MemoryStore(2 documents)"


@pytest.mark.parametrize(
    ("vectors", "tokens", "message"),
    [
        (np.eye(2, 1, dtype=np.float32), TOKENS[:2], "width 2, got vectors of the width 1"),
        (None, None, "width 2, got no vectors"),
        (VECTORS, TOKENS[:2], "2 documents came with vectors of the shape"),
        (VECTORS[:2], TOKENS, "token vectors of 3"),
        (VECTORS[0], TOKENS[:2], "shape"),
        (VECTORS[:2, :0], TOKENS[:2], r"shape \(2, 0\)"),
        (VECTORS[:2] * 2, TOKENS[:2], r"vectors\[0\] is not finite or not of unit length"),
        (VECTORS[:2] * np.nan, TOKENS[:2], r"vectors\[0\] is not finite or not of unit length"),
    ],
)
def test_puts_that_are_refused(store, vectors, tokens, message):
    with pytest.raises(InputError, match=message):
        store.put([Document("new", "new"), Document("new", "a")], vectors, tokens)
    assert list(store.scan()) == DOCUMENTS


def test_other_refusals(store):
    with pytest.raises(InputError, match="the id 'x' of another"):
        store.put([Document("x", "x"), Document("y", "x")], VECTORS[:2])
    with pytest.raises(InputError, match="either ids or filter"):
        store.delete()
    with pytest.raises(InputError, match="width 2"):
        store.search_dense(np.ones((1, 3), np.float32), 1)
    with pytest.raises(InputError, match="no finite number"):
        store.search_dense(VECTORS * np.nan, 1)
    with pytest.raises(InputError, match="no finite number"):
        store.search_multi_vector([VECTORS, np.full_like(VECTORS, np.inf)], 1)
    with pytest.raises(ConfigError, match="'sparse'"):
        MemoryStore(rankings=["dense", "sparse"])
    with pytest.raises(ConfigError, match="does not rank by dense, only by lexical"):
        MemoryStore(rankings=["lexical"]).search_dense(VECTORS, 1)


def test_deleting_by_a_filter(store):
    assert store.delete(filter=Field("n") > 1) == 1
    assert [key is None for key in store.keys_of(["a", "b", "c"])] == [False, True, False]
