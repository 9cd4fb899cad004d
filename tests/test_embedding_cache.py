from __future__ import annotations

import pickle
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jina_components.embedding_cache import FILE, CacheKey, EmbeddingCache
from jina_components.errors import ConfigError, InputError

KEY = CacheKey("model", "revision", "float32", "retrieval.query", 8, True, "query: ", True)
TEXTS = st.text(max_size=4)
KEYS = st.builds(CacheKey, TEXTS, TEXTS, TEXTS, TEXTS, st.just(8), st.booleans(), TEXTS, st.booleans(), TEXTS)


def row_of(text: str, dimensions: int = 8) -> np.ndarray:
    """A vector that can be told from any other text's."""
    seed = int.from_bytes(text.encode("utf-8", "surrogatepass")[:16].ljust(16, b"\0"), "little")
    return np.random.default_rng(seed).normal(size=dimensions).astype(np.float32)


def put(cache: EmbeddingCache, texts: list[str], key: CacheKey = KEY) -> None:
    rows = np.array([row_of(text, key.dimensions) for text in texts], np.float32).reshape(len(texts), key.dimensions)
    cache.put_many(key, texts, rows)


def present(cache: EmbeddingCache, texts: list[str], key: CacheKey = KEY) -> list[str]:
    """The texts found, each with its own vector."""
    vectors = cache.get_many(key, texts)
    assert len(vectors) == len(texts)
    found = [(text, vector) for text, vector in zip(texts, vectors, strict=True) if vector is not None]
    for text, vector in found:
        np.testing.assert_array_equal(vector, row_of(text, key.dimensions))
        assert vector.dtype == np.float32
    return [text for text, _ in found]


def execute(folder: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.fixture
def cache(tmp_path):
    with EmbeddingCache(tmp_path / "cache") as cache:
        yield cache


# What goes in comes out


def test_what_was_put_is_there_and_nothing_else(cache):
    assert present(cache, ["a", "b"]) == []
    put(cache, ["b", "a", "b"])
    assert present(cache, ["a", "c", "b", "a"]) == ["a", "b", "a"]
    assert len(cache) == 2
    assert cache.get_many(KEY, []) == []
    cache.put_many(KEY, [], np.zeros((0, 8), np.float32))


def test_it_is_there_after_closing(tmp_path):
    with EmbeddingCache(tmp_path) as cache:
        put(cache, ["a"])
    assert present(cache, ["a"]) == ["a"]  # opens again
    cache.close()
    cache.close()
    with EmbeddingCache(tmp_path) as other:
        assert present(other, ["a"]) == ["a"]


def test_an_empty_cache_is_still_a_cache(cache):
    assert cache
    assert len(cache) == 0


def test_the_last_vector_counts(cache):
    cache.put_many(KEY, ["a"], np.ones((1, 8), np.float32))
    put(cache, ["a"])
    assert present(cache, ["a"]) == ["a"]


def test_it_pickles_as_its_settings(cache):
    put(cache, ["a"])
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.folder, copy.max_bytes) == (cache.folder, cache.max_bytes)
    assert present(copy, ["a"]) == ["a"]
    copy.close()


def test_nothing_is_written_before_the_first_call(tmp_path):
    folder = tmp_path / "not" / "yet"
    EmbeddingCache(folder).close()
    assert not folder.exists()


def test_a_vector_cannot_be_changed_under_the_next_caller(cache):
    put(cache, ["a"])
    (vector,) = cache.get_many(KEY, ["a"])
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


def test_unusual_texts(cache):
    texts = [
        "\0",
        "a\0b",
        "a",
        "👩‍👩‍👧",
        "e\u0301",
        "\u00e9",
        " ",
        "'; DROP TABLE entries; --",
        "x" * 1_000_000,
        "\ud83d",
        "\ud83d\ude00",
        "😀",
    ]
    put(cache, texts)
    assert len(cache) == len(texts)
    assert present(cache, texts) == texts


def test_more_texts_than_a_transaction_holds(cache):
    texts = [str(number) for number in range(3000)]
    put(cache, texts)
    assert present(cache, texts) == texts


def test_clearing(cache):
    texts = [str(number) for number in range(2000)]
    key = replace(KEY, dimensions=256)
    put(cache, texts, key)
    cache.clear()
    assert len(cache) == 0
    assert present(cache, texts, key) == []
    cache.close()
    assert (cache.folder / FILE).stat().st_size < 200_000
    put(cache, ["a"])
    assert present(cache, ["a"]) == ["a"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(KEYS, TEXTS), min_size=2, max_size=5, unique=True))
