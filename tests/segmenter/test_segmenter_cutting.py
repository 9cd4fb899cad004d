"""Which places are chosen."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.segmenter import Segmenter

SENTENCE = "This is a sentence of some length. "
CODE = "```python\n" + "".join(f"value_{i} = {i}\n" for i in range(8)) + "```\n"
TABLE = "| name | age |\n|------|-----|\n" + "".join(f"| n{i} | {i} |\n" for i in range(8))


def cut(text: str, limit: int, **options: object) -> list[str]:
    return [chunk.text for chunk in Segmenter(max_chunk_length=limit, **options).segment(text).chunks]


def test_a_paragraph_is_preferred_to_a_sentence_a_little_further() -> None:
    first, second = SENTENCE * 4 + "\n\n", SENTENCE * 4
    assert cut(first + second, 175) == [first, second]


def test_a_sentence_is_preferred_to_a_paragraph_much_further_back() -> None:
    text = "Short.\n\n" + SENTENCE * 8
    assert cut(text, 200)[0] == "Short.\n\n" + SENTENCE * 5


def test_a_higher_heading_is_preferred() -> None:
    text = SENTENCE * 4 + "\n\n# A\n\nText.\n\n### B\n\n" + SENTENCE * 4
    assert cut(text, 170)[1].startswith("# A")
    assert cut(text.replace("# A", "### A"), 175)[1].startswith("### B")


@pytest.mark.parametrize("limit", range(60, 200, 7))
def test_no_heading_is_left_at_the_end_of_a_chunk(limit: int) -> None:
    text = "".join(f"# Part {i}\n\n## Section\n\n{SENTENCE * (i % 4 + 1)}\n\n" for i in range(20))
    for chunk in cut(text, limit)[:-1]:
        assert not chunk.rstrip().rsplit("\n", 1)[-1].startswith("#")


@pytest.mark.parametrize("block", [CODE, TABLE], ids=["code", "table"])
@pytest.mark.parametrize("before", range(0, 12, 2))
@pytest.mark.parametrize("unit", ["characters", "tokens"])
def test_code_and_tables_that_fit_are_not_cut(block: str, before: int, unit: str) -> None:
    text = SENTENCE * before + "\n\n" + block + "\n" + SENTENCE * 9
    limit = len(block) + 20 if unit == "characters" else Segmenter().count(block) + 3
    assert any(block.strip() in chunk for chunk in cut(text, limit, length_unit=unit))
    assert any(block.strip() in chunk for chunk in cut(text, limit, length_unit=unit, overlap=limit // 3))


def test_code_that_does_not_fit_is_cut_between_lines_and_best_at_a_gap() -> None:
    function = "def f():\n    return 'Some text. And more.'\n"
    text = "```python\n" + (function * 3 + "\n\n") * 4 + "```\n"
    chunks = cut(text, 160)
    assert all(chunk.endswith("\n\n") for chunk in chunks[:-1])
    assert cut(text.replace("\n\n", "\n"), 160)[0].endswith("\n")


def test_a_table_that_does_not_fit_keeps_its_head_with_a_row() -> None:
    text = SENTENCE * 2 + "\n\n" + TABLE + "| more | 5 |\n" * 30
    for limit in range(60, 130, 5):
        assert not any(chunk.rstrip().endswith("-----|") for chunk in cut(text, limit))


def test_a_heading_is_worth_more_than_a_whole_code_block() -> None:
    text = SENTENCE + "\n\n# A\n\n" + CODE
    assert any("# A\n\n```python\nvalue_0" in chunk for chunk in cut(text, len(CODE) + 2))


def test_a_list_stays_with_the_line_that_announces_it() -> None:
    text = SENTENCE * 3 + "\n\nTake these:\n\n" + "- something that is needed\n" * 2
    assert cut(text, 140)[1].startswith("Take these:\n\n- something")


def test_a_sentence_is_not_cut_at_an_abbreviation() -> None:
    text = "We met Dr. Miller and Mr. Smith in the U.S. Embassy. Then we left for good, all of us."
    assert cut(text, 60)[0] == "We met Dr. Miller and Mr. Smith in the U.S. Embassy. "


def test_chinese_is_cut_at_its_stops() -> None:
    text = "这是一个很长的句子。" * 10
    assert all(chunk.endswith("。") for chunk in cut(text, 25))


def test_below_sentences_come_clauses_words_parts_and_characters() -> None:
    assert cut("one two, three four five", 12)[0] == "one two, "
    assert cut("alpha beta gamma", 12)[0] == "alpha beta "
    assert cut("https://example.org/path", 14)[0] == "https://"
    assert cut("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_characters_of_several_code_points_are_cut_only_when_they_must_be() -> None:
    assert cut("👍🏽👍🏽👍🏽", 3) == ["👍🏽", "👍🏽", "👍🏽"]
    assert cut("👍🏽", 1) == ["👍", "🏽"]
    assert cut("aaa\r\nb", 4)[0] == "aaa"


def test_an_overlap_begins_at_a_sentence_where_it_can() -> None:
    segmenter = Segmenter(max_chunk_length=150, overlap=50)
    chunks = segmenter.segment(SENTENCE * 12).chunks
    assert [chunk.start % len(SENTENCE) for chunk in chunks] == [0] * len(chunks)
    assert all(after.start < before.end for before, after in pairwise(chunks))


def test_there_is_no_overlap_where_it_would_begin_inside_a_word() -> None:
    chunks = Segmenter(max_chunk_length=10, overlap=4).segment("x" * 40).chunks
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(0, 10), (10, 20), (20, 30), (30, 40)]


@given(
    text=st.text(alphabet="the cand wo\n.é", max_size=200),
    limit=st.integers(4, 30),
    overlap=st.integers(0, 3),
)
def test_limits_hold_for_tokenizers_whose_tokens_depend_on_their_neighbours(
    byte_pair_file: Path, text: str, limit: int, overlap: int
) -> None:
    segmenter = Segmenter(max_chunk_length=limit, length_unit="tokens", overlap=overlap, tokenizer=byte_pair_file)
    chunks = segmenter.segment(text).chunks
    assert all(chunk.num_tokens == segmenter.count(chunk.text) <= limit for chunk in chunks)
    covered = 0
    for chunk in chunks:
        assert chunk.start <= covered < chunk.end
        assert segmenter.count(text[chunk.start : covered]) <= overlap
        covered = chunk.end
    assert covered == len(text)
