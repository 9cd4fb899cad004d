"""Token vectors and logits of the BERT family against transformers, an independent implementation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_checkpoints import BERTS, edit_json, random_sequences, run_transformers, save_checkpoint

from jina_components import Reranker
from jina_components.errors import ModelFilesError
from jina_components.models.architectures.bert import is_native, read_weights
from jina_components.models.architectures.blocks import relative_buckets
from jina_components.models.backends.packed import load_packed

CPU = torch.device("cpu")
RAGGED = [[1], [64], [7, 7, 7], [1, 64, 2, 7, 63, 7, 1], [50, 3, 3, 17, 49, 12]]


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def read(folder, *, with_head=False):
    config = config_of(folder)
    assert is_native(config)
    return read_weights(folder, config, with_head=with_head)


def token_vectors(folder, batch):
    """Token vectors by our packed encoder in float32, in the order of the batch."""
    vectors = {}
    for hidden in load_packed(read(folder), CPU, "float32", ())(batch):
        assert hidden.mask.all()
        vectors |= dict(zip(hidden.rows, hidden.vectors.numpy(), strict=True))
    return [vectors[row] for row in range(len(batch))]


def assert_equals_transformers(folder, batch):
    for got, wanted in zip(token_vectors(folder, batch), run_transformers(folder, batch), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    return {family: save_checkpoint(folder / family, family) for family in BERTS}


@pytest.mark.parametrize("family", BERTS)
def test_token_vectors_are_those_of_transformers(checkpoints, family):
    for seed, lengths in enumerate(RAGGED):
        assert_equals_transformers(checkpoints[family], random_sequences(lengths, seed=seed))


@pytest.mark.parametrize("types", [2, 3])
def test_token_types(tmp_path, types):
    folder = save_checkpoint(tmp_path, "bert", type_vocab_size=types)
    typed, plain = random_sequences([9, 30, 9], types=types), random_sequences([9, 4], seed=1)
    assert_equals_transformers(folder, [*typed, *plain])
    assert_equals_transformers(folder, plain)


@pytest.mark.parametrize("length", [2, 8, 9, 16, 17, 127, 128, 129, 300, 512])
def test_long_texts_share_buckets_of_relative_positions(tmp_path_factory, length):
    folder = tmp_path_factory.getbasetemp() / "long-mpnet"
    if not folder.exists():
        save_checkpoint(folder, "mpnet", max_position_embeddings=514)
    assert_equals_transformers(folder, random_sequences([length, 3, length]))


def test_far_distances_share_a_bias_that_knows_the_direction():
    bias = relative_buckets(torch.randn(32, 2, generator=torch.Generator().manual_seed(0)))(torch.arange(-300, 300))
    np.testing.assert_array_equal(bias[:, 428:], bias[:, -1:].expand(-1, 172))
    assert not torch.equal(bias[:, 200:300], bias[:, 301:401].flip(1))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "relu", "silu"])
@pytest.mark.parametrize(("family", "key"), [("bert", "hidden_act"), ("distilbert", "activation")])
def test_activations(tmp_path, family, key, activation):
    folder = save_checkpoint(tmp_path, family, **{key: activation})
    assert_equals_transformers(folder, random_sequences([5, 20]))


def test_more_heads_other_epsilon_and_one_layer(tmp_path):
    folder = save_checkpoint(tmp_path, num_attention_heads=8, layer_norm_eps=0.01, num_hidden_layers=1)
    assert_equals_transformers(folder, random_sequences([5, 20]))


# --- how checkpoints name and split their tensors --------------------------------------------------------------


def rename(folder, change):
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {change(name): tensor for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )


def old_norm_names(name):
    if "norm" not in name.lower():
        return name
    return name.replace(".weight", ".gamma").replace(".bias", ".beta")


@pytest.mark.parametrize("family", BERTS)
def test_norms_may_have_the_names_of_tensorflow(tmp_path, checkpoints, family):
    folder = save_checkpoint(tmp_path, family)
    rename(folder, old_norm_names)
    assert any(name.endswith(".gamma") for name in load_file(folder / "model.safetensors"))
    batch = random_sequences([4, 30])
    for got, wanted in zip(token_vectors(folder, batch), token_vectors(checkpoints[family], batch), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("family", BERTS)
@pytest.mark.parametrize("head", ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"])
def test_an_encoder_under_a_head_has_a_prefix(tmp_path, family, head):
    folder = save_checkpoint(tmp_path, family, head=head)
    assert not any(name.startswith(("encoder.", "transformer.")) for name in load_file(folder / "model.safetensors"))
    assert_equals_transformers(folder, random_sequences([4, 30]))


def test_a_checkpoint_in_shards(tmp_path, checkpoints):
    model = transformers.AutoModel.from_pretrained(checkpoints["bert"])
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert_equals_transformers(tmp_path, random_sequences([4, 30]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_kept_so_and_run_in_float32(tmp_path, dtype):
    folder = save_checkpoint(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor.to(dtype) for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    assert read(folder).words.dtype == dtype
    assert_equals_transformers(folder, random_sequences([4, 30]))


# --- classifiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [1, 4])
@pytest.mark.parametrize("family", BERTS)
def test_the_head_gives_the_logits_of_transformers(tmp_path, family, labels):
    folder = save_checkpoint(tmp_path, family, head="ForSequenceClassification", num_labels=labels)
    weights, batch = read(folder, with_head=True), random_sequences([1, 30, 30, 7, 64])
    first, activation, last = weights.head
    wanted = run_transformers(folder, batch, transformers.AutoModelForSequenceClassification)
    for hidden in load_packed(weights, CPU, "float32", ())(batch, first_only=True):
        inner = getattr(torch, activation)(torch.nn.functional.linear(hidden.vectors[:, 0], *first))
        logits = torch.nn.functional.linear(inner, *last)
        np.testing.assert_allclose(logits, [wanted[row] for row in hidden.rows], atol=1e-5)
    assert np.ptp(wanted) > 0.01


def test_a_head_of_other_labels_than_the_config_is_refused(tmp_path):
    folder = save_checkpoint(tmp_path, head="ForSequenceClassification", num_labels=3)
    edit_json(folder / "config.json", id2label={"0": "relevance"})
    with pytest.raises(ModelFilesError, match=r"has a head of 3 labels, but names 1: \('relevance',\)"):
        Reranker(folder).rerank("a query", ["a text"])
    assert len(read(folder, with_head=True).head[-1][0]) == 3
    assert read(folder).head is None


@pytest.mark.parametrize(
    ("family", "lost"),
    [("bert", "bert.pooler.dense.weight"), ("bert", "classifier.bias"), ("roberta", "classifier.out_proj.weight"),
     ("distilbert", "pre_classifier.bias"), ("mpnet", "classifier.dense.weight")],
)  # fmt: skip
def test_a_classifier_without_its_head_is_refused(tmp_path, family, lost):
    folder = save_checkpoint(tmp_path, family, head="ForSequenceClassification", num_labels=1)
    change_tensors(folder, lambda tensors: tensors.pop(lost))
    with pytest.raises(ModelFilesError, match=f"lacks the tensor '{lost.removeprefix('bert.')}'"):
        read(folder, with_head=True)


# --- tensors that are not what config.json says ----------------------------------------------------------------


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("family", BERTS)
def test_every_missing_tensor_is_refused_by_name(tmp_path, family):
    folder = save_checkpoint(tmp_path, family)
    whole = load_file(folder / "model.safetensors")
    for name in whole:
        if name.startswith("pooler") or "token_type" in name:
            continue
        save_file({other: whole[other] for other in whole if other != name}, folder / "model.safetensors")
        with pytest.raises(ModelFilesError, match=f"lacks the tensor '{name}'") as caught:
            read(folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("family", BERTS)
def test_every_tensor_of_another_shape_is_refused_by_name(tmp_path, family):
    folder = save_checkpoint(tmp_path, family)
    whole = load_file(folder / "model.safetensors")
    for name, tensor in whole.items():
        if name.startswith("pooler"):
            continue
        for other in (tensor[..., :-1], tensor[None]):
            save_file(whole | {name: other.contiguous()}, folder / "model.safetensors")
            with pytest.raises(ModelFilesError, match=rf": {name} has the shape \("):
                read(folder)


@pytest.mark.parametrize(
    ("tensor", "size", "setting"),
    [("word", 299, "vocab_size"), ("position", 63, "max_position_embeddings"), ("token_type", 1, "type_vocab_size")],
)
def test_tables_have_the_rows_that_the_config_names(tmp_path, tensor, size, setting):
    folder = save_checkpoint(tmp_path)
    name = f"embeddings.{tensor}_embeddings.weight"
    change_tensors(folder, lambda tensors: tensors.update({name: tensors[name][:size].clone()}))
    with pytest.raises(
        ModelFilesError, match=rf"{name} has the shape \({size}, 32\), not {config_of(folder)[setting]} x 32"
    ):
        read(folder)


@pytest.mark.parametrize(
    "extra", ["encoder.layer.2.output.dense.weight", "encoder.layer.0.attention.self.distance", "x"]
)
def test_a_tensor_left_over_is_refused(tmp_path, extra):
    folder = save_checkpoint(tmp_path)
    change_tensors(folder, lambda tensors: tensors.update({extra: torch.zeros(2, 2)}))
    with pytest.raises(ModelFilesError, match=f"1 tensors are left over, such as '{extra}'"):
        read(folder)


def test_buffers_and_poolers_may_be_left_over(tmp_path):
    folder = save_checkpoint(tmp_path)
    extra = {"embeddings.position_ids": torch.arange(64), "cls.predictions.bias": torch.zeros(300)}
    change_tensors(folder, lambda tensors: tensors.update(extra))
    assert_equals_transformers(folder, random_sequences([4]))


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path):
    folder = save_checkpoint(tmp_path)
    edit_json(folder / "config.json", num_attention_heads=3)
    with pytest.raises(ModelFilesError, match="hidden size 32 is no multiple of 3 heads"):
        read(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"hidden_act": "mish"},
        {"embedding_size": 16},
        {"hidden_size": None},
        {"num_attention_heads": 0},
        {"num_hidden_layers": "2"},
        {"model_type": "roberta", "pad_token_id": 0},
        {"model_type": "distilbert", "dim": 32, "n_layers": 2, "n_heads": 2, "sinusoidal_pos_embds": True},
        {"model_type": "electra"},
        {"model_type": None},
    ],
    ids=str,
)
def test_other_architectures_are_not_native(checkpoints, changes):
    config = config_of(checkpoints["bert"]) | changes
    assert not is_native({key: value for key, value in config.items() if value is not None})
