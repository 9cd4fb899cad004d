"""The wire mode: every line, item, quote, table and block of code a chunk of its own."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segmenter_texts import texts

from jina_components.errors import ConfigError
from jina_components.segmenter import Segmenter
from jina_components.types import Page

SAMPLE = (
    "\n  Jina AI: Your Search Foundation, Supercharged! 🚀\n  Ihrer Suchgrundlage, aufgeladen! 🚀\n"
    "  您的搜索底座，从此不同！🚀\n  検索ベース,もう二度と同じことはありません！🚀\n"
)


@cache
def segmenter(unit: str = "characters", limit: int = 1000) -> Segmenter:
    return Segmenter(pack=False, length_unit=unit, max_chunk_length=limit)


def pieces(text: str, limit: int = 1000) -> list[str]:
    return [chunk.text for chunk in segmenter("characters", limit).segment(text).chunks]


def test_the_documented_sample_gives_the_documented_answer() -> None:
    hosted = Segmenter(pack=False, tokenizer="cl100k_base")
    segmentation = hosted.segment(SAMPLE)
    assert segmentation.num_tokens == 78
    assert segmentation.utf16_offsets == ((3, 55), (55, 93), (93, 110), (110, 135))
    assert sum(chunk.num_tokens for chunk in segmentation.chunks) == 77
    tokens = hosted.tokenize(segmentation.chunks[0].text)
    assert tokens[:3] == (("J", (41,)), ("ina", (2259,)), (" AI", (15592,)))
    assert tokens[-4:] == ((" ", (11410,)), ("🚀", (248, 222)), ("\n", (198,)), ("  ", (256,)))


@given(text=texts, unit=st.sampled_from(["characters", "tokens"]), limit=st.sampled_from([8, 20, 60]))
def test_pieces_join_to_the_text_behind_its_first_white_space_and_keep_the_limit(
    text: str, unit: str, limit: int
) -> None:
    segmentation = segmenter(unit, limit).segment(text)
    chunks = segmentation.chunks
    assert "".join(chunk.text for chunk in chunks) == text.lstrip()
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [before.end for before, _ in pairwise(chunks)] == [after.start for _, after in pairwise(chunks)]
    assert all((len(c.text) if unit == "characters" else c.num_tokens) <= limit for c in chunks)
    encoded = text.encode("utf-16-le", "surrogatepass")
    for chunk, (start, end) in zip(chunks, segmentation.utf16_offsets, strict=True):
        assert encoded[2 * start : 2 * end].decode("utf-16-le", "surrogatepass") == chunk.text


@given(text=texts)
def test_a_piece_begins_with_what_can_be_seen_where_the_limit_allows(text: str) -> None:
    assert all(not piece[0].isspace() for piece in pieces(text, 100_000))


LONG_LINE = "One sentence of the paragraph stands here. " * 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title\n\nFirst line\nsecond line.\n", ["# Title\n\n", "First line\n", "second line.\n"]),
        ("Title\n=====\nText\n", ["Title\n=====\n", "Text\n"]),
        ("Text\n\n---\n\nMore\n", ["Text\n\n", "---\n\n", "More\n"]),
        ("- one\n- two\n  - nested\n- three\n", ["- one\n", "- two\n  - nested\n", "- three\n"]),
        ("```py\nx = 1\n\ny = 2\n```\nText\n", ["```py\nx = 1\n\ny = 2\n```\n", "Text\n"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nText", ["| a | b |\n|---|---|\n| 1 | 2 |\n\n", "Text"]),
        ("> one\n> two\n\nText", ["> one\n> two\n\n", "Text"]),
        ("$$\nx\n$$\nText", ["$$\nx\n$$\n", "Text"]),
        ("<table>\n<tr><td>1\n</table>\nText", ["<table>\n<tr><td>1\n</table>\n", "Text"]),
        ("  a\r\n\r\n  b\r\n", ["a\r\n\r\n  ", "b\r\n"]),
        ("Short. Line. Whole.\n", ["Short. Line. Whole.\n"]),
        (LONG_LINE, ["One sentence of the paragraph stands here. "] * 30),
        ("word " * 300, None),
        ("", []),
        (" \n\t\u3000\n", []),
    ],
)
def test_elements_are_pieces(text: str, expected: list[str] | None) -> None:
    found = pieces(text)
    if expected is None:
        assert max(map(len, found)) <= 400
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("element", "line"),
    [
        ("- item\n" + "  - nested\n" * 7, "- item\n  "),
        ("> line\n" * 16, None),
        ("```\n" + "code\n" * 300 + "```\n", "code\n"),
        ("| a |\n|---|\n" + "| row |\n" * 21, "| row |\n"),
        ("$$\n" + "x\n" * 250 + "$$\n", "x\n"),
        ("    code\n" * 21, "code\n    "),
    ],
)
def test_an_element_over_its_limit_falls_into_its_lines(element: str, line: str | None) -> None:
    found = pieces(element, 5000)
    assert len(found) > 1
    if line is None:
        assert found == ["> line\n" * 15, "> line\n"]
    else:
        assert line in found


def test_no_piece_spans_two_pages() -> None:
    page = Page(url="u", title="t", content="One line that\ngoes on.\n", page_offsets=(0, 4))
    texts = [document.text for document in Segmenter(pack=False).segment_page(page)]
    assert texts == ["One ", "line that\n", "goes on.\n"]


@pytest.mark.parametrize(
    "setting", [{"overlap": 5}, {"min_chunk_length": 5}, {"language": "python"}, {"embedder": "embedder"}]
)
def test_what_pieces_cannot_take_is_refused(setting: dict[str, object], bundled_embedder: object) -> None:
    setting = {name: bundled_embedder if value == "embedder" else value for name, value in setting.items()}
    with pytest.raises(ConfigError, match=f"pack=False.*leave out {next(iter(setting))}"):
        Segmenter(pack=False, **setting)


@pytest.mark.parametrize(
    "unit", ["\n", " ", "- a\n", "  - a\n", "> a\n", "a", "a. ", "| a\n", "# a\n", "```\n", "\x1c", "a\n", "$$\n"]
)
def test_no_text_takes_more_than_linear_time_in_pieces(unit: str) -> None:
    """Quadratic work would take minutes."""
    text = unit * (100_000 // len(unit))
    assert "".join(pieces(text)) == text.lstrip()


@pytest.mark.slow
def test_four_megabytes_in_pieces() -> None:
    text = (SAMPLE + "# Title\n\n- item\n  - nested\n\n" + LONG_LINE + "\n```\ncode\n```\n") * 2800
    assert len(text) > 4_000_000
    assert sum(map(len, pieces(text))) == len(text) - 3
