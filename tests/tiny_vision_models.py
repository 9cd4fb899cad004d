"""jina-embeddings-v4 and jina-reranker-m0 at tiny random sizes, in the layouts that they were published in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from safetensors.torch import save_file
from tiny_checkpoints import TEXTS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

TASKS = ("retrieval", "text-matching", "code")
MIN_PIXELS, MAX_PIXELS = 3136, 28 * 28 * 30
SCORE_TOKEN = 100
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_VOCABULARY = 400
_LINEAR = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
_GATED = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
RANK, ALPHA = 4, 8

_TEXT: dict[str, Any] = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "vocab_size": _VOCABULARY, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
    "max_position_embeddings": 4096, "use_sliding_window": False, "sliding_window": 32768, "max_window_layers": 2,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
_MROPE = {"mrope_section": [2, 3, 3]}


def qwen_tokenizer() -> Tokenizer:
    """Byte-level BPE with the split of Qwen's, and the tokens that stand around images; the first 256 are bytes."""
    return Tokenizer.from_str(_trained().to_str())


@cache
def _trained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    split = r"""\p{N}|[^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY - len(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        [*TEXTS, "**Document**:\n **Query**:\n user Describe the image.\n Query: Passage: "], trainer
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return tokenizer


def token(name: str) -> int:
    """Id of a special token."""
    number = _trained().token_to_id(f"<|{name}|>")
    assert number is not None
    return number


def v4_config(**changes: Any) -> dict[str, Any]:
    """As in jina-embeddings-v4, but for sizes and ids."""
    return {
        "architectures": ["JinaEmbeddingsV4Model"],
        "auto_map": {"AutoConfig": "configuration_jina_embeddings_v4.JinaEmbeddingsV4Config"},
        "model_type": "qwen2_5_vl",
        "task_names": list(TASKS),
        "single_vector_pool_strategy": "mean",
        "multi_vector_projector_dim": 16,
        "matryoshka_dims": [16, 32, 64],
        "truncate_dim": None,
        "verbosity": 1,
        **_ids(),
        "text_config": {**_TEXT, "model_type": "qwen2_5_vl_text", "rope_scaling": {**_MROPE, "type": "default"}},
        "vision_config": {
            "model_type": "qwen2_5_vl", "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2,
            "out_hidden_size": 64, "patch_size": 14, "temporal_patch_size": 2, "spatial_merge_size": 2,
            "spatial_patch_size": 14, "in_chans": 3, "fullatt_block_indexes": [1], "window_size": 56,
        },
        **changes,
    }  # fmt: skip


def m0_config(**changes: Any) -> dict[str, Any]:
    """As in jina-reranker-m0, but for sizes and ids: settings of the text side lie at the top."""
    return {
        "architectures": ["JinaVLForRanking"],
        "model_type": "qwen2_vl",
        "tie_word_embeddings": True,
        **_ids(),
        **_TEXT,
        "rope_scaling": {**_MROPE, "type": "mrope"},
        "vision_config": {
            "model_type": "qwen2_vl", "depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2,
            "patch_size": 14, "temporal_patch_size": 2, "spatial_merge_size": 2, "in_chans": 3,
        },
        **changes,
    }  # fmt: skip


def _ids() -> dict[str, int]:
    names = {
        "image_token_id": "image_pad",
        "vision_start_token_id": "vision_start",
        "vision_end_token_id": "vision_end",
    }
    return {key: token(name) for key, name in names.items()}


def _dense(name: str, rows: int, columns: int, *, bias: bool = True) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns)} | ({f"{name}.bias": (rows,)} if bias else {})


def language_shapes(text: Mapping[str, Any], prefix: str = "model.") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the text side, as published."""
    hidden, inner = text["hidden_size"], text["intermediate_size"]
    keys = hidden // text["num_attention_heads"] * text["num_key_value_heads"]
    shapes = {f"{prefix}embed_tokens.weight": (text["vocab_size"], hidden), f"{prefix}norm.weight": (hidden,)}
    for number in range(text["num_hidden_layers"]):
        layer = f"{prefix}layers.{number}."
        shapes |= {f"{layer}{norm}_layernorm.weight": (hidden,) for norm in ("input", "post_attention")}
        for name, rows in zip("qkv", (hidden, keys, keys), strict=True):
            shapes |= _dense(f"{layer}self_attn.{name}_proj", rows, hidden)
        shapes |= _dense(f"{layer}self_attn.o_proj", hidden, hidden, bias=False)
        shapes |= _dense(f"{layer}mlp.gate_proj", inner, hidden, bias=False)
        shapes |= _dense(f"{layer}mlp.up_proj", inner, hidden, bias=False)
        shapes |= _dense(f"{layer}mlp.down_proj", hidden, inner, bias=False)
    return shapes


