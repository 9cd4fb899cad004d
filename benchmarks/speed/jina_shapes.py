"""Checkpoints of the shapes of jina-embeddings-v2-base-en and v3, random weights: ours and padded batches in one run.

    python -m benchmarks.speed.jina_shapes [--shapes v2-base v3] [--rounds 3] [--threads 2] [--texts 96] [--layers N]

The peer runs the same weights in float32 as transformers runs a model: in padded batches of 32, sorted by length as
sentence-transformers sorts them. For v3 that is transformers' JinaEmbeddingsV3Model with the task's adapter merged; for
v2, which transformers has no class of, the same computation in torch with its fused attention. Lengths are those of the
set `mixed` of benchmarks.speed.embedding: log-normal, mean 70 tokens, up to 500. Columns:

- tokens/s: by the median round;
- ratio: how many times the peer's speed;
- cosine, least: mean and minimum over the texts against the peer's vectors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional

from benchmarks.speed.texts import EMBEDDING_SETS
from jina_components.errors import ConfigError
from jina_components.models.backends.torch import TorchEmbeddingBackend
from jina_components.models.layout import read_layout
from jina_components.models.runner import ModelRunner
from jina_components.models.sequences import TokenSequence

_VOCABULARY, _BATCH, _RANK = 8000, 32, 4
_TASKS = ("retrieval.query", "retrieval.passage", "separation", "classification", "text-matching")
_TASK = 1
_SIZES = {"v2-base": (768, 12, 12, 3072), "v3": (1024, 24, 16, 4096)}
Tensors = dict[str, torch.Tensor]
Run = Callable[[Sequence[TokenSequence]], np.ndarray]


def main() -> None:
    """Measure and print a table for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=_SIZES, default=list(_SIZES))
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16", "int8"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=96)
    parser.add_argument("--layers", type=int, help="fewer layers, for a quick look")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for shape in options.shapes:
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            _measure(shape, Path(folder), options)


def _measure(shape: str, folder: Path, options: argparse.Namespace) -> None:
    tensors, config = (_write_v2 if shape == "v2-base" else _write_v3)(folder, options.layers)
    runs: dict[str, Run] = {}
    adapters = {"": -1} if shape == "v2-base" else {"": -1, ", one task": _TASK, ", all tasks mixed": None}
    for precision in options.precisions:
        try:
            backend = TorchEmbeddingBackend(
                read_layout(folder), device="cpu", precision=precision, calibration=_texts(8)
            )
        except ConfigError as error:
            print(f"{precision}: skipped: {error}")
            continue
        runner = ModelRunner(backend)
        runs |= {f"{precision}{what}": partial(_ours, runner, adapter) for what, adapter in adapters.items()}
    peer = _Padded(_v2_model(tensors, config) if shape == "v2-base" else _v3_model(tensors, config))
    del tensors
    texts = _texts(options.texts)
    seconds: dict[str, list[float]] = {name: [] for name in ("padded", *runs)}
    vectors: dict[str, np.ndarray] = {}
    for number in range(options.rounds + 1):
        for name, run in {"padded": peer, **runs}.items():
            start = time.perf_counter()
            vectors[name] = run(texts if number else texts[:4])
            if number:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    tokens = sum(map(len, texts))
    layers = config["num_hidden_layers"]
    print(f"\n{shape}: {len(texts)} texts, {tokens:,} tokens, {layers} layers, {options.threads} threads")
    print(f"{'':<28}{'tokens/s':>10}{'ratio':>8}{'cosine':>10}{'least':>10}")
    for name, times in seconds.items():
        cosine = (_unit(vectors[name]) * _unit(vectors["padded"])).sum(1) if "task" not in name else None
        shown = f"{cosine.mean():>10.5f}{cosine.min():>10.5f}" if cosine is not None else f"{'-':>10}{'-':>10}"
        ratio = median(seconds["padded"]) / median(times)
        print(f"{name:<28}{tokens / median(times):>10,.0f}{ratio:>8.2f}{shown}", flush=True)


def _texts(count: int) -> list[TokenSequence]:
    rng = np.random.default_rng(0)
    lengths = replace(EMBEDDING_SETS["mixed"], count=count).draw(rng)
    return [TokenSequence(rng.integers(5, _VOCABULARY, length).astype(np.int32)) for length in lengths]


