"""What a step is given: questions, the passages that each is compared with, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from jina_components.errors import InputError
from jina_components.fine_tuner.sampling import place
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training.bases import Base
from jina_components.fine_tuner.triplets import Split, Triplet, Triplets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.fine_tuner.training.bases import Model

Input: TypeAlias = str | tuple[str, str]
"""A text, or a question and a passage that are read together."""

NONE = -1
_ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Side:
    """Inputs that a model takes alike.

    Attributes:
        inputs: Each once.
        prompt: Put before them.
        base: What the base gives for each, shape [inputs, width]; None where nothing asks for it.
    """

    inputs: Sequence[Input]
    prompt: str = ""
    base: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Examples:
    """Questions as rows of arrays.

    Attributes:
        sides: Of a reranker the pairs; of an embedder the questions and the passages.
        asked: Of each example its input of the first side, shape [examples].
        own: Its inputs of the last side: the answer, then passages that are none; shape [examples, 1 + negatives], NONE
            where there are fewer.
        teacher: The cross-encoder's probability for each of `own`, nan where it is not known.
        documents: Of each example the document that answers, shape [examples].
        homes: Of each input of the last side the document that it is of, shape [inputs].
        rivals: Inputs of the last side, at most, that a batch has beside those of its examples.
    """

    sides: tuple[Side, ...]
    asked: NDArray[np.int64]
    own: NDArray[np.int64]
    teacher: NDArray[np.float32]
    documents: NDArray[np.int64]
    homes: NDArray[np.int64]
    rivals: int = 0

    @classmethod
    def of(cls, triplets: Triplets, split: Split, base: Base, settings: FitSettings) -> Examples:
        """The triplets of a split.

        Raises:
            InputError: there are none, or none that a cross-encoder could learn from.
        """
        rows = getattr(triplets, split)
        if not rows:
            raise InputError(f"The triplets have no {split} questions: synthesize from more documents.")
        if base.kind == "reranker" and not any(each.negatives for each in rows):
            raise InputError(f"A cross-encoder learns from negatives, and no {split} question has one.")
        if split == "train":
            rows = [*rows, *_shortened(rows, settings.shortened or 0)]
        queries, passages, pairs, documents = _Numbers(), _Numbers(), _Numbers(), _Numbers()
        width = 1 + (settings.negatives or 0)
        own, teacher = np.full((len(rows), width), NONE), np.full((len(rows), width), np.nan, np.float32)
        asked, answered = [], []
        homes: list[int] = []
        for number, each in enumerate(rows):
            asked.append(queries(each.query))
            answered.append(documents(triplets.passages[each.positive].document))
            names = (each.positive, *each.negatives)[:width]
            last = pairs if base.kind == "reranker" else passages
            for column, name in enumerate(names):
                text = triplets.passages[name].text
                own[number, column] = last((each.query, text) if base.kind == "reranker" else text)
                homes += [documents(triplets.passages[name].document)] * (len(last.known) - len(homes))
            teacher[number, : len(names)] = each.scores[:width] or np.nan
        if settings.rivals:
            aside = {triplets.passages[each.positive].document for each in (*triplets.dev, *triplets.test)}
            for each in triplets.passages.values():
                if each.document not in aside:
                    passages(each.text)
                    homes += [documents(each.document)] * (len(passages.known) - len(homes))
        sides = (
            (Side(pairs.inputs),)
            if base.kind == "reranker"
            else (Side(queries.inputs, base.prompt("query")), Side(passages.inputs, base.prompt("passage")))
        )
        return cls(
            sides, np.array(asked), own, teacher, np.array(answered), np.array(homes), settings.rivals or 0
        )  # fmt: skip

    def with_base(self, outputs: Callable[[Side], NDArray[np.float32]]) -> Examples:
        """The same with what the base gives for every input."""
        return replace(self, sides=tuple(replace(side, base=outputs(side)) for side in self.sides))

    def plan(self, steps: int, batch: int, seed: int) -> list[list[int]]:
        """The examples of each step: all once in an order, then all in another …; the last ones of one may be left."""
        batch = min(batch, len(self.own))
        each = len(self.own) // batch
        orders = (np.random.default_rng([seed, epoch]).permutation(len(self.own)) for epoch in range(-(-steps // each)))
        rows = [order[start * batch : (start + 1) * batch].tolist() for order in orders for start in range(each)]
        return rows[:steps]

    def __len__(self) -> int:
        return len(self.own)


def collate(examples: Examples, model: Model, rows: Sequence[int]) -> dict[str, Any]:
    """A batch: the inputs of each side, each once and the short ones first, and in `label` what belongs to them."""
    own = examples.own[rows]
    wanted = [np.union1d(own[own != NONE], _rivals(examples, rows))]
    if len(examples.sides) > 1:
        wanted.insert(0, np.unique(examples.asked[rows]))
    batch: dict[str, Any] = {}
    bases, places = [], []
    for number, (side, chosen) in enumerate(zip(examples.sides, wanted, strict=True)):
        order = chosen[np.argsort([_length(side.inputs[at]) for at in chosen], kind="stable")]
        places.append({int(at): place for place, at in enumerate(order)} | {NONE: NONE})
        for name, value in model.preprocess([side.inputs[at] for at in order], prompt=side.prompt or None).items():
            batch[f"side{number}_{name}"] = value
        if side.base is not None:
            bases.append(torch.from_numpy(side.base[order]))
    last = sorted(places[-1].items(), key=lambda item: item[1])
    batch["label"] = {
        "asked": torch.tensor([places[0].get(int(at), NONE) for at in examples.asked[rows]]),
        "own": torch.tensor([[places[-1][int(at)] for at in row] for row in own]),
        "teacher": torch.from_numpy(examples.teacher[rows]),
        "documents": torch.from_numpy(examples.documents[rows]),
        "homes": torch.from_numpy(examples.homes[[at for at, place in last if place != NONE]]),
        **{f"base{number}": value for number, value in enumerate(bases)},
    }
    return batch


def _rivals(examples: Examples, rows: Sequence[int]) -> NDArray[np.int64]:
    """Inputs of the last side that a batch is told from: all, or a sample of its own."""
    every = len(examples.homes)
    if every <= examples.rivals:
        return np.arange(every)
    return np.random.default_rng(rows[:2]).choice(every, examples.rivals, replace=False)


def _shortened(rows: Sequence[Triplet], times: int) -> Iterator[Triplet]:
    """Questions of four words or more with a fifth, two or three of them left out, as people search; two words stay."""
    for each in rows:
        words = each.query.split()
        for turn in range(times if len(words) >= _ENOUGH else 0):
            share = 0.2 * (1 + int(3 * place(f"{turn} {each.query}")))
            left = [word for at, word in enumerate(words) if place(f"{turn} {at} {each.query}") >= share]
            if 2 <= len(left) < len(words):
                yield replace(each, query=" ".join(left), negatives=(), scores=())


class _Numbers:
    """Numbers things as they come."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def __call__(self, thing: object) -> int:
        return self.known.setdefault(thing, len(self.known))

    @property
    def inputs(self) -> list[Any]:
        return list(self.known)


def _length(given: Input) -> int:
    return len(given) if isinstance(given, str) else sum(map(len, given))
