"""EVA-02: the vision side of jina-clip (Fang et al. 2023, arXiv:2303.11331; Koukounas et al. 2024, arXiv:2405.20204).

Pre-norm blocks with a norm inside the attention and inside a gated feed-forward; rotary positions in two dimensions,
beside a table of position vectors. Names as in the published checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.blocks import ACTIVATIONS, Angles, Block, Dense, Norms, Stack
from jina_components.models.architectures.tensors import Tensors, tensor_shapes

_PREFIX = "vision_model."
# What else a checkpoint holds, which others read; more would be computed by nobody.
_BESIDE = re.compile(r"vision_model\.|text_model\.|logit_scale\Z")
# Older code stored its tables of angles, which follow from the settings.
_ANGLES = re.compile(rf"{re.escape(_PREFIX)}(blocks\.\d+\.attn\.)?rope\.freqs_(cos|sin)")
# Settings and their values where config.json leaves them out: those of the authors' configuration class.
_DEFAULTS = {
    "image_size": 224,
    "patch_size": 16,
    "width": 768,
    "layers": 12,
    "head_width": 64,
    "mlp_ratio": 4.0,
    "pt_hw_seq_len": 16,
    "intp_freq": False,
}
# The variant that is computed here, and what each of its settings is where config.json leaves it out.
_VARIANT: tuple[tuple[str, object, object], ...] = (
    ("rope_embeddings", True, False),
    ("subln", True, False),
    ("naive_swiglu", True, False),
    ("qkv_bias", True, True),
    ("post_norm", False, False),
    ("ls_init_value", None, None),
    ("proj_type", None, None),
)
_EPSILON = 1e-6
_THETA = 10000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionWeights:
    """A vision transformer.

    Attributes:
        patches: From a patch's pixels, channel by channel and row by row, to its vector.
        first: Vector of the class token, which stands before the patches, shape [hidden].
        positions: Added to the class token and the patches, shape [1 + patches, hidden].
        patch_size: Side of a patch in pixels.
        image_size: Side of an image in pixels; those beyond the last whole patch are not seen.
        stack: The layers.
    """

    patches: Dense
    first: torch.Tensor
    positions: torch.Tensor
    patch_size: int
    image_size: int
    stack: Stack

    @property
    def hidden(self) -> int:
        """Width of a token's vector."""
        return len(self.first)

    @property
    def grid(self) -> int:
        """Patches in a row, and in a column."""
        return self.image_size // self.patch_size


def read_weights(folder: Path, config: Mapping[str, Any]) -> VisionWeights:
    """Read the vision model of a checkpoint.

    Args:
        folder: With config.json and safetensors.
        config: Its settings: `vision_config` of config.json.

    Raises:
        ModelFilesError: a tensor is missing, of another shape or left over, or the settings are of another variant.
    """
    settings = {**_DEFAULTS, **config}
    _check(folder, settings)
    hidden, patch_size, width = (int(settings[name]) for name in ("width", "patch_size", "head_width"))
    grid, heads, inner = int(settings["image_size"]) // patch_size, hidden // width, int(hidden * settings["mlp_ratio"])
    tensors = Tensors(folder, _PREFIX, only=_PREFIX)
    for name in [name for name in tensors.names if _ANGLES.fullmatch(name)]:
        tensors.take(name, grid * grid, width)
    patches = tensors.dense("patch_embed.proj", hidden, 3, patch_size, patch_size)
    weights = VisionWeights(
        patches=Dense(patches.weight.flatten(1), patches.bias),
        first=tensors.take("cls_token", 1, 1, hidden).flatten(),
        positions=tensors.take("pos_embed", 1, grid * grid + 1, hidden)[0],
        patch_size=patch_size,
        image_size=int(settings["image_size"]),
        stack=Stack(
            blocks=tuple(
                _read_block(tensors, f"blocks.{number}.", hidden, width, inner)
                for number in range(int(settings["layers"]))
            ),
            heads=heads,
            key_heads=heads,
            epsilon=_EPSILON,
            activation=ACTIVATIONS["silu"],
            angles=grid_angles(grid, width, int(settings["pt_hw_seq_len"])),
            norm=tensors.norm("norm", hidden),
        ),
    )
    tensors.check_all_taken()
    return weights


def grid_angles(grid: int, width: int, trained: int) -> Angles:
    """Rotary angles of the class token, which is not turned, and of the patches, row by row.

    Half of a head's pairs turn by the row, half by the column. Both are scaled to the grid of `trained` rows on which
    the model was first trained.

    Args:
        grid: Patches in a row, and in a column.
        width: Of a head.
        trained: Patches in a row at first.
    """
    pairs = width // 4
    frequencies = _THETA ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
    turns = torch.outer(torch.arange(grid, dtype=torch.float64) / grid * trained, frequencies)
    rows, columns = turns[:, None].expand(-1, grid, -1), turns[None].expand(grid, -1, -1)
    table = torch.cat([torch.zeros(1, 2 * pairs, dtype=torch.float64), torch.cat([rows, columns], 2).flatten(0, 1)])
    return lambda positions: table[:positions]


def _check(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raise where the settings or the tensors beside the vision model are of what is not computed here."""
    for name, wanted, default in _VARIANT:
        if (found := settings.get(name, default)) != wanted:
            raise ModelFilesError(f"{folder}: {name} of vision_config is {found!r}; only {wanted!r} is known.")
    grid = int(settings["image_size"]) // int(settings["patch_size"])
    if not settings["intp_freq"] and grid != settings["pt_hw_seq_len"]:
        raise ModelFilesError(f"{folder}: intp_freq of vision_config is false, but {grid} patches stand in a row.")
    if int(settings["width"]) % int(settings["head_width"]) or int(settings["head_width"]) % 4:
        raise ModelFilesError(f"{folder}: head_width of vision_config must divide width, and 4 divide it.")
    if beside := sorted(name for name in tensor_shapes(folder) if not _BESIDE.match(name)):
        raise ModelFilesError(f"{folder} holds {beside[0]!r} beside a text and a vision model, which is not known.")


def _read_block(tensors: Tensors, layer: str, hidden: int, width: int, inner: int) -> Block:
    attention = f"{layer}attn."
    query, key, value = (tensors.take(f"{attention}{name}_proj.weight", hidden, hidden) for name in "qkv")
    query_bias, value_bias = (tensors.take(f"{attention}{name}_bias", hidden) for name in "qv")
    return Block(
        qkv=(
            Dense(_halved(query, width), _halved(query_bias, width)),
            Dense(_halved(key, width)),
            Dense(value, value_bias),
        ),
        output=tensors.dense(f"{attention}proj", hidden, hidden),
        gate=tensors.dense(f"{layer}mlp.w1", inner, hidden),
        up=tensors.dense(f"{layer}mlp.w2", inner, hidden),
        down=tensors.dense(f"{layer}mlp.w3", hidden, inner),
        norms=Norms(
            attention_in=tensors.norm(f"{layer}norm1", hidden),
            context=tensors.norm(f"{attention}inner_attn_ln", hidden),
            feed_forward_in=tensors.norm(f"{layer}norm2", hidden),
            inner=tensors.norm(f"{layer}mlp.ffn_ln", inner),
        ),
    )


def _halved(rows: torch.Tensor, width: int) -> torch.Tensor:
    """Features of each head in another order: of the pairs that turn together, the first ones before the second ones.

    Scores do not change, as queries and keys change alike.
    """
    return rows.unflatten(0, (-1, width // 2, 2)).transpose(1, 2).flatten(0, 2)
