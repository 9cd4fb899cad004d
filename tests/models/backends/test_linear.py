"""Linear layers at each precision against their own definition in float64, and which precisions a CPU runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import TEXTS, save_checkpoint, save_sentence_transformer

from jina_components import Embedder, Reranker
from jina_components.errors import BackendError, ConfigError, UnknownNameError
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    FloatFeedForward,
    GatedFeedForward,
    Int8FeedForward,
    Int8Linear,
    PackedLinear,
    PlainLinear,
    RecordingLinear,
    choose_precision,
    float_linear,
)

CPU = torch.device("cpu")
ACTIVATIONS = [NONE, ("gelu", "none"), ("gelu", "tanh"), ("relu", ""), ("swish", "")]
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05}


def runs(precision):
    try:
        choose_precision(precision, CPU)
    except ConfigError:
        return False
    return True


needs_bfloat16 = pytest.mark.skipif(not runs("bfloat16"), reason="this CPU has no bfloat16 kernels")
needs_int8 = pytest.mark.skipif(not runs("int8"), reason="this CPU has no exact int8 products")
FLOATS = ["float32", pytest.param("bfloat16", marks=needs_bfloat16)]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def affine(rows, columns, seed=0):
    return random(rows, columns, seed=seed) / columns**0.5, random(rows, seed=seed + 1)


def exact(weight, bias, activation, tokens):
    result = tokens.double() @ weight.T.double() + bias.double()
    name, approximation = activation
    if name == "gelu":
        return torch.nn.functional.gelu(result, approximate=approximation)
    return {"none": result, "relu": result.relu(), "swish": result / (1 + (-result).exp())}[name]


def int8_linear(weight, bias, tokens, activation=NONE):
    return Int8Linear(weight, bias, activation, low=tokens.amin(0), high=tokens.amax(0))


def relative_error(got, wanted):
    return float((got.double() - wanted).norm() / wanted.norm())


# --- floats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("make", [PackedLinear, PlainLinear])
def test_a_layer_is_activation_of_product_and_bias(make, activation, precision):
    weight, bias = affine(24, 40)
    layer = make(weight, bias, activation, DTYPES[precision])
    for count in (1, 3, 512, 700):
        tokens = random(count, 40, seed=count)
        got = layer(tokens)
        np.testing.assert_allclose(got.float(), exact(weight, bias, activation, tokens), atol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", FLOATS)
def test_adding_keeps_the_precision_of_the_residual(precision):
    weight, bias = affine(24, 40)
    tokens, residual = random(9, 40, seed=3), 1000 + random(9, 24, seed=4)
    got = float_linear((weight, bias), NONE, CPU, DTYPES[precision]).add(tokens, residual.clone())
    assert got.dtype == torch.float32
    np.testing.assert_allclose(
        got, residual.double() + exact(weight, bias, NONE, tokens), atol=TOLERANCE[precision] + 1e-4
    )


@pytest.mark.parametrize("precision", FLOATS)
def test_float_rows_depend_on_nothing_beside_them(precision):
    weight, bias = affine(96, 384)
    layer, tokens = float_linear((weight, bias), NONE, CPU, DTYPES[precision]), random(300, 384, seed=5)
    together = layer(tokens).float()
    for row in (0, 7, 299):
        np.testing.assert_allclose(layer(tokens[row : row + 1])[0].float(), together[row], atol=1e-5)


# --- int8 ------------------------------------------------------------------------------------------------------


@needs_int8
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_an_int8_layer_is_near_the_float_one(activation):
    weight, bias = affine(96, 384)
    tokens = random(200, 384, seed=2)
    layer = int8_linear(weight, bias, tokens, activation)
    wanted = exact(weight, bias, activation, tokens)
    assert relative_error(layer(tokens), wanted) < 0.02
    residual = random(200, 96, seed=4)
    if activation == NONE:
        assert relative_error(layer.add(tokens, residual.clone()), residual + wanted) < 0.02


@needs_int8
@given(st.integers(1, 40), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_int8_rows_depend_on_nothing_beside_them(count, seed):
    weight, bias = affine(32, 64)
    tokens = random(count, 64, seed=seed)
    layer = Int8Linear(weight, bias, low=torch.full((64,), -3.0), high=torch.full((64,), 3.0))
    together = layer(tokens)
    for row in range(count):
        assert torch.equal(layer(tokens[row : row + 1])[0], together[row])


@needs_int8
def test_features_of_very_different_ranges_share_a_scale():
    weight, bias = affine(96, 384)
    tokens = random(200, 384, seed=2)
    tokens[:, 5] *= 100
    weight[:, 5] /= 100
    plain = Int8Linear(weight, bias, low=tokens.amin(0), high=tokens.amax(0), smooth=False)
    wanted = exact(weight, bias, NONE, tokens)
    smoothed = relative_error(int8_linear(weight, bias, tokens)(tokens), wanted)
    assert smoothed < 0.03
    assert smoothed < relative_error(plain(tokens), wanted) / 5


@needs_int8
def test_inputs_outside_the_known_range_are_cut_to_it():
    weight, bias = torch.eye(32), torch.zeros(32)
    layer = Int8Linear(weight, bias, low=torch.full((32,), -1.0), high=torch.full((32,), 1.0))
    got = layer(torch.tensor([[1e30] * 32, [-1e30] * 32, [1.0] * 32, [-1.0] * 32, [0.0] * 32])).float()
    np.testing.assert_allclose(got, [[1] * 32, [-1] * 32, [1] * 32, [-1] * 32, [0] * 32], atol=0.02)


@needs_int8
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.0, 5.0), (-5.0, 0.0), (2.0, 5.0), (-5.0, -2.0)])
def test_ranges_on_one_side_of_zero_or_of_nothing(low, high):
    weight, bias = affine(16, 32)
    layer = Int8Linear(weight, bias, low=torch.full((32,), low), high=torch.full((32,), high))
    tokens = low + (high - low) * torch.rand(50, 32, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(layer(tokens).float(), exact(weight, bias, NONE, tokens), atol=0.2)


@needs_int8
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_range_that_is_not_finite_is_an_error(value):
    with pytest.raises(BackendError, match="No finite input"):
        Int8Linear(*affine(16, 32), low=torch.zeros(32), high=torch.full((32,), value))


@needs_int8
def test_weights_of_zero_give_the_bias():
    layer = Int8Linear(torch.zeros(16, 32), torch.arange(16.0), low=-torch.ones(32), high=torch.ones(32))
    np.testing.assert_allclose(layer(random(3, 32)).float(), torch.arange(16.0).expand(3, -1), atol=1e-6)


@needs_int8
@pytest.mark.parametrize("activation", ACTIVATIONS[1:], ids=str)
@pytest.mark.parametrize("far", [False, True])
def test_an_int8_feed_forward_is_near_the_float_one(activation, far):
    up, down, tokens = affine(256, 64), affine(64, 256, seed=5), random(300, 64, seed=2)
    if far:
        up[0][3:9] *= 30  # some inner features reach much further than the others
        down[0][:, 3:9] /= 30
    inner = exact(*up, activation, tokens).float()
    residual = random(300, 64, seed=7)
    wanted = residual.double() + exact(*down, NONE, inner)
    ranges = {"inputs": (tokens.amin(0), tokens.amax(0)), "inner": (inner.amin(0), inner.amax(0))}
    layer = Int8FeedForward(up, down, activation, **ranges)
    assert relative_error(layer(tokens, residual.clone()), wanted) < 0.02
    plain = FloatFeedForward(PlainLinear(*up, activation, torch.float32), PlainLinear(*down, NONE, torch.float32))
    assert relative_error(plain(tokens, residual.clone()), wanted) < 1e-5
    stream = tokens.clone()  # as after a norm: what the layers are given is the stream itself
    assert relative_error(layer(stream, stream), tokens.double() + exact(*down, NONE, inner)) < 0.02


@needs_int8
def test_a_feed_forward_narrower_than_its_far_features():
    up, down, tokens = affine(4, 16), affine(16, 4, seed=5), random(30, 16, seed=2)
    inner = exact(*up, ("relu", ""), tokens).float()
    ranges = {"inputs": (tokens.amin(0), tokens.amax(0)), "inner": (inner.amin(0), inner.amax(0))}
    residual = random(30, 16, seed=7)
    got = Int8FeedForward(up, down, ("relu", ""), **ranges)(tokens, residual.clone())
    np.testing.assert_allclose(got, residual.double() + exact(*down, NONE, inner), atol=1e-4)


def test_recording_notes_the_range_of_each_feature_and_changes_nothing():
    weight, bias = affine(8, 4)
    layer, plain = RecordingLinear(weight, bias), PlainLinear(weight, bias, NONE, torch.float32)
    first, second = random(5, 4, seed=1), 2 * random(2, 3, 4, seed=2)
    assert torch.equal(layer(first), plain(first))
    layer(second)
    flat = torch.cat([first, second.view(-1, 4), torch.zeros(1, 4)])
    assert torch.equal(layer.low, flat.amin(0))
    assert torch.equal(layer.high, flat.amax(0))


# --- gates -----------------------------------------------------------------------------------------------------


def layer_norm(tokens):
    return torch.nn.functional.layer_norm(tokens, tokens.shape[-1:])


def gated(gate, up, down, activation, tokens, norm=None):
    """down(norm(activation(gate) * up)), in float64."""
    inner = exact(*gate, activation, tokens) * exact(*up, NONE, tokens)
    return exact(*down, NONE, inner if norm is None else norm(inner))


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("activation", ACTIVATIONS[1:], ids=str)
@pytest.mark.parametrize("norm", [None, layer_norm])
def test_a_gate_lets_through_what_is_activated(norm, activation, precision):
    gate, up, down = affine(96, 32), affine(96, 32, seed=3), affine(32, 96, seed=5)
    layers = [
        float_linear(part, kind, CPU, DTYPES[precision])
        for part, kind in ((gate, activation), (up, NONE), (down, NONE))
    ]
    tokens, residual = random(50, 32, seed=2), 100 * random(50, 32, seed=7)
    typed = None if norm is None else lambda inner: norm(inner.float())  # as the stream, in which norms are
    got = GatedFeedForward(*layers, typed)(tokens, residual.clone())
    assert got.dtype == torch.float32
    wanted = gated(gate, up, down, activation, tokens, norm)
    assert relative_error(got - residual, wanted) < {"float32": 1e-5, "bfloat16": 0.01}[precision]


@needs_int8
@pytest.mark.parametrize("activation", [("gelu", "none"), ("swish", "")], ids=str)
@pytest.mark.parametrize("norm", [None, layer_norm])
def test_an_int8_gate_is_near_the_float_one(norm, activation):
    gate, up, down, tokens = affine(256, 64), affine(256, 64, seed=3), affine(64, 256, seed=5), random(300, 64, seed=2)
    inner = (exact(*gate, activation, tokens) * exact(*up, NONE, tokens)).float()
    layers = int8_linear(*gate, tokens, activation), int8_linear(*up, tokens)
    last = int8_linear(*down, inner if norm is None else norm(inner))
    got = GatedFeedForward(*layers, last, norm)(tokens, torch.zeros(300, 64))
    assert relative_error(got, gated(gate, up, down, activation, tokens, norm)) < 0.04


# --- what a machine runs ---------------------------------------------------------------------------------------


def test_auto_is_float16_on_accelerators_and_never_on_a_cpu():
    assert choose_precision("auto", torch.device("cuda")) == "float16"
    assert choose_precision("auto", torch.device("mps")) == "float16"
    assert choose_precision("auto", CPU) in ("bfloat16", "float32")
    assert choose_precision("float32", CPU) == "float32"


def test_a_precision_that_a_device_does_not_run_is_refused():
    with pytest.raises(ConfigError, match="'float16' does not run on this CPU: use auto, float32"):
        choose_precision("float16", CPU)
    with pytest.raises(ConfigError, match="'int8' does not run on this CUDA: use auto, float32, bfloat16, float16"):
        choose_precision("int8", torch.device("cuda"))
    with pytest.raises(UnknownNameError, match="bfloat16"):
        Embedder(precision="bfloat")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from sentence_transformers.sentence_transformer.modules import Pooling

    base = tmp_path_factory.mktemp("precision")
    save_sentence_transformer(base / "embedder", Pooling(32), checkpoint=save_checkpoint(base / "base"))
    save_checkpoint(base / "reranker", head="ForSequenceClassification", num_labels=1)
    return base


_REPORT = """
import json, sys
from jina_components import Embedder, Reranker
folder, texts, report = sys.argv[1], json.loads(sys.argv[2]), {}
for precision in ("auto", "float32", "bfloat16", "int8"):
    try:
        embedder = Embedder(folder + "/embedder", precision=precision, truncate=True)
        ranking = Reranker(folder + "/reranker", precision=precision).rerank("quick fox", texts, truncate=True)
        scores = [hit.score for hit in sorted(ranking, key=lambda hit: hit.index)]
        report[precision] = embedder.embed(texts).vectors.tolist(), scores
    except Exception as error:
        report[precision] = f"{type(error).__name__}: {error}"
