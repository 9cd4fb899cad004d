"""Work that was handed to a model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Pending(NamedTuple, Generic[T]):
    """A result that is being made.

    Attributes:
        future: Completes with what the model gives; cancelling it stops the work.
        finish: Makes the result of that; raises a JinaComponentsError if there is none.
    """

    future: Future[Any]
    finish: Callable[[Any], T]

    def cancel(self) -> None:
        """Stop the work, unless it is done."""
        self.future.cancel()
