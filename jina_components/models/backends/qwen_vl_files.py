"""The files of a Qwen-VL checkpoint: names of either layout, heads and adapters taken apart, nothing left over."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from jina_components.errors import MissingDependencyError, ModelFilesError
from jina_components.models.architectures.blocks import Affine, LowRank
from jina_components.models.architectures.decoder import read_scale
from jina_components.models.architectures.tensors import load_tensors
from jina_components.models.backends.silence import SILENCE
from jina_components.models.layout import ADAPTERS, weight_files
from jina_components.models.patches import PatchProcessor, read_patch_processor

try:
    import transformers
except ImportError as error:
    raise MissingDependencyError("This model needs transformers: pip install 'jina-components[torch]'.") from error

# By architecture, as config.json names it: classes of the configuration and of the model without its head.
_CLASSES = {
    "JinaEmbeddingsV4Model": ("Qwen2_5_VLConfig", "Qwen2_5_VLModel"),
    "JinaVLForRanking": ("Qwen2VLConfig", "Qwen2VLModel"),
}
# Checkpoints of before transformers 4.52 have `visual` and the language model's `model` side by side; adapters and
# later ones have both under `model`.
_OUTER = re.compile(r"^base_model\.model\.")
_VISION = re.compile(r"^(model\.)?visual\.")
_LANGUAGE = re.compile(r"^model\.(language_model\.)?")
_FACTOR = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])\.(?P<task>[\w-]+)\.weight")
_GENERATES = "lm_head."  # which neither of the models needs


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenFiles:
    """What a folder holds.

    Attributes:
        folder: The folder.
        config: Its config.json.
        tensors: As stored, by the names of transformers' model class; emptied when the model is built.
        heads: Layers beside the model.
        tasks: Names of the adapters, in the order that config.json names them in, or the alphabet's.
        adapters: Of layers that have any, those of each task.
        processor: Of images.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: dict[str, torch.Tensor]
    heads: Mapping[str, Affine]
    tasks: tuple[str, ...]
    adapters: Mapping[str, tuple[LowRank | None, ...]]
    processor: PatchProcessor


def read_files(folder: Path, config: Mapping[str, Any], heads: Sequence[str]) -> QwenFiles:
    """Read a folder; `heads` are layers that it must have beside the model.

    Raises:
        ModelFilesError: a file is missing or broken, or is no such model's.
    """
    if _architecture(config) not in _CLASSES:
        raise ModelFilesError(f"{folder}: the architecture {_architecture(config)!r} is none of {', '.join(_CLASSES)}.")
    tensors: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        stored = load_tensors(path)
        tensors |= {_name(name): tensor for name, tensor in stored.items() if not name.startswith(_GENERATES)}
    taken = {name: _take_head(folder, tensors, name) for name in heads}
    shapes = {
        name.removesuffix(".weight"): tensor.shape
        for name, tensor in tensors.items()
        if name.startswith("language_model.layers.") and tensor.ndim == 2
    }
    shapes |= {name: weight.shape for name, (weight, _) in taken.items()}
    tasks, adapters = _read_adapters(folder / ADAPTERS, config.get("task_names"), shapes)
    return QwenFiles(
        folder=folder,
        config=config,
        tensors=tensors,
        heads=taken,
        tasks=tasks,
        adapters=adapters,
        processor=read_patch_processor(folder, config.get("vision_config") or {}),
    )


def _architecture(config: Mapping[str, Any]) -> str:
    return str((config.get("architectures") or [""])[0])


def _name(name: str) -> str:
    """The name that transformers' model class has for a tensor of either layout, or of a layer in an adapter's file."""
    name = _OUTER.sub("", name)
    return _VISION.sub("visual.", name) if _VISION.match(name) else _LANGUAGE.sub("language_model.", name)


