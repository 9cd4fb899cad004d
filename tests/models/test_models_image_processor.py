"""Images as CLIP takes them, against PIL and plain arithmetic."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from jina_components.errors import ModelFilesError
from jina_components.models.images import ImageProcessor, Pixels, read_processor

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def picture(width, height, seed=0):
    random = np.random.default_rng(seed)
    return PILImage.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def processor(size=16, **options):
    return ImageProcessor(**{"size": size, "patch_size": 4, "mean": MEAN, "std": STD, **options})


def prepared(made, size):
    """torchvision's Resize, CenterCrop, ToTensor and Normalize, in PIL and float64."""
    width, height = made.size
    target = (size, int(size * height / width)) if width <= height else (int(size * width / height), size)
    if target != made.size:
        made = made.resize(target, PILImage.BICUBIC)
    top, left = (round((target[axis] - size) / 2.0) for axis in (1, 0))
    cut = np.asarray(made, np.float64)[top : top + size, left : left + size] / 255
    return ((cut - MEAN) / STD).transpose(2, 0, 1)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(4, 24), st.integers(0, 99))
@example(227, 224, 224, 0)
@example(225, 224, 224, 0)
@example(224, 227, 224, 0)
@example(612, 408, 512, 0)
@example(1, 90, 24, 0)
@settings(deadline=None)
def test_preparation_is_that_of_clip(width, height, size, seed):
    made = picture(width, height, seed=seed)
    result = processor(size)(made)
    assert (result.values.shape, result.values.dtype) == ((3, size, size), np.float32)
    assert result.values.flags.c_contiguous
    np.testing.assert_allclose(result.values, prepared(made, size), atol=1e-5)


def test_a_preparation_knows_its_length_and_cost():
    result = processor(18)(picture(40, 40))
    assert (len(result), result.cost, result.num_rows, result.adapter) == (17, 17, 1, -1)
    assert len(Pixels(result.values, 5)) == 5


@pytest.mark.parametrize(
    ("tile", "tokens", "size", "cost"),
    [
        ((224, 224), 1000, (224, 224), 1000),
        ((224, 224), 1000, (225, 224), 2000),
        ((224, 224), 1000, (1, 1), 1000),
        ((224, 224), 1000, (1920, 1080), 9 * 5 * 1000),
        ((512, 512), 4000, (512, 512), 4000),
        ((512, 512), 4000, (612, 408), 8000),
    ],
)
def test_images_cost_by_the_tile(tile, tokens, size, cost):
    assert processor(tile=tile, tile_tokens=tokens)(picture(*size)).cost == cost


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_cover_an_image(width, height):
    cost = processor(tile=(224, 112), tile_tokens=7).cost(width, height)
    assert cost == math.ceil(width / 224) * math.ceil(height / 112) * 7
    assert cost / 7 * 224 * 112 >= width * height


PUBLISHED = {
    "image_processor_type": "JinaCLIPImageProcessor", "size": 224, "mean": list(MEAN), "std": list(STD),
    "resize_mode": "shortest", "interpolation": "bicubic", "fill_color": 0,
}  # fmt: skip


def read(folder, **changes):
    settings = {name: value for name, value in (PUBLISHED | changes).items() if value is not None}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return read_processor(folder, image_size=224, patch_size=16, tile=(224, 224), tile_tokens=1000)


def test_the_published_settings_are_read(tmp_path):
    wanted = ImageProcessor(size=224, patch_size=16, mean=MEAN, std=STD, tile=(224, 224), tile_tokens=1000)
    assert read(tmp_path) == read(tmp_path, size=[224, 224]) == read(tmp_path, resize_mode=None) == wanted
    assert wanted.tokens == 197


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 225}, {"size": None}, {"size": "224"}, {"size": [224, 200]}, {"mean": None}, {"mean": [1, 2]},
        {"std": [0, 1, 1]}, {"std": ["1", "1", "1"]}, {"resize_mode": "squash"}, {"interpolation": "bilinear"},
    ],
)  # fmt: skip
def test_other_settings_are_refused(tmp_path, changes):
    with pytest.raises(ModelFilesError, match=next(iter(changes))):
        read(tmp_path, **changes)


def test_missing_settings_are_named(tmp_path):
    with pytest.raises(ModelFilesError, match=r"preprocessor_config\.json is missing"):
        read_processor(tmp_path, image_size=224, patch_size=16)
    (tmp_path / "preprocessor_config.json").write_text("[]")
    with pytest.raises(ModelFilesError, match="holds a list"):
        read_processor(tmp_path, image_size=224, patch_size=16)
