"""Architectures that transformers has, in padded batches, at every precision; transformers alone is the measure."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import (
    PADDED,
    TEXTS,
    edit_json,
    random_sequences,
    run_transformers,
    save_checkpoint,
    save_sentence_transformer,
)

from jina_components import Embedder, Reranker
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.architectures.bert import is_native
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.padded import load_padded_classifier, load_padded_encoder

CPU = torch.device("cpu")
CALIBRATION = random_sequences([5, 20, 40, 60, 33, 64, 10, 48], seed=9)
PRECISIONS = ["float32", "bfloat16", "int8"]
# The lowest and the mean cosine to float32. Random weights of width 32 are harder than a real model: rounding has
# fewer features to average out, and one token nothing at all.
FIDELITY = {"float32": (0.99999, 0.99999), "bfloat16": (0.999, 0.9999), "int8": (0.95, 0.99)}
NOT_NATIVE = {
    "relative-positions": {"position_embedding_type": "relative_key"},
    "decoder": {"is_decoder": True},
    "other-activation": {"hidden_act": "mish"},
}


def needs(precision):
    try:
        choose_precision(precision, CPU)
    except ConfigError as error:
        pytest.skip(str(error))


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(scope="module")
def make_encoder(tmp_path_factory):
    base = tmp_path_factory.mktemp("padded")

    @cache
    def make(family, precision):
        needs(precision)
        folder = base / family
        if not folder.exists():
            save_checkpoint(folder, "bert", **NOT_NATIVE[family]) if family in NOT_NATIVE else save_checkpoint(
                folder, family
            )
        assert not is_native(config_of(folder))
        return load_padded_encoder(folder, config_of(folder), CPU, precision, CALIBRATION)

    make.folder = base
    return make


def token_vectors(encoder, batch, **options):
    with torch.inference_mode():
        [hidden] = encoder(batch, **options)
    assert hidden.rows == list(range(len(batch)))
    assert hidden.vectors.dtype == torch.float32
    lengths = hidden.mask.sum(1).tolist()
    return [vectors[:length].numpy() for vectors, length in zip(hidden.vectors, lengths, strict=True)]


def means(encoder, batch):
    return np.array([vectors.mean(0) for vectors in token_vectors(encoder, batch)])


def cosines(left, right):
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def reference(folder, batch):
    is_t5 = config_of(folder)["model_type"] == "t5"
    return run_transformers(folder, batch, transformers.T5EncoderModel if is_t5 else transformers.AutoModel)


@pytest.mark.parametrize("family", [*PADDED, *NOT_NATIVE])
@pytest.mark.parametrize("lengths", [[1], [64], [7, 7], [1, 64, 2, 7, 63]], ids=str)
def test_token_vectors_are_those_of_transformers(make_encoder, family, lengths):
    batch, encoder = random_sequences(lengths, seed=len(lengths)), make_encoder(family, "float32")
    wanted = reference(make_encoder.folder / family, batch)
    for got, theirs in zip(token_vectors(encoder, batch), wanted, strict=True):
        np.testing.assert_allclose(got, theirs, atol=2e-5)
    for got, theirs in zip(token_vectors(encoder, batch, first_only=True), wanted, strict=True):
        np.testing.assert_allclose(got, theirs[:1], atol=2e-5)


@pytest.mark.parametrize("family", ["electra", "nomic-bert"])
def test_token_types(make_encoder, family):
    batch = [*random_sequences([9, 30], types=2), *random_sequences([12], seed=1)]
    wanted = reference(make_encoder.folder / family, batch)
    for got, theirs in zip(token_vectors(make_encoder(family, "float32"), batch), wanted, strict=True):
        np.testing.assert_allclose(got, theirs, atol=2e-5)


@pytest.mark.parametrize("precision", PRECISIONS[1:])
@pytest.mark.parametrize("family", PADDED)
def test_lower_precision_stays_near_float32(make_encoder, family, precision):
    batch = random_sequences([1, 64, 2, 7, 63, 7, 1, 30, 30, 12], seed=3)
    wanted, got = means(make_encoder(family, "float32"), batch), means(make_encoder(family, precision), batch)
    least, mean = FIDELITY[precision]
    assert cosines(got, wanted).min() > least
    assert cosines(got, wanted).mean() > mean
    assert not np.array_equal(got, wanted)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("family", ["modernbert", "qwen3"])
@given(lengths=st.lists(st.integers(1, 64), min_size=1, max_size=6), seed=st.integers(0, 100))
@settings(max_examples=8, deadline=None)
def test_neighbours_do_not_change_a_vector(make_encoder, family, precision, lengths, seed):
    """Padding changes the order of float32 sums by a rounding, which a lower precision can turn into one step."""
    encoder, batch = make_encoder(family, precision), random_sequences(lengths, seed=seed)
    tolerance = 1e-5 if precision == "float32" else 0.1
    for sequence, vectors in zip(batch, token_vectors(encoder, batch), strict=True):
        np.testing.assert_allclose(vectors, token_vectors(encoder, [sequence])[0], atol=tolerance)


@pytest.mark.parametrize("name", NOT_NATIVE)
def test_an_unusual_bert_embeds_as_transformers_has_it(tmp_path, name):
    checkpoint = save_checkpoint(tmp_path / "base", "bert", **NOT_NATIVE[name])
    model = save_sentence_transformer(tmp_path / "model", Pooling(32), checkpoint=checkpoint)
    got = Embedder(tmp_path / "model", precision="float32").embed(TEXTS, truncate=True).vectors
    np.testing.assert_allclose(got, model.encode(TEXTS, normalize_embeddings=True), atol=1e-5)


# --- classifiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["electra", "deberta-v2", "modernbert", "gte", "other-activation"])
def test_a_classifier_gives_the_logits_of_transformers(tmp_path, family):
    changes = NOT_NATIVE.get(family, {})
    save_checkpoint(tmp_path, "bert" if changes else family, head="ForSequenceClassification", num_labels=1, **changes)
    batch = random_sequences([1, 30, 30, 7, 64, 12, 12, 5, 40, 22])
    wanted = np.array(run_transformers(tmp_path, batch, transformers.AutoModelForSequenceClassification))[:, 0]
    assert np.ptp(wanted) > 0.1
    for precision, tolerance, correlation in (
        ("float32", 1e-5, 0.99999),
        ("bfloat16", 0.2, 0.999),
        ("int8", 0.6, 0.98),
    ):
        needs(precision)
        score = load_padded_classifier(tmp_path, CPU, precision, CALIBRATION)
        with torch.inference_mode():
            logits = score(batch).numpy()[:, 0]
        np.testing.assert_allclose(logits, wanted, atol=tolerance)
        assert np.corrcoef(logits, wanted)[0, 1] > correlation


@pytest.mark.parametrize("precision", PRECISIONS[1:])
@pytest.mark.parametrize("family", ["bert", "electra", "modernbert", "other-activation"])
def test_logits_have_the_resolution_of_float32(tmp_path, family, precision):
    """Documents that differ in a token must not tie, as logits rounded to bfloat16 would."""
    needs(precision)
    changes = NOT_NATIVE.get(family, {})
    save_checkpoint(tmp_path, "bert" if changes else family, head="ForSequenceClassification", num_labels=1, **changes)
    texts = [f"{first}{second} fox" for first in "abcdefghijklm" for second in "nopqrstuvwxyz"]
    ranking = Reranker(tmp_path, precision=precision).rerank("quick", texts)
    scores = np.array([hit.score for hit in ranking])
    logits = np.log(scores / (1 - scores)).astype(np.float32)
    kept = torch.from_numpy(logits).bfloat16().float().numpy()
    assert (logits != kept).mean() > 0.9
    assert len(np.unique(logits)) > 0.9 * len(texts)


def test_a_pooler_within_the_body_stays_float32(tmp_path):
    save_checkpoint(tmp_path, head="ForSequenceClassification", num_labels=1, hidden_act="mish")
    needs("bfloat16")
    batch = random_sequences([12] * 40)
    tensors = load_file(tmp_path / "model.safetensors")
    whole = run_transformers(tmp_path, batch, transformers.AutoModelForSequenceClassification)
    tensors["bert.pooler.dense.weight"] *= 1e-3  # lost in bfloat16 beside a bias of 1
    tensors["bert.pooler.dense.bias"] += 1
    tensors["classifier.weight"] *= 1e3
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    wanted = np.array(run_transformers(tmp_path, batch, transformers.AutoModelForSequenceClassification))
    score = load_padded_classifier(tmp_path, CPU, "bfloat16", ())
    with torch.inference_mode():
        got = score(batch).numpy()
    assert np.corrcoef(got[:, 0], wanted[:, 0])[0, 1] > 0.999
    assert np.ptp(whole) > 0.01


def test_several_labels(tmp_path):
    save_checkpoint(tmp_path, "electra", head="ForSequenceClassification", num_labels=4)
    batch = random_sequences([3, 30, 8])
    wanted = run_transformers(tmp_path, batch, transformers.AutoModelForSequenceClassification)
    score = load_padded_classifier(tmp_path, CPU, "float32", ())
    with torch.inference_mode():
        np.testing.assert_allclose(score(batch).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
@pytest.mark.parametrize("family", ["electra", "modernbert", "qwen3"])
def test_tensors_that_are_not_the_architecture_s_are_refused(tmp_path, family, damage):
    save_checkpoint(tmp_path, family)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if "layers.1" in name or "layer.1" in name)
    changed = {
        "missing": {key: tensor for key, tensor in tensors.items() if key != name},
        "extra": tensors | {name.replace("1", "7"): torch.zeros(2)},
        "shape": tensors | {name: torch.zeros(3, 3)},
    }
    save_file(changed[damage], tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelFilesError) as caught:
        load_padded_encoder(tmp_path, config_of(tmp_path), CPU, "float32", ())
    assert str(tmp_path) in str(caught.value)


def test_a_config_without_sizes_is_left_to_transformers(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "base", "bert")
    save_sentence_transformer(tmp_path / "model", Pooling(32), checkpoint=checkpoint)
    edit_json(tmp_path / "model/config.json", hidden_size=None)
    with pytest.raises(ModelFilesError, match=r"of another shape, such as \('embeddings\.LayerNorm\..*32\]\).*768\]\)"):
        Embedder(tmp_path / "model").load()
