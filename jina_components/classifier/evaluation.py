"""How well a classifier labels examples whose labels are known."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.classifier.calibration import expected_calibration_error
from jina_components.types import Classification, Image, Usage, shorten
from jina_components.types.classified import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN_LABELS, _SHOWN_MISTAKES = 30, 10


@dataclass(frozen=True, slots=True)
class LabelReport:
    """How well one label is told.

    Attributes:
        precision: Of the inputs that were given the label, the part that has it; 0 where none was.
        recall: Of the inputs that have the label, the part that was given it; 0 where none has it.
        f1: Their harmonic mean.
        support: Examples that have the label.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """An example that was given another label than its own.

    Attributes:
        index: Its place among the examples.
        input: The text or image.
        expected: Its label.
        predicted: The label that it was given; None where the classifier abstained.
        score: Probability of the best label.
    """

    index: int
    input: str | Image
    expected: str
    predicted: str | None
    score: float


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """How well a classifier labels examples whose labels are known.

    Attributes:
        accuracy: Part of the examples that were given their label; abstaining is not right.
        macro_f1: Mean F1 of the labels that an example has.
        labels: Of each label how well it is told, in the classifier's order.
        confusion: Number of examples by their label, and by the label that they were given; the last column counts
            those where the classifier abstained.
        calibration_error: Expected calibration error (Guo et al. 2017, arXiv:1706.04599, 15 bins of equal width) of
            the best label's probability, abstained or not: how far probabilities are from how often they are right.
        coverage: Part of the examples that were given any label.
        covered_accuracy: Accuracy on those alone; 0 where there are none.
        mistakes: Examples that were not given their label, the surest first.
        usage: Tokens that the call embedded, where the embedder tells.
    """

    accuracy: float
    macro_f1: float
    labels: Mapping[str, LabelReport] = field(hash=False)
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    coverage: float
    covered_accuracy: float
    mistakes: tuple[Mistake, ...]
    usage: Usage = field(default_factory=Usage)

    def __repr__(self) -> str:
        count = sum(map(sum, self.confusion))
        return (
            f"Evaluation(accuracy={self.accuracy:.3f}, macro_f1={self.macro_f1:.3f}, "
            f"calibration_error={self.calibration_error:.3f}, coverage={self.coverage:.3f}, examples={count})"
        )

    def confused(self, most: int = 10) -> list[tuple[str, str, int]]:
        """Which labels are taken for which others: (label, label given instead, examples), most frequent first."""
        names = list(self.labels)
        pairs = [
            (names[row], names[column], count)
            for row, counts in enumerate(self.confusion)
            for column, count in enumerate(counts[:-1])
            if row != column and count
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]

    def _repr_html_(self) -> str:
        summary = _table(
            ("accuracy", "macro F1", "calibration error", "coverage", "accuracy of covered", "examples"),
            [
                (
                    *(f"{value:.3f}" for value in (self.accuracy, self.macro_f1, self.calibration_error)),
                    *(f"{value:.3f}" for value in (self.coverage, self.covered_accuracy)),
                    sum(map(sum, self.confusion)),
                )
            ],
        )
        weakest = sorted(self.labels.items(), key=lambda item: (not item[1].support, item[1].f1))[:_SHOWN_LABELS]
        rows = [(name, *(f"{v:.3f}" for v in (r.precision, r.recall, r.f1)), r.support) for name, r in weakest]
        labels = _table(("label, weakest first", "precision", "recall", "F1", "examples"), rows)
        confused = _table(("label", "taken for", "examples"), self.confused())
        mistakes = _table(
            ("#", "surest mistakes", "is", "taken for", "score"),
            [
                (m.index, _shown(m.input), m.expected, "none" if m.predicted is None else m.predicted, f"{m.score:.3f}")
                for m in self.mistakes[:_SHOWN_MISTAKES]
            ],
        )
        return summary + labels + confused + mistakes


def evaluate(
    examples: Sequence[Example], results: Sequence[Classification], labels: Sequence[str], usage: Usage
) -> Evaluation:
    """The report of a classifier's results.

    Args:
        examples: With labels among `labels`.
        results: One of each example.
        labels: All labels in the classifier's order.
        usage: What the results cost.
    """
    place = {label: number for number, label in enumerate(labels)} | {None: len(labels)}
    truth = np.array([place[example.label] for example in examples], np.int64)
    given = np.array([place[result.label] for result in results], np.int64)
    confusion = np.zeros((len(labels), len(labels) + 1), np.int64)
    np.add.at(confusion, (truth, given), 1)
    reports = {label: _report(confusion, number) for label, number in place.items() if label is not None}
    held = [report.f1 for report in reports.values() if report.support]
    scores = np.array([[result.scores[label] for label in labels] for result in results], np.float64)
    covered = given < len(labels)
    return Evaluation(
        accuracy=_part((truth == given).sum(), len(truth)),
        macro_f1=float(np.mean(held)) if held else 0.0,
        labels=reports,
        confusion=tuple(map(tuple, confusion.tolist())),
        calibration_error=expected_calibration_error(scores, truth),
        coverage=_part(covered.sum(), len(truth)),
        covered_accuracy=_part((truth == given).sum(), covered.sum()),
        mistakes=_mistakes(examples, results),
        usage=usage,
    )


def _report(confusion: NDArray[np.int64], number: int) -> LabelReport:
    hits, support, given = confusion[number, number], confusion[number].sum(), confusion[:, number].sum()
    return LabelReport(_part(hits, given), _part(hits, support), _part(2 * hits, given + support), int(support))


def _part(count: Any, whole: Any) -> float:  # noqa: ANN401 (integers of numpy and of Python)
    return float(count / whole) if whole else 0.0


def _mistakes(examples: Sequence[Example], results: Sequence[Classification]) -> tuple[Mistake, ...]:
    found = [
        Mistake(index, example.input, example.label, result.label, result.score)
        for index, (example, result) in enumerate(zip(examples, results, strict=True))
        if result.label != example.label
    ]
    return tuple(sorted(found, key=lambda mistake: (mistake.predicted is None, -mistake.score)))


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _shown(example: str | Image) -> str:
    return shorten(example, 100) if isinstance(example, str) else repr(example)
