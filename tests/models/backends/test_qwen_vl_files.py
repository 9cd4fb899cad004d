"""Folders of jina-embeddings-v4 and jina-reranker-m0: both layouts of names, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_vision_models import (
    RANK,
    m0_config,
    m0_shapes,
    new_names,
    qwen_tokenizer,
    random_tensors,
    save_m0,
    save_v4,
    v4_adapter_shapes,
    v4_config,
    v4_shapes,
)

from jina_components.errors import ModelFilesError
from jina_components.models.backends.qwen_vl import (
    PROJECTOR,
    SCORE,
    QwenEmbeddingBackend,
    QwenScoringBackend,
    QwenVL,
)
from jina_components.models.sequences import TokenSequence
from jina_components.models.vision_prompts import PairPrompts, VisionPrompts

TEXTS = ["Query: hello", "Passage: The quick brown fox jumps over the lazy dog.", "a"]
PAIRS = PairPrompts(VisionPrompts(qwen_tokenizer()), context=4096)


def load(folder, heads):
    return QwenVL(
        folder, json.loads((folder / "config.json").read_text()), heads=heads, device="cpu", precision="float32"
    )


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_both_layouts_of_names_load(tmp_path, stored):
    tensors = {name: tensor.to(stored) for name, tensor in random_tensors(v4_shapes(v4_config())).items()}
    folders = save_v4(tmp_path / "old", tensors=tensors), save_v4(tmp_path / "new", tensors=new_names(tensors))
    ids = [np.array(qwen_tokenizer().encode(text).ids, np.int32) for text in TEXTS]
    batch = [TokenSequence(one, adapter=number % 2) for number, one in enumerate(ids)]
    old, new = (QwenEmbeddingBackend(load(folder, [PROJECTOR])).run(batch) for folder in folders)
    assert np.array_equal(old, new)


def test_settings_of_the_text_side_may_lie_at_the_top(tmp_path):
    nested = v4_config()
    flat = {name: value for name, value in nested.pop("text_config").items() if name != "model_type"}
    save_v4(tmp_path / "nested"), save_v4(tmp_path / "flat")
    (tmp_path / "flat" / "config.json").write_text(json.dumps({**nested, **flat}))
    batch = [TokenSequence(np.arange(9, dtype=np.int32), adapter=1)]
    vectors = [QwenEmbeddingBackend(load(tmp_path / name, [PROJECTOR])).run(batch) for name in ("nested", "flat")]
    assert np.array_equal(*vectors)


@pytest.mark.parametrize("head", [True, False])
def test_the_head_that_generates_is_left_out(tmp_path, head):
    tensors = random_tensors(m0_shapes(m0_config()))
    if not head:
        del tensors["lm_head.weight"]
    folders = save_m0(tmp_path / "old"), save_m0(tmp_path / "new", tensors=new_names(tensors))
    batch = [pair for [pair] in PAIRS.pairs("a fox?", TEXTS)]
    scores = [QwenScoringBackend(load(folder, SCORE)).run(batch) for folder in folders]
    assert np.array_equal(*scores)


def without(shapes, name):
    return {key: tensor for key, tensor in random_tensors(shapes).items() if key != name}


BROKEN = {
    "missing": lambda shapes: without(shapes, "model.layers.1.mlp.up_proj.weight"),
    "left over": lambda shapes: {**random_tensors(shapes), "model.extra.weight": torch.zeros(2)},
    "vision missing": lambda shapes: without(shapes, "visual.blocks.0.attn.qkv.bias"),
    "wrong size": lambda shapes: {**random_tensors(shapes), "model.norm.weight": torch.ones(3)},
    "head missing": lambda shapes: without(shapes, "multi_vector_projector.bias"),
    "head of one dimension": lambda shapes: {**random_tensors(shapes), "multi_vector_projector.weight": torch.ones(3)},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_tensor_too_many_or_too_few_is_refused(tmp_path, what):
    folder = save_v4(tmp_path, tensors=BROKEN[what](v4_shapes(v4_config())))
    with pytest.raises(ModelFilesError, match=str(folder)):
        load(folder, [PROJECTOR])


def edit_adapter(folder, edit):
    path = folder / "adapters" / "adapter_model.safetensors"
    factors = load_file(path)
    edit(factors)
    save_file(factors, path)


LAYER = "base_model.model.model.language_model.layers.0.mlp.up_proj.lora_{}.code.weight"


@pytest.mark.parametrize(
    "edit",
    [
        lambda factors: factors.pop(LAYER.format("A")),
        lambda factors: factors.update({LAYER.format("A"): torch.zeros(RANK, 5)}),
        lambda factors: factors.update({LAYER.format("B"): torch.zeros(96, RANK + 1)}),
        lambda factors: factors.update({LAYER.format("A").replace("layers.0", "layers.7"): torch.zeros(RANK, 64)}),
        lambda factors: factors.update({LAYER.format("A").replace("code", "poetry"): torch.zeros(RANK, 64)}),
        lambda factors: factors.update(
            {"base_model.model.visual.blocks.0.attn.qkv.lora_A.code.weight": torch.zeros(4, 32)}
        ),
        lambda factors: factors.update({"base_model.model.single_vector_projector.weight": torch.zeros(2, 2)}),
    ],
)
def test_adapters_that_do_not_fit_are_refused(tmp_path, edit):
    folder = save_v4(tmp_path)
    edit_adapter(folder, edit)
    with pytest.raises(ModelFilesError, match="adapters"):
        load(folder, [PROJECTOR])


def test_adapters_of_an_unknown_kind_are_refused(tmp_path):
    path = save_v4(tmp_path) / "adapters" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_dora": True}))
    with pytest.raises(ModelFilesError, match="use_dora"):
        load(tmp_path, [PROJECTOR])


def test_another_kind_of_model_is_refused(tmp_path):
    with pytest.raises(ModelFilesError, match="Qwen3VLModel"):
        load(save_v4(tmp_path, architectures=["Qwen3VLModel"]), [PROJECTOR])
    with pytest.raises(ModelFilesError, match="Qwen2VLModel"):
        load(save_v4(tmp_path, architectures=["JinaVLForRanking"]), [PROJECTOR])


# The sizes that were published, so that the tables of names in tiny_vision_models are those of the real files.
V4 = v4_config(
    multi_vector_projector_dim=128,
    text_config={
        "hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
        "intermediate_size": 11008, "vocab_size": 151936,
    },
    vision_config={"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 2048},
)  # fmt: skip
M0 = m0_config(
    hidden_size=1536, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2, intermediate_size=8960,
    vocab_size=151936, vision_config={"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "mlp_ratio": 4},
)  # fmt: skip


def test_the_tables_of_names_have_the_published_number_of_parameters():
    count = {kind: sum(int(np.prod(shape)) for shape in shapes.values()) for kind, shapes in {
        "v4": v4_shapes(V4) | v4_adapter_shapes(V4, rank=32), "m0": m0_shapes(M0),
    }.items()}  # fmt: skip
    assert count == {"v4": 3_934_695_552, "m0": 2_444_721_665}
    assert len(v4_adapter_shapes(V4)) == 1518
