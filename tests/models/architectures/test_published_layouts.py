"""Every published text checkpoint: the table has the published number of elements, and files of its names load.

The files have the published sizes: they are holes, of which nothing but the headers is read.
"""

from __future__ import annotations

import json
from functools import partial

import pytest
import torch
from layout_shapes import (
    WIDTHS,
    elements,
    jina_bert,
    jina_bert_code,
    jina_bert_flash,
    jina_xlm_roberta,
    llama_adapter,
    llama_like,
    write_holes,
)
from published_layouts import CHECKPOINTS, V5_ADAPTER
from safetensors.torch import load_file
from tiny_published import tiny_config, write_tensors, write_tiny

from jina_components.errors import ModelFilesError
from jina_components.models.architectures import native

# What no vector or score is computed from.
UNREAD = ("pooler.", "linear.", "projector.")
# What the layers of a layout have; queries and keys are normalized in those beside.
_POST_NORM, _PRE_NORM = {"attention_out", "feed_forward_out"}, {"attention_in", "feed_forward_in"}
PARTS = {
    jina_bert: _POST_NORM | {"gate"},
    jina_bert_code: _POST_NORM | {"gate", "query", "key", "again"},
    jina_bert_flash: _POST_NORM | {"gate"},
    jina_xlm_roberta: _POST_NORM,
    llama_like: _PRE_NORM | {"gate"},
}
HEAD_NORMS = {name: {"query", "key"} for name in ("jina-embeddings-v5-text-small", "jina-reranker-v3")}
CAUSAL = {*HEAD_NORMS, "jina-code-embeddings-0.5b", "jina-code-embeddings-1.5b"}
# The layouts that a tensor is taken out of, with few features.
TINY = {
    name: tiny_config(name, **sizes)
    for name, sizes in {
        "jina-embeddings-v2-small-en": {},
        "jina-embeddings-v2-base-code": {},
        "jina-embeddings-v3": {"num_attention_heads": 4},
        "jina-reranker-v2-base-multilingual": {"max_position_embeddings": 66},
        "jina-clip-v1": {},
        "jina-clip-v2": {"num_attention_heads": 4},
        "jina-embeddings-v5-text-nano": {},
        "jina-embeddings-v5-text-small": {"head_dim": 6},
        "jina-code-embeddings-0.5b": {"num_attention_heads": 6},
    }.items()
}


def load(folder, name, config):
    """Read a folder as a checkpoint of this name is read."""
    checkpoint = CHECKPOINTS[name]
    found = native.find_architecture(folder, config, with_head=checkpoint.classifies)
    assert found is not None
    if checkpoint.prefix:
        return found.read_weights(folder, config, with_head=False, prefix=checkpoint.prefix)
    return found.read_weights(folder, config, with_head=checkpoint.classifies)


def write(folder, name, layout=None):
    checkpoint = CHECKPOINTS[name]
    (folder / "config.json").write_text(json.dumps(checkpoint.config))
    write_holes(folder / "model.safetensors", (layout or checkpoint.layout)(checkpoint.config), checkpoint.dtype)
    for task in checkpoint.adapters:
        own = folder / "adapters" / task
        own.mkdir(parents=True)
        (own / "adapter_config.json").write_text(json.dumps(V5_ADAPTER))
        write_holes(
            own / "adapter_model.safetensors", llama_adapter(checkpoint.config, V5_ADAPTER["r"]), checkpoint.dtype
        )


def layout_of(checkpoint):
    """The function of a layout."""
    return getattr(checkpoint.layout, "func", checkpoint.layout)


def parts(stack):
    """Names of what a stack's layers have."""
    block = stack.blocks[0]
    return {name for name in block.norms._fields if getattr(block.norms, name) is not None} | (
        {"gate"} if block.gate is not None else set()
    )


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_elements_are_as_many_as_published(name):
    checkpoint = CHECKPOINTS[name]
    shapes = checkpoint.layout(checkpoint.config)
    assert checkpoint.count or checkpoint.megabytes
    if checkpoint.count:
        assert elements(shape for key, shape in shapes.items() if key not in checkpoint.uncounted) == checkpoint.count
    if checkpoint.megabytes:
        megabytes = elements(shapes.values()) * WIDTHS[checkpoint.dtype] / 1e6
        assert megabytes == pytest.approx(checkpoint.megabytes, rel=2e-3)


