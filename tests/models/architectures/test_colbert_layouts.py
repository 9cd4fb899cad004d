"""The published ColBERT checkpoints of Jina, with few features: vectors of tokens against naive float64 numpy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from naive_transformer import Weights, jina_bert, jina_xlm_roberta
from tiny_checkpoints import save_tokenizer
from tiny_colberts import METADATA, mask_of, tokenizer_of
from tiny_published import CLOSE, tiny_config, write_tensors, write_tiny

from jina_components import Embedder, Reranker, max_sim
from jina_components.errors import InputError, ModelFilesError

NAIVE = {"jina-colbert-v1-en": (jina_bert, "bert."), "jina-colbert-v2": (jina_xlm_roberta, "roberta.")}
TEXTS = ["Hello, world! It is 5 o'clock.", "the quick brown fox", "a b c " * 15]


def save(folder, name, **metadata):
    """Write a published layout with few features under the model's own name, so that its row is known."""
    folder /= name
    folder.mkdir()
    config = tiny_config(name, num_attention_heads=3, vocab_size=320) | {"rotary_emb_base": 20000.0}
    tensors = write_tiny(folder, name, config)
    tensors["linear.weight"] = tensors["linear.weight"][:, :48] / 48**0.5
    write_tensors(folder, tensors)
    save_tokenizer(folder, tokenizer_of(name), mask_token=mask_of(name), model_max_length=8192)
    (folder / "artifact.metadata").write_text(json.dumps(METADATA | metadata))
    return folder, config, tensors


def naive_vectors(name, config, tensors, ids, dimensions=128):
    encode, prefix = NAIVE[name]
    vectors = encode(Weights(tensors, prefix), config, ids) @ tensors["linear.weight"].astype(np.float64)[:dimensions].T
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def read_ids(name, text, *, query):
    """What the model is to read, and the places whose vectors count."""
    tokenizer = tokenizer_of(name)
    ids = tokenizer.encode(text).ids
    markers = ("[unused0]", "[unused1]") if name.endswith("en") else ("[QueryMarker]", "[DocumentMarker]")
    ids = [ids[0], tokenizer.token_to_id(markers[0 if query else 1]), *ids[1:]]
    if query:
        ids += [tokenizer.token_to_id(mask_of(name))] * (32 - len(ids))
        return ids, range(32)
    skipped = {tokenizer.token_to_id(sign) for sign in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
    return ids, [place for place, number in enumerate(ids) if number not in skipped]


@pytest.mark.parametrize("dimensions", [None, 96, 64])
@pytest.mark.parametrize("name", NAIVE)
def test_documents(tmp_path, name, dimensions):
    folder, config, tensors = save(tmp_path, name)
    if dimensions and name == "jina-colbert-v1-en":
        with pytest.raises(InputError, match=r"one of 128 for .*jina-colbert-v1-en"):
            Embedder(folder, precision="float32").embed_multi_vector(TEXTS, dimensions=dimensions)
        return
    result = Embedder(folder, precision="float32").embed_multi_vector(TEXTS, dimensions=dimensions)
    for vectors, text in zip(result.vectors, TEXTS, strict=True):
        ids, kept = read_ids(name, text, query=False)
        wanted = naive_vectors(name, config, tensors, ids, dimensions or 128)[list(kept)]
        np.testing.assert_allclose(vectors, wanted, atol=CLOSE)
    assert len(result.vectors[0]) < len(read_ids(name, TEXTS[0], query=False)[0])
    assert result.usage.total_tokens == sum(len(read_ids(name, text, query=False)[0]) for text in TEXTS)


@pytest.mark.parametrize("name", NAIVE)
def test_queries(tmp_path, name):
    folder, config, tensors = save(tmp_path, name)
    queries = ["quick fox", "Hello?"]
    result = Embedder(folder, precision="float32").embed_multi_vector(queries, task="retrieval.query")
    for vectors, text in zip(result.vectors, queries, strict=True):
        wanted = naive_vectors(name, config, tensors, read_ids(name, text, query=True)[0])
        np.testing.assert_allclose(vectors, wanted, atol=CLOSE)
    assert result.usage.total_tokens == 64


@pytest.mark.parametrize("name", NAIVE)
def test_the_reranker_gives_the_mean_of_the_best_cosines(tmp_path, name):
    folder, config, tensors = save(tmp_path, name)
    ranking = Reranker(folder, precision="float32").rerank("quick fox", TEXTS)
    query = naive_vectors(name, config, tensors, read_ids(name, "quick fox", query=True)[0])
    for hit in ranking:
        ids, kept = read_ids(name, hit.document.text, query=False)
        document = naive_vectors(name, config, tensors, ids)[list(kept)]
        assert hit.score == pytest.approx(float((query @ document.T).max(1).mean()), abs=CLOSE)
    embedder = Embedder(folder, precision="float32")
    [asked] = embedder.embed_multi_vector(["quick fox"], task="retrieval.query").vectors
    scores = max_sim(asked, embedder.embed_multi_vector(TEXTS).vectors)
    assert [hit.index for hit in ranking] == np.argsort(-scores).tolist()


def test_the_context_is_the_catalogs_rather_than_the_metadatas(tmp_path):
    folder, *_ = save(tmp_path, "jina-colbert-v2", doc_maxlen=20)
    assert Embedder(folder).context == 8191  # and the marker
    [vectors] = Embedder(folder).embed_multi_vector(["a b c " * 100]).vectors
    assert len(vectors) > 100


def test_a_head_of_another_width_than_the_catalogs(tmp_path):
    folder, _, tensors = save(tmp_path, "jina-colbert-v2")
    write_tensors(folder, tensors | {"linear.weight": tensors["linear.weight"][:100]})
    with pytest.raises(ModelFilesError, match="100 dimensions, not 128"):
        Embedder(folder).load()


@pytest.mark.parametrize("name", NAIVE)
def test_a_tensor_too_many_or_too_few(tmp_path, name):
    folder, _, tensors = save(tmp_path, name)
    write_tensors(folder, tensors | {"other.weight": np.zeros((2, 2), np.float32)})
    with pytest.raises(ModelFilesError, match=r"left over, such as 'other\.weight'"):
        Embedder(folder).load()
    write_tensors(folder, {key: tensor for key, tensor in tensors.items() if key != "linear.weight"})
    with pytest.raises(ModelFilesError, match=r"lacks the tensor 'linear\.weight'"):
        Embedder(folder).load()
