"""What a sentence-transformers model does after its transformer: pooling, dense layers, norms."""

from __future__ import annotations

from collections.abc import Callable

import torch

from jina_components.errors import ModelFilesError
from jina_components.models.architectures.tensors import load_tensors
from jina_components.models.layout import Layout, Module

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From token vectors [n, length, hidden], or vectors [n, width], and the mask [n, length]."""


def sentence_modules(layout: Layout) -> list[Module]:
    """The steps from token vectors to the sentence vector; a closing Normalize is left to the caller.

    Raises:
        ModelFilesError: they do not begin with a Pooling.
    """
    later = [module for module in layout.modules if module.type != "Transformer"]
    while later and later[-1].type == "Normalize":
        later.pop()
    if not later or later[0].type != "Pooling":
        raise ModelFilesError(
            f"{layout.folder} names no Pooling step after its Transformer, so the sentence vector is undefined: save "
            "the model with sentence-transformers first."
        )
    return later


def pools_prompt(pooling: Module) -> bool:
    """Whether a Pooling step takes a prompt's tokens along."""
    return bool(pooling.config.get("include_prompt", True))


def build_step(module: Module, device: torch.device) -> Step:
    """A step ready to run.

    Raises:
        ModelFilesError: its type or settings are not known, or its weights are missing.
    """
    build = _STEPS.get(module.type)
    if build is None:
        raise ModelFilesError(f"{module.folder}: step {module.type!r} is not known; known: {', '.join(_STEPS)}.")
    return build(module, device)


def pooling_modes(module: Module) -> list[str]:
    """Modes of a Pooling step, whose results are joined.

    Raises:
        ModelFilesError: none, or an unknown one.
    """
    config = module.config
    modes = config.get("pooling_mode") or [key for key, name in _OLD_POOLING_KEYS.items() if config.get(name)]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if not modes or any(mode not in _POOLING for mode in modes):
        raise ModelFilesError(
            f"{module.folder}: pooling {dict(config)} is not supported; known modes: {', '.join(_POOLING)}."
        )
    return modes


def _build_pooling(module: Module, device: torch.device) -> Step:  # noqa: ARG001 (the signature of all steps)
    modes = pooling_modes(module)
    return lambda hidden, mask: torch.cat([_POOLING[mode](hidden, mask) for mode in modes], dim=-1)


def _build_dense(module: Module, device: torch.device) -> Step:
    weight, bias = _weight_and_bias(module, device)
    activation = _ACTIVATIONS.get(module.config.get("activation_function", "Tanh").rsplit(".", 1)[-1])
    name = module.config.get("module_input_name", "sentence_embedding")
    if activation is None or name != "sentence_embedding" or module.config.get("use_residual"):
        raise ModelFilesError(f"{module.folder}: Dense {dict(module.config)} is not supported.")
    return lambda vectors, mask: activation(torch.nn.functional.linear(vectors, weight, bias))


def _build_layer_norm(module: Module, device: torch.device) -> Step:
    weight, bias = _weight_and_bias(module, device)
    return lambda vectors, mask: torch.nn.functional.layer_norm(vectors, weight.shape, weight, bias)


def _weight_and_bias(module: Module, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The tensors of a step that is one layer."""
    path = module.folder / "model.safetensors"
    if not path.is_file():
        raise ModelFilesError(f"{path} is missing; pickled weights (pytorch_model.bin) are never loaded.")
    tensors = load_tensors(path)
    named = {name.rsplit(".", 1)[-1]: tensor.to(device, torch.float32) for name, tensor in tensors.items()}
    if "weight" not in named or len(tensors) != len(named) or named.keys() - {"weight", "bias"}:
        raise ModelFilesError(f"{path} holds {sorted(tensors)}, where one weight and bias are expected.")
    return named["weight"], named.get("bias")


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def _sum(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask.unsqueeze(-1)).sum(1)


def _weighted_mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Later tokens weigh more, by their position from 1 (SGPT, Muennighoff 2022)."""
    weights = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (hidden * weights.unsqueeze(-1)).sum(1) / weights.sum(1, keepdim=True)


_POOLING: dict[str, Step] = {
    "cls": lambda hidden, mask: hidden[torch.arange(len(hidden), device=hidden.device), mask.argmax(1)],
    "mean": _mean,
    "max": lambda hidden, mask: hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1),
    "mean_sqrt_len_tokens": lambda hidden, mask: _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1).sqrt(),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda hidden, mask: hidden[
        torch.arange(len(hidden), device=hidden.device), -1 - mask.flip(1).argmax(1)
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
    "Normalize": lambda module, device: (  # amid the steps; the one at the end is the caller's
        lambda vectors, mask: torch.nn.functional.normalize(vectors, dim=-1)
    ),
    "Dropout": lambda module, device: lambda vectors, mask: vectors,
}