@pytest.mark.parametrize("name", [name for name in CHECKPOINTS if CHECKPOINTS[name].adapters])
def test_elements_of_adapters_are_as_many_as_published(name):
    checkpoint = CHECKPOINTS[name]
    for count in checkpoint.adapters.values():
        assert elements(llama_adapter(checkpoint.config, V5_ADAPTER["r"]).values()) == count


def test_files_of_v5_nano_have_the_published_size_to_the_byte(tmp_path):
    write(tmp_path, "jina-embeddings-v5-text-nano")
    assert (tmp_path / "model.safetensors").stat().st_size == 423_543_680
    assert (tmp_path / "adapters/retrieval/adapter_model.safetensors").stat().st_size == 13_586_992


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_of_the_published_names_and_sizes_loads(tmp_path, name):
    checkpoint = CHECKPOINTS[name]
    write(tmp_path, name)
    weights = load(tmp_path, name, checkpoint.config)
    stack, config = weights.stack, checkpoint.config
    assert tuple(weights.words.shape) == (config["vocab_size"], config["hidden_size"])
    assert len(stack.blocks) == config["num_hidden_layers"]
    assert (weights.head is not None) == checkpoint.classifies
    assert stack.adapters == tuple(config.get("lora_adaptations") or sorted(checkpoint.adapters))
    assert (stack.by_distance is not None) == (config.get("position_embedding_type") == "alibi")
    assert (weights.positions is not None) == (config.get("position_embedding_type") == "absolute")
    assert (stack.by_distance, stack.angles, weights.positions).count(None) == 2
    assert parts(stack) == PARTS[layout_of(checkpoint)] | HEAD_NORMS.get(name, set())
    assert stack.causal == (name in CAUSAL)


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("head", [False, True])
def test_names_that_are_not_certain_load_either_way(tmp_path, prefix, head):
    name = "jina-code-embeddings-0.5b"
    tied = {"lm_head.weight": (CHECKPOINTS[name].config["vocab_size"], CHECKPOINTS[name].config["hidden_size"])}
    write(tmp_path, name, partial(llama_like, prefix=prefix, beside=tied if head else None))
    weights = load(tmp_path, name, CHECKPOINTS[name].config)
    assert weights.hidden == CHECKPOINTS[name].config["hidden_size"]


def test_numbers_of_clips_text_sides():
    for name, expected in (("jina-clip-v1", 136_777_728), ("jina-clip-v2", 558_314_496 + 2_581_068)):
        assert elements(CHECKPOINTS[name].layout(CHECKPOINTS[name].config).values()) == expected


# --- nothing missing, nothing left over: with few features -----------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_every_tensor_is_needed(tmp_path, name):
    config = TINY[name]
    whole = write_tiny(tmp_path, name, config)
    load(tmp_path, name, config)
    for lost in whole:
        if any(part in lost for part in UNREAD):
            continue
        write_tensors(tmp_path, {key: tensor for key, tensor in whole.items() if key != lost})
        refused(tmp_path, name, config)


@pytest.mark.parametrize("name", TINY)
def test_every_shape_is_checked(tmp_path, name):
    config = TINY[name]
    whole = write_tiny(tmp_path, name, config)
    for changed, tensor in whole.items():
        if any(part in changed for part in UNREAD):
            continue
        write_tensors(tmp_path, whole | {changed: tensor[None]})
        refused(tmp_path, name, config)


@pytest.mark.parametrize("name", TINY)
def test_a_layer_too_many_or_too_few_is_refused(tmp_path, name):
    config = TINY[name]
    write_tiny(tmp_path, name, config)
    for layers in (config["num_hidden_layers"] - 1, config["num_hidden_layers"] + 1):
        refused(tmp_path, name, {**config, "num_hidden_layers": layers})


def refused(folder, name, config):
    """No architecture takes it, or the one that does says what is wrong."""
    if native.find_architecture(folder, config, with_head=CHECKPOINTS[name].classifies) is not None:
        with pytest.raises(ModelFilesError, match=r"lacks the tensor|left over|has the shape"):
            load(folder, name, config)


def test_holes_are_files_of_zeros(tmp_path):
    write_holes(tmp_path / "a.safetensors", {"a": (2, 3), "b": (4,)}, "BF16")
    tensors = load_file(tmp_path / "a.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {"a": (2, 3), "b": (4,)}
    assert all(tensor.dtype == torch.bfloat16 and not tensor.any() for tensor in tensors.values())
