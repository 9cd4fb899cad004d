"""Transformers of the Llama kind as encoders: Qwen2, Qwen3 (causal) and EuroBERT (not), and LoRA folders over them.

Pre-norm with RMSNorm, rotary positions, grouped queries and a gated feed-forward. A family is a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.blocks import (
    ACTIVATIONS,
    Block,
    Dense,
    EncoderWeights,
    LowRank,
    Norms,
    Stack,
    rotary_angles,
)
from jina_components.models.architectures.tensors import SIZES, Tensors, load_tensors
from jina_components.models.layout import ADAPTERS, adapter_names, read_json

_ADAPTER_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Family:
    """What differs: whether tokens see later ones, whether queries, keys and values have biases, and head norms."""

    causal: bool
    qkv_bias: bool
    head_norms: bool


FAMILIES = {
    "qwen2": Family(causal=True, qkv_bias=True, head_norms=False),
    "qwen3": Family(causal=True, qkv_bias=False, head_norms=True),
    "eurobert": Family(causal=False, qkv_bias=False, head_norms=False),
}
# jina-embeddings-v5 names its own type over two backbones, of which only Qwen3 normalizes heads.
_OWN_TYPES = {"jina_embeddings_v5"}
# What would change the result of an adapter beside its factors and their scale.
_UNKNOWN_TO_US = (
    "alora_invocation_tokens", "alpha_pattern", "fan_in_fan_out", "layer_replication", "lora_bias", "modules_to_save",
    "rank_pattern", "use_dora", "use_qalora",
)  # fmt: skip


def is_native(config: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether a checkpoint with these tensors is one that this module computes."""
    return (
        _family(config, names) is not None
        and all(isinstance(config.get(key), int) and config[key] > 0 for key in SIZES)
        and config.get("hidden_act", "silu") in ACTIVATIONS
        and not config.get("use_sliding_window", False)
        and _plain_rope(config)
        and not config.get("attention_bias", False)
        and not config.get("mlp_bias", False)
        and set(config.get("layer_types") or ["full_attention"]) == {"full_attention"}
    )


def _family(config: Mapping[str, Any], names: Set[str]) -> Family | None:
    kind = config.get("model_type", "")
    if kind in _OWN_TYPES:
        kind = "qwen3" if any(name.endswith("self_attn.q_norm.weight") for name in names) else "eurobert"
    return FAMILIES.get(kind)


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("rope_parameters") or config.get("rope_scaling") or {}


def _plain_rope(config: Mapping[str, Any]) -> bool:
    rope = _rope(config)
    return rope.get("rope_type", rope.get("type", "default")) == "default"


def read_scale(folder: Path) -> tuple[float, int]:
    """What a LoRA folder's product of factors is multiplied with, and their rank.

    Raises:
        ModelFilesError: its adapter_config.json is missing, or names what is not supported.
    """
    config = read_json(folder / "adapter_config.json")
    unknown = [key for key in _UNKNOWN_TO_US if config.get(key)]
    if config.get("peft_type", "LORA") != "LORA":
        unknown.append(str(config["peft_type"]))
    if unknown or config.get("bias", "none") != "none":
        raise ModelFilesError(
            f"{folder}: adapters with {', '.join(unknown) or 'biases'} are not supported: merge it into the weights "
            "(peft's merge_and_unload)."
        )
    if not (config.get("r") and config.get("lora_alpha")):
        raise ModelFilesError(f"{folder}: adapter_config.json must name r and lora_alpha.")
    rank = int(config["r"])
    return float(config["lora_alpha"]) / (rank**0.5 if config.get("use_rslora") else rank), rank


