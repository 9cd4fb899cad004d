"""EVA-02 against the same in float64 numpy, written from the papers; names and shapes of the published checkpoints."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vision import PUBLISHED, TINY, random_pixels, random_vision, save_vision, vision_shapes

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.eva02 import grid_angles, read_weights
from jina_components.models.backends.torch_vision import TorchVisionBackend

PARAMETERS = {"jina-clip-v1": (258, 85_869_312), "jina-clip-v2": (510, 304_382_912)}
V1 = TINY["jina-clip-v1"]


# --- the same, one token and one head at a time -------------------------------------------------------------------


def layer_norm(weights, name, rows):
    centred = rows - rows.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def dense(weights, name, rows):
    return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def turned(vector, row, column, config):
    """A head's features 2m and 2m + 1 are a complex number, turned by the row or, in the second half, the column."""
    grid, pairs = config["image_size"] // config["patch_size"], len(vector) // 4
    result = np.empty_like(vector)
    for pair in range(2 * pairs):
        place = (row if pair < pairs else column) * config["pt_hw_seq_len"] / grid
        angle = place * 10000 ** (-2 * (pair % pairs) / (2 * pairs))
        number = complex(vector[2 * pair], vector[2 * pair + 1]) * complex(math.cos(angle), math.sin(angle))
        result[2 * pair : 2 * pair + 2] = number.real, number.imag
    return result


