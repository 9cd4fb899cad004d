"""The BERT family: post-norm encoders with learned positions (Devlin et al. 2019), read from their published files.

A family is a row that says where its checkpoints keep their tensors; what is computed is the same for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from jina_components.errors import ModelFilesError
from jina_components.models.labels import read_labels
from jina_components.models.layout import weight_files
from jina_components.models.stored import is_stored, read_stored

Affine: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Weight and bias of a linear layer or a LayerNorm."""


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
# Tensors beside the encoder that pooling over tokens does not use: heads, or the temperature it was trained at.
_MAY_CARRY = re.compile(
    r"^(cls|lm_head|pooler|(pre_)?classifier|vocab_\w+|qa_outputs)(\.|$)|^logit_scale$|(^|\.)(pooler|position_ids)(\.|$)"
)
ACTIVATIONS: dict[str, tuple[str, str]] = {
    "gelu": ("gelu", "none"),
    "gelu_new": ("gelu", "tanh"),
    "gelu_pytorch_tanh": ("gelu", "tanh"),
    "relu": ("relu", ""),
}
"""Activations by their name in config.json: function, and the approximation it takes."""


@dataclass(frozen=True, slots=True)
class Block:
    """Weights of one layer; queries are scaled by 1/√(head width) already."""

    qkv: Affine
    output: Affine
    output_norm: Affine
    up: Affine
    down: Affine
    down_norm: Affine


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderWeights:
    """A checkpoint of the family in one form, float32.

    Attributes:
        words: Token vectors, shape [vocabulary, hidden].
        positions: Position vectors from the first token on, token type 0 included, shape [positions, hidden].
        types: What a token type adds to type 0, shape [types, hidden]; None when there is one type.
        norm: LayerNorm of the sum.
        blocks: The layers.
        relative: Bias of a head for a bucket of distance, shape [buckets, heads], or None.
        head: Two linear layers of a classifier with the activation between them, or None.
        heads: Attention heads.
        epsilon: Of every LayerNorm.
        activation: Function and approximation, as in ACTIVATIONS.
    """

    words: torch.Tensor
    positions: torch.Tensor
    types: torch.Tensor | None
    norm: Affine
    blocks: tuple[Block, ...]
    relative: torch.Tensor | None
    head: tuple[Affine, str, Affine] | None
    heads: int
    epsilon: float
    activation: tuple[str, str]


def is_native(config: Mapping[str, Any]) -> bool:
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
    tensors = _Tensors(folder, family.prefix)
    hidden, heads = int(config[family.hidden]), int(config[family.heads])
    if hidden % heads:
        raise ModelFilesError(f"{folder}: hidden size {hidden} is no multiple of {heads} heads.")
    positions = tensors.take("embeddings.position_embeddings.weight", config.get("max_position_embeddings"), hidden)
    positions, types = positions[family.first_position :], None
    if "embeddings.token_type_embeddings.weight" in tensors:
        types = tensors.take("embeddings.token_type_embeddings.weight", config.get("type_vocab_size"), hidden)
        positions, types = positions + types[0], types - types[0]
    weights = EncoderWeights(
        words=tensors.take("embeddings.word_embeddings.weight", config.get("vocab_size"), hidden),
        positions=positions,
        types=types if types is not None and len(types) > 1 else None,
        norm=tensors.affine("embeddings.LayerNorm", hidden),
        blocks=tuple(_read_block(tensors, family, i, hidden, heads) for i in range(int(config[family.layers]))),
        relative=tensors.take(family.relative, None, heads) if family.relative else None,
        head=_read_head(tensors, family, hidden, len(read_labels(config))) if with_head else None,
        heads=heads,
        epsilon=float(config.get("layer_norm_eps", family.epsilon)),
        activation=ACTIVATIONS[config.get(family.activation, "gelu")],
    )
    tensors.check_all_taken()
    return weights


