"""What runs through a model, and how models are run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jina_components.models.patches import Patches
    from jina_components.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TokenSequence:
    """An input as a model takes it.

    Attributes:
        ids: Token ids.
        type_ids: Segment ids, when any is not 0.
        prompt: Tokens at its head that are the prompt's, which some models leave out of their pooling.
        adapter: Number of the adapter it runs with, -1 for none.
        spans: First and past-the-last token of each vector that is wanted, shape [vectors, 2]; None for one of all.
        images: That stand among the tokens, from the first on.
        seen: Tokens at its head that all tokens attend to, the others to none; None for all.
    """

    ids: NDArray[np.int32]
    type_ids: NDArray[np.int32] | None = None
    prompt: int = 0
    adapter: int = -1
    spans: NDArray[np.int32] | None = None
    images: tuple[Patches, ...] = ()
    seen: int | None = None

    @property
    def num_rows(self) -> int:
        """Vectors that are wanted."""
        return 1 if self.spans is None else len(self.spans)

    @property
    def cost(self) -> int:
        """Tokens that it counts as in usage: those of its images, where it has any."""
        return sum(image.tokens * image.tile_tokens for image in self.images) or len(self)

    @property
    def num_seen(self) -> int:
        """Tokens that are attended to."""
        return len(self.ids) if self.seen is None else self.seen

    def __len__(self) -> int:
        return len(self.ids)


class ModelInput(Protocol):
    """What runs through a model: tokens, or an image."""

    @property
    def num_rows(self) -> int:
        """Vectors that are wanted."""
        ...

    def __len__(self) -> int:
        """Tokens that it costs."""
        ...


def split_rows(rows: FloatArray, sequences: Sequence[ModelInput]) -> list[FloatArray]:
    """The rows of each sequence."""
    ends = list(accumulate(sequence.num_rows for sequence in sequences))
    return [rows[end - sequence.num_rows : end] for end, sequence in zip(ends, sequences, strict=True)]


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

    def run(self, batch: Sequence[Any]) -> FloatArray:
        """The rows that each sequence wants, one after the other; raises MemoryError when the batch is too large."""
        ...