def vision_shapes(vision: Mapping[str, Any], prefix: str = "visual.") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the vision side, as published: of Qwen2.5-VL where it names a gated feed-forward."""
    gated = "intermediate_size" in vision
    width = vision["hidden_size"] if gated else vision["embed_dim"]
    out, inner = (vision["out_hidden_size"], vision["intermediate_size"]) if gated else (vision["hidden_size"], 0)
    shapes: dict[str, tuple[int, ...]] = {f"{prefix}patch_embed.proj.weight": (width, 3, 2, 14, 14)}
    for number in range(vision["depth"]):
        block = f"{prefix}blocks.{number}."
        shapes |= _norm(f"{block}norm1", width, bias=not gated) | _norm(f"{block}norm2", width, bias=not gated)
        shapes |= _dense(f"{block}attn.qkv", 3 * width, width) | _dense(f"{block}attn.proj", width, width)
        if gated:
            shapes |= _dense(f"{block}mlp.gate_proj", inner, width) | _dense(f"{block}mlp.up_proj", inner, width)
            shapes |= _dense(f"{block}mlp.down_proj", width, inner)
        else:
            inner = vision["mlp_ratio"] * width
            shapes |= _dense(f"{block}mlp.fc1", inner, width) | _dense(f"{block}mlp.fc2", width, inner)
    shapes |= _norm(f"{prefix}merger.ln_q", width, bias=not gated)
    return (
        shapes | _dense(f"{prefix}merger.mlp.0", 4 * width, 4 * width) | _dense(f"{prefix}merger.mlp.2", out, 4 * width)
    )


def _norm(name: str, size: int, *, bias: bool) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,)} | ({f"{name}.bias": (size,)} if bias else {})


def v4_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of jina-embeddings-v4's model files."""
    text = config["text_config"]
    projector = _dense("multi_vector_projector", config["multi_vector_projector_dim"], text["hidden_size"])
    return language_shapes(text) | vision_shapes(config["vision_config"]) | projector


def v4_adapter_shapes(config: Mapping[str, Any], rank: int = RANK) -> dict[str, tuple[int, ...]]:
    """Names and shapes of its adapters' file."""
    adapted = {
        f"language_model.{name}": shape
        for name, shape in language_shapes(config["text_config"], prefix="").items()
        if name.startswith("layers.") and len(shape) == 2
    }
    adapted = {f"model.{name}": shape for name, shape in adapted.items()}
    adapted["multi_vector_projector.weight"] = (
        config["multi_vector_projector_dim"],
        config["text_config"]["hidden_size"],
    )
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in adapted.items():
        for task in config["task_names"]:
            layer = f"base_model.model.{name.removesuffix('.weight')}"
            shapes |= {f"{layer}.lora_A.{task}.weight": (rank, columns), f"{layer}.lora_B.{task}.weight": (rows, rank)}
    return shapes


def m0_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of jina-reranker-m0's model files."""
    hidden = config["hidden_size"]
    head = _dense("score.0", hidden, hidden) | _dense("score.2", 1, hidden)
    words = {"lm_head.weight": (config["vocab_size"], hidden)}
    return language_shapes(config) | vision_shapes(config["vision_config"]) | head | words


def new_names(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the layout of transformers 4.52 and later."""
    old = (("visual.", "model.visual."), ("model.", "model.language_model."))
    return {next((new + name.removeprefix(was) for was, new in old if name.startswith(was)), name): value
            for name, value in shapes.items()}  # fmt: skip


def random_tensors(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Numbers for which texts differ clearly, and no norm is idle."""
    random = torch.Generator().manual_seed(seed)
    spread = {"norm": 0.2, "ln_q": 0.2, "lora_A": 0.3, "lora_B": 0.1}
    tensors = {}
    for name, shape in shapes.items():
        wide = next((value for part, value in spread.items() if part in name), 0.5 if name.endswith("weight") else 0.1)
        scale = wide if len(shape) == 1 else wide / max(1.0, (np.prod(shape[1:]) / 16) ** 0.5)
        tensor = torch.randn(shape, generator=random) * scale
        is_norm = len(shape) == 1 and name.endswith("weight")
        tensors[name] = 1 + tensor if is_norm else tensor
    return tensors


def save_v4(folder: Path, *, tensors: Mapping[str, torch.Tensor] | None = None, **changes: Any) -> Path:
    """Write a model as jina-embeddings-v4; `changes` are of its config."""
    config = v4_config(**changes)
    _save(folder, config, random_tensors(v4_shapes(config)) if tensors is None else tensors)
    adapters = folder / "adapters"
    adapters.mkdir(exist_ok=True)
    save_file(random_tensors(v4_adapter_shapes(config), seed=1), adapters / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none", "exclude_modules": ".*visual.*",
        "target_modules": [*_LINEAR, *_GATED], "use_rslora": False, "use_dora": False, "rank_pattern": {},
    }  # fmt: skip
    (adapters / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def save_m0(folder: Path, *, tensors: Mapping[str, torch.Tensor] | None = None, **changes: Any) -> Path:
    """Write a model as jina-reranker-m0; `changes` are of its config."""
    config = m0_config(**changes)
    _save(folder, config, random_tensors(m0_shapes(config)) if tensors is None else tensors)
    return folder


def _save(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
    qwen_tokenizer().save(str(folder / "tokenizer.json"))
    limits = {"min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS, "patch_size": 14, "temporal_patch_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps({**limits, "merge_size": 2}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 131072, "padding_side": "left"}))


def picture(width: int, height: int, seed: int = 0) -> PIL.Image.Image:
    """An RGB image of random blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (max(1, height // 20), max(1, width // 20), 3), np.uint8)
    return PIL.Image.fromarray(blocks).resize((width, height), PIL.Image.Resampling.NEAREST)