def _read_block(tensors: _Tensors, family: Family, number: int, hidden: int, heads: int) -> Block:
    def affine(name: str, *shape: int | None) -> Affine:
        return tensors.affine(name.format(number), *shape)

    query, key, value = (affine(name, hidden, hidden) for name in (family.query, family.key, family.value))
    up = affine(family.up, None, hidden)
    scale = (hidden // heads) ** -0.5
    return Block(
        qkv=(torch.cat([query[0] * scale, key[0], value[0]]), torch.cat([query[1] * scale, key[1], value[1]])),
        output=affine(family.output, hidden, hidden),
        output_norm=affine(family.output_norm, hidden),
        up=up,
        down=affine(family.down, hidden, len(up[1])),
        down_norm=affine(family.down_norm, hidden),
    )


def _read_head(tensors: _Tensors, family: Family, hidden: int, labels: int) -> tuple[Affine, str, Affine]:
    first, activation, last = family.head
    return tensors.affine(first, hidden, hidden), activation, tensors.affine(last, labels, hidden)


class _Tensors:
    """The tensors of a checkpoint by name; knows which were taken."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._left: dict[str, torch.Tensor] = {}
        for path in weight_files(folder):
            self._left |= {_modern_name(name): tensor for name, tensor in load_tensors(path).items()}

    def __contains__(self, name: str) -> bool:
        return name in self._left or self._prefix + name in self._left

    def take(self, name: str, *shape: int | None) -> torch.Tensor:
        """The tensor in float32, with or without the prefix; None stands for any size."""
        full = next((full for full in (self._prefix + name, name) if full in self._left), None)
        if full is None:
            raise ModelFilesError(
                f"{self._folder} does not hold the weights of its model_type: it lacks the tensor {name!r}."
            )
        tensor = self._left.pop(full)
        sizes = tuple(size if wanted is None else wanted for size, wanted in zip(tensor.shape, shape, strict=False))
        # One wrong size would fail in a kernel, amid a call, and name nothing.
        if len(tensor.shape) != len(shape) or tuple(tensor.shape) != sizes:
            wanted = " x ".join("any" if size is None else str(size) for size in shape)
            raise ModelFilesError(f"{self._folder}: {full} has the shape {tuple(tensor.shape)}, not {wanted}.")
        return tensor.to(torch.float32)

    def affine(self, name: str, *shape: int | None) -> Affine:
        """Weight of a shape, and bias of its first size."""
        weight = self.take(f"{name}.weight", *shape)
        return weight, self.take(f"{name}.bias", len(weight))

    def check_all_taken(self) -> None:
        """A tensor left over means that the architecture is not the checkpoint's."""
        left = [name for name in self._left if not _MAY_CARRY.search(name)]
        if left:
            raise ModelFilesError(
                f"{self._folder} does not hold the weights of its model_type: {len(left)} tensors are left over, "
                f"such as {left[0]!r}."
            )


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file by name; those of one in the stored form in float32.

    Raises:
        ModelFilesError: unreadable.
    """
    if is_stored(path):
        return {name: torch.from_numpy(tensor) for name, tensor in read_stored(path).items()}
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    return tensors


def _modern_name(name: str) -> str:
    """LayerNorm's parameters have other names in checkpoints that were converted from TensorFlow."""
    return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))


def relative_bias(table: torch.Tensor, length: int, *, max_distance: int = 128) -> torch.Tensor:
    """Bias of each head for each pair of positions, shape [heads, length, length].

    The buckets of T5 (Raffel et al. 2020, as in MPNet): half for either direction; small distances have their own,
    larger ones share them by logarithm.
    """
    buckets = len(table) // 2
    exact = buckets // 2
    distance = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    far = distance.abs()
    scaled = torch.log(far.float().clamp(min=1) / exact) / torch.log(torch.tensor(max_distance / exact))
    shared = (exact + (scaled * (buckets - exact)).long()).clamp(max=buckets - 1)
    bucket = torch.where(far < exact, far, shared) + (distance > 0) * buckets
    return table[bucket].permute(2, 0, 1).contiguous()
