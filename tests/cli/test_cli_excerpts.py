"""What `search` shows of a long chunk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.cli.excerpts import excerpt

FILLER = "Nothing of interest stands here. " * 12


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("How hot may leather get?", "Leather cracks above 40 degrees."),
        ("CAFÉ leather", "A cafe sells leather."),
        ("東京の天気", "明日の東京の天気は晴れです。"),
        ("get user name", "Call getUserName twice."),
    ],
)
def test_the_window_with_most_of_the_query_is_shown(query, sentence):
    shown = excerpt(FILLER + sentence + " " + FILLER, query)
    assert sentence in shown
    assert shown.startswith("…")
    assert shown.endswith("…")


def test_a_window_with_more_of_the_query_is_better_than_an_earlier_one():
    text = f"Leather here. {FILLER} Leather cracks above 40 degrees. {FILLER}"
    assert "40 degrees" in excerpt(text, "which degrees crack leather")
    assert excerpt(text, "leather").startswith("Leather here.")


def test_long_words_count_for_more_than_short_ones():
    text = f"{FILLER} This is how to do it. {FILLER} Installation comes first. {FILLER}"
    assert "Installation" in excerpt(text, "how to do installation")


def test_a_text_without_the_words_is_shown_from_its_head():
    assert excerpt(FILLER, "leather").startswith("Nothing of interest")
    assert excerpt("Short\n and  whole.", "leather") == "Short and whole."
    assert excerpt(FILLER + "The end is leather.", "leather").endswith("The end is leather.")


@given(
    st.text(st.sampled_from("ab é京ก\n"), max_size=400),
    st.text(st.sampled_from("ab é京ก"), max_size=20),
    st.integers(3, 60),
)
def test_an_excerpt_is_a_part_of_the_text_and_fits(text, query, width):
    shown = excerpt(text, query, width=width)
    assert len(shown) <= width
    assert shown.removeprefix("…").removesuffix("…") in " ".join(text.split())