def attention(weights, name, rows, config):
    width, grid = config["head_width"], config["image_size"] // config["patch_size"]
    queries = rows @ weights[f"{name}q_proj.weight"].T + weights[f"{name}q_bias"]
    keys = rows @ weights[f"{name}k_proj.weight"].T
    values = rows @ weights[f"{name}v_proj.weight"].T + weights[f"{name}v_bias"]
    gathered = np.empty_like(values)
    for start in range(0, values.shape[1], width):
        own = slice(start, start + width)
        q, k = (
            [part[0, own], *(turned(part[1 + n, own], n // grid, n % grid, config) for n in range(grid * grid))]
            for part in (queries, keys)
        )
        for i, query in enumerate(q):
            scores = np.exp([query @ key / math.sqrt(width) for key in k])
            gathered[i, own] = scores / scores.sum() @ values[:, own]
    return dense(weights, f"{name}proj", layer_norm(weights, f"{name}inner_attn_ln", gathered))


def feed_forward(weights, name, rows):
    gate = dense(weights, f"{name}w1", rows)
    inner = gate / (1 + np.exp(-gate)) * dense(weights, f"{name}w2", rows)
    return dense(weights, f"{name}w3", layer_norm(weights, f"{name}ffn_ln", inner))


def embed(tensors, config, image):
    weights = {name.removeprefix("vision_model."): tensor.astype(np.float64) for name, tensor in tensors.items()}
    side, grid = config["patch_size"], config["image_size"] // config["patch_size"]
    rows = [weights["cls_token"][0, 0]]
    for top in range(0, grid * side, side):
        for left in range(0, grid * side, side):
            products = weights["patch_embed.proj.weight"] * image[:, top : top + side, left : left + side]
            rows.append(products.sum((1, 2, 3)) + weights["patch_embed.proj.bias"])
    tokens = np.array(rows) + weights["pos_embed"][0]
    for number in range(config["layers"]):
        block = f"blocks.{number}."
        tokens = tokens + attention(weights, f"{block}attn.", layer_norm(weights, f"{block}norm1", tokens), config)
        tokens = tokens + feed_forward(weights, f"{block}mlp.", layer_norm(weights, f"{block}norm2", tokens))
    return layer_norm(weights, "norm", tokens)[0]


# ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_vectors_are_those_of_the_formulas(tmp_path, name):
    config = TINY[name]
    tensors, images = random_vision(config), random_pixels(config, 5)
    backend = TorchVisionBackend(save_vision(tmp_path, tensors), config, device="cpu", precision="float32")
    wanted = np.array([embed(tensors, config, image.values) for image in images])
    assert np.abs(wanted[0] - wanted[1]).max() > 0.5  # images differ
    assert np.abs(backend.run(images) - wanted).max() < 1e-4


def test_a_grid_as_first_trained_needs_no_scaling(tmp_path):
    config = V1 | {"intp_freq": False, "pt_hw_seq_len": 4}
    tensors, images = random_vision(config), random_pixels(config, 1)
    backend = TorchVisionBackend(save_vision(tmp_path, tensors), config, device="cpu", precision="float32")
    assert np.abs(backend.run(images) - embed(tensors, config, images[0].values)).max() < 1e-4
    with pytest.raises(ModelFilesError, match="intp_freq"):
        read_weights(tmp_path, V1 | {"intp_freq": False})


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names_and_shapes(name):
    shapes = vision_shapes(PUBLISHED[name])
    assert (len(shapes), sum(math.prod(shape) for shape in shapes.values())) == PARAMETERS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_layouts_load(tmp_path, name):
    """All layers and patches of the published checkpoint, with fewer features."""
    config = PUBLISHED[name] | {"width": 8, "head_width": 4}
    weights = read_weights(save_vision(tmp_path, random_vision(config)), config)
    assert (len(weights.stack.blocks), weights.hidden, weights.stack.heads) == (config["layers"], 8, 2)
    assert weights.grid == {"jina-clip-v1": 14, "jina-clip-v2": 36}[name]
    assert weights.stack.angles(10_000).shape == (weights.grid**2 + 1, 2)


def test_settings_left_out_are_those_of_the_authors_class(tmp_path):
    given = {"width": 8, "head_width": 4, "layers": 1, "mlp_ratio": 2.6667, "intp_freq": True}
    given |= {"rope_embeddings": True, "subln": True, "naive_swiglu": True}
    folder = save_vision(tmp_path, random_vision(PUBLISHED["jina-clip-v1"] | given))
    weights = read_weights(folder, given)
    assert (weights.image_size, weights.patch_size) == (224, 16)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("rope_embeddings", False), ("subln", False), ("naive_swiglu", False), ("qkv_bias", False),
        ("post_norm", True), ("ls_init_value", 1e-5), ("proj_type", "linear"), ("head_width", 24), ("head_width", 2),
    ],
)  # fmt: skip
def test_other_variants_are_refused(tmp_path, setting, value):
    folder = save_vision(tmp_path, random_vision(V1))
    with pytest.raises(ModelFilesError, match=setting):
        read_weights(folder, V1 | {setting: value})


def test_variants_must_be_named(tmp_path):
    folder = save_vision(tmp_path, random_vision(V1))
    with pytest.raises(ModelFilesError, match="subln"):
        read_weights(folder, {name: value for name, value in V1.items() if name != "subln"})


@pytest.mark.parametrize("missing", ["cls_token", "blocks.1.attn.q_bias", "blocks.0.mlp.ffn_ln.bias", "norm.weight"])
def test_a_missing_tensor_is_named(tmp_path, missing):
    tensors = random_vision(V1)
    del tensors[f"vision_model.{missing}"]
    with pytest.raises(ModelFilesError, match=missing):
        read_weights(save_vision(tmp_path, tensors), V1)


@pytest.mark.parametrize(
    "name",
    [
        "vision_model.blocks.0.attn.k_bias", "vision_model.blocks.0.gamma_1", "vision_model.head.weight",
        "vision_model.blocks.2.norm1.weight", "visual_projection.weight", "text_projection.weight",
    ],
)  # fmt: skip
def test_a_tensor_left_over_is_named(tmp_path, name):
    folder = save_vision(tmp_path, random_vision(V1) | {name: np.ones(32, np.float32)})
    with pytest.raises(ModelFilesError, match=name):
        read_weights(folder, V1)


def test_a_wrong_shape_is_named(tmp_path):
    with pytest.raises(ModelFilesError, match="pos_embed has the shape"):
        read_weights(save_vision(tmp_path, random_vision(V1)), V1 | {"image_size": 80})


def test_stored_tables_of_angles_are_not_needed(tmp_path):
    table = np.zeros((16, 16), np.float32)
    names = [f"vision_model.{at}rope.freqs_{part}" for at in ("", "blocks.0.attn.") for part in ("cos", "sin")]
    read_weights(save_vision(tmp_path, random_vision(V1) | dict.fromkeys(names, table)), V1)


@given(st.integers(2, 40), st.integers(1, 16), st.integers(1, 32), st.data())
def test_angles_between_patches_depend_on_their_distance_alone(grid, quarter, trained, data):
    angles = grid_angles(grid, 4 * quarter, trained)(grid * grid + 1)
    assert angles.shape == (grid * grid + 1, 2 * quarter)
    assert not angles[0].any()
    steps = data.draw(st.tuples(*[st.integers(0, grid - 1)] * 2))
    places = [[data.draw(st.integers(0, grid - 1 - step)) for step in steps] for _ in range(2)]
    (row, column), (other_row, other_column) = places
    step = steps[0] * grid + steps[1]
    first, second = 1 + row * grid + column, 1 + other_row * grid + other_column
    np.testing.assert_allclose(angles[first + step] - angles[first], angles[second + step] - angles[second], atol=1e-9)
