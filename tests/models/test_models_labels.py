from __future__ import annotations

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ModelFilesError
from jina_components.models.labels import EntailmentColumns, entailment_columns, read_labels, relevance_column


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_labels": 1},
        {"num_labels": 3},
        {"id2label": {"0": "LABEL_0"}},
        {"id2label": {"1": "neutral", "0": "entailment", "2": "contradiction"}},
        {"id2label": {str(number): f"label {number}" for number in range(12)}},
    ],
)
def test_labels_are_those_of_transformers(config):
    wanted = transformers.BertConfig(**config).id2label
    assert read_labels(config) == tuple(wanted[column] for column in range(len(wanted)))


@pytest.mark.parametrize("named", [{}, {"0": "a", "2": "b"}, {"1": "a"}, ["a", "b"], "entailment"])
def test_labels_that_no_column_has(named):
    with pytest.raises(ModelFilesError, match="id2label must number the labels from 0"):
        read_labels({"id2label": named})


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        (["LABEL_0"], 0),
        (["score"], 0),
        (["relevance", "entailment", "neutral", "contradiction"], 0),
        (["neutral", "RELEVANCE"], 1),
    ],
)
def test_a_reranker_reads_the_only_label_or_relevance(labels, column):
    assert relevance_column(labels, "m") == column


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["relevance", "entailment", "neutral", "contradiction"], (1, 2, 3)),
        (["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], (2, 1, 0)),
        (["entailment", "not_entailment"], (0, 1, None)),
        (["not_entailment", "entailment"], (1, 0, None)),
        (["entailment", "contradiction"], (0, None, 1)),
        (["not_entailment", "neutral", "entailment"], (2, 1, None)),
    ],
)
def test_an_entailment_scorer_finds_its_labels(labels, columns):
    assert entailment_columns(labels, "m") == EntailmentColumns(*columns)


@pytest.mark.parametrize(
    "labels", [["LABEL_0"], ["entailment"], ["entailment", "relevance"], ["neutral", "contradiction"], ["yes", "no"]]
)
def test_what_does_not_score_entailment_is_named(labels):
    with pytest.raises(ModelFilesError, match="'m' scores the labels? .*an entailment scorer needs") as caught:
        entailment_columns(labels, "m")
    assert all(repr(label) in str(caught.value) for label in labels)


@given(st.permutations(["relevance", "entailment", "neutral", "contradiction", "other"]))
def test_the_order_of_the_labels_does_not_count(labels):
    assert labels[relevance_column(labels, "m")] == "relevance"
    assert [labels[column] for column in entailment_columns(labels, "m")] == ["entailment", "neutral", "contradiction"]


def test_several_labels_without_relevance_are_named():
    with pytest.raises(ModelFilesError, match="'m' scores the labels 'a', 'b'; a reranker needs .*'relevance'"):
        relevance_column(["a", "b"], "m")