print(json.dumps(report))
"""


def report_with(folders, **environment):
    command = [sys.executable, "-W", "error", "-c", _REPORT, str(folders), json.dumps(TEXTS)]
    output = subprocess.check_output(command, text=True, timeout=120, env=os.environ | environment)
    return json.loads(output.splitlines()[-1])


@pytest.mark.slow
def test_a_cpu_without_avx512_runs_float32(folders):
    report = report_with(folders, ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")
    assert report["auto"] == report["float32"]
    vectors, scores = report["float32"]
    wanted = Embedder(folders / "embedder", precision="float32", truncate=True).embed(TEXTS).vectors
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    ranking = Reranker(folders / "reranker", precision="float32").rerank("quick fox", TEXTS, truncate=True)
    np.testing.assert_allclose(scores, [hit.score for hit in sorted(ranking, key=lambda hit: hit.index)], atol=1e-5)
    for precision in ("bfloat16", "int8"):
        assert report[precision] == f"ConfigError: precision='{precision}' does not run on this CPU: use auto, float32."


@pytest.mark.slow
@needs_bfloat16
def test_a_cpu_whose_int8_products_saturate_refuses_int8(folders):
    report = report_with(folders, ONEDNN_MAX_CPU_ISA="AVX512_CORE")
    assert report["int8"].startswith("ConfigError: precision='int8' does not run on this CPU: use auto, float32")
    vectors, _ = report["bfloat16"]  # emulated
    wanted = Embedder(folders / "embedder", precision="float32", truncate=True).embed(TEXTS).vectors
    assert (np.array(vectors) * wanted).sum(1).min() > 0.999
