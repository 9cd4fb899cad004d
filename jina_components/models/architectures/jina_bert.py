"""JinaBERT: BERT with ALiBi in place of positions and a gated feed-forward (Günther et al. 2023, arXiv:2310.19923).

The code variant also normalizes queries and keys, and adds a layer's input to its attention a second time. Its gate is
the second half of one layer's features, that of the others the first. Names and order as in the published checkpoints
and in text-embeddings-inference (`jina.rs`, `jina_code.rs`), which is tested against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from jina_components.models.architectures.blocks import ACTIVATIONS, Block, Dense, EncoderWeights, Norms, Stack, alibi
from jina_components.models.architectures.tensors import Tensors, read_sizes

_ATTENTION = "encoder.layer.{}.attention."
_LAYER = "encoder.layer.{}."
_GATED, _CODE_GATED = "mlp.gated_layers", "mlp.up_gated_layer"


def is_native(config: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether a checkpoint with these tensors is one that this module computes."""
    return (
        any(name.endswith((f"{_GATED}.weight", f"{_CODE_GATED}.weight")) for name in names)
        and any("attention.self.query" in name for name in names)
        and config.get("position_embedding_type") == "alibi"
        and config.get("feed_forward_type", "geglu") == "geglu"
        and config.get("hidden_act", "gelu") == "gelu"
    )


def read_weights(folder: Path, config: Mapping[str, Any], *, with_head: bool, prefix: str = "bert.") -> EncoderWeights:
    """Read a checkpoint; arguments and errors as `bert.read_weights`.

    `prefix` stands before the names of the encoder where there is more beside it.
    """
    tensors = Tensors(folder, prefix)
    hidden, layers, heads = read_sizes(folder, config)
    weights = EncoderWeights(
        words=tensors.take_table("embeddings.word_embeddings.weight", config.get("vocab_size"), hidden),
        types=tensors.take("embeddings.token_type_embeddings.weight", config.get("type_vocab_size"), hidden),
        norm=tensors.norm("embeddings.LayerNorm", hidden),
        stack=Stack(
            blocks=tuple(_read_block(tensors, number, hidden) for number in range(layers)),
            heads=heads,
            key_heads=heads,
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            activation=ACTIVATIONS["gelu"],
            by_distance=alibi(heads),
        ),
        head=tensors.head(("pooler.dense", "tanh", "classifier"), hidden) if with_head else None,
    )
    tensors.check_all_taken()
    return weights


def _read_block(tensors: Tensors, number: int, hidden: int) -> Block:
    layer, attention = _LAYER.format(number), _ATTENTION.format(number)
    qkv = tuple(tensors.dense(f"{attention}self.{name}", hidden, hidden) for name in ("query", "key", "value"))
    output = tensors.dense(f"{attention}output.dense", hidden, hidden)
    attention_out = tensors.norm(f"{attention}output.LayerNorm", hidden)
    if f"{layer}{_GATED}.weight" in tensors:
        gate, up = _halves(tensors.dense(f"{layer}{_GATED}", None, hidden, bias=False))
        down = tensors.dense(f"{layer}mlp.wo", hidden, len(up.weight))
        norms = Norms(attention_out=attention_out, feed_forward_out=tensors.norm(f"{layer}mlp.layernorm", hidden))
    else:
        up, gate = _halves(tensors.dense(f"{layer}{_CODE_GATED}", None, hidden, bias=False))
        down = tensors.dense(f"{layer}mlp.down_layer", hidden, len(up.weight))
        norms = Norms(
            query=tensors.norm(f"{attention}self.layer_norm_q", hidden),
            key=tensors.norm(f"{attention}self.layer_norm_k", hidden),
            attention_out=attention_out,
            again=tensors.norm(f"{layer}layer_norm_1", hidden),
            feed_forward_out=tensors.norm(f"{layer}layer_norm_2", hidden),
        )
    return Block(qkv=qkv, output=output, gate=gate, up=up, down=down, norms=norms)


def _halves(dense: Dense) -> tuple[Dense, Dense]:
    first, second = dense.weight.chunk(2)
    return Dense(first), Dense(second)
