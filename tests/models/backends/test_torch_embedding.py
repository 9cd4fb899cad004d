"""Vectors against sentence-transformers, an independent implementation, on random weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling
from tiny_checkpoints import (
    FAMILIES,
    TEXTS,
    edit_json,
    save_checkpoint,
    save_sentence_transformer,
    save_tokenizer,
    wordpiece,
)

from jina_components import Embedder
from jina_components.errors import InputError, ModelFilesError
from jina_components.models.backends.torch import memory_errors

WIDTH = 32


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("bert"))


def assert_equal(folder, model, **encode):
    """Unit vectors, raw vectors and vectors made one by one are those of sentence-transformers."""
    embedder = Embedder(folder, precision="float32")
    wanted = model.encode(TEXTS, **encode)
    got = embedder.embed(TEXTS, truncate=True, normalized=False).vectors
    unit = embedder.embed(TEXTS, truncate=True).vectors
    np.testing.assert_allclose(unit, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-5)
    if not isinstance(model[-1], Normalize):
        np.testing.assert_allclose(got, wanted, atol=1e-5 * np.abs(wanted).max())
    alone = np.concatenate([embedder.embed([text], truncate=True).vectors for text in TEXTS])
    np.testing.assert_allclose(alone, unit, atol=1e-5)
    assert unit.dtype == np.float32
    assert embedder.context == model.max_seq_length


@pytest.mark.parametrize("family", FAMILIES)
def test_families(tmp_path, family):
    checkpoint = save_checkpoint(tmp_path / "base", family)
    pooling = Pooling(WIDTH, pooling_mode="lasttoken" if family == "qwen3" else "mean")
    model = save_sentence_transformer(tmp_path / "model", pooling, checkpoint=checkpoint)
    assert_equal(tmp_path / "model", model)


OLD_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@pytest.mark.parametrize("modes", [*OLD_KEYS, ["cls", "max"], ["mean", "weightedmean", "lasttoken"]])
def test_pooling_modes_in_both_spellings(tmp_path, bert, modes):
    model = save_sentence_transformer(tmp_path / "model", Pooling(WIDTH, pooling_mode=modes), checkpoint=bert)
    assert_equal(tmp_path / "model", model)
    active = [modes] if isinstance(modes, str) else modes
    config = {key: mode in active for mode, key in OLD_KEYS.items()}
    config["word_embedding_dimension"] = WIDTH
    (tmp_path / "model/1_Pooling/config.json").write_text(json.dumps(config))
    spell_module_types_the_old_way(tmp_path / "model")
    assert_equal(tmp_path / "model", model)


def spell_module_types_the_old_way(folder):
    rows = json.loads((folder / "modules.json").read_text())
    for row in rows:
        row["type"] = "sentence_transformers.models." + row["type"].rsplit(".", 1)[-1]
    (folder / "modules.json").write_text(json.dumps(rows))


@pytest.mark.parametrize(
    "steps",
    [
        lambda: [Normalize()],
        lambda: [Dense(WIDTH, 16), Normalize()],
        lambda: [Dense(WIDTH, 48, bias=False, activation_function=torch.nn.Identity())],
        lambda: [Dense(WIDTH, 24, activation_function=torch.nn.GELU()), Dense(24, 8)],
        lambda: [Dense(WIDTH, WIDTH, activation_function=torch.nn.ReLU()), LayerNorm(WIDTH)],
        lambda: [Dropout(0.5), LayerNorm(WIDTH), Dense(WIDTH, 8, activation_function=torch.nn.Sigmoid())],
        lambda: [Normalize(), Dense(WIDTH, 16)],
    ],
    ids=["normalize", "dense", "no-bias", "two-dense", "dense-norm", "dropout", "normalize-amid"],
)
def test_later_steps(tmp_path, bert, steps):
    torch.manual_seed(0)
    model = save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), *steps(), checkpoint=bert)
    assert_equal(tmp_path / "model", model)


def test_lower_case_setting(tmp_path, bert):
    shutil.copytree(bert, tmp_path / "base")
    save_tokenizer(tmp_path / "base", wordpiece(lowercase=False), model_max_length=48)
    arguments = {"checkpoint": tmp_path / "base", "prompts": {"query": "QUERY [SEP] "}}
    cased = save_sentence_transformer(tmp_path / "cased", Pooling(WIDTH), **arguments)
    assert_equal(tmp_path / "cased", cased)
    model = save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), do_lower_case=True, **arguments)
    # The tokenizer that is saved lower-cases by itself; older folders only say so.
    save_tokenizer(tmp_path / "model", wordpiece(lowercase=False), model_max_length=48)
    edit_json(tmp_path / "model/sentence_bert_config.json", do_lower_case=True, max_seq_length=48)
    assert_equal(tmp_path / "model", model)
    got = Embedder(tmp_path / "model", precision="float32").embed_query("Hello WORLD")
    wanted = model.encode_query("Hello WORLD", normalize_embeddings=True)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert not np.allclose(got, Embedder(tmp_path / "cased", precision="float32").embed_query("Hello WORLD"), atol=1e-3)


PROMPTS = {"query": "quick query: ", "document": "lazy document: ", "clustering": "jump over: "}


@pytest.mark.parametrize(
    ("prompts", "default"),
    [
        (PROMPTS, None),
        (PROMPTS, "document"),
        ({"query": "query: ", "passage": "passage: "}, "query"),
        ({"s2p": "instruct: "}, "s2p"),
        ({}, None),
    ],
)
def test_prompts(tmp_path, bert, prompts, default):
    model = save_sentence_transformer(
        tmp_path / "model", Pooling(WIDTH), checkpoint=bert, prompts=prompts, default_prompt_name=default
    )
    embedder, texts = Embedder(tmp_path / "model", precision="float32"), TEXTS[:4]
    unit = {"normalize_embeddings": True}
    pairs = [
        (embedder.embed(texts).vectors, model.encode(texts, **unit)),
        (embedder.embed_query(texts[0])[None], model.encode_query(texts[:1], **unit)),
        (embedder.embed_documents(texts), model.encode_document(texts, **unit)),
    ]
    if "clustering" in prompts:
        clustered = model.encode(texts, prompt_name="clustering", **unit)
        pairs.append((embedder.embed(texts, task="separation").vectors, clustered))
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean", "max", "lasttoken", "cls"])
def test_a_prompt_may_be_left_out_of_the_pooling(tmp_path, bert, mode):
    pooling = Pooling(WIDTH, pooling_mode=mode, include_prompt=False)
    model = save_sentence_transformer(tmp_path / "model", pooling, checkpoint=bert, prompts=PROMPTS)
    embedder = Embedder(tmp_path / "model", precision="float32")
    for text in TEXTS[:4]:
        wanted = model.encode_query(text, normalize_embeddings=True)
        np.testing.assert_allclose(embedder.embed_query(text), wanted, atol=1e-5)
    wanted = model.encode(TEXTS[:4], normalize_embeddings=True)
    np.testing.assert_allclose(embedder.embed(TEXTS[:4]).vectors, wanted, atol=1e-5)


def test_weights_of_half_precision_run_in_float32(tmp_path, bert):
    model = save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), Dense(WIDTH, 8), checkpoint=bert)
    model.half().save(str(tmp_path / "half"), create_model_card=False)
    wanted = model.float().encode(TEXTS)
    got = Embedder(tmp_path / "half", precision="float32").embed(TEXTS, truncate=True, normalized=False).vectors
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_the_context_ends_with_the_position_table(tmp_path):
    """RoBERTa's positions begin after the padding token: a table of 66 rows takes 64 tokens."""
    checkpoint = save_checkpoint(tmp_path / "base", "xlm-roberta")
    save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), checkpoint=checkpoint)
    for setting in ({"max_seq_length": 512}, {}):
        edit_json(tmp_path / "model/tokenizer_config.json", model_max_length=10**30)
        edit_json(tmp_path / "model/sentence_bert_config.json", **setting)
        embedder = Embedder(tmp_path / "model", precision="float32")
        assert embedder.context == 64
        text = "z " * 200
        assert embedder.embed([text], truncate=True).usage.total_tokens == 64
        with pytest.raises(InputError, match="more than the model's context of 64"):
            embedder.embed([text])


