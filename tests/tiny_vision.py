"""The vision side of jina-clip: names and shapes as published, and random weights small enough for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from jina_components.models.images import Pixels

Config = dict[str, Any]

_VARIANT: Config = {
    "rope_embeddings": True, "pt_hw_seq_len": 16, "intp_freq": True, "subln": True, "naive_swiglu": True,
    "qkv_bias": True, "mlp_ratio": 2.6667, "head_width": 64, "post_norm": False, "x_attention": True,
}  # fmt: skip
# Settings that make the published names, shapes and numbers of parameters.
PUBLISHED: dict[str, Config] = {
    "jina-clip-v1": {**_VARIANT, "image_size": 224, "patch_size": 16, "width": 768, "layers": 12},
    "jina-clip-v2": {**_VARIANT, "image_size": 512, "patch_size": 14, "width": 1024, "layers": 24},
}
_SMALL: Config = {"width": 32, "head_width": 16, "layers": 2}
# As the published ones, with fewer features; the second leaves pixels over, as 512 / 14 does.
TINY: dict[str, Config] = {
    "jina-clip-v1": PUBLISHED["jina-clip-v1"] | _SMALL | {"image_size": 64},
    "jina-clip-v2": PUBLISHED["jina-clip-v2"] | _SMALL | {"image_size": 50},
}


def vision_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of a checkpoint's vision side, by name."""
    width, patch, inner = config["width"], config["patch_size"], int(config["width"] * config["mlp_ratio"])
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, (config["image_size"] // patch) ** 2 + 1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for number in range(config["layers"]):
        block: dict[str, tuple[int, ...]] = {
            "attn.q_proj.weight": (width, width),
            "attn.k_proj.weight": (width, width),
            "attn.v_proj.weight": (width, width),
            "attn.q_bias": (width,),
            "attn.v_bias": (width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "mlp.w1.weight": (inner, width),
            "mlp.w1.bias": (inner,),
            "mlp.w2.weight": (inner, width),
            "mlp.w2.bias": (inner,),
            "mlp.w3.weight": (width, inner),
            "mlp.w3.bias": (width,),
        }
        norms = {"norm1": width, "norm2": width, "attn.inner_attn_ln": width, "mlp.ffn_ln": inner}
        block |= {f"{norm}.{part}": (size,) for norm, size in norms.items() for part in ("weight", "bias")}
        shapes |= {f"blocks.{number}.{name}": shape for name, shape in block.items()}
    return {f"vision_model.{name}": shape for name, shape in shapes.items()}


def random_vision(config: Config, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights with which images, and pixels within them, differ clearly."""
    random = np.random.default_rng(seed)

    def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if "norm" in name or "_ln" in name:
            values = random.normal(1.0 if name.endswith("weight") else 0.0, 0.3, shape)
        else:
            values = random.normal(0.0, 1.5 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.3, shape)
        return values.astype(np.float32)

    return {name: tensor(name, shape) for name, shape in vision_shapes(config).items()}


def save_vision(folder: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """Write the tensors beside some of a text side and the temperature, which a checkpoint holds too."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = {"text_model.transformer.emb_ln.weight": np.ones(8, np.float32), "logit_scale": np.array(2.6, np.float32)}
    save_file({**beside, **tensors}, folder / "model.safetensors")
    return folder


def random_pixels(config: Config, number: int, *, seed: int = 0) -> list[Pixels]:
    """Normalized images."""
    random, size = np.random.default_rng(seed), config["image_size"]
    values = random.normal(size=(number, 3, size, size)).astype(np.float32)
    return [Pixels(own, (size // config["patch_size"]) ** 2 + 1) for own in values]
