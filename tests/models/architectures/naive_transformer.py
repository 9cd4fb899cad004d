"""The text architectures once more, in float64 numpy: one text, one head and one formula at a time.

Written from the papers: BERT (Devlin et al. 2019), ALiBi (Press et al. 2022), GLU variants (Shazeer 2020), JinaBERT
(Günther et al. 2023), rotary positions (Su et al. 2021), LoRA (Hu et al. 2021), jina-embeddings-v3 (Sturua et al.
2024). Of the two variants of JinaBERT, where the papers leave halves and sums open, from what
text-embeddings-inference computes (`jina.rs`, `jina_code.rs`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Config = Mapping[str, Any]


class Weights:
    """Tensors by name, in float64, with an adapter merged into them.

    Args:
        tensors: As published.
        prefix: Before every name.
        task: Number of the adapter, or None.
        scale: alpha / rank.
    """

    def __init__(
        self, tensors: Mapping[str, Array], prefix: str = "", *, task: int | None = None, scale: float = 1.0
    ) -> None:
        self._tensors, self._prefix, self._task, self._scale = tensors, prefix, task, scale

    def __getitem__(self, name: str) -> Array:
        full = self._prefix + name
        if full in self._tensors:
            return self._tensors[full].astype(np.float64)
        stem = full.removesuffix("weight") + "parametrizations.weight"
        weight = self._tensors[f"{stem}.original"].astype(np.float64)
        if self._task is None:
            return weight
        first, second = (self._tensors[f"{stem}.0.lora_{x}"][self._task].astype(np.float64) for x in "AB")
        product = first @ second if "embeddings" in name else second @ first
        return weight + self._scale * product

    def dense(self, name: str, rows: Array) -> Array:
        return rows @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def norm(self, name: str, rows: Array, epsilon: float) -> Array:
        centred = rows - rows.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * self[f"{name}.weight"] + self[f"{name}.bias"]


def gelu(values: Array) -> Array:
    """x · P(normal variable <= x)."""
    return values * (1 + np.vectorize(math.erf)(values / math.sqrt(2))) / 2


def slopes(heads: int) -> list[float]:
    """ALiBi's: 2^(-8/n), and so on as a geometric sequence; the paper's code for numbers that are no power of two."""
    power = 2 ** math.floor(math.log2(heads))
    own = [2 ** (-8 * number / power) for number in range(1, power + 1)]
    between = [2 ** (-8 * number / (2 * power)) for number in range(1, 2 * power + 1, 2)]
    return own + between[: heads - power]


def attention(queries: Array, keys: Array, values: Array, heads: int, *, alibi: bool = False) -> Array:
    """softmax(q·k / sqrt(width) - slope·|i - j|) @ v of each head, side by side; all [tokens, hidden]."""
    width = queries.shape[1] // heads
    result = np.empty_like(values)
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        for i, query in enumerate(queries[:, own]):
            scores = np.array([query @ key / math.sqrt(width) for key in keys[:, own]])
            if alibi:
                scores -= slopes(heads)[head] * np.array([abs(i - j) for j in range(len(keys))])
            shares = np.exp(scores - scores.max())
            result[i, own] = shares / shares.sum() @ values[:, own]
    return result


def rotated(rows: Array, heads: int, base: float) -> Array:
    """Feature k and the one half a head further are a complex number, turned by position / base^(2k / width)."""
    width = rows.shape[1] // heads
    parts = rows.reshape(len(rows), heads, 2, width // 2)
    turns = np.exp(1j * np.outer(np.arange(len(rows)), base ** (-2 * np.arange(width // 2) / width)))
    turned = (parts[:, :, 0] + 1j * parts[:, :, 1]) * turns[:, None]
    return np.stack([turned.real, turned.imag], axis=2).reshape(rows.shape)


def jina_bert(weights: Weights, config: Config, ids: Sequence[int], types: Sequence[int] | None = None) -> Array:
    """Token vectors of JinaBERT: all variants but the one for code."""
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    rows = _looked_up(weights, ids, types)
    rows = weights.norm("embeddings.LayerNorm", rows, epsilon)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        q, k, v = (weights.dense(f"{layer}attention.self.{name}", rows) for name in ("query", "key", "value"))
        added = weights.dense(f"{layer}attention.output.dense", attention(q, k, v, heads, alibi=True))
        rows = weights.norm(f"{layer}attention.output.LayerNorm", rows + added, epsilon)
        first, second = np.split(rows @ weights[f"{layer}mlp.gated_layers.weight"].T, 2, axis=1)
        added = weights.dense(f"{layer}mlp.wo", gelu(first) * second)
        rows = weights.norm(f"{layer}mlp.layernorm", rows + added, epsilon)
    return rows


def jina_bert_code(weights: Weights, config: Config, ids: Sequence[int], types: Sequence[int] | None = None) -> Array:
    """Token vectors of JinaBERT's variant for code."""
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    rows = weights.norm("embeddings.LayerNorm", _looked_up(weights, ids, types), epsilon)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}."
        q, k, v = (weights.dense(f"{layer}attention.self.{name}", rows) for name in ("query", "key", "value"))
        q = weights.norm(f"{layer}attention.self.layer_norm_q", q, epsilon)
        k = weights.norm(f"{layer}attention.self.layer_norm_k", k, epsilon)
        added = weights.dense(f"{layer}attention.output.dense", attention(q, k, v, heads, alibi=True))
        attended = weights.norm(f"{layer}attention.output.LayerNorm", rows + added, epsilon)
        rows = weights.norm(f"{layer}layer_norm_1", rows + attended, epsilon)
        first, second = np.split(rows @ weights[f"{layer}mlp.up_gated_layer.weight"].T, 2, axis=1)
        added = weights.dense(f"{layer}mlp.down_layer", first * gelu(second))
        rows = weights.norm(f"{layer}layer_norm_2", rows + added, epsilon)
    return rows


