"""A checkpoint of random weights in the layout that jina-embeddings-v2-small-en is published in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.files import find_files

Shape = tuple[int, ...]
# BERT's, as that of the published checkpoint; its table of words has six rows more, which no token takes.
_TOKENIZER = "tokenizer.json"
_VOCABULARY = 30_528
_HIDDEN, _INNER, _LAYERS = 512, 2048, 4
_SPREAD = 0.02


def write_jina_v2_small(folder: Path) -> None:
    """Write config, weights, tokenizer and modules, all of the published size."""
    rng = np.random.default_rng(0)
    tensors = {  # a norm's weight is about 1
        name: rng.standard_normal(shape, np.float32) * _SPREAD + name.lower().endswith("norm.weight")
        for name, shape in _shapes()
    }
    save_file(tensors, folder / "model.safetensors")
    shutil.copy(find_files(DEFAULT_EMBEDDER).folder / _TOKENIZER, folder / _TOKENIZER)
    config = {
        "model_type": "bert", "hidden_size": _HIDDEN, "num_hidden_layers": _LAYERS, "num_attention_heads": 8,
        "intermediate_size": _INNER, "vocab_size": _VOCABULARY, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "position_embedding_type": "alibi", "feed_forward_type": "geglu", "max_position_embeddings": 8192,
    }  # fmt: skip
    modules = [{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}]
    (folder / "1_Pooling").mkdir()
    for name, content in {
        "config.json": config,
        "modules.json": modules,
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True, "word_embedding_dimension": _HIDDEN},
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def _shapes() -> Iterator[tuple[str, Shape]]:
    """Names and shapes of the tensors."""
    yield "embeddings.word_embeddings.weight", (_VOCABULARY, _HIDDEN)
    yield "embeddings.token_type_embeddings.weight", (2, _HIDDEN)
    yield from _with_bias("embeddings.LayerNorm", _HIDDEN)
    for number in range(_LAYERS):
        layer = f"encoder.layer.{number}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            yield from _with_bias(f"{layer}attention.{name}", _HIDDEN, _HIDDEN)
        yield from _with_bias(f"{layer}attention.output.LayerNorm", _HIDDEN)
        yield f"{layer}mlp.gated_layers.weight", (2 * _INNER, _HIDDEN)
        yield from _with_bias(f"{layer}mlp.wo", _HIDDEN, _INNER)
        yield from _with_bias(f"{layer}mlp.layernorm", _HIDDEN)


def _with_bias(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]
