"""Names and shapes of the tensors of published text checkpoints, by their config.json; and files of such tensors.

Needs numpy alone, so that `llama_reference.py` can run beside other libraries than the tests do. Names are those that
text-embeddings-inference, vLLM 0.33 and transformers 5 read, whose tests use the published files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Shapes = dict[str, tuple[int, ...]]
Config = Mapping[str, Any]

WIDTHS = {"F16": 2, "BF16": 2, "F32": 4}
"""Bytes of a number."""
# Of a feed-forward.
_FIRST, _LAST = ("mlp.gated_layers", "mlp.up_gated_layer", "mlp.fc1"), ("mlp.wo", "mlp.down_layer", "mlp.fc2")


def jina_bert(config: Config, *, prefix: str = "", labels: int = 0, beside: Shapes | None = None) -> Shapes:
    """JinaBERT; the `mlp` of a layer is that of all variants but the one for code."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = _jina_bert_start(config)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        shapes |= _jina_bert_attention(layer, hidden)
        shapes |= {f"{layer}mlp.gated_layers.weight": (2 * inner, hidden)}
        shapes |= _dense(f"{layer}mlp.wo", hidden, inner) | _norm(f"{layer}mlp.layernorm", hidden)
    shapes |= _dense("pooler.dense", hidden, hidden)
    shapes = {prefix + name: shape for name, shape in shapes.items()}
    return shapes | (_dense("classifier", labels, hidden) if labels else {}) | (beside or {})


def jina_bert_code(config: Config) -> Shapes:
    """JinaBERT's variant for code."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = _jina_bert_start(config)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        shapes |= _jina_bert_attention(layer, hidden)
        for name in ("attention.self.layer_norm_q", "attention.self.layer_norm_k", "layer_norm_1", "layer_norm_2"):
            shapes |= _norm(layer + name, hidden)
        shapes |= {f"{layer}mlp.up_gated_layer.weight": (2 * inner, hidden)}
        shapes |= _dense(f"{layer}mlp.down_layer", hidden, inner)
    return shapes | _dense("pooler.dense", hidden, hidden)


def jina_bert_flash(config: Config, *, prefix: str) -> Shapes:
    """JinaBERT with the names of its FlashAttention implementation: the text side of jina-clip-v1."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = _tables(config) | _norm("emb_ln", hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{number}."
        shapes |= _flash_attention(layer, hidden) | {f"{layer}mlp.gated_layers.weight": (2 * inner, hidden)}
        shapes |= _dense(f"{layer}mlp.wo", hidden, inner)
    return {prefix + name: shape for name, shape in shapes.items()}


def jina_xlm_roberta(
    config: Config, *, prefix: str = "roberta.", pooler: bool, labels: int = 0, beside: Shapes | None = None
) -> Shapes:
    """Jina's XLM-RoBERTa; what a model adapts is stored as three tensors."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = _tables(config) | _norm("emb_ln", hidden)
    if config["position_embedding_type"] == "absolute":
        shapes |= {"embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden)}
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{number}."
        shapes |= _flash_attention(layer, hidden)
        shapes |= _dense(f"{layer}mlp.fc1", inner, hidden) | _dense(f"{layer}mlp.fc2", hidden, inner)
    shapes |= _dense("pooler.dense", hidden, hidden) if pooler else {}
    if tasks := len(config.get("lora_adaptations") or ()):
        shapes = _adapted(shapes, tasks, config["lora_rank"])
    shapes = {prefix + name: shape for name, shape in shapes.items()}
    if labels:
        shapes |= _dense("classifier.dense", hidden, hidden) | _dense("classifier.out_proj", labels, hidden)
    return shapes | (beside or {})


def llama_like(config: Config, *, prefix: str = "", beside: Shapes | None = None) -> Shapes:
    """Qwen2, Qwen3 and EuroBERT without a language model's head, which is tied to the token vectors."""
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    width = config.get("head_dim") or hidden // heads
    kind, rows = _llama_kind(config), {"q": heads * width, "k": config["num_key_value_heads"] * width}
    shapes: Shapes = {"embed_tokens.weight": (config["vocab_size"], hidden), "norm.weight": (hidden,)}
    for number in range(config["num_hidden_layers"]):
        layer = f"layers.{number}."
        for name in "qkv":
            own = rows.get(name, rows["k"])
            shapes[f"{layer}self_attn.{name}_proj.weight"] = (own, hidden)
            shapes |= {f"{layer}self_attn.{name}_proj.bias": (own,)} if kind == "qwen2" else {}
        if kind == "qwen3":
            shapes |= {f"{layer}self_attn.{name}_norm.weight": (width,) for name in "qk"}
        shapes |= {
            f"{layer}self_attn.o_proj.weight": (hidden, rows["q"]),
            f"{layer}mlp.gate_proj.weight": (inner, hidden),
            f"{layer}mlp.up_proj.weight": (inner, hidden),
            f"{layer}mlp.down_proj.weight": (hidden, inner),
            f"{layer}input_layernorm.weight": (hidden,),
            f"{layer}post_attention_layernorm.weight": (hidden,),
        }
    return {prefix + name: shape for name, shape in shapes.items()} | (beside or {})


