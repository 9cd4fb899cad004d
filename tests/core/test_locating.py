import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.locating import fold, locate

TEXT = "He said:\n“It’s  **done**” – ﬁnally.\u00a0Then it\u00adself."


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("He said:", "He said:"),
        (" He said:\n", "He said:"),
        ('said: "It\'s done"', "said:\n“It’s  **done**”"),
        ('done" - finally. Then itself', "done**” – ﬁnally.\u00a0Then it\u00adself"),
        ("he said", None),
        ("It is done", None),
        ("", None),
        (" __ ", None),
    ],
)
def test_the_same_words_are_found_however_they_are_written(quote, found):
    span = locate(quote, TEXT)
    assert (span and TEXT[span.start : span.end]) == found


def test_marks_that_unicode_takes_apart():
    assert locate("It's 5\" wide", "It´s 5″ wide") == (0, 12)


def test_from_a_place_on():
    assert locate("a b", "a b, a  b", start=1) == (5, 9)


@given(st.text(st.characters(), max_size=60), st.data())
def test_what_stands_in_a_text_is_found(text, data):
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : data.draw(st.integers(start, len(text)))].strip()
    span = locate(quote, text)
    assert (span is None) == (not quote)
    assert span is None or text[span.start : span.end] == quote


@given(st.text(st.sampled_from("ab “”'\"’*_-–\u00a0\n\u200b½é"), max_size=30), st.text(max_size=8))
def test_whatever_is_found_lies_within(text, quote):
    span = locate(quote, text)
    assert span is None or 0 <= span.start < span.end <= len(text)
    assert span is None or fold(text[span.start : span.end]).strip() == fold(quote).strip()
    if wanted := fold(quote).strip():
        assert (span is not None) == (wanted in fold(text))
