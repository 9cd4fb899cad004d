from __future__ import annotations

import pytest

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.quality.labelled_sets import (
    CLASSIFICATION,
    ENTAILMENT,
    load_classification,
    load_entailment,
    load_stsb,
)
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set


@pytest.mark.parametrize("name", RETRIEVAL)
def test_every_query_has_a_relevant_document_of_the_corpus(quality_data, name):
    task = load_set(quality_data, name)
    assert task.queries
    assert len(task.queries) == len(task.relevant)
    assert all(grades and all(0 <= position < len(task.corpus) for position in grades) for grades in task.relevant)
    assert all(grade > 0 for grades in task.relevant for grade in grades.values())


def test_judgements_point_at_the_documents_meant(quality_data):
    task = load_set(quality_data, "cranfield")
    assert task.queries == ["word3", "word7 please", "word8"]
    assert task.relevant == [{3: 2.0, 2: 1.0}, {7: 1.0}, {8: 1.0}]
    assert task.corpus[3] == "word3 word4"
    docs = load_set(quality_data, "anthropic_docs")
    assert docs.queries == ["word0", "word1", "word2"]
    assert docs.relevant[1] == {1: 1.0}


def test_samples_grow_by_adding_and_keep_the_order(quality_data):
    task = load_set(quality_data, "squad")
    few, more = task.sampled_rows(3), task.sampled_rows(5)
    assert set(few) < set(more)
    assert more == sorted(more)
    assert task.sample(3).queries == [task.queries[row] for row in few]
    assert task.sample(None).queries == task.queries
    pairs = load_entailment(quality_data, "fever")
    assert set(pairs.sample(2).pairs) < set(pairs.sample(4).pairs) < set(pairs.pairs)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_what_is_measured_has_labels_that_are_trained(quality_data, name):
    task = load_classification(quality_data, name)
    assert len(task.labels) == 2
    assert {label for _, label in task.test} == set(task.labels)
    assert all("_" not in label for label in task.labels) or name == "sib200"


@pytest.mark.parametrize("name", ENTAILMENT)
def test_pairs_are_of_both_kinds(quality_data, name):
    task = load_entailment(quality_data, name)
    assert len(task.pairs) == len(task.entailed)
    assert set(task.entailed) == {True, False}


def test_gold_sentences_of_an_abstract_are_joined_in_its_order(quality_data):
    task = load_entailment(quality_data, "scifact_claims")
    assert task.pairs[:2] == [("word1 word2. And more.", "finding 1 is d1"), ("word2 word3.", "finding 1 is d1")]
    assert task.entailed[:2] == [True, False]
    assert load_entailment(quality_data, "foolmetwice").pairs[0] == ("a b", "claim 0")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus\.jsonl\.gz is missing"):
        load_set(tmp_path, "npl")
    with pytest.raises(ConfigError, match=r"en_dev\.jsonl\.gz is missing"):
        load_stsb(tmp_path)
    folder = tmp_path / "retrieval" / "npl"
    folder.mkdir(parents=True)
    (folder / "corpus.jsonl.gz").write_bytes(
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    )
    with pytest.raises(ConfigError, match=r"qrels\.tsv is missing"):
        load_set(tmp_path, "npl")
