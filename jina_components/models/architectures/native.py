"""Which checkpoints are computed here, told by their config.json and the names of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_components.models.architectures import bert, decoder, jina_bert, jina_clip, jina_xlm_roberta
from jina_components.models.architectures.blocks import EncoderWeights
from jina_components.models.architectures.tensors import tensor_shapes


@dataclass(frozen=True, slots=True)
class Architecture:
    """How an architecture is told, and read: `read_weights(folder, config, with_head=…)`.

    Attributes:
        is_native: Whether a checkpoint of this config.json and these tensors is of it.
        read_weights: Reads one.
        classifies: Whether it has a classifier.
        only_here: Whether transformers has no class for it.
        wide: Whether its values go beyond float16, as those of Qwen's do.
    """

    is_native: Callable[[Mapping[str, Any], Set[str]], bool]
    read_weights: Callable[..., EncoderWeights]
    classifies: bool = True
    only_here: bool = False
    wide: bool = False


# In this order: Jina's own layouts share their configuration's type with the families that they come from.
ARCHITECTURES = (
    Architecture(jina_clip.is_native, jina_clip.read_weights, classifies=False, only_here=True),
    Architecture(jina_xlm_roberta.is_native, jina_xlm_roberta.read_weights, only_here=True),
    Architecture(jina_bert.is_native, jina_bert.read_weights, only_here=True),
    Architecture(decoder.is_native, decoder.read_weights, classifies=False, wide=True),
    Architecture(bert.is_native, bert.read_weights),
)


def find_architecture(folder: Path, config: Mapping[str, Any], *, with_head: bool) -> Architecture | None:
    """The one that computes a folder's checkpoint, with its classifier if asked for, or None.

    Raises:
        ModelFilesError: the folder holds no weights, or unreadable ones.
    """
    names = tensor_shapes(folder).keys()
    fitting = (one for one in ARCHITECTURES if one.is_native(config, names))
    return next((one for one in fitting if one.classifies or not with_head), None)
