"""What runs through a model, and how models are run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class TokenSequence(NamedTuple):
    """An input as a model takes it.

    Attributes:
        ids: Token ids.
        type_ids: Segment ids, when any is not 0.
        prompt: Tokens at its head that are the prompt's, which some models leave out of their pooling.
    """

    ids: NDArray[np.int32]
    type_ids: NDArray[np.int32] | None = None
    prompt: int = 0

    def __len__(self) -> int:
        return len(self.ids)


class Backend(Protocol):
    """How a model runs. Called by one thread at a time.

    Attributes:
        token_budget: Tokens that a pass should hold at most.
        padded: Whether every sequence of a pass costs as much as its longest.
        precision: Numeric type it computes in.
    """

    token_budget: int
    padded: bool
    precision: str

    @property
    def device(self) -> object:
        """Where it runs."""
        ...

    @property
    def width(self) -> int:
        """Columns of the result."""
        ...

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """One row a sequence, shape [len(batch), width]; raises MemoryError when the batch is too large."""
        ...
