"""Late chunking: each chunk's vector is the mean over its own tokens of one pass."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import byte_bpe, save_checkpoint, save_sentence_transformer, save_tokenizer
from tiny_published import tiny_config, write_tiny

from jina_components import Embedder
from jina_components.errors import ConfigError, InputError
from jina_components.models.late_chunking import windows

V3, V2 = "jina-embeddings-v3", "jina-embeddings-v2-small-en"
CHUNKS = ["The fox jumps over. ", "They had come.", " Hello world,", " said the dog."]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("late")
    for name in (V3, V2):
        (base / name).mkdir()
        write_tiny(base / name, name, tiny_config(name, num_attention_heads=4))
        save_tokenizer(base / name, byte_bpe(), model_max_length=120)
    return base


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("task", [None, "retrieval.passage", "text-matching"])
def test_one_chunk_is_the_plain_vector(folders, task, precision):
    for name in (V3, V2):
        embedder = Embedder(folders / name, precision=precision)
        plain, late = (embedder.embed(CHUNKS[:1], task=task, late_chunking=late) for late in (False, True))
        np.testing.assert_array_equal(late.vectors, plain.vectors)
        assert late.usage == plain.usage


def test_a_chunk_is_the_mean_of_its_tokens_in_the_whole_document(tmp_path):
    """By transformers' own token vectors of the joined text; markers belong to the first chunk and the last."""
    from transformers import AutoModel

    save_sentence_transformer(tmp_path / "model", Pooling(32), checkpoint=save_checkpoint(tmp_path / "base"))
    embedder = Embedder(tmp_path / "model", precision="float32")
    tokenizer = embedder.load().tokenizer
    sequences = tokenizer.texts(["".join(CHUNKS)], truncate=True)
    lengths = [len(tokenizer.texts([chunk])[0]) - 2 for chunk in CHUNKS]
    assert sum(lengths) == len(sequences[0]) - 2
    model = AutoModel.from_pretrained(tmp_path / "base").eval()
    with torch.inference_mode():
        hidden = model(torch.from_numpy(sequences[0].ids.astype(np.int64))[None]).last_hidden_state[0].numpy()
    ends = np.cumsum([1, *lengths])
    ends[0], ends[-1] = 0, len(hidden)
    wanted = np.array([hidden[start:stop].mean(0) for start, stop in pairwise(ends)])
    found = embedder.embed(CHUNKS, late_chunking=True, normalized=False).vectors
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_stands_around_a_chunk_counts(folders):
    embedder = Embedder(folders / V2, precision="float32")
    late = embedder.embed(CHUNKS, late_chunking=True).vectors
    assert not np.allclose(late, embedder.embed(CHUNKS).vectors, atol=1e-3)
    other = embedder.embed(["Snow fell. ", *CHUNKS[1:]], late_chunking=True).vectors
    assert not np.allclose(late[1:], other[1:], atol=1e-3)


@given(lengths=st.lists(st.integers(1, 100), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None)
def test_a_document_over_the_context_runs_in_windows(folders, lengths):
    embedder = Embedder(folders / V2, precision="float32")
    texts = ["é" * length for length in lengths]
    tokens = [len(sequence) - 2 for sequence in embedder.load().tokenizer.texts(texts, truncate=True)]
    result = embedder.embed(texts, late_chunking=True, truncate=True)
    assert result.vectors.shape == (len(texts), 48)
    np.testing.assert_allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-5)
    ran = sum(sum(tokens[window.start : window.stop]) + 2 for window in windows(tokens, 118))
    assert result.usage.total_tokens == ran


def test_dimensions_cut_chunks_too(folders):
    embedder = Embedder(folders / V3, precision="float32")
    assert embedder.embed(CHUNKS, late_chunking=True, dimensions=32).vectors.shape == (4, 32)
    assert embedder.embed([], late_chunking=True).vectors.shape == (0, 48)


def test_a_chunk_over_the_context_is_named(folders):
    embedder = Embedder(folders / V2)
    with pytest.raises(InputError, match=r"inputs\[1\] has .* more than the model's context of 120") as caught:
        embedder.embed(["fine", "é" * 200, "fine"], late_chunking=True)
    assert caught.value.index == 1
    with pytest.raises(InputError, match=r"inputs\[1\] is empty"):
        embedder.embed(["fine", " "], late_chunking=True)


@pytest.mark.parametrize("model", ["static-minilm-v1", "small-embedding-v1"])
def test_models_without_token_vectors_name_the_remedy(model):
    with pytest.raises(ConfigError, match="cannot do late chunking as it runs: .* backend='torch'"):
        Embedder(model).embed(CHUNKS, late_chunking=True)


def test_the_bundled_model_does_it_in_torch():
    embedder = Embedder("small-embedding-v1", backend="torch", precision="float32")
    one, plain = embedder.embed(CHUNKS[:1], late_chunking=True).vectors, embedder.embed(CHUNKS[:1]).vectors
    np.testing.assert_array_equal(one, plain)
    assert embedder.embed(CHUNKS, late_chunking=True).vectors.shape == (4, 384)


def test_pooling_of_the_last_token_is_refused(tmp_path):
    save_sentence_transformer(
        tmp_path / "model", Pooling(32, pooling_mode="cls"), checkpoint=save_checkpoint(tmp_path / "base")
    )
    with pytest.raises(ConfigError, match="mean pooling"):
        Embedder(tmp_path / "model").embed(CHUNKS, late_chunking=True)


def test_a_model_that_leaves_its_prompt_out_of_the_mean(tmp_path):
    save_sentence_transformer(
        tmp_path / "model", Pooling(32, include_prompt=False), checkpoint=save_checkpoint(tmp_path / "base"),
        prompts={"query": "hello: "},
    )  # fmt: skip
    embedder = Embedder(tmp_path / "model", precision="float32")
    plain, late = (embedder.embed(CHUNKS[:1], task="retrieval.query", late_chunking=late) for late in (False, True))
    np.testing.assert_array_equal(late.vectors, plain.vectors)
    assert not np.allclose(plain.vectors, embedder.embed(CHUNKS[:1]).vectors, atol=1e-3)


async def test_the_async_twin_agrees_and_the_cache_is_left_out(folders, tmp_path):
    embedder = Embedder(folders / V3, precision="float32", cache=tmp_path / "cache")
    wanted = embedder.embed(CHUNKS, late_chunking=True)
    assert embedder.embed(CHUNKS).usage.total_tokens > 0
    found = await embedder.aembed(CHUNKS, late_chunking=True)
    np.testing.assert_array_equal(found.vectors, wanted.vectors)
    embedder.close()
