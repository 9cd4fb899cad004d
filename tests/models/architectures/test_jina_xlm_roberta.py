"""Jina's XLM-RoBERTa and its adapters against transformers, and against a naive float64 implementation.

Largest differences seen: jina-embeddings-v3 4e-6 from transformers and 3e-6 from float64, the reranker's logits 3e-7,
the other models 2e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from naive_transformer import Weights, jina_xlm_roberta
from published_layouts import CHECKPOINTS, V3_TASKS
from safetensors.torch import save_file
from tiny_checkpoints import random_sequences
from tiny_published import CLOSE, logits, read, tiny_config, token_vectors, write_tensors, write_tiny

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.jina_xlm_roberta import adapter_names, is_native, read_weights
from jina_components.models.sequences import TokenSequence

V3, RERANKER = "jina-embeddings-v3", "jina-reranker-v2-base-multilingual"
CLIP_V1, CLIP_V2 = CHECKPOINTS["jina-clip-v1"].prefix, CHECKPOINTS["jina-clip-v2"].prefix
RAGGED = [1, 21, 2, 7, 40, 7, 1]
NO_TASK = -1
TASKS = [NO_TASK, *range(len(V3_TASKS))]
# Names of Jina's layout in that of transformers: jina-embeddings-v3, then XLM-RoBERTa. Wqkv is split beside.
V3_NAMES = {
    "emb_ln": "embeddings.LayerNorm",
    "encoder.layers": "layers",
    "mixer.out_proj": "self_attn.o_proj",
    "mixer.Wqkv": "self_attn.{}_proj",
    "norm1": "post_attention_layernorm",
    "norm2": "post_mlp_layernorm",
}
XLM_NAMES = {
    "emb_ln": "embeddings.LayerNorm",
    "encoder.layers": "encoder.layer",
    "mixer.out_proj": "attention.output.dense",
    "mixer.Wqkv": "attention.self.{}",
    "norm1": "attention.output.LayerNorm",
    "norm2": "output.LayerNorm",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def config_v3(**sizes):
    return tiny_config(V3, num_attention_heads=4, **sizes)


def scale(config):
    return config["lora_alpha"] / config["lora_rank"]


def with_task(batch, *tasks):
    """The sequences, each with the next of some adapters."""
    return [TokenSequence(one.ids, adapter=tasks[number % len(tasks)]) for number, one in enumerate(batch)]


def merged(tensors, config, task):
    """The weights of a task, or those that no task has, under the names of a checkpoint without adapters."""
    weights = Weights(tensors, task=None if task == NO_TASK else task, scale=scale(config))
    stems = {name.replace("parametrizations.weight.original", "weight") for name in tensors if "lora_" not in name}
    return {name: weights[name].astype(np.float32) for name in stems}


def renamed(tensors, table, parts):
    """Tensors under transformers' names; a fused projection becomes three."""
    result = {}
    for name, tensor in tensors.items():
        for old, new in table.items():
            name = name.replace(old, new)
        split = zip(parts, np.split(tensor, 3), strict=True) if "{}" in name else [("", tensor)]
        result |= {name.format(part): torch.from_numpy(np.ascontiguousarray(own)) for part, own in split}
    return result


def run(model, batch):
    """What a model of transformers gives for each sequence alone."""
    with torch.inference_mode():
        return [model(input_ids=torch.from_numpy(one.ids.astype(np.int64))[None])[0][0].numpy() for one in batch]


def transformers_v3(tensors, config, task):
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    model = transformers.JinaEmbeddingsV3Model(
        transformers.JinaEmbeddingsV3Config(**{key: config[key] for key in keys}, max_position_embeddings=128)
    ).eval()
    model.load_state_dict(renamed(merged(tensors, config, task), V3_NAMES, "qkv"))
    return model


def assert_close(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=CLOSE, rtol=0)