def causal_llama_like(config: Config) -> Shapes:
    """`llama_like` as a language model is stored: with a head, unless that is tied to the token vectors."""
    head = {} if config["tie_word_embeddings"] else {"lm_head.weight": (config["vocab_size"], config["hidden_size"])}
    return llama_like(config, prefix="model.", beside=head)


def llama_adapter(config: Config, rank: int) -> Shapes:
    """The file of a LoRA folder that adapts every linear layer of `llama_like`."""
    shapes: Shapes = {}
    for name, shape in llama_like(config).items():
        if len(shape) == 2 and name.startswith("layers."):
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            shapes |= {f"{stem}.lora_A.weight": (rank, shape[1]), f"{stem}.lora_B.weight": (shape[0], rank)}
    return shapes


def _llama_kind(config: Config) -> str:
    kind: str = config["model_type"]
    return kind if kind != "jina_embeddings_v5" else "qwen3" if config.get("is_decoder", True) else "eurobert"


def _jina_bert_start(config: Config) -> Shapes:
    return _tables(config) | _norm("embeddings.LayerNorm", config["hidden_size"])


def _jina_bert_attention(layer: str, hidden: int) -> Shapes:
    shapes: Shapes = {}
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        shapes |= _dense(f"{layer}attention.{name}", hidden, hidden)
    return shapes | _norm(f"{layer}attention.output.LayerNorm", hidden)


def _flash_attention(layer: str, hidden: int) -> Shapes:
    return {
        **_dense(f"{layer}mixer.Wqkv", 3 * hidden, hidden),
        **_dense(f"{layer}mixer.out_proj", hidden, hidden),
        **_norm(f"{layer}norm1", hidden),
        **_norm(f"{layer}norm2", hidden),
    }


def _adapted(shapes: Shapes, tasks: int, rank: int) -> Shapes:
    """Matrices as originals and factors of each task; a table of vectors has its wide factor first."""
    adapted: Shapes = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            adapted[name] = shape
            continue
        stem, (rows, columns) = name.removesuffix("weight") + "parametrizations.weight", shape
        first, last = ((rows, rank), (rank, columns)) if "embeddings" in name else ((rank, columns), (rows, rank))
        adapted |= {f"{stem}.original": shape, f"{stem}.0.lora_A": (tasks, *first), f"{stem}.0.lora_B": (tasks, *last)}
    return adapted


def _tables(config: Config) -> Shapes:
    hidden = config["hidden_size"]
    return {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
    }


def _dense(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


# --- tensors and files ----------------------------------------------------------------------------------------------


def elements(shapes: Iterable[tuple[int, ...]]) -> int:
    """Numbers in tensors of these shapes."""
    return sum(map(math.prod, shapes))


def write_holes(path: Path, shapes: Shapes, dtype: str) -> None:
    """A safetensors file of zeros that takes no room on a disk: behind its header is a hole."""
    header, end = {}, 0
    for name, shape in sorted(shapes.items()):
        start, end = end, end + math.prod(shape) * WIDTHS[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def random_tensors(
    shapes: Shapes, *, seed: int = 0, feed_forward: tuple[float, float] = (1.0, 1.0)
) -> dict[str, np.ndarray]:
    """Weights under which every part of a layer shows in the result, float32.

    Features keep about their size through every layer. `feed_forward` scales what its activation is given, and what its
    last layer gives.
    """
    random = np.random.default_rng(seed)
    return {name: _random(random, name, shape, feed_forward).astype(np.float32) for name, shape in shapes.items()}


def _random(
    random: np.random.Generator, name: str, shape: tuple[int, ...], feed_forward: tuple[float, float]
) -> np.ndarray:
    values, scale = random.standard_normal(shape), 1.0
    for part, own in zip((_FIRST, _LAST), feed_forward, strict=True):
        scale = own if any(stem in name for stem in part) else scale
    if "lora_" in name:
        return values * 0.2 * scale**0.5
    if len(shape) == 1:
        return 0.3 * scale * values + (1.0 if name.endswith("weight") else 0.0)
    if "embeddings" in name or "embed_tokens" in name:
        return values
    return values * shape[1] ** -0.5 * scale
