"""How a classifier learns from examples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.classifier.labelling import SLICE
from jina_components.classifier.learned import Learned
from jina_components.classifier.online import OnlineLearner
from jina_components.classifier.space import Space
from jina_components.errors import InputError
from jina_components.types import Embeddings, Usage
from jina_components.types.classified import Example, Training

if TYPE_CHECKING:
    from jina_components.types import FloatArray

    Words: TypeAlias = Callable[[Sequence[str]], tuple[FloatArray, Usage]]


def train(
    learned: Learned,
    space: Space,
    examples: Sequence[Example],
    *,
    num_iters: int,
    words: Words | None,
    advance: Callable[[int], object],
    stopped: threading.Event,
) -> Training:
    """Learn from examples, all of them or nothing.

    Args:
        learned: What was learned before; changed in the end.
        space: Of the embedder.
        examples: Checked.
        num_iters: How thoroughly.
        words: Where the words of labels lie; None where they mean nothing.
        advance: Told how many more have been embedded.
        stopped: Set by who does not want it any more.

    Raises:
        CancelledError: it was stopped in time.
    """
    usage = Usage()

    def learn(learner: OnlineLearner | None) -> OnlineLearner:
        nonlocal usage
        embedded = _embedded(space, examples, advance, stopped)
        usage = embedded.usage
        width = embedded.vectors.shape[1]
        learner = OnlineLearner(width) if learner is None else learner
        learned.check_width(learner, width)
        if words is not None:
            learner, cost = _with_words(learner, examples, words)
            usage += cost
        return learner.with_examples(embedded.vectors, [example.label for example in examples], num_iters=num_iters)

    before, after = learned.change(learn)
    known = set() if before is None else set(before.learner.labels)
    new = tuple(label for label in after.learner.labels if label not in known)
    return Training(len(examples), after.learner.labels, new, after.number, usage)


def _with_words(learner: OnlineLearner, examples: Sequence[Example], words: Words) -> tuple[OnlineLearner, Usage]:
    """The learner, told where the words of new labels lie; a label without letters has none."""
    labels = dict.fromkeys(example.label for example in examples if any(map(str.isalpha, example.label)))
    new = [label for label in labels if label not in learner.labels]
    if not new:
        return learner, Usage()
    try:
        vectors, usage = words(new)
    except InputError as error:
        if error.index is None:
            raise
        first = next(place for place, example in enumerate(examples) if example.label == new[error.index])
        raise InputError(f"examples[{first}]: {error.message}", first) from error
    return learner.with_label_vectors(new, vectors), usage


def _embedded(
    space: Space, examples: Sequence[Example], advance: Callable[[int], object], stopped: threading.Event
) -> Embeddings:
    parts: list[FloatArray] = []
    usage = Usage()
    for start in range(0, len(examples), SLICE):
        if stopped.is_set():
            raise CancelledError
        inputs = [example.input for example in examples[start : start + SLICE]]
        embedded = space.embed(inputs, start=start, what="examples")
        parts.append(embedded.vectors)
        usage += embedded.usage
        advance(len(inputs))
    return Embeddings(np.concatenate(parts), usage)
