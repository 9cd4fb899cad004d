from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jina_components.core.quantization import (
    DTYPES,
    calibrate,
    dequantize,
    hamming_distances,
    quantize,
    search_quantized,
)
from jina_components.core.vectors import normalize
from jina_components.errors import InputError, UnknownNameError

TYPES = tuple(DTYPES)
BINARY = ("binary", "ubinary")
STEPS = ("int8", "uint8")
FINITE = st.floats(-1e4, 1e4, width=32)
WIDTHS = st.integers(1, 6).map(lambda bytes_: 8 * bytes_)
ROWS = st.tuples(st.integers(1, 6), WIDTHS).flatmap(lambda shape: arrays(np.float32, shape, elements=FINITE))


def sample(n: int = 200, d: int = 64, seed: int = 0) -> np.ndarray:
    return normalize(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


# Codes


@given(ROWS, st.sampled_from(TYPES))
def test_a_row_is_coded_alone_as_in_its_batch(rows, storage_type):
    ranges = calibrate(rows)
    batch = quantize(rows, storage_type, ranges=ranges)
    assert batch.dtype == DTYPES[storage_type]
    for row, codes in zip(rows, batch, strict=True):
        alone = quantize(row, storage_type, ranges=ranges)
        assert alone.shape == codes.shape
        np.testing.assert_array_equal(alone, codes)
    np.testing.assert_array_equal(quantize(rows[::-1], storage_type, ranges=ranges), batch[::-1])


@given(ROWS, st.sampled_from(STEPS))
def test_without_ranges_the_neighbours_count_for_nothing_either(rows, storage_type):
    unit = normalize(rows)
    batch = quantize(unit, storage_type)
    for row, codes in zip(unit, batch, strict=True):
        np.testing.assert_array_equal(quantize(row[None], storage_type)[0], codes)


@given(ROWS)
def test_bits_are_packed_most_significant_first(rows):
    unsigned, signed = quantize(rows, "ubinary"), quantize(rows, "binary")
    for row, values, offset_values in zip(rows, unsigned.tolist(), signed.tolist(), strict=True):
        bits = "".join("1" if component > 0 else "0" for component in row)
        assert values == [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
        assert offset_values == [value - 128 for value in values]
    np.testing.assert_array_equal(unsigned, np.packbits(rows > 0, axis=1))


def test_the_offset_form_is_not_twos_complement():
    assert quantize([1, -1, -1, -1, -1, -1, -1, -1], "binary").tolist() == [0]
    assert quantize([0.0] * 8, "binary").tolist() == [-128]
    assert quantize([1.0] * 8, "binary").tolist() == [127]
    assert quantize([1.0] * 8, "ubinary").tolist() == [255]


@given(ROWS, st.sampled_from(BINARY))
def test_signs_survive_a_round_trip(rows, storage_type):
    back = dequantize(quantize(rows, storage_type), storage_type)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back > 0, rows > 0)
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(quantize(back, storage_type), quantize(rows, storage_type))


@given(ROWS, st.sampled_from(STEPS))
def test_a_round_trip_is_off_by_half_a_step_at_most(rows, storage_type):
    ranges = calibrate(rows)
    codes = quantize(rows, storage_type, ranges=ranges)
    back = dequantize(codes, storage_type, ranges=ranges)
    half = (ranges[1] - ranges[0]) / 255 / 2
    slack = 1e-5 * np.abs(ranges).max(axis=0) + 1e-40
    assert (np.abs(back - rows) <= half * 1.001 + slack).all()


@given(st.lists(FINITE, min_size=2, max_size=30), st.sampled_from(STEPS))
def test_codes_rise_with_the_values(values, storage_type):
    column = np.array(sorted(values), np.float32)[:, None]
    ranges = [[-100.0], [250.0]]
    assert (np.diff(quantize(column, storage_type, ranges=ranges).astype(int), axis=0) >= 0).all()
    unit = column / max(np.abs(column).max(), 1)
    assert (np.diff(quantize(unit, storage_type).astype(int), axis=0) >= 0).all()


@given(ROWS)
def test_the_signed_form_is_the_unsigned_less_128(rows):
    ranges = calibrate(rows)
    signed, unsigned = (quantize(rows, name, ranges=ranges).astype(int) for name in STEPS)
    np.testing.assert_array_equal(signed, unsigned - 128)


def test_values_outside_the_ranges_are_clipped():
    codes = quantize([[-9.0, 0.0], [9.0, 1.0]], "uint8", ranges=[[0, 0], [1, 1]])
    assert codes.tolist() == [[0, 0], [255, 255]]


def test_a_dimension_that_never_varies():
    ranges = calibrate([[0.5, 1.0], [0.5, 2.0]])
    codes = quantize([[0.5, 1.0], [0.7, 2.0]], "uint8", ranges=ranges)
    np.testing.assert_array_equal(dequantize(codes, "uint8", ranges=ranges), [[0.5, 1.0], [0.5, 2.0]])


@pytest.mark.parametrize("width", [1e-44, 1e-30, 1e30])
def test_ranges_of_extreme_widths(width):
    codes = quantize([[0.0], [width]], "uint8", ranges=np.array([[0.0], [width]]))
    assert codes.tolist() == [[0], [255]]


@pytest.mark.parametrize("dimensions", [1, 3, 8, 384, 1024, 4096])
def test_without_ranges_zero_is_zero_and_products_keep_their_order(dimensions):
    assert not quantize(np.zeros(dimensions), "int8").any()
    assert (dequantize(quantize(np.zeros(dimensions), "int8"), "int8") < 1e-6).all()
    rows = sample(50, dimensions, seed=dimensions)
    codes = quantize(rows, "int8").astype(np.int64)
    approximate, exact = codes @ codes.T, dequantize(quantize(rows, "int8"), "int8")
    np.testing.assert_allclose(approximate * (exact @ exact.T)[0, 0] / approximate[0, 0], exact @ exact.T, atol=1e-5)


def test_without_ranges_unit_vectors_keep_their_direction():
    rows = sample(500, 384)
    back = normalize(dequantize(quantize(rows, "int8"), "int8"))
    assert (rows * back).sum(axis=1).min() > 0.9998


def test_half_precision():
    rows = sample()
    codes = quantize(rows, "float16")
    np.testing.assert_array_equal(codes, rows.astype(np.float16))
    np.testing.assert_allclose(dequantize(codes, "float16"), rows, atol=1e-3)
    np.testing.assert_array_equal(dequantize(quantize(rows, "float32"), "float32"), rows)


@pytest.mark.parametrize("storage_type", TYPES)
def test_no_rows(storage_type):
    codes = quantize(np.zeros((0, 16)), storage_type)
    assert codes.shape == (0, 2 if storage_type in BINARY else 16)
    assert codes.dtype == DTYPES[storage_type]
    assert dequantize(codes, storage_type).shape == (0, 16)


# Refusals


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("storage_type", TYPES)
def test_what_is_not_finite_is_named(storage_type, bad):
    rows = np.zeros((3, 8))
    rows[2, 5] = bad
    with pytest.raises(InputError, match=r"vectors\[2\] holds NaN or infinity") as raised:
        quantize(rows, storage_type)
    assert raised.value.index == 2
    with pytest.raises(InputError, match="vectors holds NaN") as raised:
        quantize(rows[2], storage_type)
    assert raised.value.index is None
    with pytest.raises(InputError, match=r"vectors\[2\]"):
        calibrate(rows)


@pytest.mark.parametrize("storage_type", BINARY)
@pytest.mark.parametrize(("dimensions", "remedy"), [(12, 8), (65, 64), (3, 8)])
def test_dimensions_that_fill_no_byte(storage_type, dimensions, remedy):
    with pytest.raises(InputError, match=f"{dimensions} is no multiple of 8: choose dimensions={remedy} "):
        quantize(np.zeros((2, dimensions)), storage_type)


def test_raw_vectors_need_ranges():
    rows = np.array([[0.6, 0.8], [3.0, 4.0]])
    with pytest.raises(InputError, match=r"vectors\[1\] is longer than 1.*calibrate") as raised:
        quantize(rows, "int8")
    assert raised.value.index == 1
    assert quantize(rows, "int8", ranges=calibrate(rows)).tolist() == [[-128, -128], [127, 127]]


def test_numbers_beyond_half_precision():
    with pytest.raises(InputError, match=r"vectors\[1\] is beyond float16"):
        quantize([[1.0], [70000.0]], "float16")


@pytest.mark.parametrize("ranges", [[[0, 0]], [[0], [1]], [[1, 0], [0, 1]], [[-3e38, 0], [3e38, 1]], [[0, np.nan]] * 2])
def test_ranges_that_are_none(ranges):
    with pytest.raises(InputError, match="ranges"):
        quantize([[0.0, 0.0]], "uint8", ranges=ranges)


@pytest.mark.parametrize("vectors", [[["a"]], [[1.0], [1.0, 2.0]], np.zeros((1, 1, 8)), 3.0, [[1j]], [[None]], None])
def test_what_is_no_array_of_rows(vectors):
    with pytest.raises(InputError, match="vectors must"):
        quantize(vectors, "float32")


def test_an_unknown_type():
    with pytest.raises(UnknownNameError, match="Did you mean 'int8'"):
        quantize([[1.0]], "int4")
    with pytest.raises(UnknownNameError):
        dequantize(np.zeros((1, 1)), "double")


def test_codes_of_another_type_are_refused():
    codes = quantize(sample(), "binary")
    with pytest.raises(InputError, match="ubinary codes are of dtype uint8, got int8"):
        dequantize(codes, "ubinary")


@pytest.mark.parametrize("vectors", [np.zeros((0, 8)), np.zeros(8)])
def test_ranges_need_a_sample(vectors):
    with pytest.raises(InputError, match="n >= 1"):
        calibrate(vectors)


# Search


@given(ROWS, st.sampled_from(BINARY))
def test_distances_count_the_signs_that_differ(rows, storage_type):
    codes = quantize(rows, storage_type)
    signs = rows > 0
    np.testing.assert_array_equal(hamming_distances(codes[0], codes), (signs != signs[0]).sum(axis=1))


def test_distances_without_the_count_of_newer_numpy(monkeypatch):
    codes = quantize(sample(), "binary")
    wanted = hamming_distances(codes[0], codes)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    np.testing.assert_array_equal(hamming_distances(codes[0], codes), wanted)


def test_distances_of_codes_that_do_not_compare():
    codes = quantize(sample(), "binary")
    for other in (quantize(sample(), "ubinary")[0], codes[0, :4], sample()[0]):
        with pytest.raises(InputError, match="one binary type"):
            hamming_distances(other, codes)


@pytest.mark.parametrize("storage_type", TYPES)
def test_rescoring_all_rows_in_full_is_an_exact_search(storage_type):
    rows, query = sample(), sample(1, seed=1)[0]
    hits = search_quantized(
        query, quantize(rows, storage_type), storage_type, top_k=20, rescore_with=rows, oversample=len(rows)
    )
    assert [row for row, _ in hits] == np.argsort(-(rows @ query), kind="stable")[:20].tolist()
    np.testing.assert_allclose([score for _, score in hits], np.sort(rows @ query)[::-1][:20], atol=1e-6)


@pytest.mark.parametrize("storage_type", BINARY)
def test_binary_search_in_one_step_and_in_two(storage_type):
    rows, query = sample(), sample(1, seed=1)[0]
    codes = quantize(rows, storage_type)
    distances = hamming_distances(quantize(query, storage_type), codes)
    one = search_quantized(query, codes, storage_type, top_k=7, oversample=None)
    assert [row for row, _ in one] == np.argsort(distances, kind="stable")[:7].tolist()
    np.testing.assert_allclose([score for _, score in one], 1 - 2 * np.sort(distances)[:7] / 64, rtol=1e-6)

    two = search_quantized(query, codes, storage_type, top_k=7, oversample=3)
    candidates = np.argsort(distances, kind="stable")[:21]
    products = dequantize(codes, storage_type) @ query
    assert [row for row, _ in two] == sorted(candidates.tolist(), key=lambda row: (-products[row], row))[:7]


@pytest.mark.parametrize("ranges", [None, calibrate(sample())])
@pytest.mark.parametrize("storage_type", ["float32", "float16", "int8", "uint8"])
def test_one_step_scores_what_the_codes_stand_for(storage_type, ranges):
    codes, query = quantize(sample(), storage_type, ranges=ranges), sample(1, seed=1)[0]
    hits = search_quantized(query, codes, storage_type, top_k=200, ranges=ranges, oversample=None)
    products = dequantize(codes, storage_type, ranges=ranges) @ query
    np.testing.assert_allclose([score for _, score in hits], products[[row for row, _ in hits]], atol=1e-6)


@pytest.mark.parametrize("rescoring", ["float32", "float16", "int8", "uint8"])
def test_the_second_step_reads_any_finer_form(rescoring, tmp_path):
    rows, query = sample(), sample(1, seed=1)[0]
    ranges = calibrate(rows)
    np.save(tmp_path / "rows.npy", quantize(rows, rescoring, ranges=ranges))
    finer = np.load(tmp_path / "rows.npy", mmap_mode="r")
    hits = search_quantized(
        query, quantize(rows, "binary"), "binary", top_k=5, ranges=ranges, rescore_with=finer, oversample=40
    )
    wanted = search_quantized(query, rows, "float32", top_k=5)
    assert hits[0][0] == wanted[0][0]
    np.testing.assert_allclose([score for _, score in hits], [score for _, score in wanted], atol=0.01)


def test_more_rows_than_a_block(monkeypatch):
    rows, query = sample(), sample(1, seed=1)[0]
    wanted = {name: search_quantized(query, quantize(rows, name), name) for name in TYPES}
    monkeypatch.setattr("jina_components.core.quantization._BLOCK_BYTES", 1000)
    for name in TYPES:
        got = search_quantized(query, quantize(rows, name), name)
        assert [row for row, _ in got] == [row for row, _ in wanted[name]]


def test_few_rows_or_none():
    rows = sample(3)
    hits = search_quantized(rows[1], quantize(rows, "binary"), "binary", top_k=9)
    assert len(hits) == 3
    assert hits[0][0] == 1
    assert search_quantized(rows[1], quantize(rows[:0], "binary"), "binary") == []
    assert search_quantized(rows[1], rows[:0], "float32", rescore_with=rows[:0]) == []


@pytest.mark.parametrize("dimensions", [8, 64, 104, 384])
def test_equal_rows_keep_their_order(dimensions):
    rows = np.repeat(sample(1, dimensions), 23, axis=0)
    for name in TYPES:
        assert [row for row, _ in search_quantized(rows[0], quantize(rows, name), name)] == list(range(10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": sample(2)}, "query must be one vector"),
        ({"query": np.zeros(32)}, r"shape \[n, 4\]"),
        ({"query": np.full(64, np.nan)}, "query holds NaN"),
        ({"codes": quantize(sample(), "ubinary")}, "dtype int8"),
        ({"storage_type": "int8"}, r"shape \[n, 64\]"),
        ({"rescore_with": sample(3)}, "rescore_with"),
        ({"rescore_with": sample().astype(np.float64)}, "float64"),
        ({"top_k": 0}, "top_k"),
        ({"oversample": 0}, "oversample"),
    ],
)
def test_a_search_that_does_not_fit(arguments, message):
    fitting = {"query": sample(1)[0], "codes": quantize(sample(), "binary"), "storage_type": "binary"}
    with pytest.raises(InputError, match=message):
        search_quantized(**(fitting | arguments))


def test_a_damaged_row_is_named():
    rows = sample()
    rows[[5, 9]] = np.nan
    with pytest.raises(InputError, match="Row 5 ") as raised:
        search_quantized(sample(1, seed=1)[0], rows, "float32")
    assert raised.value.index == 5