def test_an_own_limit_beats_that_of_the_tokenizer(tmp_path, bert):
    model = save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), checkpoint=bert, max_seq_length=16)
    edit_json(tmp_path / "model/sentence_bert_config.json", max_seq_length=16)
    edit_json(tmp_path / "model/tokenizer_config.json", model_max_length=60)
    assert Embedder(tmp_path / "model", precision="float32").context == 16
    assert_equal(tmp_path / "model", model)


def test_a_masked_language_model_is_an_encoder_with_a_head(tmp_path):
    for family in ("bert", "distilbert", "modernbert"):
        checkpoint = save_checkpoint(tmp_path / family, family, head="ForMaskedLM")
        model = save_sentence_transformer(
            tmp_path / f"{family}-model", Pooling(WIDTH), Normalize(), checkpoint=checkpoint
        )
        shutil.copy(checkpoint / "model.safetensors", tmp_path / f"{family}-model")
        assert_equal(tmp_path / f"{family}-model", model)


def test_a_text_without_tokens_has_the_zero_vector(tmp_path, bert):
    save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), checkpoint=bert)
    content = json.loads((tmp_path / "model/tokenizer.json").read_text())
    content["post_processor"] = None  # as some decoders have it: no markers
    (tmp_path / "model/tokenizer.json").write_text(json.dumps(content))
    vectors = Embedder(tmp_path / "model", precision="float32").embed(["fox", "\u200b", "dog"]).vectors
    assert not vectors[1].any()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-5)


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.fixture
def model_folder(tmp_path, bert):
    save_sentence_transformer(tmp_path / "model", Pooling(WIDTH), Dense(WIDTH, 8), checkpoint=bert)
    return tmp_path / "model"


