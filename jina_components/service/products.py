"""What the service is asked for."""

from __future__ import annotations

from typing import Literal, TypeAlias

Product: TypeAlias = Literal[
    "embeddings", "rerank", "classify", "train", "segment", "batch", "finetune", "models", "deepsearch", "reader",
    "search", "grounding", "account", "service",
]  # fmt: skip
