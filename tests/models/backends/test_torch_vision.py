"""The vision backend: an image's vector depends on nothing beside it, at every precision."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import skip_what_cannot_run
from tiny_vision import TINY, random_pixels, random_vision, save_vision

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.backends.torch_vision import TorchVisionBackend
from jina_components.models.runner import ModelRunner


@pytest.fixture(scope="module")
def make_backend(tmp_path_factory):
    base = tmp_path_factory.mktemp("vision")

    @cache
    def make(name, precision):
        skip_what_cannot_run("torch", precision)
        folder = base / name
        if not folder.exists():
            save_vision(folder, random_vision(TINY[name]))
        return TorchVisionBackend(folder, TINY[name], device="cpu", precision=precision)

    return make


def test_it_says_how_it_runs(make_backend):
    backend = make_backend("jina-clip-v2", "float32")
    assert (backend.width, backend.padded, backend.precision, backend.device.type) == (32, False, "float32", "cpu")
    assert (backend.image_size, backend.patch_size) == (50, 14)
    [pixels] = random_pixels(TINY["jina-clip-v2"], 1)
    assert (len(pixels), pixels.num_rows, pixels.adapter) == (10, 1, -1)
    assert backend.token_budget >= len(pixels)
    rows = backend.run([pixels])
    assert (rows.shape, rows.dtype) == ((1, 32), np.float32)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", TINY)
@given(number=st.integers(1, 9), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_neighbours_and_order_do_not_change_a_vector(make_backend, name, precision, number, seed):
    backend, batch = make_backend(name, precision), random_pixels(TINY[name], number, seed=seed)
    together, backwards = backend.run(batch), backend.run(batch[::-1])[::-1]
    alone = np.concatenate([backend.run([image]) for image in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(backwards, alone, atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_bfloat16_stays_near_float32(make_backend, name):
    batch = random_pixels(TINY[name], 8)
    low, full = make_backend(name, "bfloat16").run(batch), make_backend(name, "float32").run(batch)
    cosines = (low * full).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(full, axis=1)
    assert cosines.min() > 0.999


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize(("precision", "least"), [("float32", 0.999999), ("float16", 0.999), ("bfloat16", 0.99)])
def test_a_gpu_gives_the_same(make_backend, tmp_path, precision, least):
    folder, batch = save_vision(tmp_path, random_vision(TINY["jina-clip-v2"])), random_pixels(TINY["jina-clip-v2"], 8)
    there = TorchVisionBackend(folder, TINY["jina-clip-v2"], device="cuda", precision=precision).run(batch)
    here = make_backend("jina-clip-v2", "float32").run(batch)
    cosines = (there * here).sum(1) / np.linalg.norm(there, axis=1) / np.linalg.norm(here, axis=1)
    assert cosines.min() > least


@pytest.mark.parametrize("budget", [1, 25, 10_000])
def test_a_runner_gives_the_same_rows_under_any_budget(make_backend, budget):
    backend, batch = make_backend("jina-clip-v1", "float32"), random_pixels(TINY["jina-clip-v1"], 7)
    rows = ModelRunner(backend, token_budget=budget).run(batch)
    np.testing.assert_allclose(rows, backend.run(batch), atol=1e-5)


def test_int8_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="int8"):
        TorchVisionBackend(tmp_path, TINY["jina-clip-v1"], device="cpu", precision="int8")


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelFilesError, match="holds no weights"):
        TorchVisionBackend(tmp_path, TINY["jina-clip-v1"], device="cpu")
