"""JinaBERT's token vectors and logits against a naive float64 implementation.

The largest difference seen is 4e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from naive_transformer import Weights, jina_bert, jina_bert_code
from tiny_checkpoints import random_sequences
from tiny_published import CLOSE, logits, read, tiny_config, token_vectors, write_tensors, write_tiny

from jina_components.errors import ModelFilesError
from jina_components.models.architectures import native

RAGGED = [[1], [40], [1, 21, 2, 7, 20, 7, 1], [30, 3, 3, 17, 29, 12]]
ENGLISH, CODE = "jina-embeddings-v2-small-en", "jina-embeddings-v2-base-code"
NAIVE = {ENGLISH: jina_bert, CODE: jina_bert_code}


def assert_naive(got, batch, naive, tensors, config):
    for vectors, sequence in zip(got, batch, strict=True):
        wanted = naive(Weights(tensors), config, sequence.ids, sequence.type_ids)
        np.testing.assert_allclose(vectors, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("name", NAIVE)
def test_token_vectors_are_those_of_the_papers(tmp_path, name, heads):
    config = tiny_config(name, num_attention_heads=heads)
    tensors = write_tiny(tmp_path, name, config, seed=heads)
    weights = read(tmp_path, config)
    for seed, lengths in enumerate(RAGGED):
        batch = random_sequences(lengths, seed=seed)
        assert_naive(token_vectors(weights, batch), batch, NAIVE[name], tensors, config)


@pytest.mark.parametrize("name", NAIVE)
def test_token_types(tmp_path, name):
    config = tiny_config(name, num_attention_heads=3)
    tensors = write_tiny(tmp_path, name, config)
    typed, plain = random_sequences([9, 30, 9], types=2), random_sequences([9, 4], seed=1)
    for batch in ([*typed, *plain], plain):
        assert_naive(token_vectors(read(tmp_path, config), batch), batch, NAIVE[name], tensors, config)


@pytest.mark.parametrize("name", NAIVE)
def test_far_tokens_of_a_long_text(tmp_path, name):
    config = tiny_config(name, num_attention_heads=6, num_hidden_layers=1)
    tensors = write_tiny(tmp_path, name, config)
    batch = random_sequences([300, 2])
    assert_naive(token_vectors(read(tmp_path, config), batch), batch, NAIVE[name], tensors, config)


@pytest.mark.parametrize("name", NAIVE)
def test_batch_and_order_change_nothing(tmp_path, name):
    config = tiny_config(name, num_attention_heads=12)
    write_tiny(tmp_path, name, config)
    weights, batch = read(tmp_path, config), random_sequences([5, 64, 1, 5, 33, 20])
    together, backwards = token_vectors(weights, batch), token_vectors(weights, batch[::-1])[::-1]
    for own, one, two in zip(batch, together, backwards, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
        np.testing.assert_allclose(one, token_vectors(weights, [own])[0], atol=1e-5)


def test_the_gate_is_the_other_half_in_the_variant_for_code(tmp_path):
    config = tiny_config(CODE, num_attention_heads=4)
    tensors = write_tiny(tmp_path, CODE, config)
    swapped = {
        name: np.roll(tensor, len(tensor) // 2, axis=0) if "up_gated" in name else tensor
        for name, tensor in tensors.items()
    }
    batch = random_sequences([20])
    wrong = jina_bert_code(Weights(swapped), config, batch[0].ids)
    assert np.abs(token_vectors(read(tmp_path, config), batch)[0] - wrong).max() > 0.1


def test_late_interaction_has_the_same_layers_and_a_projection_beside(tmp_path):
    name = "jina-colbert-v1-en"
    config = tiny_config(name)
    tensors, batch = write_tiny(tmp_path, name, config), random_sequences(RAGGED[2])
    assert "linear.weight" in tensors
    wanted = [jina_bert(Weights(tensors, "bert."), config, sequence.ids) for sequence in batch]
    for got, one in zip(token_vectors(read(tmp_path, config), batch), wanted, strict=True):
        np.testing.assert_allclose(got, one, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("name", ["jina-reranker-v1-tiny-en", "jina-reranker-v1-turbo-en"])
def test_logits_of_the_first_rerankers(tmp_path, name, labels):
    config = tiny_config(name, num_hidden_layers=4)
    tensors, random = write_tiny(tmp_path, name, config), np.random.default_rng(0)
    tensors |= {
        "classifier.weight": random.standard_normal((labels, 48)).astype(np.float32),
        "classifier.bias": random.standard_normal(labels).astype(np.float32),
    }
    write_tensors(tmp_path, tensors)
    batch = [*random_sequences([1, 30, 7, 40], types=2), *random_sequences([30])]
    got, encoder = logits(read(tmp_path, config, with_head=True), batch), Weights(tensors, "bert.")
    for row, sequence in zip(got, batch, strict=True):
        first = jina_bert(encoder, config, sequence.ids, sequence.type_ids)[:1]
        pooled = np.tanh(encoder.dense("pooler.dense", first))
        np.testing.assert_allclose(row, Weights(tensors).dense("classifier", pooled)[0], atol=CLOSE, rtol=0)
    assert np.ptp(got, axis=0).min() > 0.1


def test_under_the_head_of_a_language_model_names_have_a_prefix(tmp_path):
    config = tiny_config(ENGLISH, num_attention_heads=4)
    tensors, batch = write_tiny(tmp_path, ENGLISH, config), random_sequences([12])
    plain = token_vectors(read(tmp_path, config), batch)
    prefixed = {f"bert.{name}": tensor for name, tensor in tensors.items()}
    write_tensors(tmp_path, prefixed | {"cls.predictions.bias": np.zeros(300, np.float32)})
    np.testing.assert_array_equal(token_vectors(read(tmp_path, config), batch), plain)


@pytest.mark.parametrize("kind", ["reglu", "glu", "original"])
def test_other_feed_forwards_are_not_taken_for_it(tmp_path, kind):
    config = tiny_config(ENGLISH, feed_forward_type=kind)
    write_tiny(tmp_path, ENGLISH, config)
    assert native.find_architecture(tmp_path, config, with_head=False) is None


@pytest.mark.parametrize(
    ("name", "extra", "size"),
    [
        (ENGLISH, "encoder.layer.1.attention.self.layer_norm_q.weight", 48),
        (ENGLISH, "encoder.layer.0.mlp.gated_layers.bias", 160),
        (CODE, "encoder.layer.0.mlp.layernorm.weight", 48),
    ],
)
def test_a_mixture_of_variants_is_refused(tmp_path, name, extra, size):
    config = tiny_config(name)
    write_tensors(tmp_path, write_tiny(tmp_path, name, config) | {extra: np.ones(size, np.float32)})
    with pytest.raises(ModelFilesError, match=f"left over, such as '{extra}'"):
        read(tmp_path, config)
