"""Attention over packed sequences against its definition, sequence by sequence, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.models.backends.attention import Packing, attend_cpu, attend_fused, attend_varlen
from jina_components.models.backends.linear import choose_precision

CPU = torch.device("cpu")
HEADS, WIDTH = 4, 8
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.05}
LENGTHS = st.lists(st.integers(1, 70), min_size=1, max_size=12).map(sorted)


def runs_bfloat16():
    try:
        choose_precision("bfloat16", CPU)
    except ConfigError:
        return False
    return True


DTYPES = [torch.float32, pytest.param(torch.bfloat16, marks=pytest.mark.skipif(not runs_bfloat16(), reason="CPU"))]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_qkv(tokens):
    qkv = random(tokens, 3 * HEADS * WIDTH)
    qkv[:, : HEADS * WIDTH] *= WIDTH**-0.5
    return qkv


def position_bias(length):
    """A bias that is not symmetric, and differs between heads."""
    offsets = torch.arange(length)[None, :] - 2 * torch.arange(length)[:, None]
    return torch.sin(offsets * torch.arange(1, HEADS + 1)[:, None, None])


def by_definition(qkv, lengths, bias):
    rows = []
    for part in qkv.double().split(lengths):
        queries, keys, values = part.view(len(part), 3, HEADS, WIDTH).permute(1, 2, 0, 3)
        scores = queries @ keys.transpose(1, 2) + (0 if bias is None else bias(len(part)).double())
        rows.append((scores.softmax(-1) @ values).transpose(0, 1).reshape(len(part), -1))
    return torch.cat(rows)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("attend", [attend_cpu, attend_fused])
@pytest.mark.parametrize("biased", [False, True])
@given(lengths=LENGTHS)
@settings(max_examples=20, deadline=None)
def test_each_sequence_attends_to_itself_alone(attend, dtype, biased, lengths):
    packing, tokens = Packing(lengths, CPU), sum(lengths)
    qkv = random_qkv(packing.rows).to(dtype)
    bias = (lambda length: position_bias(length).to(dtype)) if biased else None
    wanted = by_definition(qkv[:tokens], lengths, bias)
    full = attend(qkv, packing, HEADS, bias, first_only=False)
    first = attend(qkv, packing, HEADS, bias, first_only=True)
    assert full.shape == (packing.rows, HEADS * WIDTH)
    assert first.shape == (packing.first_rows, HEADS * WIDTH)
    assert full.dtype == first.dtype == dtype
    np.testing.assert_allclose(full[:tokens].float(), wanted, atol=TOLERANCE[dtype])
    starts = packing.firsts[: len(lengths)]
    np.testing.assert_allclose(first[: len(lengths)].float(), wanted[starts], atol=TOLERANCE[dtype])
    assert full[tokens:].isfinite().all()
    assert first[len(lengths) :].isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("lengths", [[700], [300, 300], [40] * 30, [1] * 2000])
def test_passes_of_more_scores_than_are_held_at_a_time(lengths, dtype):
    packing, tokens = Packing(lengths, CPU), sum(lengths)
    qkv = random_qkv(packing.rows).to(dtype)
    got = attend_cpu(qkv, packing, HEADS, None, first_only=False)[:tokens]
    np.testing.assert_allclose(got.float(), by_definition(qkv[:tokens], lengths, None), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_scores_do_not_overflow(dtype):
    qkv = 100 * random_qkv(32).to(dtype)
    got = attend_cpu(qkv, Packing([8, 12], CPU), HEADS, None, first_only=False)
    assert got.isfinite().all()


def test_neighbours_of_equal_length_form_a_group():
    packing = Packing([2, 2, 5, 2], CPU)
    assert packing.groups == [(0, 2, 2), (4, 1, 5), (9, 1, 2)]
    assert [group.tokens for group in packing.groups] == [slice(0, 4), slice(4, 9), slice(9, 11)]
    assert packing.ends.tolist() == [0, 2, 4, 9, 11]
    assert packing.firsts.tolist()[:4] == [0, 2, 4, 9]
    assert packing.pooled().groups == [(0, 4, 1)]


@given(st.integers(1, 10_000))
def test_few_sizes_occur(number):
    """Of which oneDNN keeps a kernel each: a bound on memory."""
    packing = Packing([number], CPU)
    assert number <= packing.rows <= max(number + 15, number * 5 // 4)
    assert packing.rows % 16 == 0


def test_fewer_than_thirty_sizes_occur_up_to_a_full_pass():
    assert len({Packing([number], CPU).rows for number in range(1, 1025)}) < 30


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("lengths", [[1], [1, 5, 5, 70], [512, 513], [1] * 300])
def test_one_kernel_over_variable_lengths(lengths, biased, dtype):
    qkv = random_qkv(sum(lengths))
    packing = Packing(lengths, torch.device("cuda"))
    bias = (lambda length: position_bias(length).to("cuda", dtype)) if biased else None
    wanted = by_definition(qkv, lengths, position_bias if biased else None)
    for first_only, rows in ((False, wanted), (True, wanted[packing.firsts.cpu()])):
        got = attend_varlen(qkv.to("cuda", dtype), packing, HEADS, bias, first_only=first_only)
        np.testing.assert_allclose(got.float().cpu(), rows, atol=0.05)
