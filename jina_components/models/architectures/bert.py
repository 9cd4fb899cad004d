"""The BERT family: post-norm encoders with learned positions (Devlin et al. 2019), read from their published files.

A family is a row that says where its checkpoints keep their tensors; what is computed is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jina_components.models.architectures.blocks import (
    ACTIVATIONS,
    Block,
    EncoderWeights,
    Norms,
    Stack,
    relative_buckets,
)
from jina_components.models.architectures.tensors import Tensors, read_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Names of a family's tensors (`{}` stands for the layer's number), and of its settings in config.json.

    Attributes:
        prefix: Put before every name in checkpoints that carry a head.
        query, key, value, output, output_norm, up, down, down_norm: The parts of a layer.
        hidden, layers, heads: Keys of the sizes.
        activation: Key of the activation.
        epsilon: LayerNorm's epsilon, where config.json has none.
        first_position: Row of the position table that the first token takes.
        relative: Name of the table of relative position biases (MPNet), or empty.
        head: Linear layers of a classifier, applied to the first token, with the activation before the last.
    """

    prefix: str
    query: str
    key: str
    value: str
    output: str
    output_norm: str
    up: str
    down: str
    down_norm: str
    hidden: str = "hidden_size"
    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    activation: str = "hidden_act"
    epsilon: float = 1e-12
    first_position: int = 0
    relative: str = ""
    head: tuple[str, str, str]


_BERT = Family(
    prefix="bert.",
    query="encoder.layer.{}.attention.self.query",
    key="encoder.layer.{}.attention.self.key",
    value="encoder.layer.{}.attention.self.value",
    output="encoder.layer.{}.attention.output.dense",
    output_norm="encoder.layer.{}.attention.output.LayerNorm",
    up="encoder.layer.{}.intermediate.dense",
    down="encoder.layer.{}.output.dense",
    down_norm="encoder.layer.{}.output.LayerNorm",
    head=("pooler.dense", "tanh", "classifier"),
)


_ROBERTA = replace(_BERT, prefix="roberta.", first_position=2, head=("classifier.dense", "tanh", "classifier.out_proj"))
FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "mpnet": replace(
        _BERT,
        prefix="mpnet.",
        query="encoder.layer.{}.attention.attn.q",
        key="encoder.layer.{}.attention.attn.k",
        value="encoder.layer.{}.attention.attn.v",
        output="encoder.layer.{}.attention.attn.o",
        output_norm="encoder.layer.{}.attention.LayerNorm",
        first_position=2,
        relative="encoder.relative_attention_bias.weight",
        head=("classifier.dense", "tanh", "classifier.out_proj"),
    ),
    "distilbert": Family(
        prefix="distilbert.",
        query="transformer.layer.{}.attention.q_lin",
        key="transformer.layer.{}.attention.k_lin",
        value="transformer.layer.{}.attention.v_lin",
        output="transformer.layer.{}.attention.out_lin",
        output_norm="transformer.layer.{}.sa_layer_norm",
        up="transformer.layer.{}.ffn.lin1",
        down="transformer.layer.{}.ffn.lin2",
        down_norm="transformer.layer.{}.output_layer_norm",
        hidden="dim",
        layers="n_layers",
        heads="n_heads",
        activation="activation",
        head=("pre_classifier", "relu", "classifier"),
    ),
}


def is_native(config: Mapping[str, Any], names: Set[str] = frozenset()) -> bool:  # noqa: ARG001 (as its siblings)
    """Whether `config.json` describes an encoder that this module computes."""
    family = FAMILIES.get(config.get("model_type", ""))
    return (
        family is not None
        and all(_is_size(config.get(key)) for key in (family.hidden, family.layers, family.heads))
        and config.get(family.activation, "gelu") in ACTIVATIONS
        and (family.first_position == 0 or config.get("pad_token_id", 1) == family.first_position - 1)
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
        and not config.get("sinusoidal_pos_embds", False)
        and config.get("embedding_size", config.get(family.hidden)) == config.get(family.hidden)
    )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0


def read_weights(folder: Path, config: Mapping[str, Any], *, with_head: bool) -> EncoderWeights:
    """Read a checkpoint.

    Args:
        folder: With safetensors files.
        config: Its config.json, which `is_native` accepts.
        with_head: Read the classifier too.

    Raises:
        ModelFilesError: unreadable, or a tensor is missing, of another shape, or left over.
    """
    family = FAMILIES[config["model_type"]]
    tensors = Tensors(folder, family.prefix)
    hidden, layers, heads = read_sizes(folder, config, (family.hidden, family.layers, family.heads))
    positions = tensors.take("embeddings.position_embeddings.weight", config.get("max_position_embeddings"), hidden)
    types = None
    if "embeddings.token_type_embeddings.weight" in tensors:
        types = tensors.take("embeddings.token_type_embeddings.weight", config.get("type_vocab_size"), hidden)
    weights = EncoderWeights(
        words=tensors.take_table("embeddings.word_embeddings.weight", config.get("vocab_size"), hidden),
        positions=positions[family.first_position :],
        types=types,
        norm=tensors.norm("embeddings.LayerNorm", hidden),
        stack=Stack(
            blocks=tuple(_read_block(tensors, family, i, hidden) for i in range(layers)),
            heads=heads,
            key_heads=heads,
            epsilon=float(config.get("layer_norm_eps", family.epsilon)),
            activation=ACTIVATIONS[config.get(family.activation, "gelu")],
            by_distance=relative_buckets(tensors.take(family.relative, None, heads)) if family.relative else None,
        ),
        head=tensors.head(family.head, hidden) if with_head else None,
    )
    tensors.check_all_taken()
    return weights


def _read_block(tensors: Tensors, family: Family, number: int, hidden: int) -> Block:
    query, key, value, output, up, down, output_norm, down_norm = (
        name.format(number)
        for name in (
            family.query, family.key, family.value, family.output, family.up, family.down, family.output_norm,
            family.down_norm,
        )
    )  # fmt: skip
    inner = tensors.dense(up, None, hidden)
    return Block(
        qkv=tuple(tensors.dense(name, hidden, hidden) for name in (query, key, value)),
        output=tensors.dense(output, hidden, hidden),
        up=inner,
        down=tensors.dense(down, hidden, len(inner.weight)),
        norms=Norms(attention_out=tensors.norm(output_norm, hidden), feed_forward_out=tensors.norm(down_norm, hidden)),
    )
