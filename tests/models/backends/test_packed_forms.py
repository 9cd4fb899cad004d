"""Every form of a stack: by definition in float64, and alike whatever is beside a sequence, at every precision."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_stacks import ADAPTED, FORMS, TASKS, merged, random_stack, run_by_definition
from tiny_checkpoints import random_sequences

from jina_components.errors import ConfigError
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.packed import load_packed
from jina_components.models.sequences import TokenSequence

CPU = torch.device("cpu")
# Difference that neighbours may make, of values up to 5: none but the rounding of float32 sums.
NEIGHBOURS = {"float32": 1e-5, "bfloat16": 1e-5, "int8": 1e-5}
# Lowest and mean cosine of the token vectors' means to those by definition.
FIDELITY = {"float32": (0.999999, 0.999999), "bfloat16": (0.999, 0.9995), "int8": (0.93, 0.99)}
CALIBRATION = [5, 20, 40, 60, 33, 64, 10, 48]
LENGTHS = [1, 64, 2, 7, 63, 7, 1, 30, 30, 12]


@cache
def encoder(form, precision):
    try:
        choose_precision(precision, CPU)
    except ConfigError as error:
        pytest.skip(str(error))
    return load_packed(random_stack(form), CPU, precision, sequences(form, CALIBRATION, seed=9))


def sequences(form, lengths, adapters=None, *, seed=0):
    """Random ones, with types where the form has them, and with adapters."""
    batch = random_sequences(lengths, types=1 if random_stack(form).types is None else 2, seed=seed)
    adapters = [-1] * len(batch) if adapters is None else adapters
    return [TokenSequence(one.ids, one.type_ids, adapter=task) for one, task in zip(batch, adapters, strict=True)]


def token_vectors(model, batch, **options):
    """Token vectors of each sequence, float32, in the order of the batch."""
    vectors = {}
    with torch.inference_mode():
        for hidden in model(batch, **options):
            assert hidden.mask.all()
            vectors |= dict(zip(hidden.rows, hidden.vectors.float().numpy(), strict=True))
    assert sorted(vectors) == list(range(len(batch)))
    return [vectors[row] for row in range(len(batch))]


def by_definition(form, batch):
    weights = random_stack(form)
    return [run_by_definition(merged(weights, sequence.adapter), sequence).numpy() for sequence in batch]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first_only", [False, True])
def test_a_pass_is_as_defined(form, first_only):
    batch = sequences(form, LENGTHS, seed=1)
    got = token_vectors(encoder(form, "float32"), batch, first_only=first_only)
    for ours, wanted in zip(got, by_definition(form, batch), strict=True):
        np.testing.assert_allclose(ours, wanted[:1] if first_only else wanted, atol=2e-5)


@pytest.mark.parametrize("form", ADAPTED)
@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("tasks", [[0], [1], [2], [0, 1, 2, -1], [-1, 2], [1, 1, 0]], ids=str)
def test_adapters_are_as_if_merged(form, tasks, first_only):
    batch = sequences(form, LENGTHS, [*tasks * 10][: len(LENGTHS)], seed=2)
    got = token_vectors(encoder(form, "float32"), batch, first_only=first_only)
    plain = by_definition(form, sequences(form, LENGTHS, seed=2))
    for sequence, ours, wanted, without in zip(batch, got, by_definition(form, batch), plain, strict=True):
        np.testing.assert_allclose(ours, wanted[:1] if first_only else wanted, atol=2e-5)
        assert (np.abs(wanted - without).max() > 0.1) == (sequence.adapter >= 0)


@pytest.mark.parametrize("precision", NEIGHBOURS)
@pytest.mark.parametrize("form", FORMS)
@given(
    texts=st.lists(st.tuples(st.integers(1, 64), st.integers(-1, len(TASKS) - 1)), min_size=1, max_size=10),
    seed=st.integers(0, 1000),
    first_only=st.booleans(),
)
@example(texts=[(n, 0) for n in (1, 1, 1, 42, 64, 64, 64, 64, 49)], seed=530, first_only=False)
@settings(max_examples=8, deadline=None)
def test_neighbours_their_adapters_and_order_do_not_change_a_vector(form, precision, texts, seed, first_only):
    lengths, adapters = zip(*texts, strict=True)
    model = encoder(form, precision)
    batch = sequences(form, lengths, adapters if form in ADAPTED else None, seed=seed)
    together = token_vectors(model, batch, first_only=first_only)
    backwards = token_vectors(model, batch[::-1], first_only=first_only)[::-1]
    for sequence, first, second in zip(batch, together, backwards, strict=True):
        [alone] = token_vectors(model, [sequence], first_only=first_only)
        np.testing.assert_allclose(first, alone, atol=NEIGHBOURS[precision])
        np.testing.assert_allclose(second, alone, atol=NEIGHBOURS[precision])


@pytest.mark.parametrize("precision", FIDELITY)
@pytest.mark.parametrize("form", FORMS)
def test_lower_precision_stays_near_the_definition(form, precision):
    """Random weights of width 32 are harder than a real model: rounding has fewer features to average out."""
    tasks = [-1, 0, 1, 2, 0, 1, 2, -1, 0, 1] if form in ADAPTED else None
    batch = sequences(form, LENGTHS, tasks, seed=3)
    got = np.array([vectors.mean(0) for vectors in token_vectors(encoder(form, precision), batch)])
    wanted = np.array([vectors.mean(0) for vectors in by_definition(form, batch)])
    found = (got * wanted).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(wanted, axis=1)
    least, mean = FIDELITY[precision]
    assert found.min() > least
    assert found.mean() > mean


@pytest.mark.parametrize("form", ADAPTED)
def test_an_adapter_is_of_its_pass_alone(form):
    """What one pass says of its rows is forgotten in the next."""
    model, plain = encoder(form, "float32"), sequences(form, [30, 7])
    [before, _] = token_vectors(model, plain)
    token_vectors(model, sequences(form, [30, 7], [0, 0]))
    token_vectors(model, sequences(form, [30, 7], [1, 2]), first_only=True)
    np.testing.assert_array_equal(token_vectors(model, plain)[0], before)
