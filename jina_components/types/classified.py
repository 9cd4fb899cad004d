"""What a classifier learns from, and what it says of texts and images."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, overload

from jina_components.errors import UnknownNameError
from jina_components.types.texts import Image, Usage, shorten

Labels: TypeAlias = "Sequence[str] | Mapping[str, str]"
"""Names of labels, which say what they mean; or by name a description that stands for it."""


@dataclass(frozen=True, slots=True)
class Example:
    """An input with the label that it has; a pair (input, label) does as well.

    Attributes:
        input: A text, or an image for an embedder that takes them.
        label: Its label.
    """

    input: str | Image
    label: str

    def __repr__(self) -> str:
        shown = repr(shorten(self.input)) if isinstance(self.input, str) else repr(self.input)
        return f"Example({shown}, {self.label!r})"


Examples: TypeAlias = "Sequence[Example | tuple[str | Image, str]]"
"""Inputs with their labels."""


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
        more = f", labels={list(self.labels)!r}" if len(self.labels) > 1 else ""
        return f"Classification({self.label!r}, {self.score:.4f}{more})"


@dataclass(frozen=True, slots=True, repr=False)
class Classifications(Sequence[Classification]):
    """The labels of many inputs, in their order; behaves as a sequence of them.

    Attributes:
        results: One of each input.
        usage: Tokens that the call embedded, where the embedder tells: the inputs, and what stands for labels and was
            not embedded before.
        uncached_usage: Tokens of the inputs and of all that stands for labels, so that equal calls have equal ones.
    """

    results: tuple[Classification, ...] = ()
    usage: Usage = Usage()
    uncached_usage: Usage = Usage()

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

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{index}</td><td>{_labels_html(result)}</td><td>{result.score:.3f}</td></tr>"
            for index, result in enumerate(self.results)
        )
        return f"<table><tr><th>#</th><th>label</th><th>score</th></tr>{rows}</table>"


def _labels_html(result: Classification) -> str:
    best = max(result.scores, key=lambda label: result.scores[label], default="")
    return html.escape(", ".join(result.labels)) or f"<i>none, best is {html.escape(best)}</i>"


@dataclass(frozen=True, slots=True)
class GroupedClassifications:
    """What several sets of labels say of the same inputs: `grouped["tone"][0].label`.

    Attributes:
        groups: By name of the group, in the order that they were asked for, the labels of each input. The usage of all
            of them is that of the whole call.
        usage: Tokens that the call embedded, where the embedder tells.
        uncached_usage: As that of `Classifications`, of all groups together.
    """

    groups: Mapping[str, Classifications] = field(hash=False)
    usage: Usage = Usage()
    uncached_usage: Usage = Usage()

    def __getitem__(self, name: str) -> Classifications:
        if name not in self.groups:
            raise UnknownNameError(f"Unknown group of labels {name!r}. Known: {', '.join(self.groups)}.")
        return self.groups[name]

    def __contains__(self, name: object) -> bool:
        return name in self.groups

    def __iter__(self) -> Iterator[str]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Training:
    """What a call of `train` has changed.

    Attributes:
        num_examples: Examples that it learned from.
        labels: All labels known now.
        new_labels: Those of them that were not known before.
        version: Number of the version that it made, from 1.
        usage: Tokens that the call embedded, where the embedder tells.
    """

    num_examples: int
    labels: tuple[str, ...]
    new_labels: tuple[str, ...]
    version: int
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class ClassifierVersion:
    """A state of a trained classifier that is kept.

    Attributes:
        number: From 1; each call of `train` makes the next.
        created_at: When, UTC in ISO 8601.
        labels: Those it knows.
        num_examples: Examples that it has learned from in all.
    """

    number: int
    created_at: str
    labels: tuple[str, ...]
    num_examples: int
