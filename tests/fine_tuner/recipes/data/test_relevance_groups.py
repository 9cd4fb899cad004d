from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, squad_questions
from jina_components.fine_tuner.recipes.data.relevance_groups import make_groups
from jina_components.fine_tuner.recipes.data.relevance_texts import SOURCES, Corpus


@pytest.fixture(scope="module")
def groups(training_data, teacher, tmp_path_factory):
    return make_groups(training_data, SOURCES, str(teacher), tmp_path_factory.mktemp("groups"), 0)


def test_groups_are_an_answer_and_hard_negatives(groups):
    # Two of the made-up sets are too small to have as many negatives.
    assert len({group.source for group in groups}) == len(SOURCES) - 2
    for group in groups:
        assert len(group.passages) == len(group.cosines) == len(set(group.passages)) == 5


def test_no_held_back_question_or_claim_is_among_them(groups, training_data):
    ids = {group.id for group in groups}
    assert ids
    assert not ids & squad_questions(training_data)
    assert not ids & fever_pairs(training_data)
    assert not {group.query for group in groups} & fever_pairs(training_data)


def test_cosines_are_the_teachers(groups, teacher):
    with Embedder(str(teacher), precision="float32", truncate=True) as embedder:
        group = groups[7]
        vectors = embedder.embed_documents([group.query, *group.passages])
    np.testing.assert_allclose(group.cosines, vectors[1:] @ vectors[0], atol=0.02)  # made with weights of int8


def test_the_answer_of_a_squad_question_is_in_its_passage(groups):
    squad = [group for group in groups if group.query.startswith("How many gates")]
    assert squad
    for group in squad:
        town = group.query.split()[-2]
        assert town in group.passages[0]


def test_a_second_run_reads_what_the_first_made(training_data, teacher, tmp_path):
    few = [replace(SOURCES[1], limit=3)]
    made = make_groups(training_data, few, str(teacher), tmp_path, 0)
    assert len(made) == 3
    assert make_groups(tmp_path / "no data", few, str(teacher), tmp_path, 0) == made
    with pytest.raises(ConfigError, match=r"was made with .*: give another folder, or delete it"):
        make_groups(training_data, few, str(teacher), tmp_path, 1)


def test_all_answers_of_a_query_are_spared(training_data):
    corpus = next(source for source in SOURCES if source.name.startswith("FEVER")).read(training_data)
    claim, (text, answers) = max(corpus.queries.items(), key=lambda item: len(item[1][1]))
    assert text == claim
    assert len(answers) == 2  # each claim of the set has two premises


def test_passages_hold_every_word_of_a_document_once():
    corpus = Corpus()
    words = [f"w{number}" for number in range(1234)]
    parts = corpus.add("document", " ".join(words))
    assert " ".join(corpus.passages[at] for at in parts).split() == words
    assert set(corpus.documents) == {"document"}
    assert list(corpus.add("other", "a few words")) == [len(parts)]
