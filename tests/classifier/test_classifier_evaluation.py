import numpy as np
import pytest
from classifier_samples import EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from jina_components.classifier import Classifier
from jina_components.classifier.evaluation import evaluate
from jina_components.errors import ConfigError, InputError
from jina_components.testing import FakeEmbedder
from jina_components.types import Classification, Usage
from jina_components.types.classified import Example

LABELS = ("a", "b", "c", "d")


def result(label, score):
    rest = (1 - score) / (len(LABELS) - 1)
    return Classification(label, score, {name: score if name == label else rest for name in LABELS}, (label,))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd"), st.floats(0.3, 1)), min_size=1))
def test_it_agrees_with_scikit_learn(rows):
    truth, given_, scores = zip(*rows, strict=True)
    examples = [Example(f"text {index}", label) for index, label in enumerate(truth)]
    report = evaluate(examples, [result(*row) for row in zip(given_, scores, strict=True)], LABELS, Usage())
    assert report.accuracy == pytest.approx(accuracy_score(truth, given_))
    held = sorted(set(truth))
    assert report.macro_f1 == pytest.approx(f1_score(truth, given_, labels=held, average="macro", zero_division=0))
    columns = precision_recall_fscore_support(truth, given_, labels=list(LABELS), zero_division=0)
    for number, label in enumerate(LABELS):
        part = report.labels[label]
        found = (part.precision, part.recall, part.f1, part.support)
        assert found == pytest.approx(tuple(float(column[number]) for column in columns))
    assert np.sum(report.confusion) == len(rows)
    assert 0 <= report.calibration_error <= 1
    assert report.coverage == 1
    assert report.covered_accuracy == report.accuracy
    assert len(report.mistakes) == sum(one != other for one, other in zip(truth, given_, strict=True))


def test_calibration_is_how_far_scores_are_from_how_often_they_are_right():
    examples = [Example("x", "a")] * 10
    right, wrong = result("a", 0.8), result("b", 0.8)
    assert evaluate(examples, [right] * 8 + [wrong] * 2, LABELS, Usage()).calibration_error == pytest.approx(0)
    assert evaluate(examples, [right] * 5 + [wrong] * 5, LABELS, Usage()).calibration_error == pytest.approx(0.3)
    sure = [result("a", 1.0)] * 10
    assert evaluate(examples, sure, LABELS, Usage()).calibration_error == pytest.approx(0)


def test_abstaining_is_not_right_and_counts_apart():
    examples = [Example("one", "a"), Example("two", "b"), Example("three", "a"), Example("four", "c")]
    none = Classification(None, 0.3, {"a": 0.3, "b": 0.3, "c": 0.2, "d": 0.2})
    report = evaluate(examples, [result("a", 0.9), result("a", 0.8), none, result("c", 0.7)], LABELS, Usage(5))
    assert (report.accuracy, report.coverage, report.covered_accuracy) == (0.5, 0.75, pytest.approx(2 / 3))
    assert report.confusion[0] == (1, 0, 0, 0, 1)
    assert [(m.index, m.expected, m.predicted) for m in report.mistakes] == [(1, "b", "a"), (2, "a", None)]
    assert report.confused() == [("b", "a", 1)]
    assert report.usage == Usage(5)


def test_of_a_classifier_learned_or_told_labels():
    classifier = Classifier(FakeEmbedder(dimensions=256))
    classifier.train(EXAMPLES)
    report = classifier.evaluate(EXAMPLES)
    assert report.accuracy == 1
    assert list(report.labels) == ["sports", "cooking"]
    report = classifier.evaluate([("calm sea", " sea "), ("a bank", "bank")], {"bank": "a bank", "sea": "the sea"})
    assert (report.accuracy, list(report.labels)) == (1, ["bank", "sea"])


@pytest.mark.parametrize(
    ("examples", "index", "message"),
    [
        ([], None, "no examples"),
        ([("x", "sea"), ("y", "lake")], 1, r"examples\[1\] has the label 'lake', which is not one to choose from: sea"),
        ([("x", "sea"), ("", "sea")], 1, r"examples\[1\] is empty"),
        ("x", None, "examples must be a list"),
    ],
)
def test_wrong_examples_are_named(examples, index, message):
    with pytest.raises(InputError, match=message) as raised:
        Classifier(FakeEmbedder()).evaluate(examples, ["sea", "bank"])
    assert raised.value.index == index


def test_it_is_of_exclusive_labels_and_needs_some():
    with pytest.raises(ConfigError, match="multi_label"):
        Classifier(FakeEmbedder(), multi_label=True).evaluate([("x", "sea")], ["sea", "bank"])
    with pytest.raises(ConfigError, match="pass labels="):
        Classifier(FakeEmbedder()).evaluate([("x", "sea")])


def test_it_is_shown():
    examples = [("calm sea", "sea"), ("the <i>bank</i> fell", "sea"), ("a bank", "bank")]
    report = Classifier(FakeEmbedder()).evaluate(examples, ["sea", "bank"])
    assert repr(report).startswith("Evaluation(accuracy=0.667, macro_f1=0.667, calibration_error=0.")
    assert repr(report).endswith("coverage=1.000, examples=3)")
    shown = report._repr_html_()
    for part in ("accuracy", "weakest first", "surest mistakes", "taken for", "&lt;i&gt;bank"):
        assert part in shown
    assert "<i>" not in shown
