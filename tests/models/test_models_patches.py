"""Images for Qwen-VL against the processor of transformers."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_vision_models import MAX_PIXELS, MIN_PIXELS, picture
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

from jina_components.errors import ModelFilesError
from jina_components.models.patches import PatchProcessor, read_patch_processor

PROCESSOR = PatchProcessor(patch_size=14, merge_size=2, min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)
VISION = {"patch_size": 14, "spatial_merge_size": 2}


@settings(deadline=None)
@given(
    width=st.integers(1, 3000),
    ratio=st.floats(0.011, 99),
    limits=st.sampled_from([(3136, 602_112), (3136, 1_003_520), (784, 784), (100_000, 120_000)]),
)
def test_sizes_are_those_of_transformers(width, ratio, limits):
    height = max(1, round(width / ratio))
    least, most = limits
    processor = PatchProcessor(patch_size=14, merge_size=2, min_pixels=least, max_pixels=most)
    down, across = smart_resize(height, width, 28, least, most)
    assert processor.resized(width, height) == (across, down)
    assert processor.tokens(width, height) == across * down // 784


@pytest.mark.parametrize("size", [(56, 56), (100, 60), (57, 301), (700, 500), (20, 20), (1, 1), (400, 4)])
def test_patches_are_those_of_transformers(size):
    image = picture(*size)
    expected = Qwen2VLImageProcessorPil(size={"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS})(images=[image])
    patches = PROCESSOR(image)
    assert (1, *patches.grid) == tuple(expected["image_grid_thw"][0])
    assert patches.tokens == PROCESSOR.tokens(*size) == len(patches.values) // 4
    values = patches.values.reshape(-1, 3, 196) / np.float32(255)
    values = (values - np.float32(PROCESSOR.mean)[:, None]) / np.float32(PROCESSOR.std)[:, None]
    twice = np.repeat(values[:, :, None], 2, axis=2)  # both frames
    assert np.abs(twice.reshape(len(values), -1) - expected["pixel_values"]).max() < 1e-5


def test_patches_are_told_apart_by_their_digest():
    images = [picture(60, 60), picture(60, 60, seed=1), picture(56, 112), picture(112, 56)]
    images += [PIL.Image.new("RGB", size) for size in ((56, 112), (112, 56))]
    assert len({PROCESSOR(image).digest for image in images}) == len(images)
    assert PROCESSOR(images[0]).digest == PROCESSOR(images[0].copy()).digest


def write(folder, **settings):
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ({}, (3136, 1_003_520)),
        ({"min_pixels": 3136, "max_pixels": 602_112}, (3136, 602_112)),
        ({"size": {"shortest_edge": 784, "longest_edge": 7840}}, (784, 7840)),
        ({"size": {"shortest_edge": 784, "longest_edge": 7840}, "max_pixels": 78_400}, (784, 78_400)),
    ],
)
def test_limits_are_those_of_the_file(tmp_path, given, limits):
    write(tmp_path, patch_size=14, temporal_patch_size=2, merge_size=2, do_resize=True, resample=3, **given)
    processor = read_patch_processor(tmp_path, VISION)
    assert (processor.min_pixels, processor.max_pixels) == limits
    mine = {name: value for name, value in given.items() if name != "size"}
    size = dict(given["size"]) if "size" in given else None
    theirs = Qwen2VLImageProcessorPil(**mine, **({"size": size} if size else {}))
    assert (theirs.size["shortest_edge"], theirs.size["longest_edge"]) == limits
    assert np.allclose((processor.mean, processor.std), (theirs.image_mean, theirs.image_std))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"patch_size": 16}, "patch_size"),
        ({"merge_size": 4}, "merge_size"),
        ({"do_normalize": False}, "do_normalize"),
        ({"resample": 2}, "resample"),
        ({"image_mean": [0.5, 0.5]}, "image_mean"),
        ({"image_std": [0.5, 0.0, 0.5]}, "std"),
        ({"max_pixels": "many"}, "max_pixels"),
        ({"min_pixels": 900, "max_pixels": 800}, "limits"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, given, match):
    write(tmp_path, **given)
    with pytest.raises(ModelFilesError, match=match):
        read_patch_processor(tmp_path, VISION)


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(ModelFilesError, match=r"preprocessor_config\.json is missing"):
        read_patch_processor(tmp_path, VISION)
