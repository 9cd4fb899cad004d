from __future__ import annotations

import numpy as np
import pytest

from jina_components.fine_tuner.recipes.data.claim_rules import (
    CONTRADICTION,
    ENTAILMENT,
    NOT_ENTAILMENT,
    claim_of,
    names_in,
    turned,
)


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


def turns(claim, label, names=("Rome",)):
    """All that a claim may be turned into."""
    made = [turned(claim, label, list(names), np.random.default_rng(seed)) for seed in range(40)]
    return set(made)


@pytest.mark.parametrize(
    ("claim", "made"),
    [
        ("They left it before noon.", {("They left it after noon.", CONTRADICTION)}),
        ("They went to Vienna.", {("They went to Rome.", NOT_ENTAILMENT)}),
        (
            "It is red.",
            {("It is not red.", CONTRADICTION), ("It is never red.", CONTRADICTION)},
        ),
        ("It is not red.", {("It is red.", CONTRADICTION)}),
        ("Dogs bark.", {None}),
    ],
)
def test_turns_of_what_is_entailed(claim, made):
    assert turns(claim, ENTAILMENT) == made


def test_another_number_is_near_and_written_alike():
    for claim, label in turns("They sail 1,200 ships.", ENTAILMENT):
        assert label == CONTRADICTION
        number = claim.removeprefix("They sail ").removesuffix(" ships.")
        assert number != "1,200"
        assert 1_000 < int(number.replace(",", "")) < 1_300
        assert "," in number


def test_what_is_contradicted_is_entailed_once_denied_and_turned_in_no_other_way():
    assert turns("It was built before 1900.", CONTRADICTION) == {
        ("It was not built before 1900.", ENTAILMENT),
        ("It was never built before 1900.", ENTAILMENT),
    }
    assert turns("It was not built in Rome.", CONTRADICTION) == {("It was built in Rome.", ENTAILMENT)}
    assert turns("Dogs bark before noon.", CONTRADICTION) == {None}


def test_names():
    assert names_in("In the town of Old Vienna, Anna met the king") == ["Old Vienna", "Anna"]
