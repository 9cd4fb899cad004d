"""Jina's layout of XLM-RoBERTa: fused projections, rotary or absolute positions, and LoRA adapters of several tasks.

That is jina-embeddings-v3 (Sturua et al. 2024, arXiv:2409.10173), jina-colbert-v2, the text side of jina-clip-v2 and
jina-reranker-v2. An adapted weight is stored as the original beside two factors with a leading axis of tasks; the
update of a linear layer is B @ A, that of a table of vectors A @ B, times alpha / rank.

The text side of jina-clip-v1 has JinaBERT's layers under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import torch

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.blocks import (
    ACTIVATIONS,
    Block,
    Dense,
    EncoderWeights,
    LowRank,
    Norms,
    Stack,
    WordAdapter,
    alibi,
    rotary_angles,
)
from jina_components.models.architectures.tensors import Tensors, read_sizes

_ORIGINAL, _FACTOR = ".parametrizations.weight.original", ".parametrizations.weight.0.lora_"
_WORDS, _TYPES = "embeddings.word_embeddings", "embeddings.token_type_embeddings"
_POSITIONS = "embeddings.position_embeddings.weight"
# The first rows of a position table are those of the padding token, as in RoBERTa.
_FIRST_POSITION = 2


def is_native(config: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether a checkpoint with these tensors is one that this module computes."""
    kind = config.get("position_embedding_type", "absolute")
    return (
        any(name.endswith("encoder.layers.0.mixer.Wqkv.bias") for name in names)
        and kind in ("absolute", "rotary", "alibi")
        and (kind != "absolute" or config.get("pad_token_id", 1) == _FIRST_POSITION - 1)
        and config.get("hidden_act", "gelu") == "gelu"
    )


def adapter_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks that a checkpoint has adapters for, in their order."""
    return tuple(config.get("lora_adaptations") or ())


def read_weights(
    folder: Path, config: Mapping[str, Any], *, with_head: bool, prefix: str = "roberta."
) -> EncoderWeights:
    """Read a checkpoint; arguments and errors as `jina_bert.read_weights`."""
    tensors = Tensors(folder, prefix, only=prefix.removesuffix("roberta."))
    hidden, layers, heads = read_sizes(folder, config)
    tasks = adapter_names(config)
    reader = _Adapted(tensors, len(tasks), _scale(folder, config))
    kind = config.get("position_embedding_type", "absolute")
    words, types = reader.table(_WORDS, config.get("vocab_size"), hidden), reader.table(_TYPES, None, hidden)
    positions = tensors.take(_POSITIONS, config.get("max_position_embeddings"), hidden) if kind == "absolute" else None
    weights = EncoderWeights(
        words=words.weight,
        positions=None if positions is None else positions[_FIRST_POSITION:],
        types=types.weight,
        norm=tensors.norm("emb_ln", hidden),
        stack=Stack(
            blocks=tuple(_read_block(reader, number, hidden) for number in range(layers)),
            heads=heads,
            key_heads=heads,
            epsilon=float(config.get("layer_norm_eps", 1e-5)),
            activation=ACTIVATIONS["gelu"],
            by_distance=alibi(heads) if kind == "alibi" else None,
            angles=rotary_angles(hidden // heads, float(config.get("rotary_emb_base", 10_000.0)))
            if kind == "rotary"
            else None,
            adapters=tasks,
        ),
        head=tensors.head(("classifier.dense", "tanh", "classifier.out_proj"), hidden) if with_head else None,
        adapters=tuple(_word_adapter(*pair) for pair in zip(words.adapters, types.adapters, strict=True)),
    )
    tensors.check_all_taken()
    return weights


def _scale(folder: Path, config: Mapping[str, Any]) -> float:
    if not config.get("lora_adaptations"):
        return 1.0
    if "lora_alpha" not in config or not config.get("lora_rank"):
        raise ModelFilesError(f"{folder}: config.json names adapters, but not their lora_alpha and lora_rank.")
    return float(config["lora_alpha"]) / int(config["lora_rank"])


def _read_block(reader: _Adapted, number: int, hidden: int) -> Block:
    layer = f"encoder.layers.{number}."
    gate = None
    if f"{layer}mlp.gated_layers.weight" in reader.tensors:
        gate, up = (
            Dense(half) for half in reader.dense(f"{layer}mlp.gated_layers", None, hidden, bias=False).weight.chunk(2)
        )
        down = reader.dense(f"{layer}mlp.wo", hidden, len(up.weight))
    else:
        up = reader.dense(f"{layer}mlp.fc1", None, hidden)
        down = reader.dense(f"{layer}mlp.fc2", hidden, len(up.weight))
    return Block(
        qkv=(reader.dense(f"{layer}mixer.Wqkv", 3 * hidden, hidden),),
        output=reader.dense(f"{layer}mixer.out_proj", hidden, hidden),
        gate=gate,
        up=up,
        down=down,
        norms=Norms(
            attention_out=reader.tensors.norm(f"{layer}norm1", hidden),
            feed_forward_out=reader.tensors.norm(f"{layer}norm2", hidden),
        ),
    )


class _Adapted:
    """Reads weights with their adapters."""

    def __init__(self, tensors: Tensors, tasks: int, scale: float) -> None:
        self.tensors, self._tasks, self._scale = tensors, tasks, scale

    def dense(self, name: str, *shape: int | None, bias: bool = True) -> Dense:
        """A linear layer."""
        if not self._tasks:
            return self.tensors.dense(name, *shape, bias=bias)
        weight = self.tensors.take(name + _ORIGINAL, *shape)
        down = self.tensors.take(f"{name}{_FACTOR}A", self._tasks, None, weight.shape[1])
        up = self.tensors.take(f"{name}{_FACTOR}B", self._tasks, len(weight), down.shape[1])
        return Dense(weight, self.tensors.take(f"{name}.bias", len(weight)), self._pairs(down, up))

    def table(self, name: str, *shape: int | None) -> Dense:
        """A table of vectors, of whose adapters `down` has a row a vector."""
        if not self._tasks:
            return Dense(self.tensors.take_table(f"{name}.weight", *shape))
        weight = self.tensors.take_table(name + _ORIGINAL, *shape)
        rows = self.tensors.take(f"{name}{_FACTOR}A", self._tasks, len(weight), None)
        columns = self.tensors.take(f"{name}{_FACTOR}B", self._tasks, rows.shape[2], weight.shape[1])
        return Dense(weight, None, self._pairs(rows, columns))

    def _pairs(self, downs: torch.Tensor, ups: torch.Tensor) -> tuple[LowRank, ...]:
        return tuple(LowRank(down.float(), up.float() * self._scale) for down, up in zip(downs, ups, strict=True))


def _word_adapter(words: LowRank | None, types: LowRank | None) -> WordAdapter:
    assert words is not None  # noqa: S101 (for the type checker: `_Adapted` gives an adapter for every task)
    assert types is not None  # noqa: S101
    return WordAdapter(words.down, words.up, (types.down @ types.up)[0])
