import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.quotable import quotable_spans
from jina_components.grounder.claims import Topic, claims_nothing, split_claims


def claims(statement, **settings):
    return [claim.text for claim in split_claims(statement, **settings).claims]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "Marie Curie was born in Warsaw and died in Passy.",
            ["Marie Curie was born in Warsaw.", "Marie Curie died in Passy."],
        ),
        ("Marie Curie was born in Warsaw, and she died in Passy.", None),
        ("Python is slow, but C is fast.", ["Python is slow.", "C is fast."]),
        (
            "Acme was founded in 1990 and was sold in 2001.",
            ["Acme was founded in 1990.", "Acme was sold in 2001."],
        ),
        ("The company makes cars and trucks and has 300 employees.",
         ["The company makes cars and trucks.", "The company has 300 employees."]),
        ("The United States is large and has 50 states.",
         ["The United States is large.", "The United States has 50 states."]),
        ("Tom and Jerry is a cartoon and was made by MGM.",
         ["Tom and Jerry is a cartoon.", "Tom and Jerry was made by MGM."]),
    ],
)  # fmt: skip
def test_coordinated_clauses_are_claims_of_their_own(statement, expected):
    expected = expected or ["Marie Curie was born in Warsaw.", "Marie Curie died in Passy."]
    assert claims(statement) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "Acme was founded in 1990 and acquired by Google.",  # "acquired" leans on "was"
        "He met a man who lived in Paris and died in Rome.",
        "He said that he was ill and was sent home.",
        "In 1990, Acme was founded and was sold.",
        "Paris is known for museums and works of art.",
        "A book published in 1990 was sold and was burnt.",
        "The film stars X and was released in 1990, but it lost money.",
        "The play 'Love and was it' is old.",
        "It is between the river and was built late.",
        "东京是日本的首都，人口很多。",
        "El agua hierve a 100 grados y se congela a 0.",
        "Vaccines cause autism",
        "Birds fly.",
        "Great Britain exports cars.",
        "Contact lenses correct vision.",
        "Thanks to vaccines, smallpox is gone.",
        "No country exports more.",
        "Shout! Factory released the film in 2009.",
    ],
)
def test_in_doubt_a_sentence_stays_whole(statement):
    assert claims(statement) == [statement]


def test_a_pronoun_stands_for_what_the_sentence_before_was_about():
    text = "The Eiffel Tower is in Paris. It was completed in 1889. Its designer was Eiffel."
    assert claims(text)[1:] == ["The Eiffel Tower was completed in 1889.", "The Eiffel Tower's designer was Eiffel."]
    assert claims("It was completed in 1889.", topic=Topic("The Eiffel Tower")) == [
        "The Eiffel Tower was completed in 1889."
    ]
    assert claims("It is known that water is wet.", topic=Topic("Paris")) == ["It is known that water is wet."]
    assert claims("It was completed in 1889.") == ["It was completed in 1889."]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("The widget weighs 3 kg. The pro plan costs $12. It was released in Berlin.", "It was released in Berlin."),
        ("The widget is small. The pro plan was dear. It was sold. It was released.", "It was released."),
        ("The widget orbits it. The pro plan was dear. It was released.", "It was released."),
        ("Python is slow, but C is fast. It was released.", "It was released."),
        ("Paris is large. Tom met Anna. He was released.", "He was released."),
        ("France is large. Its capital is old. It was burnt.", "It was burnt."),
        ("The widget is small. The plan is dear. The plan is new. It was sold.", "The plan was sold."),
        ("The widget is small. Wow! It was sold.", "The widget was sold."),
        ("The Eiffel Tower is in Paris. It was built by Gustave Eiffel. It was shut.", "The Eiffel Tower was shut."),
        ("Marie Curie was born in Warsaw. Curie studied in Paris. She was ill.", "Marie Curie was ill."),
        ("The plan is dear. The pro plan is new. It was sold.", "It was sold."),
    ],
)  # fmt: skip
def test_a_pronoun_stays_where_the_last_two_sentences_are_about_different_things(text, last):
    assert claims(text)[-1] == last
    topic, checked = Topic(), []
    for start, end in quotable_spans(text):  # as the sentences of a text are read, one by one
        found = split_claims(text[start:end], topic=topic)
        topic, checked = found.topic, [*checked, *(claim.text for claim in found.claims)]
    assert checked == claims(text)


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("Who was Einstein?", "question"),
        ("那是什么？", "question"),
        ("What is love.", "question"),
        ("Please run the tests.", "command"),
        ("Run the tests.", "command"),
        ("Hello there!", "reader"),
        ("I hope this helps!", "reader"),
        ("Thank you for asking.", "reader"),
        ("Paris", "no whole sentence"),
        ("The red car", "no whole sentence"),
        ("| A | 1 kB |", "table"),
        ("?!", "no words"),
    ],
)
def test_what_claims_nothing(sentence, why):
    assert why in claims_nothing(sentence)
    found = split_claims(sentence)
    assert found.claims == ()
    assert found.reason


def test_a_statement_of_claims_and_others_has_the_claims_alone():
    assert claims("Hello! Titan is a moon. Is it?") == ["Titan is a moon."]
    assert split_claims("Hello! Is it?").reason == "It claims nothing that could be checked."


@given(
    st.lists(st.sampled_from(
        ["Marie Curie", "she", "the", "was", "and", "but", "died", "won", "in 1990", ",", ";", ".", "?", "\n", "'", "é",
         "It", "who", "Paris", "  ", "\u00a0", "has", "Its", "also", "\ud800", "\0", "東京。"]), max_size=25,
    )
)  # fmt: skip
def test_claims_stand_in_order_in_the_statement(words):
    statement = " ".join(words)
    last = 0
    for claim in split_claims(statement, topic=Topic("Rome")).claims:
        assert last <= claim.start < claim.end <= len(statement)
        assert claim.text.strip()
        last = claim.end


@given(st.text(st.characters(), max_size=80))
def test_any_text(statement):
    found = split_claims(statement)
    assert bool(found.claims) != bool(found.reason)
