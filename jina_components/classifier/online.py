"""Learning labels from examples as they come, without keeping the examples.

What is kept of a label are at most 128 running means of groups of its examples (`prototypes`), about one for two
examples while there are few. They do not depend on other labels, so a label added late is learned as well as one known
from the start. When probabilities are asked for, or what was learned is saved, softmax regression is fitted to the
means, each weighing as many examples as it stands for (`regression`), and its scores are divided by a temperature that
makes them probabilities (`calibration`). Both depend on the means alone.

One example costs the distances of its vector to the means of its label; a fit costs at most 128 vectors a label:
neither depends on how many examples were seen. This is how the alternatives did on the same vectors, `n` shots, as
`benchmarks/README.md` tells in full: one pass of passive-aggressive or SGD depends on the order by many points; linear
discriminants from running sums (exact in any order) equal logistic regression up to ten labels and lose 2 to 4 points
at 150.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.classifier.calibration import Groups, cross_validated, joined
from jina_components.classifier.prototypes import MOST, Prototypes
from jina_components.classifier.regression import Head, fit, log_softmax
from jina_components.core.inputs import as_list, check_count
from jina_components.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

DEFAULT_ITERATIONS = 10
_STEPS_AN_ITERATION = 3
# The words of a label count as so many examples of it: the first of these, unless examples are more than e times as
# likely under another. They count nothing where they mislead.
WORTH_OF_WORDS = (128.0, 16.0, 2.0, 0.0)
# Examples of all labels together from which on what they are off the words is more than chance.
_TELLING = 10.0
_FAR = 1e6


class _Fitted(NamedTuple):
    """A head, whose labels are in the order of their names, and what moves vectors: (vectors - centre) / scale."""

    head: Head
    centre: NDArray[np.float64]
    scale: float

    def probabilities(self, vectors: FloatArray) -> FloatArray:
        likely = np.exp(log_softmax(self.head.scores(_moved(vectors, self.centre, self.scale))))
        return likely / likely.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False, repr=False)
class OnlineLearner:
    """An immutable value: what has been learned of some labels from vectors; every change makes a new one.

    Attributes:
        dimensions: Of the vectors; all that a new learner is given.
        labels: In the order of their first appearance, in `with_label_vectors` or `with_examples`.
        prototypes: What is kept of each label's examples.
        words: What labels' words embed to, by position of the label.
        num_iters: As last given to `with_examples`.
    """

    dimensions: int
    labels: tuple[str, ...] = field(default=(), kw_only=True)
    prototypes: tuple[Prototypes, ...] = field(default=(), kw_only=True)
    words: Mapping[int, FloatArray] = field(default_factory=dict, kw_only=True)
    num_iters: int = field(default=DEFAULT_ITERATIONS, kw_only=True)

    def __post_init__(self) -> None:
        check_count(self.dimensions, what="dimensions")

    def __repr__(self) -> str:
        return f"OnlineLearner({self.dimensions}, {len(self.labels)} labels, {self.num_examples} examples)"

    @property
    def num_examples(self) -> int:
        """Examples learned from so far."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Examples of each label, in the order of `labels`; 0 for one known by its words alone."""
        return {label: own.num_examples for label, own in zip(self.labels, self.prototypes, strict=True)}

    def with_label_vectors(self, labels: Sequence[str], vectors: FloatArray) -> OnlineLearner:
        """The same learner, told what the words of some labels embed to (optional, at any time; replaces).

        A label so told is known without an example (zero-shot) and better known with few: its words count as some
        examples of it, moved by what the examples of all labels are off the words of theirs. How many is chosen by
        cross-validation: none where words mislead, as far as few examples tell that.

        Args:
            labels: Distinct; known or new.
            vectors: Shape [labels, dimensions].

        Raises:
            InputError: wrong shape, not finite, or a label twice.
        """
        vectors = self._checked(vectors, labels)
        if len(set(labels)) < len(labels):
            raise InputError("labels must be distinct: each has one vector.")
        made = self._with_labels(labels)
        positions = {label: position for position, label in enumerate(made.labels)}
        told = {positions[label]: vector for label, vector in zip(labels, vectors, strict=True)}
        return replace(made, words={**made.words, **told})

    def with_examples(
        self, vectors: FloatArray, labels: Sequence[str], *, num_iters: int = DEFAULT_ITERATIONS
    ) -> OnlineLearner:
        """A learner that has also learned these examples.

        Args:
            vectors: Shape [n, dimensions]; n may be 0.
            labels: One of each; new ones at any time.
            num_iters: How thoroughly the classifier is fitted to what is known of all examples: three steps of
                L-BFGS for each, at most. It holds until the next call.

        Raises:
            InputError: wrong shape, a vector that is not finite (`.index` names it), or numbers that differ.
        """
        vectors = self._checked(vectors, labels)
        check_count(num_iters, what="num_iters")
        rows: dict[str, list[int]] = {}
        for row, label in enumerate(labels):
            rows.setdefault(label, []).append(row)
        made = self._with_labels(labels)
        prototypes = tuple(
            own.with_vectors(vectors[rows[label]]) if label in rows else own
            for label, own in zip(made.labels, made.prototypes, strict=True)
        )
        return replace(made, prototypes=prototypes, num_iters=num_iters)

    def _with_labels(self, labels: Sequence[str]) -> OnlineLearner:
        """A copy that knows these labels too, without an example of the new ones."""
        known = tuple(dict.fromkeys([*self.labels, *labels]))
        none = [Prototypes.none(self.dimensions)] * (len(known) - len(self.labels))
        return replace(self, labels=known, prototypes=(*self.prototypes, *none))

    def probabilities(self, vectors: FloatArray) -> FloatArray:
        """Calibrated probability of each label, float32, shape [n, labels], rows sum to 1.

        The first call after a change fits the classifier, unless it has been saved.

        Raises:
            InputError: wrong shape, not finite, or no label is known yet.
        """
        found = self._fitted.probabilities(self._checked(vectors))
        return found[:, np.argsort(self._by_name())]

    def _by_name(self) -> list[int]:
        """Positions of the labels in the order of their names, so that it does not matter which label came first."""
        return sorted(range(len(self.labels)), key=self.labels.__getitem__)

    @cached_property
    def _fitted(self) -> _Fitted:
        if not self.labels:
            raise InputError("No label is known yet: learn examples first.")
        order = self._by_name()
        centre, scale, examples, words = _standardised(*self._groups(order))
        steps = _STEPS_AN_ITERATION * self.num_iters
        worths = [worth for worth in WORTH_OF_WORDS if (self.words if worth else all(self.prototypes))]
        weighed = [words.weighing(worth) for worth in worths]
        found = [cross_validated(examples, own, len(order), steps=steps) for own in weighed]
        best = min(range(len(found)), key=lambda number: found[number].loss + (number > 0))
        everything = joined(examples, weighed[best])
        head = fit(everything.means, everything.labels, everything.sizes, len(order), steps=steps)
        temperature = np.float32(found[best].temperature)
        return _Fitted(Head(head.weights / temperature, head.bias / temperature), centre, scale)

    def _groups(self, order: Sequence[int]) -> tuple[Groups, Groups]:
        """Of the examples, and of the labels' words, moved to where the examples lie; labels are in this order."""
        prototypes = [self.prototypes[label] for label in order]
        of_label = [len(own.sizes) for own in prototypes]
        means = np.concatenate([own.means for own in prototypes])
        sizes = np.concatenate([own.sizes for own in prototypes]).astype(np.float64)
        spread = sum(own.scatter for own in prototypes) / max(sizes.sum() - len(sizes), 1.0)
        told = [place for place, label in enumerate(order) if label in self.words]
        words = np.array([self.words[order[place]] for place in told], np.float32).reshape(-1, self.dimensions)
        gaps = [prototypes[place].mean() - word for place, word in zip(told, words, strict=True) if prototypes[place]]
        if gaps:
            words = (words + _beyond_chance(np.mean(gaps, axis=0), words, sizes.sum())).astype(np.float32)
        examples = Groups(means, np.repeat(np.arange(len(order)), of_label), sizes, float(spread))
        return examples, Groups(words, np.array(told, np.int64), np.ones(len(told)), 0.0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that the learner knows but the labels' names, for a safetensors file, with what is fitted to it.

        Raises:
            InputError: no label is known yet.
        """
        fitted = self._fitted
        return {
            "means": np.concatenate([own.means for own in self.prototypes]),
            "sizes": np.concatenate([own.sizes for own in self.prototypes]),
            "groups": np.array([len(own.sizes) for own in self.prototypes], np.int64),
            "scatters": np.array([own.scatter for own in self.prototypes], np.float64),
            "words": np.array([*self.words.values()], np.float32).reshape(-1, self.dimensions),
            "worded": np.array([*self.words], np.int64),
            "num_iters": np.array([self.num_iters], np.int64),
            "weights": fitted.head.weights,
            "bias": fitted.head.bias,
            "centre": fitted.centre,
            "scale": np.array([fitted.scale], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], labels: Sequence[str]) -> OnlineLearner:
        """The learner that `arrays` came from.

        Raises:
            InputError: an array is missing, of a wrong shape or not finite.
        """
        try:
            given = {name: np.asarray(arrays[name]) for name in _DIMENSIONS_OF}
        except KeyError as error:
            raise InputError(f"The classifier's arrays lack {error}.") from error
        wrong = _what_is_wrong(given, len(labels))
        if wrong:
            raise InputError(f"The classifier's arrays do not fit together: {wrong}.")
        ends = np.cumsum(given["groups"])[:-1]
        parts = zip(np.split(given["means"], ends), np.split(given["sizes"], ends), given["scatters"], strict=True)
        made = cls(
            given["means"].shape[1],
            labels=tuple(labels),
            prototypes=tuple(Prototypes(means, sizes, float(scatter)) for means, sizes, scatter in parts),
            words=dict(zip(given["worded"].tolist(), given["words"], strict=True)),
            num_iters=int(given["num_iters"][0]),
        )
        head = Head(given["weights"], given["bias"])
        vars(made)["_fitted"] = _Fitted(head, given["centre"], float(given["scale"][0]))
        return made

    def _checked(self, vectors: FloatArray, labels: Sequence[str] | None = None) -> FloatArray:
        """float32 vectors of the right shape, one for each label."""
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions or vectors.dtype.kind not in "fiu":
            raise InputError(
                f"vectors must be numbers of shape [n, {self.dimensions}], got {vectors.dtype} of shape "
                f"{list(vectors.shape)}."
            )
        if labels is not None and len(as_list(labels, what="labels")) != len(vectors):
            raise InputError(f"Each vector needs a label: got {len(vectors)} vectors and {len(labels)} labels.")
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32)
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            index = int(finite.argmin())
            raise InputError(f"vectors[{index}] is not finite.", index)
        return vectors


def _beyond_chance(gap: NDArray[np.float64], words: FloatArray, examples: float) -> NDArray[np.float64]:
    """How far examples are off words, less what chance may do in directions in which words differ.

    There it would move the border between labels, by one example or two of each.
    """
    off = words - words.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(off, full_matrices=False)
    across = directions[lengths > 1e-4 * lengths[0]]
    return gap - _TELLING / (examples + _TELLING) * (across @ gap) @ across


def _standardised(examples: Groups, words: Groups) -> tuple[NDArray[np.float64], float, Groups, Groups]:
    """Centre and scale under which examples lie around zero and have a mean square length of one; both under them.

    Where there are no examples, the words are taken for them.
    """
    seen = examples if len(examples.means) else words
    centre = np.average(seen.means.astype(np.float64), axis=0, weights=seen.sizes)
    lengths = np.square(seen.means - centre).sum(axis=1)
    scale = float(np.sqrt(np.average(lengths, weights=seen.sizes) + seen.spread)) or 1.0
    first, second = (
        Groups(_moved(own.means, centre, scale), own.labels, own.sizes, own.spread / scale**2)
        for own in (examples, words)
    )
    return centre, scale, first, second


def _moved(vectors: FloatArray, centre: NDArray[np.float64], scale: float) -> FloatArray:
    """(vectors - centre) / scale, within what a head can take."""
    return ((vectors - centre) / scale).clip(-_FAR, _FAR).astype(np.float32)


_DIMENSIONS_OF = {
    "means": 2, "sizes": 1, "groups": 1, "scatters": 1, "words": 2, "worded": 1, "num_iters": 1,
    "weights": 2, "bias": 1, "centre": 1, "scale": 1,
}  # fmt: skip


def _what_is_wrong(given: Mapping[str, NDArray[Any]], num_labels: int) -> str:
    """The first thing that no learner's arrays have; empty where there is none."""
    shapes = {name: list(array.shape) for name, array in given.items()}
    if any(array.ndim != _DIMENSIONS_OF[name] for name, array in given.items()):
        return f"their shapes are {shapes}"
    groups, worded, width = given["groups"], given["worded"], given["means"].shape[1]
    checks = {
        f"there are {num_labels} labels, and groups of {len(groups)}": len(groups) == num_labels > 0,
        f"their shapes are {shapes}": len(given["scatters"]) == num_labels
        and len(given["means"]) == len(given["sizes"]) == groups.sum()
        and len(given["words"]) == len(worded)
        and given["words"].shape[1] == len(given["centre"]) == width > 0
        and given["weights"].shape == (width, num_labels)
        and len(given["bias"]) == num_labels
        and len(given["num_iters"]) == len(given["scale"]) == 1,
        f"a label has more than {MOST} groups, or less than none": bool(((groups >= 0) & (groups <= MOST)).all()),
        "a group is empty": bool((given["sizes"] > 0).all()),
        "a number is not finite": all(bool(np.isfinite(array).all()) for array in given.values()),
        "words are of labels that are not there": len(set(worded.tolist()) & set(range(num_labels))) == len(worded),
        "num_iters or the scale is not positive": bool((given["num_iters"] > 0).all() and (given["scale"] > 0).all()),
        "a scatter is negative": bool((given["scatters"] >= 0).all()),
    }
    return next((what for what, right in checks.items() if not right), "")