def _ours(runner: ModelRunner, adapter: int | None, texts: Sequence[TokenSequence]) -> np.ndarray:
    """With an adapter, none (-1), or each text the next one (None)."""
    chosen = [number % len(_TASKS) if adapter is None else adapter for number in range(len(texts))]
    return runner.run([TokenSequence(text.ids, adapter=own) for text, own in zip(texts, chosen, strict=True)])


class _Padded:
    """Batches padded to their longest text, sorted by length; mean pooling."""

    def __init__(self, model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        self._model = model

    def __call__(self, texts: Sequence[TokenSequence]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        rows = []
        for start in range(0, len(order), _BATCH):
            batch = [texts[index] for index in order[start : start + _BATCH]]
            ids = torch.ones(len(batch), len(batch[0]), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, text in enumerate(batch):
                ids[row, : len(text)] = torch.from_numpy(text.ids.astype(np.int64))
                mask[row, : len(text)] = 1
            hidden = self._model(ids, mask) * mask[..., None]
            rows.append(hidden.sum(1) / mask.sum(1, keepdim=True))
        vectors = np.empty((len(texts), rows[0].shape[1]), np.float32)
        vectors[order] = torch.cat(rows).numpy()
        return vectors


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _write(folder: Path, tensors: Tensors, config: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    modules = [{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "mean"}))
    return tensors, config


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape) * 0.02


def _norm(name: str, size: int) -> Tensors:
    return {f"{name}.weight": 1 + _random(size), f"{name}.bias": _random(size)}


def _dense(name: str, rows: int, columns: int) -> Tensors:
    return {f"{name}.weight": _random(rows, columns), f"{name}.bias": _random(rows)}


# --- jina-embeddings-v2-base-en ----------------------------------------------------------------------------------


def _write_v2(folder: Path, layers: int | None) -> tuple[Tensors, dict[str, Any]]:
    torch.manual_seed(0)
    hidden, depth, heads, inner = _SIZES["v2-base"]
    tensors = {
        "embeddings.word_embeddings.weight": _random(_VOCABULARY, hidden),
        "embeddings.token_type_embeddings.weight": _random(2, hidden),
        **_norm("embeddings.LayerNorm", hidden),
    }
    for number in range(layers or depth):
        layer = f"encoder.layer.{number}."
        for name in ("query", "key", "value"):
            tensors |= _dense(f"{layer}attention.self.{name}", hidden, hidden)
        tensors |= _dense(f"{layer}attention.output.dense", hidden, hidden)
        tensors |= _norm(f"{layer}attention.output.LayerNorm", hidden)
        tensors |= {f"{layer}mlp.gated_layers.weight": _random(2 * inner, hidden)}
        tensors |= _dense(f"{layer}mlp.wo", hidden, inner) | _norm(f"{layer}mlp.layernorm", hidden)
    config = {
        "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": layers or depth, "num_attention_heads": heads,
        "intermediate_size": inner, "vocab_size": _VOCABULARY, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "position_embedding_type": "alibi", "feed_forward_type": "geglu", "max_position_embeddings": 8192,
    }  # fmt: skip
    return _write(folder, tensors, config)


def _v2_model(tensors: Tensors, config: dict[str, Any]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """JinaBERT over padded batches; slopes of 12 heads are those of 8, then every second one of 16."""
    heads, depth = config["num_attention_heads"], config["num_hidden_layers"]
    slopes = torch.tensor([2.0**-k for k in range(1, 9)] + [2.0 ** (-k / 2) for k in range(1, 9, 2)])[:heads]
    weights = dict(tensors)

    def normalized(hidden: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(hidden, weight.shape, weight, bias, 1e-12)

    def linear(hidden: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(hidden, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        length = ids.shape[1]
        position = torch.arange(length)
        bias = -(position[:, None] - position).abs() * slopes[:, None, None]
        bias = bias + torch.where(mask[:, None, None] == 1, 0.0, torch.finfo(torch.float32).min)
        words = functional.embedding(ids, weights["embeddings.word_embeddings.weight"])
        hidden = normalized(words + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for number in range(depth):
            layer = f"encoder.layer.{number}."
            query, key, value = (
                linear(hidden, f"{layer}attention.self.{name}").unflatten(2, (heads, -1)).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            context = linear(context.transpose(1, 2).flatten(2), f"{layer}attention.output.dense")
            hidden = normalized(hidden + context, f"{layer}attention.output.LayerNorm")
            gate, up = linear(hidden, f"{layer}mlp.gated_layers").chunk(2, -1)
            hidden = normalized(hidden + linear(functional.gelu(gate) * up, f"{layer}mlp.wo"), f"{layer}mlp.layernorm")
        return hidden

    return forward


# --- jina-embeddings-v3 ------------------------------------------------------------------------------------------


def _write_v3(folder: Path, layers: int | None) -> tuple[Tensors, dict[str, Any]]:
    torch.manual_seed(0)
    hidden, depth, heads, inner = _SIZES["v3"]
    tensors = _norm("roberta.emb_ln", hidden)
    tensors |= _adapted_table("roberta.embeddings.word_embeddings", _VOCABULARY, hidden)
    tensors |= _adapted_table("roberta.embeddings.token_type_embeddings", 1, hidden)
    for number in range(layers or depth):
        layer = f"roberta.encoder.layers.{number}."
        tensors |= _adapted(f"{layer}mixer.Wqkv", 3 * hidden, hidden) | _adapted(
            f"{layer}mixer.out_proj", hidden, hidden
        )
        tensors |= _adapted(f"{layer}mlp.fc1", inner, hidden) | _adapted(f"{layer}mlp.fc2", hidden, inner)
        tensors |= _norm(f"{layer}norm1", hidden) | _norm(f"{layer}norm2", hidden)
    config = {
        "model_type": "xlm-roberta", "hidden_size": hidden, "num_hidden_layers": layers or depth,
        "num_attention_heads": heads, "intermediate_size": inner, "vocab_size": _VOCABULARY, "layer_norm_eps": 1e-5,
        "position_embedding_type": "rotary", "rotary_emb_base": 20000.0, "max_position_embeddings": 8194,
        "lora_adaptations": list(_TASKS), "lora_rank": _RANK, "lora_alpha": 1,
    }  # fmt: skip
    return _write(folder, tensors, config)


def _adapted(name: str, rows: int, columns: int) -> Tensors:
    stem = f"{name}.parametrizations.weight"
    return {
        f"{stem}.original": _random(rows, columns), f"{name}.bias": _random(rows),
        f"{stem}.0.lora_A": _random(len(_TASKS), _RANK, columns), f"{stem}.0.lora_B": _random(len(_TASKS), rows, _RANK),
    }  # fmt: skip


def _adapted_table(name: str, rows: int, columns: int) -> Tensors:
    stem = f"{name}.parametrizations.weight"
    return {
        f"{stem}.original": _random(rows, columns),
        f"{stem}.0.lora_A": _random(len(_TASKS), rows, _RANK), f"{stem}.0.lora_B": _random(len(_TASKS), _RANK, columns),
    }  # fmt: skip


def _v3_model(tensors: Tensors, config: dict[str, Any]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The class of transformers, with the weights under its names and no adapter merged."""
    own = {key: config[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")}
    made = transformers.JinaEmbeddingsV3Config(
        **own,
        intermediate_size=config["intermediate_size"],
        rope_parameters={"rope_type": "default", "rope_theta": 20000.0},
    )
    model = transformers.JinaEmbeddingsV3Model(made, add_pooling_layer=False).eval()
    model.load_state_dict(dict(_renamed(tensors)))
    return lambda ids, mask: model(ids, attention_mask=mask).last_hidden_state


def _renamed(tensors: Tensors) -> Any:  # noqa: ANN401
    changes = {
        "roberta.": "", "emb_ln": "embeddings.LayerNorm", "encoder.layers": "layers", ".parametrizations": "",
        ".weight.original": ".weight", "mixer.out_proj": "self_attn.o_proj", "norm1": "post_attention_layernorm",
        "norm2": "post_mlp_layernorm",
    }  # fmt: skip
    for name, tensor in tensors.items():
        if ".lora_" in name:
            continue
        for old, new in changes.items():
            name = name.replace(old, new)
        parts = zip("qkv", tensor.chunk(3), strict=True) if "Wqkv" in name else [("", tensor)]
        for part, own in parts:
            yield name.replace("mixer.Wqkv", f"self_attn.{part}_proj"), own


if __name__ == "__main__":
    main()
