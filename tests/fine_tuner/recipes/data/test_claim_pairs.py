from __future__ import annotations

import pytest

from jina_components.fine_tuner.recipes.data.claim_pairs import (
    CONTRADICTION,
    ENTAILMENT,
    NOT_ENTAILMENT,
    SOURCES,
    claim_of,
    collect_pairs,
)
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, squad_questions


@pytest.mark.parametrize(
    ("question", "answer", "claim"),
    [
        ("Who wrote Hamlet?", "Shakespeare", "Shakespeare wrote Hamlet."),
        ("What is the capital of France?", "Paris", "The capital of France is Paris."),
        ("When did the war end?", "1918", "The war end in 1918."),
        ("How many people live in Rome?", "3 million", "3 million people live in Rome."),
        ("How many goals did she score?", "two", "She score two goals."),
        ("Which river crosses Vienna?", "the Danube", "The Danube crosses Vienna."),
        ("It was named after what?", "a ship", "It was named after a ship."),
        ("Is it so?", "yes", None),
    ],
)
def test_claims_of_questions(question, answer, claim):
    assert claim_of(question, answer) == claim


def test_no_held_back_claim_or_question_is_among_the_pairs(training_data):
    pairs = collect_pairs(training_data, SOURCES)
    held_back = squad_questions(training_data)
    assert not {pair.claim for pair in pairs} & fever_pairs(training_data)
    assert not {pair.id.removeprefix("squad ") for pair in pairs} & held_back
    assert {pair.id.split()[0] for pair in pairs} == {"fever", "squad", "turned", "oewn", "stsb", "covidfact"}


def test_pairs_are_the_same_in_every_run(training_data):
    assert collect_pairs(training_data, SOURCES) == collect_pairs(training_data, SOURCES)


def test_claims_of_the_right_answer_are_entailed_and_turned_ones_differ(training_data):
    pairs = collect_pairs(training_data, SOURCES)
    turned = [pair for pair in pairs if pair.id.startswith("turned")]
    assert {pair.label for pair in turned} == {ENTAILMENT, CONTRADICTION, NOT_ENTAILMENT}
    for pair in turned:
        assert (pair.claim.rstrip(".") in pair.premise) == (pair.label == ENTAILMENT)


def test_limits_hold(training_data):
    source = SOURCES[0]
    few = type(source)(source.name, source.licence, 5, source.read)
    assert len(collect_pairs(training_data, [few])) == 5
    assert len(list(source.read(training_data))) > 5
