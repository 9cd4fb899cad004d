from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from jina_components.reader.pdf_layout import Line, pages_to_markdown

WIDTH = 6.0


def lines(*texts: str, left: float = 72, top: float = 700, leading: float = 14, height: float = 12) -> list[Line]:
    return [
        Line(text, left, left + WIDTH * len(text), top - leading * number, height) for number, text in enumerate(texts)
    ]


def markdown(*page: Line) -> str:
    return pages_to_markdown([page])[0]


def moved(line: Line, **changes: float | str | bool) -> Line:
    return dataclasses.replace(line, **changes)


def test_full_lines_are_joined_and_a_short_one_ends_the_paragraph() -> None:
    assert markdown(
        *lines("The first line of the text goes on", "until the end here.", "Another paragraph begins now.")
    ) == ("The first line of the text goes on until the end here.\n\nAnother paragraph begins now.")


def test_lines_that_were_broken_on_purpose_stay_apart() -> None:
    assert markdown(*lines("1 apples", "2 pears", "a long line so that the others are short")) == (
        "1 apples\n2 pears\na long line so that the others are short"
    )


def test_a_wider_gap_separates() -> None:
    first, second = lines("a full line of text stands here", "another full line of text here")
    third = moved(second, bottom=second.bottom - 30, text="a third full line of text here!")
    assert markdown(first, second, third).count("\n\n") == 1


def test_an_indented_line_after_a_sentence_begins_a_paragraph() -> None:
    first, second = lines("the sentence ends at the margin.", "An indented line follows it now.")
    assert markdown(first, moved(second, left=90, right=90 + 32 * WIDTH)).count("\n\n") == 1


def test_a_sentence_goes_on_in_the_next_column() -> None:
    left = lines("the sentence is not complete in", "this column but goes on in the")
    right = lines("next one, where it ends at last.", left=320)
    assert markdown(*left, *right) == (
        "the sentence is not complete in this column but goes on in the next one, where it ends at last."
    )


def test_pieces_of_one_line_are_joined() -> None:
    whole, part = lines("sizes up to 1", "/4 inch")
    right = moved(part, left=whole.right, right=whole.right + 40, bottom=whole.bottom)
    assert markdown(whole, right) == "sizes up to 1/4 inch"
    assert markdown(whole, moved(right, left=whole.right + 20, text="next")) == "sizes up to 1 next"


def test_hyphenated_words_are_joined_unless_the_text_has_the_hyphen_elsewhere() -> None:
    assert markdown(*lines("it was an auto-", "matic gauge")) == "it was an automatic gauge"
    assert (
        markdown(*lines("it was a well-", "known gauge, well-known to all"))
        == "it was a well-known gauge, well-known to all"
    )
    assert markdown(*lines("it was the Anglo-", "American one")) == "it was the Anglo-American one"
    assert (
        markdown(*lines("an auto\u00admatic gauge of a well\u00adknown kind"))
        == "an automatic gauge of a wellknown kind"
    )
    assert markdown(*lines("it was in COVID-", "19 times for")) == "it was in COVID-19 times for"


def test_chinese_lines_are_joined_without_a_space() -> None:
    page = [moved(line, ends_word=False) for line in lines("今天的天气很好我们去", "公园散步我们去公园散")]
    assert markdown(*page) == "今天的天气很好我们去公园散步我们去公园散"


def test_bullets_become_a_list() -> None:
    assert markdown(
        *lines(
            "These are the points to be made",
            "• the first of them, which is long",
            "enough",
            "\uf0b7 the second",
        )
    ) == ("These are the points to be made\n\n- the first of them, which is long enough\n- the second")


def test_large_short_blocks_are_headings_by_size() -> None:
    title = moved(lines("The Title of the Document")[0], height=24, bottom=780)
    part = moved(lines("A part")[0], height=17, bottom=740)
    body = lines("and a long body of text in the usual size that", "goes on for some lines, as it has to do here.")
    assert markdown(title, part, *body).startswith("# The Title of the Document\n\n## A part\n\nand a long")


def test_a_bold_line_above_text_is_a_heading_but_bold_text_is_none() -> None:
    body = lines("a long body of text in the usual weight that", "goes on for some lines, as it has to do.", top=660)
    bold = moved(lines("Bold Heading")[0], is_bold=True)
    assert markdown(bold, *body).startswith("# Bold Heading\n\n")
    assert markdown(*(moved(line, is_bold=True) for line in (bold, *body))).startswith("Bold Heading\n\n")


def test_entries_of_a_table_of_contents_stay_apart() -> None:
    dots = ". " * 14
    assert markdown(*lines(f"One {dots}1", f"Two {dots}2")) == f"One {dots}1\nTwo {dots}2"


def test_right_to_left_text_is_measured_from_its_side() -> None:
    page = [
        moved(line, left=-500, right=-500 + WIDTH * len(line.text))
        for line in lines("عندما يجتمع التفكير", "مع مهارات البرمجة")
    ]
    assert markdown(*page) == "عندما يجتمع التفكير مع مهارات البرمجة"


def test_a_page_without_lines() -> None:
    assert pages_to_markdown([[], lines("x")]) == ["", "x"]
    assert pages_to_markdown([]) == []


numbers = st.floats(-2000, 2000)
texts = st.text("ab -.•\u00ad字1", min_size=1).filter(str.strip).map(str.strip)
any_line = st.builds(Line, texts, numbers, numbers, numbers, numbers, st.booleans(), st.booleans())


@given(st.lists(st.lists(any_line, max_size=12), max_size=3))
def test_no_letter_is_lost_or_added(pages: list[list[Line]]) -> None:
    def letters(text: str) -> str:
        return "".join(filter(str.isalnum, text))

    given_letters = letters("".join(line.text for page in pages for line in page))
    assert letters("".join(pages_to_markdown(pages))) == given_letters
