"""How inputs get their labels: the one path of all calls, for sync and async callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jina_components.classifier.evaluation import Evaluation, evaluate
from jina_components.classifier.learned import Learned, as_examples
from jina_components.classifier.space import SLICE, Space
from jina_components.classifier.zero_shot import LabelSet, LabelVectors, as_label, as_label_set, scale_of
from jina_components.core.flow import Flow
from jina_components.errors import ConfigError, InputError
from jina_components.types import Classification, Classifications, Image, Usage, shorten
from jina_components.types.classified import Example, Examples, GroupedClassifications, Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class Scorer(NamedTuple):
    """What gives labels to vectors.

    Attributes:
        names: The labels.
        probabilities: Of each of them, shape [n, labels], for unit vectors of inputs, shape [n, dimensions].
        usage: What it cost to know the labels.
        uncached_usage: What it would have cost with nothing remembered.
    """

    names: tuple[str, ...]
    probabilities: Callable[[FloatArray], NDArray[np.floating]]
    usage: Usage
    uncached_usage: Usage


class Labeller:
    """Gives labels to inputs. Thread-safe; arguments as the classifier's, checked."""

    def __init__(
        self,
        space: Space,
        learned: Learned,
        *,
        templates: Sequence[str],
        temperature: float | None,
        threshold: float,
        multi_label: bool,
    ) -> None:
        self._space = space
        self._learned = learned
        self._vectors = LabelVectors(space)
        self._templates = templates
        self._temperature = temperature
        self._threshold = threshold
        self._multi_label = multi_label

    def words(self, labels: Sequence[str]) -> tuple[FloatArray, Usage]:
        """Where the names of labels lie, shape [labels, dimensions], and what that cost."""
        vectors, usage, _ = self._vectors.of(as_label_set(labels, self._templates, least=1))
        return vectors, usage

    def forget(self) -> None:
        """Give the memory of the labels' vectors back."""
        self._vectors.clear()

    def flow(
        self, inputs: Sequence[str | Image], labels: Labels | None, advance: Callable[[int], object]
    ) -> Flow[Classifications]:
        """Labels of inputs; arguments and errors as in `Classifier.classify`."""
        self._check(inputs)
        scorer = yield from self._scorer_flow(labels, is_needed=bool(inputs))
        [results], inputs_usage = yield from self._results_flow(inputs, [scorer], advance)
        return Classifications(results, scorer.usage + inputs_usage, scorer.uncached_usage + inputs_usage)

    def group_flow(
        self, inputs: Sequence[str | Image], groups: Mapping[str, Labels], advance: Callable[[int], object]
    ) -> Flow[GroupedClassifications]:
        """Labels of inputs of several sets; arguments and errors as in `Classifier.classify_groups`."""
        self._check(inputs)
        if not isinstance(groups, Mapping) or not groups:
            raise InputError(f"groups must be a mapping of names to labels, one at least, got {groups!r}.")
        names = [as_label(name, f"groups[{name!r}]: the name") for name in groups]
        sets = [
            self._label_set(labels, f"groups[{name!r}]") for name, labels in zip(names, groups.values(), strict=True)
        ]
        scorers = (yield partial(self._label_scorers, sets)) if inputs else [_empty(labels.names) for labels in sets]
        results, inputs_usage = yield from self._results_flow(inputs, scorers, advance)
        usage = sum((scorer.usage for scorer in scorers), inputs_usage)
        uncached = sum((scorer.uncached_usage for scorer in scorers), inputs_usage)
        made = (Classifications(some, usage, uncached) for some in results)
        return GroupedClassifications(dict(zip(names, made, strict=True)), usage, uncached)

    def evaluation_flow(
        self, examples: Examples, labels: Labels | None, advance: Callable[[int], object]
    ) -> Flow[Evaluation]:
        """How well examples are labelled; arguments and errors as in `Classifier.evaluate`."""
        checked = as_examples(examples, self._space)
        if not checked:
            raise InputError("There are no examples to evaluate with.")
        if self._multi_label:
            raise ConfigError("evaluate counts one label of each example: leave multi_label out.")
        scorer = yield from self._scorer_flow(labels, is_needed=True)
        _check_known(checked, scorer.names)
        inputs = [example.input for example in checked]
        [results], inputs_usage = yield from self._results_flow(inputs, [scorer], advance, what="examples")
        return evaluate(checked, results, scorer.names, scorer.usage + inputs_usage)

    def _scorer_flow(self, labels: Labels | None, *, is_needed: bool) -> Flow[Scorer]:
        if labels is None:
            return (yield self._learned_scorer)
        checked = self._label_set(labels, "labels")
        return (yield partial(self._label_scorer, checked)) if is_needed else _empty(checked.names)

    def _results_flow(
        self,
        inputs: Sequence[str | Image],
        scorers: Sequence[Scorer],
        advance: Callable[[int], object],
        *,
        what: str = "inputs",
    ) -> Flow[tuple[list[tuple[Classification, ...]], Usage]]:
        """What each scorer says of the inputs, and what these cost."""
        results: list[list[Classification]] = [[] for _ in scorers]
        usage = Usage()
        for start in range(0, len(inputs), SLICE):
            part = inputs[start : start + SLICE]
            found, cost = yield partial(self._classified, part, scorers, start, what)
            for made, more in zip(results, found, strict=True):
                made += more
            usage += cost
            advance(len(part))
        return [tuple(made) for made in results], usage

    def _classified(
        self, inputs: Sequence[str | Image], scorers: Sequence[Scorer], start: int, what: str
    ) -> tuple[list[list[Classification]], Usage]:
        embedded = self._space.embed(inputs, start=start, what=what)
        found = [
            _as_results(
                scorer.names,
                scorer.probabilities(embedded.vectors),
                threshold=self._threshold,
                multi_label=self._multi_label,
            )
            for scorer in scorers
        ]
        return found, embedded.usage

    def _check(self, inputs: Sequence[str | Image]) -> None:
        self._space.check(inputs)
        for index, item in enumerate(inputs):
            if self._multi_label and isinstance(item, Image):
                raise InputError(
                    f"inputs[{index}] is an image: independent labels (multi_label) are calibrated for texts.", index
                )

    def _label_set(self, labels: Labels, what: str) -> LabelSet:
        return as_label_set(labels, self._templates, what=what, least=1 if self._multi_label else 2)

    def _label_scorers(self, sets: Sequence[LabelSet]) -> list[Scorer]:
        return [self._label_scorer(labels) for labels in sets]

    def _label_scorer(self, labels: LabelSet) -> Scorer:
        vectors, usage, uncached = self._vectors.of(labels)
        scale, more = scale_of(self._space, vectors, temperature=self._temperature, multi_label=self._multi_label)
        return Scorer(labels.names, lambda inputs: scale.probabilities(inputs @ vectors.T), usage + more, uncached)

    def _learned_scorer(self) -> Scorer:
        check_exclusive(multi_label=self._multi_label)
        state = self._learned.state()
        known = () if state is None else state.learner.labels
        if state is None or len(known) < 2:
            said = f"only the label {known[0]!r} has been learned" if known else "nothing has been learned"
            raise ConfigError(f"To choose needs two labels at least, and {said}: train() with others, or pass labels=.")
        return Scorer(known, state.learner.probabilities, Usage(), Usage())