def pickle_weights(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def pickle_dense(folder):
    (folder / "2_Dense/model.safetensors").unlink()
    torch.save({}, folder / "2_Dense/pytorch_model.bin")


def truncate_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def truncate_dense(folder):
    (folder / "2_Dense/model.safetensors").write_bytes(b"short")


def other_architecture(folder):
    edit_json(folder / "config.json", model_type="distilbert", architectures=["DistilBertModel"])


def other_shapes(folder):
    edit_json(folder / "config.json", hidden_size=64)


def more_layers(folder):
    edit_json(folder / "config.json", num_hidden_layers=3)


def fewer_layers(folder):
    edit_json(folder / "config.json", num_hidden_layers=1)


def remote_code(folder):
    edit_json(folder / "config.json", model_type="jina-next", auto_map={"AutoModel": "modeling.Model"})


def broken_config(folder):
    (folder / "config.json").write_text("{")


def listed_config(folder):
    (folder / "config.json").write_text("[]")


def broken_modules(folder):
    (folder / "modules.json").write_text("[{}]")


def objects_for_modules(folder):
    (folder / "modules.json").write_text('{"0": "Transformer"}')


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text('{"model": 3}')


def no_pooling(folder):
    rows = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([rows[0], rows[2]]))


def unknown_step(folder):
    path = folder / "modules.json"
    path.write_text(path.read_text().replace("dense.Dense", "lstm.LSTM"))


def unknown_pooling(folder):
    edit_json(folder / "1_Pooling/config.json", pooling_mode="median")


def unknown_activation(folder):
    edit_json(folder / "2_Dense/config.json", activation_function="my_package.Swoosh")


def residual_dense(folder):
    edit_json(folder / "2_Dense/config.json", use_residual=True)


def dense_of_another_width(folder):
    from safetensors.torch import save_file

    save_file({"linear.weight": torch.zeros(8, 31)}, folder / "2_Dense/model.safetensors")


def dense_of_other_tensors(folder):
    from safetensors.torch import save_file

    weight = torch.zeros(8, WIDTH)
    save_file({"linear.weight": weight, "residual.weight": weight + 1}, folder / "2_Dense/model.safetensors")


def unknown_default_prompt(folder):
    edit_json(folder / "config_sentence_transformers.json", prompts={}, default_prompt_name="query")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (pickle_weights, "safetensors"),
        (pickle_dense, "pickled weights"),
        (truncate_weights, "cannot be read"),
        (truncate_dense, "cannot be read"),
        (other_architecture, "does not hold the weights of DistilBertModel"),
        (other_shapes, "position_embeddings.weight has the shape .64, 32., not 64 x 64"),
        (more_layers, "does not hold the weights"),
        (fewer_layers, "does not hold the weights"),
        (remote_code, "cannot be loaded"),
        (broken_config, "not readable JSON"),
        (listed_config, "holds a list"),
        (broken_modules, "names no type"),
        (objects_for_modules, "holds a dict"),
        (no_tokenizer, r"tokenizer\.json is missing.*AutoTokenizer"),
        (broken_tokenizer, "is not a tokenizer"),
        (no_pooling, "names no Pooling step"),
        (unknown_step, "'LSTM' is not known; known: Pooling"),
        (unknown_pooling, "known modes: cls"),
        (unknown_activation, "is not supported"),
        (residual_dense, "is not supported"),
        (dense_of_another_width, "steps do not run"),
        (dense_of_other_tensors, "one weight and bias"),
        (unknown_default_prompt, "default prompt"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_is_not_what_it_says_is_refused(model_folder, damage, message):
    damage(model_folder)
    with pytest.raises(ModelFilesError, match=f"(?s){message}") as caught:
        Embedder(model_folder, precision="float32").embed_query("fox")
    assert str(model_folder) in str(caught.value)


def test_running_out_of_memory_is_told_apart_from_other_errors():
    with pytest.raises(MemoryError), memory_errors():
        torch.empty(2**58)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), memory_errors():
        torch.zeros(2, 3) @ torch.zeros(2, 3)
