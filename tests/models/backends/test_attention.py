"""Attention over packed sequences against its definition, sequence by sequence, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.models.architectures.blocks import alibi, relative_buckets
from jina_components.models.backends import attention
from jina_components.models.backends.attention import Heads, Packing, attend_cpu, attend_fused, attend_varlen
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.stack import _DistanceBias

CPU = torch.device("cpu")
HEADS, WIDTH = 4, 8
TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.02, torch.bfloat16: 0.05}
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


def random_heads(tokens, dtype=torch.float32, *, key_heads=HEADS, device=CPU):
    queries, keys, values = (
        random(tokens, heads, WIDTH, seed=seed).to(device, dtype)
        for seed, heads in enumerate((HEADS, key_heads, key_heads))
    )
    return Heads(queries * WIDTH**-0.5, keys, values)


def position_bias(start, stop, length):
    """A bias that is not symmetric, and differs between heads."""
    offsets = torch.arange(length)[None, :] - 2 * torch.arange(start, stop)[:, None]
    return torch.sin(offsets * torch.arange(1, HEADS + 1)[:, None, None])


def in_type(bias, dtype, device=CPU):
    return lambda start, stop, length: bias(start, stop, length).to(device, dtype)


def by_definition(heads, lengths, bias=None, *, causal=False):
    """A head of one sequence at a time; which key head a query head has is written out."""
    served = HEADS // heads.keys.shape[1]
    rows = []
    for queries, keys, values in zip(
        *(part.double().cpu()[: sum(lengths)].split(lengths) for part in heads), strict=True
    ):
        length, context = len(queries), []
        for head in range(HEADS):
            scores = queries[:, head] @ keys[:, head // served].T
            if bias is not None:
                scores += bias(0, length, length)[head].double()
            if causal:
                scores[torch.arange(length)[:, None] < torch.arange(length)[None, :]] = float("-inf")
            context.append(scores.softmax(-1) @ values[:, head // served])
        rows.append(torch.cat(context, 1))
    return torch.cat(rows)


def assert_attends(attend, heads, lengths, bias=None, *, causal=False):
    """All rows of the sequences, and their first ones alone, are as defined; what is added is finite."""
    packing, tokens, dtype = Packing(lengths, heads.queries.device), sum(lengths), heads.queries.dtype
    wanted = by_definition(heads, lengths, bias, causal=causal)
    typed = None if bias is None else in_type(bias, dtype, heads.queries.device)
    full = attend(heads, packing, typed, causal=causal, first_only=False)
    first = attend(heads, packing, typed, causal=causal, first_only=True)
    assert full.shape == (packing.rows, HEADS * WIDTH)
    assert first.shape == (packing.first_rows, HEADS * WIDTH)
    assert full.dtype == first.dtype == dtype
    np.testing.assert_allclose(full[:tokens].float().cpu(), wanted, atol=TOLERANCE[dtype])
    starts = packing.firsts[: len(lengths)].cpu()
    np.testing.assert_allclose(first[: len(lengths)].float().cpu(), wanted[starts], atol=TOLERANCE[dtype])
    assert full[tokens:].isfinite().all()
    assert first[len(lengths) :].isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("attend", [attend_cpu, attend_fused])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@given(lengths=LENGTHS, key_heads=st.sampled_from([1, 2, HEADS]))
@settings(max_examples=20, deadline=None)
def test_each_sequence_attends_to_itself_alone(attend, dtype, biased, causal, lengths, key_heads):
    heads = random_heads(Packing(lengths, CPU).rows, dtype, key_heads=key_heads)
    assert_attends(attend, heads, lengths, position_bias if biased else None, causal=causal)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("key_heads", [1, HEADS])
@pytest.mark.parametrize("lengths", [[700], [300, 300], [40] * 30, [1] * 2000], ids=["long", "two", "many", "short"])
def test_passes_of_more_scores_than_are_held_at_a_time(lengths, key_heads, causal, dtype):
    heads = random_heads(Packing(lengths, CPU).rows, dtype, key_heads=key_heads)
    assert_attends(attend_cpu, heads, lengths, causal=causal)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_large_scores_do_not_overflow(dtype, causal):
    packing = Packing([8, 12], CPU)
    heads = Heads(*(100 * part for part in random_heads(packing.rows, dtype)))
    assert attend_cpu(heads, packing, None, causal=causal, first_only=False).isfinite().all()


@pytest.mark.parametrize("attend", [attend_cpu, attend_fused])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_causal_tokens_do_not_see_what_comes_later(attend, dtype):
    lengths = [5, 30, 30]
    packing = Packing(lengths, CPU)
    heads = random_heads(packing.rows, dtype, key_heads=2)
    changed = Heads(*(part.clone() for part in heads))
    last = packing.ends[1:].long() - 1
    for part in changed:
        part[last] = 7
    before = attend(heads, packing, None, causal=True, first_only=False)
    after = attend(changed, packing, None, causal=True, first_only=False)
    others = np.setdiff1d(np.arange(sum(lengths)), last)
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before[last], after[last])


# --- what distances add ----------------------------------------------------------------------------------------


def by_pairs(by_distance, length):
    """What `by_distance` gives for each pair of tokens, one distance j - i at a time, [heads, length, length]."""
    places = torch.arange(length)
    return by_distance((places[None, :] - places[:, None]).flatten()).view(-1, length, length)


def test_alibi_falls_with_the_distance_by_the_slopes_of_the_paper():
    distances = torch.tensor([-3, 0, 1, 2])
    slopes = [2.0**-power for power in range(1, 9)]
    np.testing.assert_allclose(alibi(8)(distances), np.outer(slopes, [-3, 0, -1, -2]))
    twelve = [*slopes, *(2.0 ** -(power / 2) for power in (1, 3, 5, 7))]
    np.testing.assert_allclose(alibi(12)(distances), np.outer(twelve, [-3, 0, -1, -2]))


def test_relative_buckets_are_those_of_t5():
    """32 buckets: 16 for each direction, 8 of them exact, from 128 on all the last."""
    bucket_of = relative_buckets(torch.arange(32.0)[:, None])
    distances = torch.tensor([0, -1, -7, -8, -11, -12, -15, -16, -127, -128, -900, 1, 7, 8, 64, 127, 900])
    wanted = [0, 1, 7, 8, 8, 9, 9, 10, 15, 15, 15, 17, 23, 24, 30, 31, 31]
    assert bucket_of(distances)[0].tolist() == wanted


BY_DISTANCE = {"alibi": alibi(HEADS), "relative": relative_buckets(random(32, HEADS, seed=3))}


@pytest.mark.parametrize("name", BY_DISTANCE)
@given(length=st.integers(1, 300), data=st.data())
@settings(max_examples=40, deadline=None)
def test_parts_of_a_bias_are_windows_on_the_distances(name, length, data):
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    bias, wanted = _DistanceBias(BY_DISTANCE[name], CPU, torch.float32), by_pairs(BY_DISTANCE[name], length)
    for _ in range(2):  # the second time from what is kept
        np.testing.assert_array_equal(bias(start, stop, length), wanted[:, start:stop].float())
    np.testing.assert_array_equal(bias(0, 1, 1), wanted[:, :1, :1].float())


@pytest.mark.parametrize("name", BY_DISTANCE)
@pytest.mark.parametrize("length", [2047, 2048, 2049, 2500])
def test_a_bias_of_long_texts_comes_in_parts(name, length):
    by_distance = BY_DISTANCE[name]
    bias = _DistanceBias(by_distance, CPU, torch.float32)
    for start, stop in ((0, 1), (0, 3), (1000, 1004), (length - 2, length)):
        distances = torch.arange(length)[None, :] - torch.arange(start, stop)[:, None]
        wanted = by_distance(distances.flatten()).view(HEADS, stop - start, length)
        np.testing.assert_array_equal(bias(start, stop, length), wanted.float())
    kept = bias(0, 64, 64)
    np.testing.assert_array_equal(kept, by_pairs(by_distance, 64).float())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("attend", [attend_cpu, attend_fused])
@pytest.mark.parametrize("name", BY_DISTANCE)
def test_distances_count_beyond_the_longest_bias_that_is_kept(name, attend, dtype):
    lengths = [3, 2100]
    bias = _DistanceBias(BY_DISTANCE[name], CPU, torch.float32)
    assert_attends(attend, random_heads(Packing(lengths, CPU).rows, dtype, key_heads=1), lengths, bias)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("most", [1, 4 * 70 * 3, 4 * 70 * 69, 4 * 70 * 70])
@pytest.mark.parametrize("causal", [False, True])
def test_a_bias_in_parts_gives_what_a_whole_one_gives(monkeypatch, most, dtype, causal):
    monkeypatch.setattr(attention, "_MOST_BIAS", most)
    lengths, asked = [1, 2, 33, 33, 70], []

    def bias(start, stop, length):
        asked.append((stop - start) * length * HEADS)
        return position_bias(start, stop, length).to(dtype)

    heads = random_heads(Packing(lengths, CPU).rows, dtype, key_heads=2)
    assert_attends(attend_fused, heads, lengths, position_bias, causal=causal)
    attend_fused(heads, Packing(lengths, CPU), bias, causal=causal, first_only=False)
    assert max(asked) <= max(most, 70 * HEADS)


# --- packing ---------------------------------------------------------------------------------------------------


def test_neighbours_of_equal_length_form_a_group():
    packing = Packing([2, 2, 5, 2], CPU)
    assert packing.groups == [(0, 2, 2, 2), (4, 1, 5, 5), (9, 1, 2, 2)]
    assert [group.tokens for group in packing.groups] == [slice(0, 4), slice(4, 9), slice(9, 11)]
    assert packing.ends.tolist() == [0, 2, 4, 9, 11]
    assert packing.firsts.tolist()[:4] == [0, 2, 4, 9]
    assert packing.positions.tolist()[:11] == [0, 1, 0, 1, 0, 1, 2, 3, 4, 0, 1]
    assert not packing.hides
    assert Packing([2, 2, 5, 2], CPU, seen=[2, 1, 5, 2]).groups == [
        (0, 1, 2, 2),
        (2, 1, 2, 1),
        (4, 1, 5, 5),
        (9, 1, 2, 2),
    ]
    assert packing.pooled().groups == [(0, 4, 1, 1)]


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
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("key_heads", [1, HEADS])
@pytest.mark.parametrize("lengths", [[1], [1, 5, 5, 70], [512, 513], [1] * 300], ids=["one", "mixed", "long", "many"])
def test_one_kernel_over_variable_lengths(lengths, key_heads, causal, biased, dtype):
    heads = random_heads(sum(lengths), dtype, key_heads=key_heads, device=torch.device("cuda"))
    assert_attends(attend_varlen, heads, lengths, position_bias if biased else None, causal=causal)
