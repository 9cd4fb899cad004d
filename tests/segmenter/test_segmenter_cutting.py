"""Which places are chosen."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.boundaries import joins
from jina_components.models.tokenizers import Tokenizer
from jina_components.segmenter import Segmenter
from jina_components.segmenter.cutting import Cutter
from jina_components.segmenter.rulers import CharacterRuler, TokenRuler
from jina_components.segmenter.structure import Block

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


def spans(text: str, limit: int, *, min_size: int = 0, extra: dict[int, float] | None = None) -> list[tuple[int, int]]:
    cutter = Cutter(text, CharacterRuler(text), limit=limit, min_size=min_size, extra=extra)
    return list(cutter.cuts(0, len(text)))


def test_a_chunk_that_is_full_enough_ends_at_the_better_place() -> None:
    text = SENTENCE * 5 + "\n\n" + SENTENCE * 8
    assert spans(text, 250)[0] == (0, len(SENTENCE) * 5 + 2)


def test_lines_of_unwrapped_text_are_paragraphs() -> None:
    lines = [SENTENCE * 4 + "\n", SENTENCE * 6 + "\n"]
    assert spans("".join(lines), 240)[0] == (0, len(lines[0]))


def test_data_in_one_line_is_cut_between_its_objects() -> None:
    text = "[" + ", ".join(f"{{'content': 'Some words, and more. And {i}', 'role': 'user'}}" for i in range(9)) + "]"
    assert all(text[start] == "{" for start, _ in spans(text, 150)[1:])


def test_short_chunks_are_merged_where_the_limit_allows_it() -> None:
    text = "# A\n\nShort.\n\n# B\n\n" + SENTENCE * 6 + "\n\n# C\n\nEnd."
    assert min(end - start for start, end in spans(text, 230)) < 20
    assert min(end - start for start, end in spans(text, 230, min_size=60)) >= 60


@given(text=st.text(alphabet="ab. \n#-|`中\u0301", max_size=120), limit=st.integers(1, 40), data=st.data())
def test_no_chunk_is_shorter_than_asked_for_where_that_can_be(text: str, limit: int, data: st.DataObject) -> None:
    min_size = data.draw(st.integers(0, (limit + 1) // 2))
    found = spans(text, limit, min_size=min_size)
    assert "".join(text[start:end] for start, end in found) == text
    assert all(end - start <= limit for start, end in found)
    short = [(start, end) for start, end in found if end - start < min_size]
    # A character of several code points may stand in the way.
    assert len(text) < min_size or not short or "\u0301" in text


def test_places_can_be_worth_more() -> None:
    text = SENTENCE * 10
    second, third = 2 * len(SENTENCE), 3 * len(SENTENCE)
    assert spans(text, 5 * len(SENTENCE))[0] == (0, 5 * len(SENTENCE))
    assert spans(text, 5 * len(SENTENCE), extra={second: 0.2, third: 0.5})[0] == (0, third)


def test_another_structure_may_be_given() -> None:
    text = "line one\nline two\nline six\n"
    cutter = Cutter(text, CharacterRuler(text), limit=20, structure=[Block(0, 8, 0), Block(9, 1, 9)])
    assert next(cutter.cuts(0, len(text))) == (0, 9)


LINES = [
    "# Heading", "Title", "=====", "", "", "- item", "  - nested", "> quote", "```py", "```", "| a | b |",
    "|---|---|", "| 1 | 2 |", "$$", "\\begin{align}", "\\end{align}", "<table>", "</table>", "<div>", "---",
    "[^1]: note", "!!! note", "    code", "A sentence. And another, with words.", "这是一句。还有一句！",
    "ประโยคภาษาไทย ยาว", "मराठी",
    "हिन्दी क्षत्रिय। दूसरा", "👩\u200d🚀 🇩🇪🇫🇷", "\ud800\0", "x" * 130, "word " * 40, "\r", "مرحبا بالعالم؟ نعم.",
    "{'a': 1}, {'b': 2}", "a\\n\\nb",
]  # fmt: skip
MARKDOWN = st.lists(st.sampled_from(LINES), max_size=30).map("\n".join)


@given(
    text=st.one_of(st.text(st.characters(), max_size=200), MARKDOWN),
    limit=st.integers(1, 120),
    overlap=st.integers(0, 60),
    unit=st.sampled_from(["characters", "tokens"]),
)
def test_nothing_is_lost_and_no_limit_exceeded(text: str, limit: int, overlap: int, unit: str) -> None:
    ruler, count = rulers(text)[unit]
    limit = max(limit, 12) if unit == "tokens" else limit
    overlap = min(overlap, limit - 1)
    cutter = Cutter(text, ruler, limit=limit, overlap=overlap)
    covered = 0
    for start, end in cutter.cuts(0, len(text)):
        assert start <= covered < end
        assert count(text[start:end]) <= limit
        assert count(text[start:covered]) <= overlap
        covered = end
    assert covered == len(text)


def rulers(text: str) -> dict[str, tuple[CharacterRuler | TokenRuler, Callable[[str], int]]]:
    return {"characters": (CharacterRuler(text), len), "tokens": (TokenRuler(text, CL100K), CL100K.count)}


CL100K = Tokenizer("cl100k_base")


@given(text=st.one_of(st.text(max_size=200), MARKDOWN), limit=st.integers(8, 60))
def test_user_perceived_characters_stay_whole_unless_alone_they_are_too_long(text: str, limit: int) -> None:
    for start, end in spans(text, limit):
        assert not joins(text, start, end) or all(joins(text, start, place) for place in range(start + 1, end))


@pytest.mark.parametrize(
    "unit",
    [
    "[", "|", "`", "# ", " ", "\n", "a.", "$", "<", "-", ")", "a", "é", "e\u0301", "中", "。", "🇩🇪", "\r\n", "> ",
    "- a\n", "|a\n", "```\n", "~~~~\n````\n", "$$\n", "\\[\n", "<pre>\n", "<!--\n", "\\begin{align}\n", "= a\n",
    "a\n=\n", "a.[", "a.[^1", "},{", "\\n", "\0", "\ud800", "ก", "\u200d", ".\"", ". ", "…", " \n", "\ta", "***\n",
    "!!! a\n", "<p>", "</p>", "1. ", "[a](", "# a\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [50, 5000])
def test_time_grows_with_the_text_alone(unit: str, limit: int) -> None:
    short, long = (seconds(unit * (length // len(unit)), limit) for length in (6_000, 48_000))
    assert long < 40 * short + 0.25  # 8 for linear time, 64 for quadratic


def seconds(text: str, limit: int) -> float:
    started = time.process_time()
    assert sum(end - start for start, end in spans(text, limit)) == len(text)
    return time.process_time() - started