def check_exclusive(*, multi_label: bool) -> None:
    """Refuse to learn labels that are independent, or to give those learned as such.

    Raises:
        ConfigError: `multi_label` is set.
    """
    if multi_label:
        raise ConfigError("Labels learned from examples exclude each other: leave multi_label out, or pass labels=.")


def _empty(names: tuple[str, ...]) -> Scorer:
    """Where there is nothing to score, so that labels need not be embedded."""
    return Scorer(names, lambda inputs: np.zeros((len(inputs), len(names))), Usage(), Usage())


def _as_results(
    names: Sequence[str], probabilities: NDArray[np.floating], *, threshold: float, multi_label: bool
) -> list[Classification]:
    """The labels of each row.

    Args:
        names: Of the columns.
        probabilities: Shape [n, labels].
        threshold: What a label must reach.
        multi_label: Whether all labels that reach it are given, rather than the best one.
    """
    bests = probabilities.argmax(axis=1).tolist()
    results = []
    for row, best in zip(probabilities.tolist(), bests, strict=True):
        if multi_label:
            held = tuple(name for name, part in sorted(zip(names, row, strict=True), key=_falling) if part >= threshold)
        else:
            held = (names[best],) if row[best] >= threshold else ()
        label = held[0] if held else None
        results.append(Classification(label, row[best], dict(zip(names, row, strict=True)), held))
    return results


def _falling(item: tuple[str, float]) -> float:
    return -item[1]


def _check_known(examples: Sequence[Example], labels: Sequence[str]) -> None:
    """Refuse examples of other labels than those to choose from.

    Raises:
        InputError: one has such a label; `.index` names it.
    """
    known = set(labels)
    for index, example in enumerate(examples):
        if example.label not in known:
            raise InputError(
                f"examples[{index}] has the label {example.label!r}, which is not one to choose from: "
                f"{shorten(', '.join(labels), 200)}.",
                index,
            )
