"""Every published generative checkpoint: the table has the published number of elements, and its names load."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from layout_shapes import elements, random_tensors
from published_layouts import GENERATORS
from tiny_published import write_tensors

from jina_components.errors import ModelFilesError
from jina_components.models.backends.padded import load_checkpoint
from jina_components.models.catalog import BY_NAME, MODELS

SMALL = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "vocab_size": 100}


def write(folder, name):
    """A checkpoint with few features."""
    config = {**GENERATORS[name].config, **SMALL}
    config["num_attention_heads"], config["num_key_value_heads"] = 4, 2
    (folder / "config.json").write_text(json.dumps(config))
    tensors = random_tensors(GENERATORS[name].layout(config))
    write_tensors(folder, tensors)
    return tensors


def load(folder):
    return load_checkpoint(transformers.AutoModelForCausalLM, folder)


def test_the_catalog_has_no_other():
    assert set(GENERATORS) == {spec.name for spec in MODELS if spec.kind == "generative"}


@pytest.mark.parametrize("name", GENERATORS)
def test_elements_are_as_many_as_published(name):
    checkpoint = GENERATORS[name]
    assert elements(checkpoint.layout(checkpoint.config).values()) == checkpoint.count == BY_NAME[name].parameters


@pytest.mark.parametrize("name", GENERATORS)
def test_names_and_shapes_are_those_of_transformers(name):
    """In the published sizes, of which nothing is held."""
    checkpoint = GENERATORS[name]
    config = transformers.Qwen2Config(**checkpoint.config)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    assert {key: tuple(tensor.shape) for key, tensor in model.named_parameters()} == checkpoint.layout(
        checkpoint.config
    )


@pytest.mark.parametrize("name", GENERATORS)
def test_nothing_is_missing_and_nothing_left_over(tmp_path, name):
    tensors = write(tmp_path, name)
    loaded = dict(load(tmp_path).named_parameters())
    assert set(loaded) == set(tensors)
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[key].detach().numpy(), tensor)


@pytest.mark.parametrize("name", ["ReaderLM-v2", "reader-lm-0.5b"])
def test_every_tensor_is_needed(tmp_path, name):
    whole = write(tmp_path, name)
    for lost in whole:
        write_tensors(tmp_path, {key: tensor for key, tensor in whole.items() if key != lost})
        with pytest.raises(ModelFilesError, match=r"tensors are missing|cannot be loaded"):
            load(tmp_path)
    write_tensors(tmp_path, {**whole, "model.layers.2.mlp.up_proj.weight": np.zeros((40, 24), np.float32)})
    with pytest.raises(ModelFilesError, match=r"such as 'model\.layers\.2\.mlp\.up_proj\.weight'"):
        load(tmp_path)


def test_a_shape_is_checked(tmp_path):
    whole = write(tmp_path, "reader-lm-0.5b")
    write_tensors(tmp_path, {**whole, "model.norm.weight": np.ones(3, np.float32)})
    with pytest.raises(ModelFilesError, match=r"of another shape, such as .*model\.norm\.weight"):
        load(tmp_path)
