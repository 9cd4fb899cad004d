"""What a fine-tuning job is asked to do, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]
UNFINISHED: tuple[Status, ...] = ("queued", "running")
PREFIX = "ft:"
"""What names of fitted models begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTune:
    """A fine-tuning job. Times are seconds since 1970.

    Attributes:
        id: What clients call it: `ft_` and 16 hexadecimal digits.
        owner: Whose it is, and whose model.
        key_id: The key that is charged; empty where none is.
        request_id: Of the request that brought it.
        model: What is fitted, by the name that clients use.
        base: What that name stands for: a catalog name, a folder or a hub id.
        suffix: What the owner calls it, as part of the model's name.
        documents: How many were sent; 0 for a site.
        url: Where the site begins; empty for documents that were sent.
        epochs, max_steps: As of the settings of a fit; None for its own.
        seed: Of all that is drawn.
        created_at, finished_at: When it came, and when it ended, however it did; None before.
        status: How far it is.
        error: Why it failed.
        tokens: Of the passages that were learned from; charged when it has succeeded.
        attempts: Times that its process was killed.
        result: What the comparison with the base found: verdict, reason and metrics; None before.
    """

    id: str
    owner: str
    key_id: str
    request_id: str
    model: str
    base: str
    suffix: str
    documents: int
    url: str
    epochs: float | None
    max_steps: int | None
    seed: int
    created_at: float
    finished_at: float | None = None
    status: Status = "queued"
    error: str | None = None
    tokens: int = 0
    attempts: int = 0
    result: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What the fitted model is asked for by."""
        return f"{PREFIX}{self.model}:{self.suffix}:{self.id.removeprefix('ft_')}"
