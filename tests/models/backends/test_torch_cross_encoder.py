"""Scores against sentence-transformers' CrossEncoder on random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import CrossEncoder
from tiny_checkpoints import TEXTS, edit_json, save_checkpoint, save_pair_model

from jina_components import Reranker
from jina_components.errors import ConfigError, InputError, ModelFilesError

QUERY = "quick fox"


def save_cross_encoder(folder, family="bert", **settings):
    return save_checkpoint(folder, family, head="ForSequenceClassification", **{"num_labels": 1} | settings)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


def by_index(ranking):
    return np.array([hit.score for hit in sorted(ranking, key=lambda hit: hit.index)])


def assert_equal(folder, model):
    wanted = model.predict([(QUERY, text) for text in TEXTS])
    reranker = Reranker(folder, precision="float32")
    ranking = reranker.rerank(QUERY, TEXTS, truncate=True)
    np.testing.assert_allclose(by_index(ranking), wanted, atol=1e-5)
    assert [hit.index for hit in ranking] == np.argsort(-wanted, kind="stable").tolist()
    assert np.ptp(wanted) > 0.01
    tokens = map(len, model.tokenizer([QUERY] * len(TEXTS), TEXTS, truncation=True)["input_ids"])
    assert ranking.usage.total_tokens == sum(tokens)
    assert ranking[:2] == reranker.rerank(QUERY, TEXTS, top_n=2, truncate=True).results


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "distilbert", "modernbert"])
def test_families(tmp_path, family):
    folder = save_cross_encoder(tmp_path / "model", family)
    model = CrossEncoder(str(folder), device="cpu")
    assert_equal(folder, model)
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert_equal(tmp_path / "saved", model)


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_relevance_among_other_labels(tmp_path, family):
    folder = save_pair_model(tmp_path, ["entailment", "neutral", "Relevance", "contradiction"], family)
    logits = CrossEncoder(str(folder), device="cpu").predict(
        [(QUERY, text) for text in TEXTS], activation_fn=torch.nn.Identity()
    )
    scores = by_index(Reranker(folder, precision="float32").rerank(QUERY, TEXTS, truncate=True))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits[:, 2].astype(float))), atol=1e-5)


def test_a_model_that_takes_no_segments(tmp_path, bert):
    folder = save_cross_encoder(tmp_path / "model")
    edit_json(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    assert_equal(folder, CrossEncoder(str(folder), device="cpu"))
    plain = by_index(Reranker(bert, precision="float32").rerank(QUERY, TEXTS, truncate=True))
    without = by_index(Reranker(folder, precision="float32").rerank(QUERY, TEXTS, truncate=True))
    assert not np.allclose(without, plain, atol=1e-3)


def test_the_saved_activation_does_not_change_the_scale(tmp_path):
    folder = save_cross_encoder(tmp_path / "model")
    plain = Reranker(folder, precision="float32").rerank(QUERY, TEXTS, truncate=True)
    edit_json(folder / "config.json", sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
    assert Reranker(folder, precision="float32").rerank(QUERY, TEXTS, truncate=True) == plain
    logits = CrossEncoder(str(folder), device="cpu").predict([(QUERY, text) for text in TEXTS])
    np.testing.assert_allclose(by_index(plain), 1 / (1 + np.exp(-logits.astype(float))), atol=1e-5)


@pytest.mark.parametrize("factor", [1e3, -1e3, 1e8])
def test_saturated_scores_keep_their_order(tmp_path, bert, factor):
    """Logits far beyond what a sigmoid tells apart still rank, and no float overflows."""
    save_cross_encoder(tmp_path)
    tensors = load_file(bert / "model.safetensors")
    tensors["classifier.weight"] = tensors["classifier.weight"] * np.float32(factor)
    tensors["classifier.bias"] = tensors["classifier.bias"] * np.float32(factor)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    order = [hit.index for hit in Reranker(bert, precision="float32").rerank(QUERY, TEXTS, truncate=True)]
    ranking = Reranker(tmp_path, precision="float32").rerank(QUERY, TEXTS, truncate=True)
    assert [hit.index for hit in ranking] == (order if factor > 0 else order[::-1])
    assert all(0 <= hit.score <= 1 for hit in ranking)


@pytest.mark.parametrize(
    ("family", "alphabet", "joint"), [("bert", "abcdefghijklmnopqrstuvwxyz", " "), ("xlm-roberta", "0123456789", "")]
)
def test_a_document_over_the_context_scores_as_its_best_chunk(tmp_path, family, alphabet, joint):
    """The chunks are scored by sentence-transformers, one by one."""
    folder = save_cross_encoder(tmp_path, family)
    model = CrossEncoder(str(folder), device="cpu")
    words = np.random.default_rng(0).choice(list(alphabet), 300).tolist()  # one token each
    room = 48 - len(model.tokenizer("a b", alphabet[0])["input_ids"]) + 1
    last, step = len(words) - room, room - room // 4
    chunks = [joint.join(words[start : start + room]) for start in (*range(0, last, step), last)]
    logits = model.predict([("a b", chunk) for chunk in chunks], activation_fn=torch.nn.Identity())
    assert np.ptp(logits) > 0.01
    assert logits.argmax() != 0
    scores = by_index(Reranker(folder, precision="float32").rerank("a b", [joint.join(words), "c"]))
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-logits.max().astype(float))), abs=1e-5)
    assert scores[1] == pytest.approx(by_index(Reranker(folder, precision="float32").rerank("a b", ["c"]))[0], abs=1e-6)
    [head] = Reranker(folder, precision="float32").rerank("a b", [joint.join(words)], truncate=True)
    assert head.score == pytest.approx(1 / (1 + np.exp(-logits[0].astype(float))), abs=1e-5)


def test_a_long_query(bert):
    long = "z " * 100
    with pytest.raises(InputError, match="query has 100 tokens; up to 40 leave room"):
        Reranker(bert, precision="float32").rerank(long, ["fox"])
    cut = by_index(Reranker(bert, precision="float32").rerank(long, ["fox", "dog"], truncate=True))
    limited = Reranker(bert, precision="float32", max_query_length=40)
    np.testing.assert_allclose(cut, by_index(limited.rerank(long, ["fox", "dog"])))
    np.testing.assert_allclose(cut, by_index(Reranker(bert, precision="float32").rerank("z " * 40, ["fox", "dog"])))


def more_labels(folder):
    save_cross_encoder(folder, num_labels=3)


def no_head(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def no_pooler(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def an_encoder(folder):
    save_checkpoint(folder)


def later_steps(folder):
    (folder / "modules.json").write_text(
        '[{"path": "", "type": "x.Transformer"}, {"path": "1", "type": "x.LogitScore"}]'
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (more_labels, "scores the labels 'LABEL_0', 'LABEL_1', 'LABEL_2'; a reranker needs"),
        (no_head, "does not hold the weights.*classifier"),
        (no_pooler, "does not hold the weights.*pooler"),
        (an_encoder, "no cross-encoder: it has the architecture .'BertModel'."),
        (later_steps, "no cross-encoder.*LogitScore"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_would_score_at_random_is_refused(tmp_path, damage, message):
    damage(save_cross_encoder(tmp_path / "model"))
    with pytest.raises(ModelFilesError, match=message):
        Reranker(tmp_path / "model", precision="float32").rerank(QUERY, TEXTS)


def test_a_transformer_does_not_run_on_the_static_backend(bert):
    with pytest.raises(ConfigError, match="backend='static' cannot run .*torch or onnx"):
        Reranker(bert, precision="float32", backend="static").load()
