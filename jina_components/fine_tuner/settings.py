"""How a model is fitted: every default in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from jina_components.errors import ConfigError

Kind: TypeAlias = Literal["embedder", "static", "reranker"]
"""What is fitted: a transformer or a token table that gives vectors, or a cross-encoder that gives scores."""

LOSSES = ("contrastive", "distillation", "margin", "closeness")
"""What can be asked for; `training.losses` says what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What to fit, how long, how fast and towards what. What is None is chosen by what is fitted: `DEFAULTS`.

    Attributes:
        hidden: Width of a residual layer that is put on top of an embedder and fitted, while the embedder stays as it
            is; 0 fits its own weights. None for 2048, or for 0 where `lora` or `frozen` tell which of these to fit, and
            for token tables and cross-encoders.
        losses: Weights of `contrastive` (the answer before all other passages of the batch), `distillation` (its own
            passages as the cross-encoder scores them), `margin` (the same by differences) and `closeness` (every vector
            or score as the base has it); others are 0.
        rate: Highest learning rate of AdamW; it rises linearly, then falls linearly to 0.
        warmup: Share of the steps in which it rises.
        decay: Weight decay of matrices.
        epochs: Times that each training question is shown.
        max_steps: Of the optimizer, at most.
        batch: Questions of a step; None for what `DEFAULTS` says, or where that is less, a 32nd of the questions, but
            no less than 32.
        negatives: Passages beside the answer, at most, for each question.
        rivals: Other passages that a batch's questions are told from, at most, beside its own ones.
        alike: A passage whose cosine with the answer is this or more, as the base has it, is no rival: it may answer.
        shortened: Further times that a training question of four words or more is shown, with some of them left out;
            none of languages that are written without spaces.
        temperature: Cosines, or differences of scores, are divided by this.
        softness: Of the cross-encoder's scores: their logits are divided by this.
        max_tokens: What texts are cut to while fitting; the model's context stays what it was.
        frozen: Patterns of the names of weights that stay as they are.
        lora: Rank of the matrices that are fitted in place of a transformer's own (Hu et al. 2021), merged at the end;
            0 for all weights; None for 16 where the model has over 500 million weights.
        widths: Dimensions that vectors should bear being cut to (Matryoshka, Kusupati et al. 2022); None for those that
            the base is known to be cut to.
        check_every: Steps between two measurements of the dev questions, each with a checkpoint.
        save_every: Steps between two checkpoints.
        patience: Measurements without a better one after which it stops.
        dev_questions: Dev questions that are measured, at most.
        dev_passages: Passages that they are searched in, at most, their own aside.
        tokens: Of a forward pass, which memory depends on; a batch is divided (gradients are cached: Gao et al. 2021).

    Raises:
        ConfigError: a setting is out of its range; says which.
    """

    hidden: int | None = None
    losses: Mapping[str, float] | None = None
    rate: float | None = None
    warmup: float = 0.1
    decay: float = 0.01
    epochs: float | None = None
    max_steps: int | None = None
    batch: int | None = None
    negatives: int | None = None
    rivals: int | None = None
    alike: float | None = None
    shortened: int | None = None
    temperature: float | None = None
    softness: float | None = None
    max_tokens: int = 256
    frozen: tuple[str, ...] | None = None
    lora: int | None = None
    widths: tuple[int, ...] | None = None
    check_every: int | None = None
    save_every: int = 50
    patience: int = 5
    dev_questions: int = 500
    dev_passages: int = 2000
    tokens: int = 4096

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                raise ConfigError(f"{name}={value} is out of range: give {lowest} to {highest}.")
        if unknown := set(self.losses or {}) - set(LOSSES):
            raise ConfigError(f"losses has {', '.join(sorted(unknown))}: known are {', '.join(LOSSES)}.")
        weights = (self.losses or {}).values()
        if any(weight < 0 or not math.isfinite(weight) for weight in weights) or (weights and not any(weights)):
            raise ConfigError(f"losses={dict(self.losses or {})}: weights are finite, none below 0 and one above it.")
        if self.hidden and (self.lora or self.frozen):
            raise ConfigError("hidden fits a layer on top, lora and frozen the model's own weights: give one of them.")
        if self.hidden is None and (self.lora is not None or self.frozen is not None):
            object.__setattr__(self, "hidden", 0)

    def filled(self, kind: Kind, *, parameters: int = 0, widths: tuple[int, ...] = ()) -> FitSettings:
        """With a value for what is None.

        Args:
            kind: Of the model.
            parameters: Number of its weights.
            widths: That it is known to be cut to.
        """
        hidden = self.hidden
        if hidden is None:
            hidden = HIDDEN if kind == "embedder" else 0
        if hidden and kind != "embedder":
            raise ConfigError(f"hidden={hidden} is for transformer embedders; of a {kind} its own weights are fitted.")
        if kind == "reranker" and (self.rivals or (self.alike or _NEVER) < _NEVER):
            raise ConfigError(
                "rivals and alike are for embedders: a cross-encoder reads each question with its passages."
            )
        lora = LARGE_RANK if parameters > LARGE and not hidden else 0
        choices = {**DEFAULTS["head" if hidden else kind], "hidden": hidden, "lora": lora, "widths": widths}
        return replace(self, **{name: value for name, value in choices.items() if getattr(self, name) is None})

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


_NEVER = 2.0  # more than any cosine
_OWN = {"epochs": 1.0, "rivals": 0, "alike": _NEVER, "shortened": 0, "softness": 1.0, "check_every": 50}
DEFAULTS: Mapping[Kind | Literal["head"], Mapping[str, Any]] = {
    "head": {
        "losses": {"contrastive": 1.0, "distillation": 1.0, "closeness": 6.0},
        "rate": 1e-3,
        "epochs": 3.0,
        "batch": 1024,
        "negatives": 6,
        "rivals": 8192,
        "alike": 0.85,
        "shortened": 2,
        "temperature": 0.03,
        "softness": 0.25,
        "check_every": 1000,
        "frozen": (),
    },
    "embedder": {
        **_OWN,
        "losses": {"contrastive": 1.0, "distillation": 1.0, "closeness": 1.0},
        "rate": 5e-5,
        "batch": 32,
        "negatives": 4,
        "temperature": 0.05,
        "frozen": (r"word_embeddings",),
    },
    "static": {
        "losses": {"contrastive": 1.0, "distillation": 1.0, "closeness": 1.0},
        "rate": 0.02,
        "epochs": 5.0,
        "batch": 256,
        "negatives": 4,
        "rivals": 0,
        "alike": 0.85,
        "shortened": 2,
        "temperature": 0.05,
        "softness": 1.0,
        "check_every": 1000,
        "frozen": (),
    },
    "reranker": {
        **_OWN,
        "losses": {"contrastive": 1.0, "distillation": 1.0, "closeness": 0.1},
        "rate": 2e-5,
        "batch": 16,
        "negatives": 4,
        "temperature": 1.0,
        "frozen": (r"word_embeddings",),
    },
}
"""By kind, and for a layer on top of an embedder."""
HIDDEN = 2048
LARGE, LARGE_RANK = 500_000_000, 16

_RANGES: Mapping[str, tuple[float, float]] = {
    "hidden": (0, 65_536),
    "rate": (0, 10),
    "warmup": (0, 1),
    "decay": (0, 1),
    "epochs": (0.001, 1000),
    "max_steps": (1, 10**7),
    "batch": (1, 65_536),
    "negatives": (0, 1000),
    "rivals": (0, 10**6),
    "alike": (-1, _NEVER),
    "shortened": (0, 10),
    "temperature": (1e-4, 100),
    "softness": (1e-3, 1000),
    "max_tokens": (4, 100_000),
    "lora": (0, 4096),
    "check_every": (1, 10**7),
    "save_every": (1, 10**7),
    "patience": (1, 10**6),
    "dev_questions": (1, 10**6),
    "dev_passages": (1, 10**6),
    "tokens": (1, 10**7),
}
