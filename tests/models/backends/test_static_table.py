from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from safetensors.torch import save_file as save_torch_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tiny_checkpoints import TEXTS, save_model2vec, wordpiece

from jina_components import Embedder
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.backends.static import StaticBackend
from jina_components.models.sequences import TokenSequence

WORDS = ["sea", "calm", "storm", "bread"]
TABLE = np.array([[9, 9, 9], [1, 2, 3], [4, 5, -6], [-7, 8, 9], [1, 0, 0]], np.float32)
WEIGHTS = np.array([5, 1, 0.5, 2, 0.25], np.float32)


def raw(folder, texts):
    return Embedder(folder).embed(texts, normalized=False).vectors


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, np.float64])
def test_model2vec_tables_of_every_type(tmp_path, dtype):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE.astype(dtype))
    got = raw(folder, ["sea calm", "storm", "bread sea bread"])
    wanted = [(TABLE[1] + TABLE[2]) / 2, TABLE[3], (2 * TABLE[4] + TABLE[1]) / 3]
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert got.dtype == np.float32


def test_model2vec_weights(tmp_path):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE, weights=WEIGHTS.astype(np.float64))
    wanted = (TABLE[1] * 1 + TABLE[2] * 0.5 + TABLE[3] * 2) / 3
    np.testing.assert_allclose(raw(folder, ["sea calm storm"]), [wanted], atol=1e-6)


def test_model2vec_mapping_shares_rows(tmp_path):
    mapping = np.array([0, 1, 1, 2, 2], np.int64)
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE[:3], mapping=mapping, weights=WEIGHTS)
    wanted = (TABLE[1] * 1 + TABLE[1] * 0.5 + TABLE[2] * 0.25) / 3
    np.testing.assert_allclose(raw(folder, ["sea calm bread"]), [wanted], atol=1e-6)


def test_model2vec_leaves_unknown_words_out(tmp_path):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE)
    np.testing.assert_allclose(raw(folder, ["sea xyzzy calm"]), raw(folder, ["sea calm"]))
    result = Embedder(folder).embed(["xyzzy", "sea"])
    assert not result.vectors[0].any()
    assert np.isfinite(result.vectors).all()
    assert result.usage.total_tokens == 1


def test_against_model2vec_itself(tmp_path):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE, weights=WEIGHTS)
    texts = ["sea calm storm", "unknown words alone", "bread, bread and sea"]
    wanted = StaticModel.from_pretrained(folder).encode(texts)
    np.testing.assert_allclose(raw(folder, texts), wanted, atol=1e-6)


@pytest.fixture
def static_folder(tmp_path):
    """What sentence-transformers writes for a token table."""
    torch.manual_seed(0)
    table = StaticEmbedding(wordpiece(), embedding_dim=16)
    model = SentenceTransformer(modules=[table, Normalize()], device="cpu")
    model.save(str(tmp_path / "model"), create_model_card=False)
    return tmp_path / "model", model


def test_sentence_transformers_tables(static_folder):
    folder, model = static_folder
    np.testing.assert_allclose(Embedder(folder).embed(TEXTS).vectors, model.encode(TEXTS), atol=1e-5)
    assert Embedder(folder).context is None


def test_a_step_beside_the_table_is_refused(tmp_path):
    table = StaticEmbedding(wordpiece(), embedding_dim=16)
    model = SentenceTransformer(modules=[table, Dense(16, 8)], device="cpu")
    model.save(str(tmp_path / "model"), create_model_card=False)
    with pytest.raises(ModelFilesError, match=r"\['Dense'\] beside a token table"):
        Embedder(tmp_path / "model").load()


def no_file(folder):
    (folder / "model.safetensors").unlink()


def broken_file(folder):
    (folder / "model.safetensors").write_bytes(b"x" * 100)


def no_table(folder):
    save_model2vec(folder, WORDS, vectors=TABLE)


def flat_table(folder):
    save_model2vec(folder, WORDS, embeddings=TABLE.ravel())


def short_table(folder):
    save_model2vec(folder, WORDS, embeddings=TABLE[:4])


def short_weights(folder):
    save_model2vec(folder, WORDS, embeddings=TABLE, weights=WEIGHTS[:4])


def wild_mapping(folder):
    save_model2vec(folder, WORDS, embeddings=TABLE, mapping=np.array([0, 1, 2, 3, 5]))


def float8(folder):
    save_torch_file({"embeddings": torch.from_numpy(TABLE).to(torch.float8_e4m3fn)}, folder / "model.safetensors")


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def strange_modules(folder):
    (folder / "modules.json").write_text(json.dumps([{"type": "StaticEmbedding", "path": "nowhere"}]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_file, "cannot be read"),
        (broken_file, "cannot be read"),
        (no_table, "no token table named embeddings or embedding.weight"),
        (flat_table, "no token table"),
        (short_table, "the tokenizer has 5 tokens, the table only 4"),
        (short_weights, "weights for 5 tokens"),
        (wild_mapping, "points outside the table of 5 rows"),
        (float8, "cannot be read.*F8_E4M3"),
        (no_tokenizer, "is missing"),
        (strange_modules, "is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_folder_is_named(tmp_path, damage, message):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE)
    damage(folder)
    with pytest.raises(ModelFilesError, match=message) as caught:
        Embedder(folder).embed(["sea"])
    assert str(folder) in str(caught.value)


def test_a_table_runs_on_the_cpu_with_its_own_backend(tmp_path):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE)
    assert Embedder(folder, backend="static", device="cpu").dimensions == 3
    with pytest.raises(ConfigError, match="backend='torch' cannot run .*use 'auto' or static"):
        Embedder(folder, backend="torch").load()
    with pytest.raises(ConfigError, match="runs on the CPU, not on 'cuda'"):
        Embedder(folder, device="cuda").load()


def test_a_batch_may_hold_sequences_without_tokens():
    backend = StaticBackend(TABLE)
    empty = TokenSequence(np.zeros(0, np.int32))
    rows = backend.run([empty, TokenSequence(np.array([1, 2], np.int32)), empty])
    np.testing.assert_allclose(rows, [[0, 0, 0], (TABLE[1] + TABLE[2]) / 2, [0, 0, 0]])
    assert not backend.run([empty]).any()


def test_a_table_of_bfloat16(tmp_path):
    folder = save_model2vec(tmp_path / "model", WORDS, embeddings=TABLE)
    wanted = torch.from_numpy(TABLE).bfloat16()
    save_torch_file({"embeddings": wanted}, folder / "model.safetensors")
    np.testing.assert_array_equal(StaticBackend.load(folder).token_vectors(np.arange(len(TABLE))), wanted.float())
