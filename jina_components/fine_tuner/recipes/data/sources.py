"""Where the recipes' texts come from: a row a source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """A set that a recipe trains on.

    Attributes:
        name: For the log and the model card.
        licence: Of the texts.
        limit: Most texts, queries or pairs taken.
        read: What it holds, given the data folder.
        repeats: How often an epoch holds each of them.
    """

    name: str
    licence: str
    limit: int
    read: Callable[[Path], T]
    repeats: int = 1
