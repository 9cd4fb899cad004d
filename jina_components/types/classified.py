"""What a classifier says of texts and images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from jina_components.types.texts import Usage


@dataclass(frozen=True, slots=True)
class Classification:
    """The labels of one input.

    Attributes:
        label: The best label; None where the classifier abstains, since no label reaches the threshold.
        score: The best label's probability, 0 to 1, also where it abstains.
        scores: Probability of every label, in the order of the labels; they sum to 1 unless labels are independent
            (`multi_label`).
        labels: All labels that reach the threshold, best first; of exclusive labels the best one at most.
    """

    label: str | None
    score: float
    scores: Mapping[str, float] = field(hash=False)
    labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Classification({self.label!r}, {self.score:.4f})"


@dataclass(frozen=True, slots=True, repr=False)
class Classifications(Sequence[Classification]):
    """The labels of many inputs, in their order; behaves as a sequence of them.

    Attributes:
        results: One of each input.
        usage: Tokens that embedding inputs and labels cost, where the embedder tells.
    """

    results: tuple[Classification, ...] = ()
    usage: Usage = Usage()

    @overload
    def __getitem__(self, index: int) -> Classification: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Classification, ...]: ...
    def __getitem__(self, index: int | slice) -> Classification | tuple[Classification, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Classification]:
        return iter(self.results)

    def __repr__(self) -> str:
        return f"Classifications({list(self.results)!r})"