def read_weights(folder: Path, config: Mapping[str, Any], *, with_head: bool, prefix: str = "model.") -> EncoderWeights:  # noqa: ARG001 (there is none)
    """Read a checkpoint and its adapters; arguments and errors as `jina_bert.read_weights`."""
    tensors = Tensors(folder, prefix)
    family = cast("Family", _family(config, tensors.names))
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    key_heads, width = int(config.get("num_key_value_heads") or heads), int(config.get("head_dim") or hidden // heads)
    if heads % key_heads:
        raise ModelFilesError(f"{folder}: {heads} heads are no multiple of {key_heads} heads of keys.")
    adapters = [_Adapter(folder / ADAPTERS / name) for name in adapter_names(folder)]
    reader = _Reader(tensors, family, adapters, widths=(heads * width, key_heads * width, key_heads * width))
    theta = float(_rope(config).get("rope_theta") or config.get("rope_theta", 10_000.0))
    weights = EncoderWeights(
        words=tensors.take_table("embed_tokens.weight", config.get("vocab_size"), hidden),
        stack=Stack(
            blocks=tuple(reader.block(number, hidden, width) for number in range(int(config["num_hidden_layers"]))),
            heads=heads,
            key_heads=key_heads,
            epsilon=float(config.get("rms_norm_eps", 1e-6)),
            activation=ACTIVATIONS[config.get("hidden_act", "silu")],
            angles=rotary_angles(width, theta),
            causal=bool(config.get("is_causal", family.causal)),
            norm=tensors.norm("norm", hidden, bias=False),
            adapters=adapter_names(folder),
        ),
    )
    tensors.check_all_taken()
    for adapter in adapters:
        adapter.check_all_taken()
    return weights


class _Reader:
    def __init__(
        self, tensors: Tensors, family: Family, adapters: Sequence[_Adapter], *, widths: tuple[int, int, int]
    ) -> None:
        self._tensors, self._family, self._adapters = tensors, family, adapters
        self._widths = widths  # of queries, keys and values

    def block(self, number: int, hidden: int, width: int) -> Block:
        """A layer whose heads are of this width."""
        layer, norm = f"layers.{number}.", self._tensors.norm
        attention, family = f"{layer}self_attn.", self._family
        gate = self._dense(f"{layer}mlp.gate_proj", None, hidden)
        return Block(
            qkv=tuple(
                self._dense(f"{attention}{name}_proj", rows, hidden, bias=family.qkv_bias)
                for name, rows in zip("qkv", self._widths, strict=True)
            ),
            output=self._dense(f"{attention}o_proj", hidden, self._widths[0]),
            gate=gate,
            up=self._dense(f"{layer}mlp.up_proj", len(gate.weight), hidden),
            down=self._dense(f"{layer}mlp.down_proj", hidden, len(gate.weight)),
            norms=Norms(
                attention_in=norm(f"{layer}input_layernorm", hidden, bias=False),
                query=norm(f"{attention}q_norm", width, bias=False) if family.head_norms else None,
                key=norm(f"{attention}k_norm", width, bias=False) if family.head_norms else None,
                feed_forward_in=norm(f"{layer}post_attention_layernorm", hidden, bias=False),
            ),
        )

    def _dense(self, name: str, *shape: int | None, bias: bool = False) -> Dense:
        dense = self._tensors.dense(name, *shape, bias=bias)
        return dense._replace(adapters=tuple(adapter.pair(name, *dense.weight.shape) for adapter in self._adapters))


class _Adapter:
    """A LoRA folder as peft writes it: adapter_config.json and adapter_model.safetensors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scale, self._rank = read_scale(folder)
        tensors = load_tensors(folder / "adapter_model.safetensors")
        self._left = {name.removeprefix(_ADAPTER_PREFIX).removeprefix("model."): tensors[name] for name in tensors}

    def pair(self, name: str, rows: int, columns: int) -> LowRank | None:
        """What is added to a layer of this shape, or None."""
        down, up = self._left.pop(f"{name}.lora_A.weight", None), self._left.pop(f"{name}.lora_B.weight", None)
        if down is None and up is None:
            return None
        shapes = [None if factor is None else tuple(factor.shape) for factor in (down, up)]
        if down is None or up is None or shapes != [(self._rank, columns), (rows, self._rank)]:
            raise ModelFilesError(
                f"{self._folder}: the factors of {name} do not fit its weight of {rows} x {columns}: "
                f"they have the shapes {shapes}, at rank {self._rank}."
            )
        return LowRank(down.float(), up.float() * self._scale)

    def check_all_taken(self) -> None:
        """Raises ModelFilesError when the model lacks a layer that is adapted."""
        if self._left:
            raise ModelFilesError(
                f"{self._folder} adapts layers that the model lacks, such as {next(iter(self._left))!r}."
            )
