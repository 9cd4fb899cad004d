import pytest

from jina_components.deep_search.citing.agreeing import clauses, contradicts, tells_of_another


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It is allowed.", "It is forbidden."), ("It is open.", "It is not open."), ("Sie sank.", "Sie stieg."),
        ("Prices increased.", "Prices decreased."), ("Das ist verboten.", "Das ist erlaubt."),
    ],
)  # fmt: skip
def test_contraries_contradict_as_denials_do(one, other):
    assert contradicts(one, other)
    assert contradicts(other, one)
    assert not contradicts(one, one)


def test_a_denied_contrary_agrees():
    assert not contradicts("It is not allowed.", "It is forbidden.")


def test_a_sentence_has_clauses_where_each_says_something():
    assert clauses("Titan is 5,150 km wide, while Ganymede is 5,268 km wide.") == [
        "Titan is 5,150 km wide", "Ganymede is 5,268 km wide.",
    ]  # fmt: skip
    assert clauses("Marta was born in 1941 and died in 2009.") == ["Marta was born in 1941", "Marta died in 2009."]
    assert clauses("Jonas Brekke and Marta Olsen were born in Tromsø.") == [
        "Jonas Brekke and Marta Olsen were born in Tromsø."
    ]


@pytest.mark.parametrize(
    ("says", "is_other"),
    [
        ("Crane B broke down on 3 March.", False), ("Crane B broke down on 19 March.", True),
        ("Crane B was repaired on 19 March.", False), ("Crane B was repaired on 3 March.", True),
        ("It was on 4 March.", False),
    ],
)  # fmt: skip
def test_a_number_belongs_to_the_words_beside_it(says, is_other):
    assert tells_of_another(says, "Crane B broke down on 3 March and was repaired on 19 March.") == is_other


def test_a_number_counts_what_stands_behind_it():
    quote = "The pier is 412 metres long and rests on 96 concrete piles."
    assert tells_of_another("The pier rests on 412 concrete piles.", quote)
    assert not tells_of_another("The pier is about 400 metres long.", quote)
