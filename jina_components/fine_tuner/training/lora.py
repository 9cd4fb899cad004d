"""Low-rank adaptation of a transformer by PEFT (Hu et al. 2021)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jina_components.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from jina_components.fine_tuner.training.bases import Model


def freeze(model: Model, patterns: Sequence[str]) -> None:
    """Leave weights as they are whose name has one of the patterns.

    Raises:
        ConfigError: none would be left to fit.
    """
    for name, weight in model.named_parameters():
        if any(re.search(pattern, name) for pattern in patterns):
            weight.requires_grad_(requires_grad=False)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ConfigError(f"frozen={list(patterns)} leaves nothing to fit.")


def adapt(model: Model, rank: int) -> None:
    """Put matrices of `rank` beside every linear layer of the transformer; the rest of it stays as it is.

    Raises:
        ConfigError: it is a token table.
        MissingDependencyError: PEFT is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingDependencyError("LoRA needs peft: pip install 'jina-components[train]'.") from error
    module = model[0]
    if not hasattr(module, "auto_model"):
        raise ConfigError(f"lora={rank} is for transformers; a token table is fitted whole: lora=0.")
    heads = [name for name, _ in module.model.named_modules() if name.endswith(("classifier", "score"))]
    options = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", modules_to_save=heads or None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for what will have another name
        module.model = get_peft_model(module.model, options)


def merge(model: Model) -> None:
    """Add what was fitted to the matrices that it lies beside."""
    model[0].model = model[0].model.merge_and_unload()
