import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.deep_search.citing.drafting import compose, split_draft, statement, without_orphans
from jina_components.deep_search.citing.verbatim import Verbatim, settle_quotes

DRAFT = """\
# Title

One. Two.
Three.

- Item one. More.
  - Nested

| A | B |
|---|---|
| x | y |

> A quote that stands here.

Under
-----
Code:

```py
a = 1

b = 2
```
Last.

***
End"""


@pytest.fixture(scope="module")
def verbatim():
    verbatim = Verbatim()
    verbatim.add("A quote that stands here. The bridge opened in 1952. 東京タワーは1958年に完成した。")
    return verbatim


def kept(pieces, numbers):
    return compose(pieces, dict.fromkeys(numbers, ""))[0]


def test_pieces_put_together_are_the_draft(verbatim):
    pieces = split_draft(DRAFT, verbatim)
    assert kept(pieces, range(len(pieces))) == DRAFT
    assert [piece.kind for piece in pieces][:6] == ["heading", "text", "text", "text", "item", "item"]
    assert not any(piece.invented for piece in pieces)


def test_marks_stand_behind_the_words(verbatim):
    pieces = split_draft(DRAFT, verbatim)
    text, placed = compose(pieces, dict.fromkeys(range(len(pieces)), "[^1]"))
    for part in ("One.[^1] Two.[^1]\n", "  - Nested[^1]\n", "| x | y[^1] |\n", "here.[^1]\n", "```\n[^1]\nLast.[^1]"):
        assert part in text
    assert all(text[one.start : one.end].endswith("[^1]") for one in placed)


def test_what_led_to_something_that_is_gone_goes_too(verbatim):
    pieces = split_draft(DRAFT, verbatim)
    gone = {"code", "row", "item"}
    left = without_orphans(pieces, {number for number, piece in enumerate(pieces) if piece.kind not in gone})
    text = kept(pieces, left)
    assert "Code:" not in text
    assert "|" not in text
    assert text.startswith("# Title\n\nOne.")
    only_code = {number for number, piece in enumerate(pieces) if piece.kind in ("heading", "code")}
    assert kept(pieces, without_orphans(pieces, only_code)).startswith("# Title\n\nUnder\n-----\n\n```py")


def test_the_mark_of_an_item_stays_with_what_is_left_of_it(verbatim):
    pieces = split_draft("- One. Two.\n- Three. Four.\n\nFive.", verbatim)
    assert kept(pieces, [1, 2, 4]) == "- Two.\n- Three.\n\nFive."
    assert kept(pieces, [0, 4]) == "- One.\n\nFive."


def test_a_row_is_read_by_its_columns(verbatim):
    pieces = split_draft("| Moon | km |\n|---|---|\n| Titan | 5,150 |\n", verbatim)
    assert statement(pieces, 1) == "Moon: Titan; km: 5,150"


@pytest.mark.parametrize(
    ("text", "settled", "known"),
    [
        ('He said "the bridge opened in 1952," so.', 'He said "The bridge opened in 1952", so.', [True]),
        ("“so called” and “an invented quote of words”", None, [True, False]),
        ("»The bridge opened in 1952.« „The bridge fell in 1952.“", None, [True, False]),
        ("「東京タワーは1958年に完成した」「東京タワーは2000年に完成した」", None, [True, False]),
        ("it's the students' 'an invented quote of words'", None, [False]),
        ('a 5" pipe and "The bridge opened in 1952" x', 'a 5″ pipe and "The bridge opened in 1952" x', [True]),
        ('a lonely " mark', "a lonely  mark", []),
        ("« The bridge opened in 1952. »", None, [True]),
        ("''an invented quote of words'' and ´an invented quote of words´", None, [False, False]),
        ('"an invented "quote of "many words" are', None, [False]),
        ("“an invented “quote” of words” it''s “so”", None, [False, True]),
    ],
)
def test_quotations_are_looked_up(text, settled, known, verbatim):
    found = settle_quotes(text, verbatim)
    assert found.text == (settled or text)
    assert [one[2] for one in found.quoted] == known


def test_no_sentence_begins_in_a_quotation(verbatim):
    pieces = split_draft('He said "invented words are here. And more." End.', verbatim)
    assert [(piece.text[-4:], piece.invented) for piece in pieces] == [('re."', True), ("End.", False)]


def test_a_blockquote_must_be_one(verbatim):
    [quote, invented] = split_draft("> A quote that\n> stands here.\n> — Me\n\n> Nobody ever wrote this.\n", verbatim)
    assert (quote.kind, quote.invented, invented.invented) == ("quote", False, True)


@given(st.lists(st.sampled_from(["a. ", "b:", "\n", "\n\n", "- ", "# ", "| ", "|-|\n", "```\n", "> ", "1. ", "  "])))
def test_any_part_of_a_draft_keeps_its_words(parts):
    pieces = split_draft("".join(parts), Verbatim())
    for step in (1, 2):
        numbers = range(0, len(pieces), step)
        text, placed = compose(pieces, dict.fromkeys(numbers, ""))
        assert [text[one.start : one.end] for one in placed if one.piece.text] == [
            pieces[number].text for number in numbers if pieces[number].text
        ]
