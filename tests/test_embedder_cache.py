"""The embedder with a cache, and over many texts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import save_checkpoint, save_sentence_transformer

from jina_components import Embedder, EmbeddingCache
from jina_components.errors import InputError

TEXTS = ["The sea is calm today.", "Stocks fell sharply on Monday.", "A boat lies in the harbour."]


@pytest.fixture
def cached(tmp_path):
    with Embedder("static-minilm-v1", cache=tmp_path / "cache") as embedder:
        yield embedder


def test_a_cached_text_costs_no_tokens_and_has_the_same_vector(cached, bundled_embedder):
    first, second = cached.embed(TEXTS), cached.embed(TEXTS)
    np.testing.assert_array_equal(first.vectors, bundled_embedder.embed(TEXTS).vectors)
    np.testing.assert_array_equal(second.vectors, first.vectors)
    assert first.usage.total_tokens > 0
    assert second.usage.total_tokens == 0


def test_only_what_is_missing_runs(cached, bundled_embedder):
    cached.embed(TEXTS[:1])
    mixed = cached.embed([TEXTS[1], TEXTS[0], TEXTS[2]])
    np.testing.assert_allclose(mixed.vectors, bundled_embedder.embed([TEXTS[1], TEXTS[0], TEXTS[2]]).vectors, atol=1e-6)
    assert mixed.usage == bundled_embedder.embed(TEXTS[1:]).usage


def test_one_entry_serves_every_width_and_norm(cached, bundled_embedder):
    cached.embed(TEXTS)
    raw = cached.embed(TEXTS, dimensions=32, normalized=False)
    assert raw.usage.total_tokens == 0
    np.testing.assert_array_equal(raw.vectors, bundled_embedder.embed(TEXTS, dimensions=32, normalized=False).vectors)


def test_another_model_precision_or_prompt_has_entries_of_its_own(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "base")
    folder = tmp_path / "model"
    save_sentence_transformer(folder, Pooling(32), checkpoint=checkpoint, prompts={"query": "ask: ", "document": ""})
    cache = EmbeddingCache(tmp_path / "cache")
    for settings in ({"precision": "float32"}, {"precision": "float32", "backend": "torch"}):  # which are the same
        embedder = Embedder(folder, cache=cache, **settings)
        plain = Embedder(folder, **settings)
        for task in ("retrieval.query", "retrieval.passage"):
            np.testing.assert_allclose(
                embedder.embed(["the quick fox"], task=task).vectors,
                plain.embed(["the quick fox"], task=task).vectors,
                atol=1e-6,
            )
    assert len(cache) == 2
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "other: "}}')
    assert Embedder(folder, cache=cache, precision="float32").embed(["the quick fox"]).usage.total_tokens > 0


def test_a_cut_text_does_not_stand_for_the_whole_one(cached):
    long = "sea " * 9000
    cached.embed([long], truncate=True)
    with pytest.raises(InputError, match="8192"):
        cached.embed([long])


async def test_the_async_twin_shares_the_cache(cached):
    first = await cached.aembed(TEXTS)
    assert cached.embed(TEXTS).usage.total_tokens == 0
    np.testing.assert_array_equal((await cached.aembed(TEXTS)).vectors, first.vectors)


def test_an_interrupted_job_goes_on_where_it_stopped(tmp_path):
    """What was finished before a failing text stays in the cache."""
    texts = [f"text number {number} of many" for number in range(3000)]
    broken = [*texts, "\ud800"]  # shorter than the others, so that it comes last
    with Embedder("static-minilm-v1", cache=tmp_path / "cache") as embedder:
        with pytest.raises(InputError) as error:
            embedder.embed(broken)
        assert error.value.index == 3000
        assert len(EmbeddingCache(tmp_path / "cache")) >= 1024
        resumed = embedder.embed(texts)
        assert 0 < resumed.usage.total_tokens < Embedder("static-minilm-v1").embed(texts).usage.total_tokens


def test_many_texts_keep_their_order(bundled_embedder):
    texts = [f"{'word ' * (number % 50)}{number}" for number in range(5000)]
    vectors = bundled_embedder.embed_documents(texts)
    for number in range(0, 5000, 499):
        np.testing.assert_allclose(vectors[number], bundled_embedder.embed_documents([texts[number]])[0], atol=1e-5)


def test_the_index_of_a_bad_text_is_the_callers(bundled_embedder):
    texts = [f"text {number}" for number in range(2500)]
    texts[1234] = "sea " * 9000
    with pytest.raises(InputError, match=r"inputs\[1234\] has") as error:
        bundled_embedder.embed(texts)
    assert error.value.index == 1234


def test_many_threads_share_a_cache(cached):
    wanted = Embedder("static-minilm-v1").embed_documents(TEXTS)
    found = []
    threads = [threading.Thread(target=lambda: found.append(cached.embed_documents(TEXTS))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert all(np.array_equal(vectors, wanted) for vectors in found)
