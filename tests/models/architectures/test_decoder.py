"""Token vectors of Qwen2, Qwen3 and EuroBERT against transformers, an independent implementation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_checkpoints import DECODERS, VOCABULARY, edit_json, random_sequences, run_transformers, save_checkpoint

from jina_components.errors import ModelFilesError
from jina_components.models.architectures import decoder
from jina_components.models.architectures.native import find_architecture
from jina_components.models.architectures.tensors import tensor_shapes
from jina_components.models.backends.packed import load_packed
from jina_components.models.backends.torch import TorchEmbeddingBackend
from jina_components.models.layout import Layout, Module
from jina_components.models.sequences import TokenSequence

CPU = torch.device("cpu")
# Of values up to 4. Measured: 1.3e-5 at most, for long texts 6e-5 (transformers has its angles in float32).
NEAR = 1e-4
HEADS = {"qwen2": "ForCausalLM", "qwen3": "ForCausalLM", "eurobert": "ForMaskedLM"}


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def read(folder):
    config = config_of(folder)
    assert decoder.is_native(config, tensor_shapes(folder).keys())
    return decoder.read_weights(folder, config, with_head=False)


def token_vectors(folder, batch):
    """Token vectors by our packed encoder in float32, in the order of the batch."""
    vectors = {}
    for hidden in load_packed(read(folder), CPU, "float32", ())(batch):
        vectors |= dict(zip(hidden.rows, hidden.vectors.numpy(), strict=True))
    return [vectors[row] for row in range(len(batch))]


def assert_near(got, wanted):
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=NEAR, rtol=0)


def assert_equals_transformers(folder, batch):
    assert_near(token_vectors(folder, batch), run_transformers(folder, batch))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoders")
    return {family: save_checkpoint(folder / family, family) for family in DECODERS}


# --- what is computed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", DECODERS)
def test_token_vectors_are_those_of_transformers(checkpoints, family):
    for seed, lengths in enumerate([[1], [64], [7, 7, 7], [1, 64, 2, 7, 63, 7, 1], [50, 3, 3, 17, 49, 12]]):
        assert_equals_transformers(checkpoints[family], random_sequences(lengths, seed=seed))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_key_value_heads": 1},
        {"num_key_value_heads": 4},
        {"num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 8, "hidden_size": 48},
        {"head_dim": 4},
        {"head_dim": 24},
        {"num_hidden_layers": 1, "rms_norm_eps": 0.1},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 123.0}},
        {"hidden_act": "gelu"},
        {"is_causal": False},
        {"is_causal": True},
        {"intermediate_size": 40},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", DECODERS)
def test_settings(tmp_path, family, changes):
    folder = save_checkpoint(tmp_path, family, **changes)
    assert_equals_transformers(folder, random_sequences([1, 9, 30, 9]))


@pytest.mark.parametrize("family", DECODERS)
def test_long_texts_turn_by_the_right_angles(tmp_path, family):
    folder = save_checkpoint(tmp_path, family, max_position_embeddings=3000)
    assert_equals_transformers(folder, random_sequences([1200, 3, 700]))


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_causal_models_do_not_see_what_comes_later(checkpoints, family):
    [text] = random_sequences([20])
    whole, part = token_vectors(checkpoints[family], [text, TokenSequence(text.ids[:12])])
    np.testing.assert_allclose(whole[:12], part, atol=1e-5)


def test_eurobert_does(checkpoints):
    [text] = random_sequences([20])
    whole, part = token_vectors(checkpoints["eurobert"], [text, TokenSequence(text.ids[:12])])
    assert np.abs(whole[:12] - part).max() > 0.1


# --- how checkpoints name and split their tensors --------------------------------------------------------------


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("tied", [False, True])
def test_a_language_model_has_a_prefix_and_maybe_a_head(tmp_path, family, tied):
    folder = save_checkpoint(tmp_path, family, head=HEADS[family], tie_word_embeddings=tied)
    names = load_file(folder / "model.safetensors").keys()
    assert all(name.startswith("model.") for name in names - {"lm_head.weight"})
    assert ("lm_head.weight" in names) == (not tied)
    assert_equals_transformers(folder, random_sequences([4, 30]))


@pytest.mark.parametrize("family", DECODERS)
def test_a_head_beside_names_without_a_prefix(tmp_path, checkpoints, family):
    folder, batch = save_checkpoint(tmp_path, family), random_sequences([4, 30])
    change_tensors(folder, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(VOCABULARY, 32)}))
    assert_near(token_vectors(folder, batch), token_vectors(checkpoints[family], batch))


@pytest.mark.parametrize("family", DECODERS)
def test_a_config_as_older_versions_of_transformers_wrote_it(tmp_path, family):
    theta = {"rope_type": "default", "rope_theta": 500.0}
    folder, batch = save_checkpoint(tmp_path, family, rope_parameters=theta), random_sequences([4, 30])
    wanted = run_transformers(folder, batch)
    edit_json(folder / "config.json", rope_parameters=None, layer_types=None, rope_theta=500.0)
    edit = config_of(folder) | {"rope_scaling": None, "sliding_window": None}
    (folder / "config.json").write_text(json.dumps(edit))
    assert_near(token_vectors(folder, batch), wanted)
    assert_equals_transformers(folder, batch)


def test_a_checkpoint_in_shards(tmp_path, checkpoints):
    model = transformers.AutoModel.from_pretrained(checkpoints["qwen3"])
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert_equals_transformers(tmp_path, random_sequences([4, 30]))


@pytest.mark.parametrize("family", DECODERS)
def test_weights_of_half_precision_are_kept_so_and_run_in_float32(tmp_path, family):
    folder = save_checkpoint(tmp_path, family, head=HEADS[family])
    change_tensors(folder, lambda tensors: tensors.update({name: tensors[name].bfloat16() for name in tensors}))
    assert read(folder).words.dtype == torch.bfloat16
    assert_equals_transformers(folder, random_sequences([4, 30]))


@pytest.mark.parametrize("family", ["qwen3", "eurobert"])
def test_jina_embeddings_v5_is_one_of_two_backbones(tmp_path, checkpoints, family):
    """As published: one type of its own, names without a prefix, and is_decoder of the bidirectional one false."""
    folder, batch = save_checkpoint(tmp_path, family), random_sequences([4, 30, 64])
    edit_json(folder / "config.json", model_type="jina_embeddings_v5", architectures=["JinaEmbeddingsV5Model"])
    if family == "eurobert":
        edit_json(folder / "config.json", is_decoder=False)
    assert_near(token_vectors(folder, batch), run_transformers(checkpoints[family], batch))


# --- tensors that are not what config.json says ----------------------------------------------------------------


@pytest.mark.parametrize("family", DECODERS)
def test_every_missing_tensor_is_refused_by_name(tmp_path, family):
    folder = save_checkpoint(tmp_path, family)
    whole = load_file(folder / "model.safetensors")
    assert len(whole) >= 20
    for name in whole:
        save_file({other: whole[other] for other in whole if other != name}, folder / "model.safetensors")
        with pytest.raises(ModelFilesError, match=f"lacks the tensor '{name}'") as caught:
            read(folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("family", DECODERS)
def test_every_tensor_of_another_shape_is_refused_by_name(tmp_path, family):
    folder = save_checkpoint(tmp_path, family)
    whole = load_file(folder / "model.safetensors")
    for name, tensor in whole.items():
        others = [tensor[..., :-1], tensor[None], tensor[:-1]]
        if name.endswith("gate_proj.weight"):  # which says how wide the others are
            others.pop()
        for other in others:
            save_file(whole | {name: other.contiguous()}, folder / "model.safetensors")
            with pytest.raises(ModelFilesError, match=rf": {name} has the shape \("):
                read(folder)


@pytest.mark.parametrize(
    "changes",
    [{"num_attention_heads": 8}, {"num_attention_heads": 2}, {"num_key_value_heads": 4}, {"num_key_value_heads": 1},
     {"head_dim": 4}, {"head_dim": 32}, {"vocab_size": 299}, {"hidden_size": 64}, {"head_dim": 17}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("family", DECODERS)
def test_a_config_of_other_sizes_is_refused(checkpoints, family, changes):
    folder = checkpoints[family]
    config = config_of(folder) | changes
    with pytest.raises(ModelFilesError, match="has the shape"):
        decoder.read_weights(folder, config, with_head=False)


def test_heads_that_do_not_share_keys_evenly_are_refused(tmp_path):
    folder = save_checkpoint(tmp_path, "qwen3", num_attention_heads=4, num_key_value_heads=4)
    change_tensors(
        folder,
        lambda tensors: tensors.update(
            {name: tensors[name][:48].clone() for name in tensors if "k_proj" in name or "v_proj" in name}
        ),
    )
    edit_json(folder / "config.json", num_key_value_heads=3)
    with pytest.raises(ModelFilesError, match="4 heads are no multiple of 3"):
        read(folder)


@pytest.mark.parametrize("extra", ["layers.2.mlp.up_proj.weight", "layers.0.self_attn.q_proj.extra", "score.weight"])
@pytest.mark.parametrize("family", DECODERS)
def test_a_tensor_left_over_is_refused(tmp_path, family, extra):
    folder = save_checkpoint(tmp_path, family)
    change_tensors(folder, lambda tensors: tensors.update({extra: torch.zeros(2, 2)}))
    with pytest.raises(ModelFilesError, match=f"1 tensors are left over, such as '{extra}'"):
        read(folder)


def test_biases_that_a_family_does_not_have_are_left_over(tmp_path):
    folder = save_checkpoint(tmp_path, "qwen3")
    change_tensors(folder, lambda tensors: tensors.update({"layers.0.self_attn.q_proj.bias": torch.zeros(64)}))
    with pytest.raises(ModelFilesError, match=r"left over, such as 'layers\.0\.self_attn\.q_proj\.bias'"):
        read(folder)


# --- what is left to transformers ------------------------------------------------------------------------------

YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4, "original_max_position_embeddings": 16}
OTHERS = {
    "sliding window": ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "sliding layers": ("qwen3", {"sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"],
                                 "use_sliding_window": True}),
    "long positions": ("qwen3", {"rope_parameters": YARN}),
    "attention bias": ("qwen3", {"attention_bias": True}),
    "layer bias": ("eurobert", {"mlp_bias": True}),
    "other activation": ("qwen2", {"hidden_act": "mish"}),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_variants_that_are_not_computed_here_run_in_transformers(tmp_path, name):
    family, settings = OTHERS[name]
    folder, batch = save_checkpoint(tmp_path, family, **settings), random_sequences([30, 7, 48])
    config = config_of(folder)
    assert find_architecture(folder, config, with_head=False) is None
    pooling = Module("Pooling", folder, {"pooling_mode": "mean"})
    layout = Layout(folder, (Module("Transformer", folder, {}), pooling), config)
    backend = TorchEmbeddingBackend(layout, precision="float32")
    assert backend.padded
    wanted = [vectors.mean(0) for vectors in run_transformers(folder, batch)]
    np.testing.assert_allclose(backend.run(batch), wanted, atol=NEAR)


@pytest.mark.parametrize("family", DECODERS)
def test_the_plain_ones_are_computed_here(checkpoints, family):
    architecture = find_architecture(checkpoints[family], config_of(checkpoints[family]), with_head=False)
    assert architecture is not None
    assert architecture.read_weights is decoder.read_weights
    assert find_architecture(checkpoints[family], config_of(checkpoints[family]), with_head=True) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_types": ["full_attention", "sliding_attention"]},
        {"rope_scaling": {"type": "dynamic", "factor": 2.0}, "rope_parameters": None},
        {"hidden_size": None},
        {"num_attention_heads": 0},
        {"num_hidden_layers": "2"},
        {"model_type": "llama"},
        {"model_type": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", DECODERS)
def test_other_architectures_are_not_native(checkpoints, family, changes):
    folder = checkpoints[family]
    config = {key: value for key, value in (config_of(folder) | changes).items() if value is not None}
    assert not decoder.is_native(config, tensor_shapes(folder).keys())