def _take_head(folder: Path, tensors: dict[str, torch.Tensor], name: str) -> Affine:
    weight, bias = (tensors.pop(f"{name}.{part}", None) for part in ("weight", "bias"))
    if weight is None or bias is None:
        raise ModelFilesError(f"{folder} does not hold the weights of this model: it lacks {name}.weight or .bias.")
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise ModelFilesError(f"{folder}: {name} has the shapes {tuple(weight.shape)} and {tuple(bias.shape)}.")
    return weight, bias


def _read_adapters(
    folder: Path, names: Sequence[str] | None, shapes: Mapping[str, torch.Size]
) -> tuple[tuple[str, ...], dict[str, tuple[LowRank | None, ...]]]:
    """Names of the tasks, and each layer's adapters of them; none where there is no such folder."""
    if not folder.is_dir():
        return (), {}
    scale, _ = read_scale(folder)
    factors: dict[str, dict[str, dict[str, torch.Tensor]]] = defaultdict(lambda: defaultdict(dict))
    for name, tensor in load_tensors(folder / "adapter_model.safetensors").items():
        match = _FACTOR.fullmatch(_name(name))
        if match is None or match["layer"] not in shapes:
            raise ModelFilesError(f"{folder} adapts what the model lacks, such as {name!r}.")
        factors[match["layer"]][match["task"]][match["side"]] = tensor
    found = sorted({task for tasks in factors.values() for task in tasks})
    tasks = tuple(found if names is None else names)
    if sorted(tasks) != found:
        raise ModelFilesError(f"{folder} holds adapters of {', '.join(found)}; config.json names {', '.join(tasks)}.")
    return tasks, {
        layer: tuple(_pair(folder, layer, of_task.get(task), shapes[layer], scale) for task in tasks)
        for layer, of_task in factors.items()
    }


def _pair(
    folder: Path, layer: str, factors: Mapping[str, torch.Tensor] | None, shape: torch.Size, scale: float
) -> LowRank | None:
    if factors is None:
        return None
    down, up = factors.get("A"), factors.get("B")
    if down is None or up is None or down.shape[1:] != shape[1:] or tuple(up.shape) != (shape[0], len(down)):
        raise ModelFilesError(f"{folder}: the factors of {layer} do not fit its weight of {shape[0]} x {shape[1]}.")
    return LowRank(down.float(), up.float() * scale)


def build(files: QwenFiles) -> Any:  # noqa: ANN401 (transformers is untyped)
    """The model, its weights as stored. Frames of a video are left out: an image is a linear function of its patches.

    Raises:
        ModelFilesError: tensors are missing, left over or of other sizes than config.json says.
    """
    config_class, model_class = (getattr(transformers, name) for name in _CLASSES[_architecture(files.config)])
    dtype = reduce(torch.promote_types, {tensor.dtype for tensor in files.tensors.values()})
    try:
        with SILENCE:
            model, info = model_class.from_pretrained(
                None,
                config=config_class.from_dict(dict(files.config)),
                state_dict=files.tensors,
                dtype=dtype,
                ignore_mismatched_sizes=True,  # refused below: transformers' error names no tensor
                output_loading_info=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # a config.json that does not fit may end in any error
        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            raise
        raise ModelFilesError(f"{files.folder} cannot be loaded with {model_class.__name__}: {error}") from error
    files.tensors.clear()
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")  # the last with both shapes
    if wrong := [key for kind in kinds for key in sorted(info[kind])]:
        raise ModelFilesError(
            f"{files.folder} does not hold the weights of {model_class.__name__}: {len(wrong)} tensors are missing, "
            f"left over or of another shape, such as {wrong[0]!r}."
        )
    # Both frames of a patch are the image, so their weights can be added; what is left of the convolution is a product.
    frames = model.visual.patch_embed.proj.weight.detach()
    patches = torch.nn.Linear(frames[:, :, 0].numel() // len(frames), len(frames), bias=False, dtype=torch.float32)
    patches.weight = torch.nn.Parameter(frames.float().sum(2).flatten(1), requires_grad=False)
    model.visual.patch_embed = patches
    return model.eval()
