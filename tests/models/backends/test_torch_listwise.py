"""A listwise checkpoint in torch against transformers and two products in numpy."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import edit_json, skip_what_cannot_run
from tiny_listwise import Published, qwen_like, save_listwise

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.backends.torch_listwise import TorchListwiseBackend
from jina_components.models.list_prompt import ListPrompt

QUERY = "what is the capital?"
DOCUMENTS = ["Paris is.", "bread and water", "東京 is the capital of 日本"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_listwise(tmp_path_factory.mktemp("listwise"))


@pytest.fixture
def copy(tmp_path):
    return save_listwise(tmp_path)


@pytest.fixture(scope="module")
def prompt(folder):
    return ListPrompt(qwen_like(), folder)


def load(folder, **options):
    config = json.loads((folder / "config.json").read_text())
    return TorchListwiseBackend(folder, config, **{"device": "cpu", "precision": "float32"} | options)


def sequence(prompt, documents, query=QUERY):
    return prompt.sequence(query, [part for [part] in prompt.passages(documents, max_length=None, truncate=False)])


def change_tensors(folder, **tensors):
    """Add or replace; None removes."""
    path = folder / "model.safetensors"
    merged = load_file(path) | tensors
    save_file({name: tensor for name, tensor in merged.items() if tensor is not None}, path, {"format": "pt"})


def test_vectors_are_those_of_transformers_and_the_projector(folder, prompt):
    published, backend = Published(folder), load(folder)
    batches = [DOCUMENTS, DOCUMENTS[:1], DOCUMENTS[::-1] * 20]
    got = backend.run([sequence(prompt, documents) for documents in batches])
    wanted = np.concatenate([published.vectors(QUERY, documents) for documents in batches])
    assert got.shape == wanted.shape == (sum(map(len, batches)) + 3, backend.width)
    assert np.abs(got - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_a_pass_of_several_prompts_gives_what_each_gives_alone(folder, prompt):
    backend = load(folder)
    sequences = [sequence(prompt, DOCUMENTS * 3), sequence(prompt, DOCUMENTS[:1]), sequence(prompt, DOCUMENTS[:1], "?")]
    alone = np.concatenate([backend.run([one]) for one in sequences])
    np.testing.assert_allclose(backend.run(sequences), alone, atol=1e-4 * np.abs(alone).max())


@pytest.mark.parametrize(("precision", "least"), [("bfloat16", 0.995), ("int8", 0.9)])
def test_a_lower_precision_is_near(folder, prompt, precision, least):
    skip_what_cannot_run("torch", precision)
    batch = [sequence(prompt, DOCUMENTS * 2)]
    wanted = load(folder).run(batch)
    got = load(folder, precision=precision, calibration=batch).run(batch)
    cosines = (got * wanted).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.min() > least


def test_weights_stored_in_bfloat16_are_those_in_float32(copy, prompt):
    rounded = {name: tensor.bfloat16() for name, tensor in load_file(copy / "model.safetensors").items()}
    change_tensors(copy, **rounded)
    got = load(copy).run([sequence(prompt, DOCUMENTS)])
    change_tensors(copy, **{name: tensor.float() for name, tensor in rounded.items()})
    np.testing.assert_array_equal(load(copy).run([sequence(prompt, DOCUMENTS)]), got)


def test_a_head_of_the_language_model_is_left_out(copy, prompt):
    wanted = load(copy).run([sequence(prompt, DOCUMENTS)])
    change_tensors(copy, **{"lm_head.weight": torch.zeros(720, 32)})
    np.testing.assert_array_equal(load(copy).run([sequence(prompt, DOCUMENTS)]), wanted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "sliding_attention"),
        ({"use_sliding_window": True, "sliding_window": 1024}, "full attention"),
        ({"model_type": "qwen2"}, "qwen2"),
        ({"model_type": "bert"}, "bert"),
    ],
)
def test_other_models_are_refused(copy, settings, message):
    edit_json(copy / "config.json", **settings)
    with pytest.raises(ModelFilesError, match=message) as caught:
        load(copy)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"projector.0.weight": None}, "projector.0.weight"),
        ({"projector.2.weight": None}, "projector.2.weight"),
        ({"projector.2.weight": torch.zeros(24, 25)}, "shape"),
        ({"projector.0.weight": torch.zeros(24, 31)}, "shape"),
        ({"projector.0.bias": torch.zeros(24)}, "more than two"),
        ({"model.norm.weight": None}, "norm.weight"),
        ({"model.layers.1.mlp.up_proj.weight": torch.zeros(64, 31)}, "shape"),
        ({"model.layers.7.mlp.up_proj.weight": torch.zeros(64, 32)}, "left over"),
        ({"extra.weight": torch.zeros(2)}, "left over"),
    ],
)
def test_other_tensors_are_refused(copy, changes, message):
    change_tensors(copy, **changes)
    with pytest.raises(ModelFilesError, match=message):
        load(copy)


def test_a_device_that_is_not_there_is_refused(folder):
    with pytest.raises(ConfigError, match="no device"):
        load(folder, device="tpu")
