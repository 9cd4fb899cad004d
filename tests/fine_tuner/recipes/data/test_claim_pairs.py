from __future__ import annotations

from jina_components.fine_tuner.recipes.data.claim_pairs import SOURCES, collect_pairs
from jina_components.fine_tuner.recipes.data.claim_rules import CONTRADICTION, ENTAILMENT, NOT_ENTAILMENT
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, scifact_claims, squad_questions


def source_of(words):
    return next(source for source in SOURCES if words in source.name)


def test_no_held_back_claim_or_question_is_among_the_pairs(training_data):
    pairs = collect_pairs(training_data, SOURCES)
    held_back = squad_questions(training_data)
    assert not {pair.claim for pair in pairs} & fever_pairs(training_data)
    assert not {pair.id.removeprefix("squad ") for pair in pairs} & held_back
    assert not {pair.id.split()[-1] for pair in pairs if "scifact" in pair.id} & scifact_claims(training_data)
    assert {pair.id.split()[0] for pair in pairs} == {
        "fever",
        "scifact",
        "squad",
        "turned",
        "oewn",
        "stsb",
        "covidfact",
    }


def test_pairs_are_the_same_in_every_run(training_data):
    assert collect_pairs(training_data, SOURCES) == collect_pairs(training_data, SOURCES)


def test_sentences_are_entailed_as_they_are_and_not_once_turned(training_data):
    pairs = list(source_of("SciFact abstracts").read(training_data))
    assert {pair.label for pair in pairs} == {ENTAILMENT, CONTRADICTION, NOT_ENTAILMENT}
    for pair in pairs:
        if pair.claim.rstrip(".") in pair.premise:
            assert pair.label == ENTAILMENT


def test_a_claim_of_people_is_turned_both_ways(training_data):
    people = source_of("SciFact training claims")
    plain, turned = people.read(training_data), SOURCES[SOURCES.index(people) + 1].read(training_data)
    labels = {(pair.premise, pair.claim): pair.label for pair in plain}
    turned = list(turned)
    assert {pair.label for pair in turned} >= {ENTAILMENT, CONTRADICTION}
    for pair in turned:
        assert (pair.premise, pair.claim) not in labels


def test_limits_hold(training_data):
    source = SOURCES[0]
    few = type(source)(source.name, source.licence, 5, source.read)
    assert len(collect_pairs(training_data, [few])) == 5
    assert len(list(source.read(training_data))) > 5