def test_keys_and_texts_are_told_apart(cache, pairs):
    cache.clear()
    for number, (key, text) in enumerate(pairs):
        cache.put_many(key, [text], np.full((1, 8), number, np.float32))
    assert len(cache) == len(pairs)
    for number, (key, text) in enumerate(pairs):
        (vector,) = cache.get_many(key, [text])
        assert (vector == number).all()


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"}, {"revision": "other"}, {"precision": "bfloat16"}, {"task": ""}, {"dimensions": 4},
        {"normalized": False}, {"prompt": ""}, {"truncate": False}, {"group": "g"},
    ],
)  # fmt: skip
def test_each_part_of_the_key_counts(cache, change):
    put(cache, ["a"])
    assert cache.get_many(replace(KEY, **change), ["a"]) == [None]


def test_fields_do_not_run_together(cache):
    put(cache, ["a"], replace(KEY, task="ab", prompt="c"))
    assert cache.get_many(replace(KEY, task="a", prompt="bc"), ["a"]) == [None]
    put(cache, ["b"], replace(KEY, group="a"))
    assert cache.get_many(replace(KEY, group=""), ["ab"]) == [None]


# Refusals


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 8), np.float32), np.zeros((1, 7), np.float32), np.zeros((1, 8)), np.zeros(8, np.float32)]
)
def test_rows_that_do_not_fit(cache, rows):
    with pytest.raises(InputError, match=r"1 texts need float32 rows of shape \[1, 8\]"):
        cache.put_many(KEY, ["a"], rows)
    assert len(cache) == 0


def test_a_vector_that_is_none_is_not_remembered(cache):
    rows = np.zeros((3, 8), np.float32)
    rows[1, 2] = np.nan
    with pytest.raises(InputError, match=r"rows\[1\] holds NaN") as raised:
        cache.put_many(KEY, ["a", "b", "c"], rows)
    assert raised.value.index == 1
    assert len(cache) == 0


def test_texts_that_are_none(cache):
    with pytest.raises(InputError, match="must be a list"):
        cache.get_many(KEY, "a")
    with pytest.raises(InputError, match=r"texts\[1\] must be str") as raised:
        cache.get_many(KEY, ["a", 1])
    assert raised.value.index == 1


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_limit_that_is_none(tmp_path, limit):
    with pytest.raises(ConfigError, match="max_bytes"):
        EmbeddingCache(tmp_path, max_bytes=limit)


# Size


def test_what_was_used_longest_ago_goes_first(tmp_path):
    key = replace(KEY, dimensions=256)
    with EmbeddingCache(tmp_path, max_bytes=400_000) as cache:
        old, new = [f"old {i}" for i in range(150)], [f"new {i}" for i in range(300)]
        put(cache, old, key)
        execute(tmp_path, "UPDATE entries SET used = used - 3600")
        assert present(cache, old[:5], key) == old[:5]  # which makes them young again
        for text in new[:270]:
            put(cache, [text], key)
        left = present(cache, old, key)
        assert left[:5] == old[:5]
        assert len(left) < 100
        assert present(cache, new[:270], key) == new[:270]


def test_the_file_keeps_to_its_limit(tmp_path):
    key = replace(KEY, dimensions=384)
    with EmbeddingCache(tmp_path, max_bytes=500_000) as cache:
        for start in range(0, 3000, 100):
            put(cache, [f"text {i}" for i in range(start, start + 100)], key)
        assert 200 < len(cache) < 320
        recent = [f"text {i}" for i in range(2900, 3000)]
        assert present(cache, recent, key) == recent
    assert (tmp_path / FILE).stat().st_size <= 500_000


def test_a_limit_lowered_later(tmp_path):
    key = replace(KEY, dimensions=256)
    with EmbeddingCache(tmp_path) as cache:
        put(cache, [str(i) for i in range(3000)], key)
        assert len(cache) == 3000
    with EmbeddingCache(tmp_path, max_bytes=300_000) as cache:
        put(cache, ["a"], key)
        assert len(cache) < 300
    assert (tmp_path / FILE).stat().st_size <= 300_000


def test_a_limit_below_a_single_entry(tmp_path):
    with EmbeddingCache(tmp_path, max_bytes=1) as cache:
        put(cache, ["a", "b"])
        assert present(cache, ["a", "b"]) == []
