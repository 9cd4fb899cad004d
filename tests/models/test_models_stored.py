"""The stored form: what comes back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.stored import is_stored, read_spans, read_stored, write_stored


def matrix(rows, groups, seed, zeros, outlier):
    """Numbers between 0.01 and 100 in size, a part of them zero, and one far from all others."""
    random = np.random.default_rng(seed)
    numbers = 10 ** random.uniform(-2, 2, (rows, 32 * groups)) * random.choice([-1, 1], (rows, 32 * groups))
    numbers[random.random(numbers.shape) < zeros] = 0
    numbers[0, 0] = outlier
    return numbers.astype(np.float32)


MATRICES = st.builds(
    matrix,
    rows=st.integers(1, 5),
    groups=st.integers(1, 3),
    seed=st.integers(0, 10_000),
    zeros=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    outlier=st.sampled_from([0.0, 0.01, -100.0, 1000.0]),
)
WORDS, LINEAR = "bert.embeddings.word_embeddings.weight", "encoder.layer.0.output.dense.weight"


def round_trip(folder, tensors):
    write_stored(tensors, folder / "model.safetensors")
    return read_stored(folder / "model.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stored")


@given(matrix=MATRICES)
def test_bytes_are_within_half_a_step(folder, matrix):
    back = round_trip(folder, {LINEAR: matrix})[LINEAR]
    step = np.abs(matrix).max(1, keepdims=True) / 127
    assert back.dtype == np.float32
    assert (np.abs(back - matrix) <= step * 0.501).all()


@given(matrix=MATRICES)
def test_words_are_nearer_than_plain_rounding_brings_them(folder, matrix):
    back = round_trip(folder, {WORDS: matrix})[WORDS]
    groups = matrix.reshape(len(matrix), -1, 32)
    reach = np.abs(groups).max(-1, keepdims=True)
    step = np.where(reach == 0, 1, reach / 7)
    plain = ((np.round(groups / step) * step - groups) ** 2).sum(-1)
    error = (back.reshape(groups.shape) - groups) ** 2
    assert (error.sum(-1) <= plain * 1.02 + 1e-5 * reach[..., 0] ** 2).all()  # the scale is of 16 bits
    assert (np.sqrt(error) <= 0.31 * reach + 1e-9).all()


@given(matrix=MATRICES)
def test_what_was_read_is_stored_as_it_is(folder, matrix):
    once = round_trip(folder, {LINEAR: matrix})
    np.testing.assert_allclose(round_trip(folder, once)[LINEAR], once[LINEAR], rtol=1e-6)


def test_forms(tmp_path):
    random = np.random.default_rng(0)
    tensors = {
        WORDS: random.normal(size=(10, 64)),
        "bert.embeddings.position_embeddings.weight": random.normal(size=(6, 64)),
        LINEAR: random.normal(size=(8, 64)),
        "classifier.weight": random.normal(size=(4, 64)),
        "encoder.layer.0.output.dense.bias": random.normal(size=8),
    }
    path = tmp_path / "model.safetensors"
    write_stored({name: tensor.astype(np.float32) for name, tensor in tensors.items()}, path)
    assert {name: (array.dtype.name, array.shape) for name, array in load_file(path).items()} == {
        WORDS: ("uint8", (10, 32)),
        WORDS + "_scale": ("float16", (10, 2)),
        "bert.embeddings.position_embeddings.weight": ("float32", (6, 64)),
        LINEAR: ("int8", (8, 64)),
        LINEAR + "_scale": ("float32", (8, 1)),
        "classifier.weight": ("float32", (4, 64)),
        "encoder.layer.0.output.dense.bias": ("float32", (8,)),
    }
    assert is_stored(path)
    assert read_stored(path).keys() == tensors.keys()


def test_nibbles(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"x.weight": np.array([[0x80, 0x1F]], np.uint8), "x.weight_scale": np.array([[2, 10]], np.float32)}, path)
    np.testing.assert_array_equal(read_stored(path)["x.weight"], [[-16, 0, 70, -70]])


def test_spans_are_where_the_bytes_are(tmp_path):
    path = tmp_path / "model.safetensors"
    write_stored({LINEAR: np.eye(3, 32, dtype=np.float32), "b.bias": np.arange(3, dtype=np.float32)}, path)
    content = path.read_bytes()
    with safe_open(path, "numpy") as tensors:
        assert read_spans(path).keys() == set(tensors.keys())
        for name, span in read_spans(path).items():
            array = tensors.get_tensor(name)
            assert (array.tobytes(), array.shape) == (content[span.start : span.start + span.length], span.shape)


def test_a_number_that_is_called_a_scale(tmp_path):
    path = tmp_path / "model.safetensors"
    plain = {LINEAR: np.eye(3, 32, dtype=np.float32), "logit_scale": np.array(2.5, np.float32)}
    save_file(plain, path)
    assert not is_stored(path)
    write_stored(plain, path)
    assert is_stored(path)
    tensors = read_stored(path)
    np.testing.assert_array_equal(tensors["logit_scale"], plain["logit_scale"])
    assert tensors["logit_scale"].shape == ()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x.weight": np.zeros((2, 4), np.int8)}, "x.weight is int8 without scales"),
        ({"x.weight": np.zeros((2, 4), np.float32), "x.weight_scale": np.ones((2, 1), np.float32)}, "with scales"),
        ({"x.weight": np.zeros((2, 4), np.int8), "x.weight_scale": np.ones((3, 1), np.float32)}, "do not fit"),
        ({"x.weight": np.zeros((2, 4), np.int8), "x.weight_scale": np.ones((2, 3), np.float32)}, "do not fit"),
        ({"x.weight": np.zeros((2, 4), np.int8), "x.weight_scale": np.ones((2, 0), np.float32)}, "do not fit"),
        ({"x.weight": np.zeros((2, 4), np.int8), "x.weight_scale": np.ones(2, np.float32)}, "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelFilesError, match=message):
        read_stored(tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x08\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_no_safetensors(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for read in (read_stored, read_spans, is_stored):
        with pytest.raises(ModelFilesError, match=r"model\.safetensors"):
            read(path)


def test_no_file(tmp_path):
    for read in (read_stored, read_spans, is_stored):
        with pytest.raises(ModelFilesError, match="cannot be read"):
            read(tmp_path / "model.safetensors")


def test_what_cannot_be_stored(tmp_path):
    with pytest.raises(ConfigError, match="not finite"):
        write_stored({"x.bias": np.array([np.nan], np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="multiple of 32"):
        write_stored({WORDS: np.zeros((2, 48), np.float32)}, tmp_path / "model.safetensors")
