"""Transformer checkpoints in torch, through transformers' native classes; no remote code, safetensors only."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import ConfigError, MissingDependencyError, ModelFilesError
from jina_components.models.layout import Layout, Module
from jina_components.models.runner import TokenSequence

try:
    import torch
    import transformers
    from safetensors.torch import load_file
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

if TYPE_CHECKING:
    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

Step = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]

# Heads a checkpoint may carry beside or lack from its encoder. Any other missing or unexpected tensor means
# that the architecture is not the checkpoint's, which transformers would load with random weights.
_HEADS = re.compile(r"(^|\.)(pooler|cls|lm_head|classifier|vocab_\w+|predictions|position_ids)(\.|$)")


def pick_device(device: str) -> torch.device:
    """`auto` means CUDA, then MPS, then CPU; the choice is logged.

    Raises:
        ConfigError: the device asked for is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, present in available.items() if present)
        logger.info("device='auto' chose %s", device)
    kind = device.split(":")[0]
    if not available.get(kind, False):
        raise ConfigError(
            f"Device {device!r} is not available here; available: {[n for n, p in available.items() if p]}."
        )
    return torch.device(device)


class _Transformer:
    """A checkpoint on a device, run on padded batches."""

    def __init__(self, auto_class: Any, folder: Path, device: str, config: Mapping[str, Any]) -> None:  # noqa: ANN401
        self.device = pick_device(device)
        self.token_budget = 4096 if self.device.type == "cpu" else 65_536
        self.model = _load_checkpoint(auto_class, folder).to(self.device).eval()
        self.pad_id = config.get("pad_token_id") or 0
        self.takes_types = "token_type_ids" in inspect.signature(self.model.forward).parameters

    def __call__(self, batch: Sequence[TokenSequence]) -> tuple[Any, torch.Tensor]:
        """The model's output, and the attention mask, shape [batch, longest]."""
        shape = (len(batch), max(len(sequence) for sequence in batch))
        ids, mask = np.full(shape, self.pad_id, np.int64), np.zeros(shape, np.int64)
        types = np.zeros(shape, np.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = sequence.ids
            mask[row, : len(sequence)] = 1
            if sequence.type_ids is not None:
                types[row, : len(sequence)] = sequence.type_ids
        inputs = {"input_ids": ids, "attention_mask": mask} | (
            {"token_type_ids": types} if self.takes_types else {}
        )
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
        try:
            return self.model(**tensors), tensors["attention_mask"]
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error


def _load_checkpoint(auto_class: Any, folder: Path) -> Any:  # noqa: ANN401 (transformers is untyped)
    try:
        model, info = auto_class.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelFilesError(f"{folder} cannot be loaded with {auto_class.__name__}: {error}") from error
    # A sequence classifier without its own head would score at random.
    strict = auto_class is transformers.AutoModelForSequenceClassification
    missing = [key for key in info["missing_keys"] if strict or not _HEADS.search(key)]
    wrong = [
        *missing,
        *(key for key in info["unexpected_keys"] if not _HEADS.search(key)),
        *info["mismatched_keys"],
    ]
    if wrong:
        raise ModelFilesError(
            f"{folder} does not hold the weights of {type(model).__name__}: {len(wrong)} tensors are missing, "
            f"unexpected or misshaped, such as {wrong[0]!r}."
        )
    return model


class TorchEmbeddingBackend:
    """A sentence-transformers folder: Transformer, then Pooling, Dense and LayerNorm steps in its order."""

    def __init__(self, layout: Layout, *, device: str = "auto") -> None:
        self._transformer = _Transformer(
            transformers.AutoModel, layout.transformer.folder, device, layout.config
        )
        self.token_budget = self._transformer.token_budget
        later = [module for module in layout.modules if module.type not in ("Transformer", "Normalize")]
        if not later or later[0].type != "Pooling":
            raise ModelFilesError(
                f"{layout.folder} names no Pooling step after its Transformer, so the sentence vector is undefined: "
                "save the model with sentence-transformers first."
            )
        self._steps = [_build_step(module, self._transformer.device) for module in later]
        self.width = int(self.run([TokenSequence(np.zeros(1, np.int32))]).shape[1])

    @torch.inference_mode()
    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Sentence vectors, not normalized, shape [len(batch), width]."""
        output, mask = self._transformer(batch)
        vectors = output.last_hidden_state
        for step in self._steps:
            vectors = step(vectors, mask)
        return np.asarray(vectors.float().cpu().numpy())


class TorchCrossEncoderBackend:
    """A sequence-classification checkpoint with one label: a logit for each pair."""

    width = 1

    def __init__(self, layout: Layout, *, device: str = "auto") -> None:
        labels = transformers.AutoConfig.from_pretrained(layout.folder, local_files_only=True).num_labels
        if labels != 1:
            raise ModelFilesError(f"{layout.folder} scores {labels} labels; a reranker has one.")
        self._transformer = _Transformer(
            transformers.AutoModelForSequenceClassification, layout.folder, device, layout.config
        )
        self.token_budget = self._transformer.token_budget

    @torch.inference_mode()
    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Logits, shape [len(batch), 1]."""
        output, _ = self._transformer(batch)
        return np.asarray(output.logits.float().cpu().numpy())


def _build_step(module: Module, device: torch.device) -> Step:
    build = _STEPS.get(module.type)
    if build is None:
        raise ModelFilesError(
            f"{module.folder}: step {module.type!r} is not known; known: {', '.join(_STEPS)}."
        )
    return build(module, device)


def _build_pooling(module: Module, device: torch.device) -> Step:  # noqa: ARG001 (the signature of all steps)
    config = module.config
    modes = config.get("pooling_mode") or [key for key, name in _OLD_POOLING_KEYS.items() if config.get(name)]
    modes = [modes] if isinstance(modes, str) else list(modes)
    unknown = [mode for mode in modes if mode not in _POOLING]
    if unknown or not modes or not config.get("include_prompt", True):
        raise ModelFilesError(
            f"{module.folder}: pooling {dict(config)} is not supported; known modes: {', '.join(_POOLING)}."
        )
    return lambda hidden, mask: torch.cat([_POOLING[mode](hidden, mask) for mode in modes], dim=-1)


def _build_dense(module: Module, device: torch.device) -> Step:
    tensors = {name.split(".")[-1]: tensor.to(device) for name, tensor in _tensors(module).items()}
    activation_name = module.config.get("activation_function", "Identity").rsplit(".", 1)[-1]
    if activation_name not in _ACTIVATIONS or "weight" not in tensors:
        raise ModelFilesError(f"{module.folder}: Dense with activation {activation_name!r} is not supported.")
    activation = _ACTIVATIONS[activation_name]
    return lambda vectors, mask: activation(  # noqa: ARG005
        torch.nn.functional.linear(vectors, tensors["weight"], tensors.get("bias"))
    )


def _build_layer_norm(module: Module, device: torch.device) -> Step:
    tensors = {name.split(".")[-1]: tensor.to(device) for name, tensor in _tensors(module).items()}
    shape = tensors["weight"].shape
    return lambda vectors, mask: torch.nn.functional.layer_norm(  # noqa: ARG005
        vectors, shape, tensors["weight"], tensors["bias"]
    )


def _tensors(module: Module) -> dict[str, torch.Tensor]:
    path = module.folder / "model.safetensors"
    if not path.is_file():
        raise ModelFilesError(f"{path} is missing; pickled weights (pytorch_model.bin) are never loaded.")
    tensors: dict[str, torch.Tensor] = load_file(path)
    return tensors


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def _sum(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask.unsqueeze(-1)).sum(1)


def _weighted_mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Later tokens weigh more, by their position from 1 (SGPT, Muennighoff 2022)."""
    weights = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (hidden * weights.unsqueeze(-1)).sum(1) / weights.sum(1, keepdim=True)


_POOLING: dict[str, Step] = {
    "cls": lambda hidden, mask: hidden[:, 0],  # noqa: ARG005
    "mean": _mean,
    "max": lambda hidden, mask: hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1),
    "mean_sqrt_len_tokens": lambda hidden, mask: (
        _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1).sqrt()
    ),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda hidden, mask: hidden[
        torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1
    ],
}
_OLD_POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Identity": lambda vectors: vectors,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "Sigmoid": torch.sigmoid,
    "SiLU": torch.nn.functional.silu,
}
_STEPS: dict[str, Callable[[Module, torch.device], Step]] = {
    "Pooling": _build_pooling,
    "Dense": _build_dense,
    "LayerNorm": _build_layer_norm,
    "Dropout": lambda module, device: lambda vectors, mask: vectors,  # noqa: ARG005 (inference drops nothing)
}
