"""Sentences, clauses, words and graphemes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.boundaries import (
    Finder,
    clauses,
    gaps,
    joins,
    last_grapheme,
    lines,
    loose_sentences,
    parts,
    records,
    sentences,
    words,
)

FINDERS = [sentences, loose_sentences, records, lines, gaps, clauses, words, parts]


def pieces(finder: Finder, text: str) -> list[str]:
    cuts = [0, *finder(text, 0, len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if end > start]


@pytest.mark.parametrize(
    "sentence",
    [
        "Mr. Smith and Dr. Jones met. ",
        "He moved to the U.S. in Jan. 2020. ",
        "J. R. R. Tolkien wrote it. ",
        "See Fig. 3, e.g. The left one. ",
        "It costs 3.50 euros at example.com today! ",
        "He left... and came back. ",
        "“Really?” she asked. ",
        "Wait!? ",
        "It was sold by Shout! Factory in 2009. ",
        "Yahoo! Answers is no more! ",
        "“Yahoo!!” ",
        "(It was late.) ",
        "**Bold.** ",
        "He said “Ja.“ ",
        "Il dit : « Oui. » ",
        "It is known.[1][23] ",
        "Das war am 3. Oktober, z. B. in Bonn. ",
        "Он жил на ул. Ленина и т. д. в Москве. ",
        "1. Install it. ",
        "It is known.[^note][[13]](https://a.org/x) ",
        "Wait . . . and see. ",
        "See https://a.org/x?y=1. ",
        "Bkz. Ankara ve Prof. Doç. Yılmaz. ",
        "Viz např. Praha a tzn. Brno. ",
        "Véase la pág. 3 y el núm. 4 de hoy. ",
    ],
)
def test_a_sentence_is_kept_whole(sentence: str) -> None:
    assert pieces(sentences, sentence + "Then it ended.") == [sentence, "Then it ended."]


@pytest.mark.parametrize(
    "parts_of_text",
    [
        ["这是第一句。", "这是第二句！", "还有吗？", "有。"],
        ["他说：“是的。”", "「好。」", "『完。』"],
        ["「はい。」と言った。", "次。"],
        ["यह एक है। ", "यह दो है॥ ", "तीन।"],
        ["هل هذا سؤال؟ ", "نعم."],
        ["これは ｶﾅ です｡", "はい｡"],
        ["One…\n", "Two!\n", "Three."],
        ["the first one . ", "the second one . ", "the third one ."],
        ["པོད་ཡིག།", "གཉིས།"],
        ["ခုနစ်။ ", "ရှစ်။"],
        ["ខ្មែរ។ ", "ពីរ។"],
    ],
)
def test_sentences_of_many_scripts(parts_of_text: list[str]) -> None:
    assert pieces(sentences, "".join(parts_of_text)) == parts_of_text


def test_clauses_lie_behind_commas_colons_dashes_and_brackets() -> None:
    assert pieces(clauses, "One, two; three (four) five: six") == [
        "One, ",
        "two; ",
        "three (four) ",
        "five: ",
        "six",
    ]
    assert pieces(clauses, "一、二，三") == ["一、", "二，", "三"]


def test_words_are_parted_by_space_and_between_ideographs() -> None:
    assert pieces(words, "one  two\nthree") == ["one  ", "two\n", "three"]
    assert pieces(words, "天安門です。駅") == ["天", "安", "門です。", "駅"]
    assert pieces(words, "これはカメラ") == ["これは", "カメラ"]


def test_words_of_scripts_without_spaces_begin_at_a_vowel_that_is_written_first() -> None:
    assert pieces(words, "ภาษาไทยและลาว") == ["ภาษา", "ไทย", "และลาว"]
    assert pieces(words, "བོད་ཡིག") == ["བོད་", "ཡིག"]


def test_loose_sentences_begin_with_a_small_letter_behind_a_word() -> None:
    assert pieces(loose_sentences, "it rains. we stay! approx. nobody cares, e.g. me. so.") == [
        "it rains. ",
        "we stay! ",
        "approx. nobody cares, e.g. me. so.",
    ]


def test_records_lie_between_objects_in_one_line_and_behind_elements_of_html() -> None:
    assert pieces(records, "[{'a': [1]}, {'b': 2},{}]") == ["[{'a': [1]}, ", "{'b': 2},", "{}]"]
    assert pieces(records, r"One\n\nTwo\nstill") == [r"One\n\n", r"Two\nstill"]
    assert pieces(records, "<p>One</p> <p>Two<br/>more</P><b>x</b>") == [
        "<p>One</p> ",
        "<p>Two<br/>",
        "more</P>",
        "<b>x</b>",
    ]


def test_parts_lie_behind_punctuation_inside_words() -> None:
    assert pieces(parts, "https://a.org/b_c") == ["https://", "a.", "org/", "b_", "c"]


def test_lines_and_gaps() -> None:
    assert pieces(lines, "a\nb\n\nc") == ["a\n", "b\n", "\n", "c"]
    assert pieces(gaps, "a\nb\n \r\nc") == ["a\nb\n \r\n", "c"]


@pytest.mark.parametrize("finder", FINDERS)
@given(text=st.text(alphabet="ab .,。中\n\t-_)\"'!?\u3000\u0301A1", max_size=60), data=st.data())
def test_places_ascend_within_the_bounds(finder: Finder, text: str, data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(text)))
    high = data.draw(st.integers(low, len(text)))
    found = list(finder(text, low, high))
    assert found == sorted(set(found))
    assert all(low < place <= high for place in found)


@pytest.mark.parametrize(
    "character",
    [
        "\r\n",
        "e\u0301",
        "👍🏽",
        "👩\u200d🚀",
        "🇩🇪",
        "각",
        "ㅎ\u1161",
        "\ud83d\udc4d",
        "कि",
        "ｶﾞ",
        "❤\ufe0f",
        "นำ",
        "เก",
        "ເກ",
        "क्ष",
        "ក្ក",
    ],
)
def test_no_cut_inside_a_character(character: str) -> None:
    if character[0] == "ㅎ":
        character = "\u1112\u1161\u11ab"
    text = "x" + character + "y"
    inside = range(2, 1 + len(character))
    assert all(joins(text, 0, place) for place in inside)
    assert not joins(text, 0, 1)
    assert not joins(text, 0, 1 + len(character))
    assert [last_grapheme(text, 0, place) for place in inside] == [1 for _ in inside]


def test_flags_go_by_twos() -> None:
    flags = "🇩🇪🇫🇷🇯🇵"
    assert [joins(flags, 0, place) for place in range(1, 6)] == [True, False, True, False, True]


def test_a_vowel_inside_a_syllable_of_thai_keeps_the_consonant_behind_it() -> None:
    text = "กลับบ้าน"
    assert [place for place in range(1, len(text)) if not joins(text, 0, place)] == [1, 4, 6, 7]
    assert joins("ทั้ง", 0, 3)


def test_one_endless_character_is_cut_where_it_must_be() -> None:
    assert last_grapheme("e" + "\u0301" * 9, 1, 5) == 5