# --- jina-embeddings-v3 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def v3(tmp_path_factory):
    """Folder, config and tensors, named without the prefix."""
    folder, config = tmp_path_factory.mktemp("v3"), config_v3()
    tensors = write_tiny(folder, V3, config)
    return folder, config, {name.removeprefix("roberta."): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("task", TASKS)
def test_token_vectors_of_a_task_are_those_of_its_merged_weights(v3, task):
    folder, config, tensors = v3
    batch = random_sequences(RAGGED)
    got = token_vectors(read(folder, config), with_task(batch, task))
    assert_close(got, run(transformers_v3(tensors, config, task), batch))
    weights = Weights(tensors, task=None if task == NO_TASK else task, scale=scale(config))
    assert_close(got, [jina_xlm_roberta(weights, config, one.ids) for one in batch])


def test_every_task_differs_from_the_others(v3):
    folder, config, _ = v3
    weights, batch = read(folder, config), random_sequences([20])
    results = [token_vectors(weights, with_task(batch, task))[0] for task in TASKS]
    for number, one in enumerate(results):
        assert all(np.abs(one - other).max() > 0.1 for other in results[:number])


def test_tasks_mixed_in_a_batch_equal_each_alone(v3):
    folder, config, _ = v3
    weights = read(folder, config)
    batch = with_task(random_sequences([9, 9, 9, 30, 1, 9, 30, 2, 17, 9, 1]), *TASKS[::-1])
    together, backwards = token_vectors(weights, batch), token_vectors(weights, batch[::-1])[::-1]
    for own, one, two in zip(batch, together, backwards, strict=True):
        alone = token_vectors(weights, [own])[0]
        np.testing.assert_allclose(one, alone, atol=1e-5)
        np.testing.assert_allclose(two, alone, atol=1e-5)


def test_the_first_tokens_alone_are_the_same_for_mixed_tasks(v3):
    from jina_components.models.backends.packed import load_packed

    folder, config, _ = v3
    weights, batch = read(folder, config), with_task(random_sequences([9, 5, 9, 30, 1, 9]), *TASKS)
    whole = token_vectors(weights, batch)
    for hidden in load_packed(weights, torch.device("cpu"), "float32", ())(batch, first_only=True):
        for row, vectors in zip(hidden.rows, hidden.vectors, strict=True):
            np.testing.assert_allclose(vectors[0], whole[row][0], atol=1e-5)


def test_merged_and_unmerged_agree(tmp_path, v3):
    folder, config, tensors = v3
    batch = random_sequences(RAGGED)
    plain = {key: value for key, value in config.items() if not key.startswith("lora")}
    for task in TASKS:
        write_tensors(tmp_path, {f"roberta.{name}": one for name, one in merged(tensors, config, task).items()})
        got = token_vectors(read(tmp_path, plain), batch)
        assert_close(got, token_vectors(read(folder, config), with_task(batch, task)))


@pytest.mark.parametrize("changes", [{"lora_alpha": 4}, {"lora_rank": 2}, {"lora_alpha": 3, "lora_rank": 8}])
def test_adapters_are_scaled_as_the_config_says(tmp_path, changes):
    config = config_v3(**changes)
    tensors, batch = write_tiny(tmp_path, V3, config), with_task(random_sequences([12, 3]), 2)
    weights = Weights(tensors, "roberta.", task=2, scale=scale(config))
    assert_close(
        token_vectors(read(tmp_path, config), batch), [jina_xlm_roberta(weights, config, one.ids) for one in batch]
    )


@pytest.mark.parametrize("changes", [{"rotary_emb_base": 10000.0}, {"num_attention_heads": 6}, {"layer_norm_eps": 0.1}])
def test_settings_of_the_config(tmp_path, changes):
    config = config_v3() | changes
    tensors, batch = write_tiny(tmp_path, V3, config), with_task(random_sequences([40, 3]), 1)
    weights = Weights(tensors, "roberta.", task=1, scale=scale(config))
    assert_close(
        token_vectors(read(tmp_path, config), batch), [jina_xlm_roberta(weights, config, one.ids) for one in batch]
    )


def test_names_with_and_without_prefix_or_pooler_are_the_same(tmp_path, v3):
    folder, config, tensors = v3
    batch = with_task(random_sequences(RAGGED), 3)
    wanted = token_vectors(read(folder, config), batch)
    for kept in (tensors, {name: tensor for name, tensor in tensors.items() if "pooler" not in name}):
        write_tensors(tmp_path, kept)
        for got, one in zip(token_vectors(read(tmp_path, config), batch), wanted, strict=True):
            np.testing.assert_array_equal(got, one)


def test_adapters_are_named_in_order(v3):
    folder, config, _ = v3
    assert adapter_names(config) == read(folder, config).stack.adapters == V3_TASKS


@pytest.mark.parametrize("lost", ["lora_alpha", "lora_rank"])
def test_adapters_without_their_scale_are_refused(v3, lost):
    folder, config, _ = v3
    with pytest.raises(ModelFilesError, match="lora_alpha and lora_rank"):
        read(folder, {key: value for key, value in config.items() if key != lost})


@pytest.mark.parametrize("tasks", [[], list(V3_TASKS[:4]), [*V3_TASKS, "one more"]])
def test_another_number_of_adapters_than_the_config_names_is_refused(v3, tasks):
    folder, config, _ = v3
    with pytest.raises(ModelFilesError, match="lora_A|lacks the tensor 'embeddings.word_embeddings.weight'"):
        read(folder, config | {"lora_adaptations": tasks})


@pytest.mark.parametrize("plain", ["mixer.Wqkv", "mlp.fc2", "embeddings.token_type_embeddings", ""])
def test_a_layer_without_the_adapters_that_the_config_names_is_refused(tmp_path, v3, plain):
    _, config, tensors = v3
    without = merged(tensors, config, NO_TASK)
    kept = {name: tensor for name, tensor in tensors.items() if plain not in name}
    write_tensors(tmp_path, kept | {name: tensor for name, tensor in without.items() if plain in name})
    with pytest.raises(ModelFilesError, match=f"lacks the tensor '.*{plain}.parametrizations.weight.original'"):
        read(tmp_path, config)


def test_weights_of_two_bytes_are_taken_as_they_are(tmp_path, v3):
    _, config, tensors = v3
    short = {name: torch.from_numpy(tensor).bfloat16() for name, tensor in tensors.items()}
    save_file(short, tmp_path / "model.safetensors")
    batch = with_task(random_sequences(RAGGED), 2)
    weights = Weights({name: one.float().numpy() for name, one in short.items()}, task=2, scale=scale(config))
    assert_close(
        token_vectors(read(tmp_path, config), batch), [jina_xlm_roberta(weights, config, one.ids) for one in batch]
    )


# --- jina-reranker-v2 ------------------------------------------------------------------------------------------


def test_logits_of_the_reranker_are_those_of_transformers(tmp_path):
    config = tiny_config(RERANKER, max_position_embeddings=66)
    tensors = write_tiny(tmp_path, RERANKER, config)
    assert "model_type" not in config
    known = {key: value for key, value in config.items() if key not in ("architectures", "use_flash_attn")}
    model = transformers.XLMRobertaForSequenceClassification(transformers.XLMRobertaConfig(**known)).eval()
    model.load_state_dict(renamed(tensors, XLM_NAMES, ("query", "key", "value")))
    batch = random_sequences([1, 64, 30, 7, 30])
    got, wanted = logits(read(tmp_path, config, with_head=True), batch), np.array(run(model, batch))
    np.testing.assert_allclose(got, wanted, atol=CLOSE, rtol=0)
    assert np.ptp(wanted) > 0.1
    vectors = token_vectors(read(tmp_path, config), batch)
    assert_close(vectors, run(model.roberta, batch))
    assert_close(vectors, [jina_xlm_roberta(Weights(tensors, "roberta."), config, one.ids) for one in batch])


# --- the text sides of jina-clip, and jina-colbert-v2 ----------------------------------------------------------


def beside(tensors):
    """Tensors of the image side, which are not the text side's to refuse."""
    return tensors | {"logit_scale": np.ones((), np.float32), "vision_model.cls_token": np.ones((1, 1, 8), np.float32)}


def test_text_side_of_the_first_clip(tmp_path):
    config = tiny_config("jina-clip-v1", num_attention_heads=6)
    tensors = write_tiny(tmp_path, "jina-clip-v1", config)
    write_tensors(tmp_path, beside(tensors))
    assert is_native(config, tensors.keys())
    batch, naive = random_sequences(RAGGED), Weights(tensors, CLIP_V1)
    got = token_vectors(read_weights(tmp_path, config, with_head=False, prefix=CLIP_V1), batch)
    assert_close(got, [jina_xlm_roberta(naive, config, one.ids) for one in batch])


def test_text_side_of_the_second_clip(tmp_path):
    config = tiny_config("jina-clip-v2", num_attention_heads=4)
    tensors = write_tiny(tmp_path, "jina-clip-v2", config)
    write_tensors(tmp_path, beside(tensors))
    batch, naive = with_task(random_sequences(RAGGED), 0), Weights(tensors, CLIP_V2, task=0, scale=1.0)
    weights = read_weights(tmp_path, config, with_head=False, prefix=CLIP_V2)
    assert weights.stack.adapters == ("retrieval.query",)
    assert_close(token_vectors(weights, batch), [jina_xlm_roberta(naive, config, one.ids) for one in batch])


@pytest.mark.parametrize("name", ["jina-clip-v1", "jina-clip-v2"])
def test_a_tensor_of_the_text_side_that_is_left_over_is_refused(tmp_path, name):
    config, prefix = tiny_config(name, num_attention_heads=4), CHECKPOINTS[name].prefix
    extra = f"{prefix}encoder.layers.3.norm1.weight"
    write_tensors(tmp_path, write_tiny(tmp_path, name, config) | {extra: np.ones(48, np.float32)})
    with pytest.raises(ModelFilesError, match=f"left over, such as '{extra}'"):
        read_weights(tmp_path, config, with_head=False, prefix=prefix)


@pytest.mark.parametrize("base", [None, 20000.0])
def test_late_interaction_without_adapters(tmp_path, base):
    config = tiny_config("jina-colbert-v2", num_attention_heads=4)
    config |= {} if base is None else {"rotary_emb_base": base}
    tensors, batch = write_tiny(tmp_path, "jina-colbert-v2", config), random_sequences(RAGGED)
    naive = Weights(tensors, "roberta.")
    wanted = [jina_xlm_roberta(naive, config | {"rotary_emb_base": base or 10000.0}, one.ids) for one in batch]
    assert_close(token_vectors(read(tmp_path, config), batch), wanted)
