"""Steps after the transformer, one by one, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from jina_components.errors import ModelFilesError
from jina_components.models.backends.steps import build_step, pooling_modes
from jina_components.models.layout import Module

CPU = torch.device("cpu")
BY_DEFINITION = {
    "cls": lambda tokens: tokens[0],
    "mean": lambda tokens: tokens.mean(0),
    "max": lambda tokens: tokens.max(0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(0) / len(tokens) ** 0.5,
    "weightedmean": lambda tokens: np.average(tokens, axis=0, weights=np.arange(1, len(tokens) + 1)),
    "lasttoken": lambda tokens: tokens[-1],
}


def pooling(folder, **config):
    return build_step(Module("Pooling", folder, config), CPU)


def padded(sequences):
    """Hidden states with rubbish where there is no token, and the mask."""
    longest = max(map(len, sequences))
    hidden = np.full((len(sequences), longest, sequences[0].shape[1]), 1e3, np.float32)
    mask = np.zeros((len(sequences), longest), np.int64)
    for row, tokens in enumerate(sequences):
        hidden[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return torch.from_numpy(hidden), torch.from_numpy(mask)


@pytest.mark.parametrize("mode", [mode for mode in BY_DEFINITION if mode != "weightedmean"])
def test_pooling_leaves_out_a_prompt_that_the_mask_does(tmp_path, mode):
    tokens = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    mask = torch.tensor([[0, 0, 1, 1, 1, 0]])
    got = pooling(tmp_path, pooling_mode=mode)(torch.from_numpy(tokens)[None], mask)
    np.testing.assert_allclose(got[0], BY_DEFINITION[mode](tokens[2:5]), atol=1e-5)


@pytest.mark.parametrize("mode", BY_DEFINITION)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=6), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_pooling_looks_at_tokens_alone(tmp_path_factory, mode, lengths, seed):
    random = np.random.default_rng(seed)
    sequences = [random.normal(size=(length, 4)).astype(np.float32) for length in lengths]
    got = pooling(tmp_path_factory.getbasetemp(), pooling_mode=mode)(*padded(sequences))
    np.testing.assert_allclose(got, [BY_DEFINITION[mode](tokens) for tokens in sequences], atol=1e-5)


@given(st.lists(st.sampled_from(list(BY_DEFINITION)), min_size=1, max_size=6, unique=True))
@settings(max_examples=20, deadline=None)
def test_several_modes_are_joined_in_the_order_given(tmp_path_factory, modes):
    tokens = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    module = Module("Pooling", tmp_path_factory.getbasetemp(), {"pooling_mode": modes})
    assert pooling_modes(module) == modes
    got = build_step(module, CPU)(*padded([tokens, tokens[:2]]))
    np.testing.assert_allclose(got[0], np.concatenate([BY_DEFINITION[mode](tokens) for mode in modes]), atol=1e-5)


@pytest.mark.parametrize(
    "config", [{}, {"pooling_mode": []}, {"pooling_mode": ["cls", "median"]}, {"pooling_mode": "x"}]
)
def test_pooling_without_a_known_mode_is_refused(tmp_path, config):
    with pytest.raises(ModelFilesError, match="known modes: cls, mean, max"):
        pooling(tmp_path, **config)


# --- layers with weights ---------------------------------------------------------------------------------------


def layer(folder, kind, tensors, **config):
    save_file(tensors, folder / "model.safetensors")
    return build_step(Module(kind, folder, config), CPU)


@pytest.mark.parametrize(
    ("name", "function"),
    [("Identity", lambda x: x), ("Tanh", np.tanh), ("ReLU", lambda x: np.maximum(x, 0)),
     ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("SiLU", lambda x: x / (1 + np.exp(-x)))],
)  # fmt: skip
@pytest.mark.parametrize("bias", [False, True])
def test_dense(tmp_path, name, function, bias):
    weight, vectors = torch.randn(3, 4), torch.randn(5, 4)
    tensors = {"linear.weight": weight} | ({"linear.bias": torch.ones(3)} if bias else {})
    step = layer(tmp_path, "Dense", tensors, activation_function=f"torch.nn.modules.activation.{name}")
    wanted = function(vectors.numpy() @ weight.numpy().T + bias)
    np.testing.assert_allclose(step(vectors, torch.ones(5, 1)), wanted, atol=1e-5)


def test_layer_norm_and_normalize(tmp_path):
    weight, bias, vectors = torch.rand(4) + 1, torch.randn(4), 10 * torch.randn(5, 4)
    step = layer(tmp_path, "LayerNorm", {"norm.weight": weight, "norm.bias": bias}, dimension=4)
    values = vectors.numpy()
    centred = (values - values.mean(1, keepdims=True)) / np.sqrt(values.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(step(vectors, torch.ones(5, 1)), centred * weight.numpy() + bias.numpy(), atol=1e-4)
    unit = build_step(Module("Normalize", tmp_path, {}), CPU)(vectors, torch.ones(5, 1))
    np.testing.assert_allclose(unit, values / np.linalg.norm(values, axis=1, keepdims=True), atol=1e-6)
    zero = build_step(Module("Normalize", tmp_path, {}), CPU)(torch.zeros(1, 4), torch.ones(1, 1))
    assert not zero.any()


def test_weights_of_half_precision_run_in_float32(tmp_path):
    step = layer(tmp_path, "Dense", {"linear.weight": torch.randn(3, 4).half()}, activation_function="x.Identity")
    assert step(torch.randn(2, 4), torch.ones(2, 1)).dtype == torch.float32


def test_dropout_does_nothing(tmp_path):
    step, vectors = build_step(Module("Dropout", tmp_path, {"dropout": 0.9}), CPU), torch.randn(5, 4)
    assert torch.equal(step(vectors, torch.ones(5, 1)), vectors)


@pytest.mark.parametrize(
    ("kind", "config", "tensors", "message"),
    [
        ("LSTM", {}, {}, "'LSTM' is not known; known: Pooling, Dense, LayerNorm, Normalize, Dropout"),
        ("Dense", {}, None, "pickled weights .* are never loaded"),
        ("Dense", {"module_input_name": "token_embeddings"}, {"linear.weight": torch.ones(2, 2)}, "is not supported"),
        ("Dense", {"activation_function": "my.Swoosh"}, {"linear.weight": torch.ones(2, 2)}, "is not supported"),
        ("LayerNorm", {}, {"norm.bias": torch.ones(2)}, "one weight and bias are expected"),
        ("Dense", {}, {"a.weight": torch.ones(2), "b.weight": torch.zeros(2)}, "one weight and bias are expected"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path, kind, config, tensors, message):
    if tensors is not None:
        save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelFilesError, match=message):
        build_step(Module(kind, tmp_path, config), CPU)
