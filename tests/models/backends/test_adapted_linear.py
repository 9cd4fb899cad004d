"""Layers of which each row has its own low-rank adapter, against the merged weights in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.models.architectures.blocks import LowRank
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    AdaptedLinear,
    Int8Linear,
    TaskRows,
    adapter_rows,
    choose_precision,
    float_linear,
)

CPU = torch.device("cpu")


def runs(precision):
    try:
        choose_precision(precision, CPU)
    except ConfigError:
        return False
    return True


needs_int8 = pytest.mark.skipif(not runs("int8"), reason="this CPU has no exact int8 products")
needs_bfloat16 = pytest.mark.skipif(not runs("bfloat16"), reason="this CPU has no bfloat16 kernels")
FLOATS = ["float32", pytest.param("bfloat16", marks=needs_bfloat16)]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Adapters of a layer of 24 x 40: the second leaves it alone, and their ranks differ.
PAIRS = (
    LowRank(random(4, 40, seed=11) / 6, random(24, 4, seed=12) / 2),
    None,
    LowRank(random(2, 40, seed=13) / 6, random(24, 2, seed=14)),
)
NEAR = {"float32": 1e-6, "bfloat16": 0.01}
FUNCTIONS = {NONE: lambda result: result, ("gelu", "none"): torch.nn.functional.gelu, ("relu", ""): torch.relu}
WEIGHT, BIAS = random(24, 40) / 40**0.5, random(24, seed=1)


def merged(task):
    pair = PAIRS[task] if task >= 0 else None
    return WEIGHT if pair is None else WEIGHT + pair.up @ pair.down


def by_merged_weights(tokens, adapters, lengths):
    """In float64; rows behind the sequences have no adapter."""
    parts = zip(tokens.double().split([*lengths, len(tokens) - sum(lengths)]), [*adapters, -1], strict=True)
    return torch.cat([part @ merged(task).T.double() + BIAS.double() for part, task in parts])


def relative_error(got, wanted):
    return float((got.double() - wanted).norm() / wanted.norm())


def adapted(linear, activation, precision):
    rows = TaskRows()
    return AdaptedLinear(linear, PAIRS, rows, activation, DTYPES[precision], CPU), rows


def float_layer(precision):
    return float_linear((WEIGHT, BIAS), NONE, CPU, DTYPES[precision])


def int8_layer(tokens):
    return Int8Linear(WEIGHT, BIAS, low=tokens.amin(0), high=tokens.amax(0))


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("activation", FUNCTIONS, ids=str)
@given(adapters=st.lists(st.integers(-1, 2), min_size=1, max_size=8), data=st.data())
@settings(max_examples=25, deadline=None)
def test_each_row_has_its_own_adapter(precision, activation, adapters, data):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(adapters), max_size=len(adapters)))
    own, (layer, rows) = sum(lengths), adapted(float_layer(precision), activation, precision)
    rows.parts = adapter_rows(adapters, lengths, CPU)
    tokens = random(own + 5, 40, seed=3)  # and five rows that are nobody's
    wanted = by_merged_weights(tokens, adapters, lengths)[:own]
    got = layer(tokens)
    assert len(got) == own + 5
    assert relative_error(got[:own], FUNCTIONS[activation](wanted)) < NEAR[precision]
    if activation == NONE:
        residual = random(own + 5, 24, seed=4)
        added = layer.add(tokens, residual.clone())
        assert added.dtype == torch.float32
        assert relative_error(added[:own] - residual[:own], wanted) < NEAR[precision]


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize(
    "adapters",
    [[0, 0, 0], [1, 1, 1], [2, 2, 2], [-1, -1, -1], [0, 2, 0], [1, 0, 2], [-1, 2, 2]],
    ids=["one", "one that leaves it alone", "another", "none", "two", "three", "some"],
)
def test_an_adapter_changes_its_own_rows_alone(adapters, precision):
    lengths, tokens, plain = [3, 1, 6], random(10, 40, seed=3), float_layer(precision)
    layer, rows = adapted(plain, NONE, precision)
    rows.parts = adapter_rows(adapters, lengths, CPU)
    of_row = np.repeat(adapters, lengths)
    assert (layer(tokens) != plain(tokens)).any(1).tolist() == np.isin(of_row, (0, 2)).tolist()


def test_rows_are_set_anew_for_each_pass():
    rows = TaskRows()
    assert rows.parts == []
    rows.parts = adapter_rows([2, 2], [3, 4], CPU)
    assert rows.parts == [(2, slice(None))]
    rows.parts = adapter_rows([-1, -1], [3, 4], CPU)
    assert rows.parts == []
    rows.parts = adapter_rows([1, -1, 0, 1], [2, 3, 1, 1], CPU)
    assert [(task, part.tolist()) for task, part in rows.parts] == [(0, [5]), (1, [0, 1, 6])]


@needs_int8
@pytest.mark.parametrize("adapters", [[0, 0], [1, 2], [-1, 0]], ids=str)
def test_adapters_beside_an_int8_layer(adapters):
    lengths, tokens, residual = [30, 50], random(80, 40, seed=3), random(80, 24, seed=4)
    layer, rows = adapted(int8_layer(tokens), NONE, "bfloat16")
    rows.parts = adapter_rows(adapters, lengths, CPU)
    wanted = by_merged_weights(tokens, adapters, lengths)
    assert relative_error(layer(tokens), wanted) < 0.02
    assert relative_error(layer.add(tokens, residual.clone()), residual + wanted) < 0.02
