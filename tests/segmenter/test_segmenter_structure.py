"""Blocks of Markdown and plain text, and the headings above a place."""

from hypothesis import given
from hypothesis import strategies as st

from jina_components.segmenter.structure import BLOCK, ITEM, LINE, NESTED, RULE, Block, blocks


def outline(text: str) -> list[tuple[str, int]]:
    """First line and level of each block."""
    return [(text[block.start :].split("\n", 1)[0], block.level) for block in blocks(text)]


def only(text: str) -> Block:
    (block,) = blocks(text)
    return block


def test_paragraphs_are_parted_by_blank_lines_of_any_white_space() -> None:
    assert outline("One\nstill one\n \u00a0\t\nTwo\r\n\r\nThree") == [
        ("One", BLOCK),
        ("Two\r", BLOCK),
        ("Three", BLOCK),
    ]


def test_headings_join_what_follows_them() -> None:
    text = "Intro\n# A\n\n## B ##\n\nText\n\nMore"
    assert outline(text) == [("Intro", BLOCK), ("# A", 1), ("More", BLOCK)]
    heading = list(blocks(text))[1]
    assert heading.headings == ((1, "A"), (2, "B"))
    assert text[heading.keep :].startswith("Text")


def test_underlined_and_html_headings() -> None:
    assert [block.headings for block in blocks("Title\n=====\nText\n\nPart\n---\nText\n\n<h3 id=x>C</h3>\nText")] == [
        ((1, "Title"),),
        ((2, "Part"),),
        ((3, "C"),),
    ]


def test_what_only_looks_like_a_heading_is_text() -> None:
    assert outline("#hashtag\n\n####### seven\n\n    # code") == [
        ("#hashtag", BLOCK),
        ("####### seven", BLOCK),
        ("    # code", BLOCK),
    ]


def test_a_thematic_break_joins_what_follows() -> None:
    assert outline("One\n\n* * *\n\nTwo") == [("One", BLOCK), ("* * *", RULE)]


def test_a_fence_lasts_to_its_closing_fence() -> None:
    text = "````py\n```\n# no heading\n~~~\n````\nText"
    assert outline(text) == [("````py", BLOCK), ("Text", BLOCK)]
    fence = next(blocks(text))
    assert text[fence.start : fence.end].endswith("````\n")
    assert text[: fence.keep] == "````py\n"


def test_a_fence_that_is_never_closed_lasts_to_the_end() -> None:
    assert only("```\ncode\n\n# code").end == len("```\ncode\n\n# code")


def test_inline_code_is_no_fence() -> None:
    assert outline("```x``` is code\n\nText") == [("```x``` is code", BLOCK), ("Text", BLOCK)]


def test_tables_keep_their_head_with_the_first_row() -> None:
    for text in (
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nText",
        "a | b\n--- | ---\n1 | 2\n3 | 4\n\nText",
    ):
        table = next(blocks(text))
        assert text[table.keep + 1 :].startswith(("| 3", "3 |"))
        assert text[table.end :] == "\nText"


def test_a_table_may_follow_a_paragraph_at_once() -> None:
    assert outline("Prices:\n| a | b |\n|---|---|\n| 1 | 2 |")[1] == ("| a | b |", ITEM)


def test_list_items_and_what_they_hold() -> None:
    one = "1. One\n   goes on\n\n   More of one\n\n   ```\n   code\n   ```\n"
    text = f"Steps:\n\n{one}2. Two\n   - Nested\n\nText"
    assert outline(text) == [
        ("Steps:", BLOCK),
        ("1. One", ITEM),
        ("   More of one", NESTED),
        ("   ```", NESTED),
        ("2. Two", ITEM),
        ("   - Nested", NESTED),
        ("Text", BLOCK),
    ]


def test_mathematics_and_raw_html_are_verbatim_when_they_are_closed() -> None:
    for text in (
        "$$\nx\n\ny\n$$\n",
        "\\[\nx\n\n\\]\n",
        "<pre>\na\n\nb\n</pre>\n",
        "<!-- a\n\nb -->\n",
        "<table>\n\n</table>\n",
        "\\begin{align*}\nx\n\ny\n\\end{align*}\n",
    ):
        assert only(text).end == len(text)
    assert [block.end for block in blocks("$$ is money\n\n<pre> is a tag\n\n\\begin{cases}")] == [0, 0, 0]


def test_indented_code_is_verbatim_outside_of_lists_and_paragraphs() -> None:
    text = "Text\n\n    code\n\n    more\n\nText"
    assert [block.end > 0 for block in blocks(text)] == [False, True, False]
    assert [block.end for block in blocks("Text\n    goes on\n\n- item\n\n      of the item")] == [0, 0, 0]


def test_front_matter_is_one_block() -> None:
    text = "---\ntitle: A\ntags: [b]\n---\n# A\n"
    assert outline(text) == [("---", BLOCK), ("# A", 1)]
    assert outline("+++\ntitle = 'A'\n\ntags = []\n+++\nText") == [("+++", BLOCK), ("Text", BLOCK)]


def test_titles_are_plain_words() -> None:
    assert only("# **Set** [up](https://a.org) <b>`now`</b> #\ntext").headings == ((1, "Set up now"),)


def test_headings_of_wikis() -> None:
    text = " = Title = \nText\n = = Part = = \nText\n==Other==\nText\n== no\n=x=\n"
    assert [block.headings for block in blocks(text)] == [((1, "Title"),), ((2, "Part"),), ((2, "Other"),)]


def test_underlines_of_restructured_text_are_as_long_as_the_title() -> None:
    text = "Part\n~~~~\nText\n\nOther part\n^^^^^^^^^^\nText\n\nNo title\n++++\n"
    assert [block.headings for block in blocks(text)] == [((3, "Part"),), ((3, "Other part"),), ()]
    assert [block.end > 0 for block in blocks("A longer line\n~~~~\ncode\n")] == [False, True]


def test_lines_that_were_not_wrapped_are_paragraphs() -> None:
    long = "word " * 30
    assert outline(f"{long}\nshort\nshorter\n{long}") == [
        (long, BLOCK),
        ("short", LINE),
        (long, LINE),
    ]
    assert outline(f"Listen:\n{long}\n> {long}\n> {long}") == [("Listen:", BLOCK)]


def test_html_blocks_and_admonitions() -> None:
    assert outline("<div>\n<p>One\n</div>") == [("<div>", BLOCK), ("<p>One", ITEM)]
    text = "!!! note\n    Text\n\n    More\n\nEnd"
    assert outline(text) == [("!!! note", BLOCK), ("    Text", NESTED), ("    More", NESTED), ("End", BLOCK)]
    assert text[next(blocks(text)).keep] == "\n"


def test_many_headings_in_a_row_are_not_one_block() -> None:
    assert len(list(blocks("# a\n" * 100))) == 7


@given(st.text(alphabet="#`~|-=>*1.$<pre/ \t\r\n:ab\u00a0", max_size=80))
def test_blocks_ascend_and_cover_all_but_white_space(text: str) -> None:
    found = list(blocks(text))
    starts = [block.start for block in found]
    assert starts == sorted(set(starts))
    assert not text[: starts[0] if starts else None].strip()
    for block, following in zip(found, [*starts[1:], len(text)], strict=False):
        assert block.start <= block.keep <= len(text)
        assert block.end <= following