def jina_xlm_roberta(weights: Weights, config: Config, ids: Sequence[int]) -> Array:
    """Token vectors of the models in the fused layout: gated or not; with ALiBi, or rotary or absolute positions."""
    heads, epsilon, kind = config["num_attention_heads"], config["layer_norm_eps"], config["position_embedding_type"]
    rows = _looked_up(weights, ids, None)
    if kind == "absolute":  # the first token's is that behind the padding token's
        first = config["pad_token_id"] + 1
        rows = rows + weights["embeddings.position_embeddings.weight"][first : first + len(ids)]
    rows = weights.norm("emb_ln", rows, epsilon)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{number}."
        q, k, v = np.split(weights.dense(f"{layer}mixer.Wqkv", rows), 3, axis=1)
        if kind == "rotary":
            q, k = (rotated(part, heads, config["rotary_emb_base"]) for part in (q, k))
        added = weights.dense(f"{layer}mixer.out_proj", attention(q, k, v, heads, alibi=kind == "alibi"))
        rows = weights.norm(f"{layer}norm1", rows + added, epsilon)
        if kind == "alibi":
            first, second = np.split(rows @ weights[f"{layer}mlp.gated_layers.weight"].T, 2, axis=1)
            added = weights.dense(f"{layer}mlp.wo", gelu(first) * second)
        else:
            added = weights.dense(f"{layer}mlp.fc2", gelu(weights.dense(f"{layer}mlp.fc1", rows)))
        rows = weights.norm(f"{layer}norm2", rows + added, epsilon)
    return rows


def _looked_up(weights: Weights, ids: Sequence[int], types: Sequence[int] | None) -> Array:
    words, kinds = weights["embeddings.word_embeddings.weight"], weights["embeddings.token_type_embeddings.weight"]
    return words[list(ids)] + kinds[[0] * len(ids) if types is None else list(types)]
