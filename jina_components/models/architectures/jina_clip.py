"""The text side of jina-clip v1 and v2 (Koukounas et al. 2024, arXiv:2405.20204 and 2412.08802).

Their config.json names the text model only by the repository that it grew from, so that its sizes are read from the
tensors, and what remains is as published there. The image side is `eva02`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from jina_components.errors import ModelFilesError
from jina_components.models.architectures import jina_bert, jina_xlm_roberta
from jina_components.models.architectures.blocks import EncoderWeights
from jina_components.models.architectures.tensors import tensor_shapes

MODEL_TYPE = "jina_clip"
_PREFIX, _ADAPTED_PREFIX = "text_model.transformer.", "text_model.transformer.roberta."
_WORDS = "embeddings.word_embeddings"
_HEAD_WIDTH = 64
# As in jina-embeddings-v3's config.json, which v2 names, and jina-embeddings-v2-base-en's, from which v1 grew.
_V2 = {"position_embedding_type": "rotary", "rotary_emb_base": 20000.0, "layer_norm_eps": 1e-5}
_V1 = {"position_embedding_type": "alibi", "feed_forward_type": "geglu", "layer_norm_eps": 1e-12}


def is_native(config: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether a checkpoint with these tensors is one that this module computes."""
    return config.get("model_type") == MODEL_TYPE and any(name.startswith(_PREFIX) for name in names)


def read_weights(folder: Path, config: Mapping[str, Any], *, with_head: bool) -> EncoderWeights:
    """Read the text side of a checkpoint; arguments and errors as `bert.read_weights`; there is no head."""
    text = config.get("text_config") or {}
    if text.get("pooler_type", "mean_pooler") != "mean_pooler" or text.get("proj_type") is not None:
        raise ModelFilesError(
            f"{folder}: a text side with pooling {text.get('pooler_type')!r} is not known, only the mean."
        )
    shapes = tensor_shapes(folder)
    if f"{_ADAPTED_PREFIX}emb_ln.weight" in shapes:
        adapters = {"lora_adaptations": [], **(text.get("hf_model_config_kwargs") or {})}
        sizes = _sizes(
            shapes, f"{_ADAPTED_PREFIX}encoder.layers.", f"{_ADAPTED_PREFIX}{_WORDS}.parametrizations.weight.original"
        )
        return jina_xlm_roberta.read_weights(
            folder, {**_V2, **adapters, **sizes}, with_head=with_head, prefix=_ADAPTED_PREFIX
        )
    flash = f"{_PREFIX}emb_ln.weight" in shapes
    sizes = _sizes(shapes, f"{_PREFIX}encoder.{'layers' if flash else 'layer'}.", f"{_PREFIX}{_WORDS}.weight")
    read = jina_xlm_roberta.read_weights if flash else jina_bert.read_weights
    return read(folder, {**_V1, **sizes}, with_head=with_head, prefix=_PREFIX)


def _sizes(shapes: Mapping[str, tuple[int, ...]], layers: str, words: str) -> dict[str, int]:
    if words not in shapes:
        raise ModelFilesError(f"The text side of the checkpoint lacks the tensor {words!r}.")
    numbers = {name.removeprefix(layers).partition(".")[0] for name in shapes if name.startswith(layers)}
    vocabulary, hidden = shapes[words]
    return {
        "hidden_size": hidden, "num_attention_heads": hidden // _HEAD_WIDTH, "num_hidden_layers": len(numbers),
        "vocab_size": vocabulary,
    }  # fmt: skip
