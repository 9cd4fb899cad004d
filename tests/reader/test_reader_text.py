from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ExtractionError
from jina_components.reader.sources import Source
from jina_components.reader.text import read_text
from jina_components.types import Page


def read(text: str | bytes, name: str = "notes.md", base_url: str = "", content_type: str = "") -> Page:
    return read_text(Source(name, text.encode() if isinstance(text, str) else text, base_url, content_type))


def test_text_passes_unchanged_but_for_line_ends() -> None:
    page = read("# T  \r\n\r\n\r\n  a  \rb\x00\t&amp; *x*  \n\n")
    assert page.content == "# T  \n\n\n  a  \nb\t&amp; *x*  \n\n"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("intro\n\n## A **heading** ##\n", "A **heading**"),
        ("Title\n=====\n\ntext", "Title"),
        ("text\n\nSub title\n---\n", "Sub title"),
        ("```\n# no heading\n```\n# Heading", "Heading"),
        ("#no heading\ntext", "notes.md"),
        ("a\n\n---\nb", "notes.md"),
    ],
)
def test_title(text: str, title: str) -> None:
    assert read(text).title == title


def test_plain_front_matter_moves_into_the_metadata() -> None:
    page = read(
        "---\ntitle: 'A: b'\ndate: 2024-03-05\nlang: de\ndescription: What it is\nempty-ok: x\n---\n\n# Heading\n"
    )
    assert page.content == "# Heading\n"
    assert (page.title, page.published_time, page.language, page.description) == (
        "A: b",
        "2024-03-05",
        "de",
        "What it is",
    )
    assert page.metadata["front_matter"]["empty-ok"] == "x"


@pytest.mark.parametrize(
    "text",
    [
        "---\ntags: [a, b]\n---\ntext",
        "---\ntags:\n  - a\n---\ntext",
        "---\nnote: |\n---\ntext",
        "---\nunclosed: x\ntext",
        "---\ntitle: only\n---\n",
        "a: b\n---\ntext",
    ],
)
def test_any_other_front_matter_stays(text: str) -> None:
    assert read(text).content == text


def test_links_and_images() -> None:
    page = read(
        "[a](b.md) ![i](http://h/i.png 'title') [wiki](https://w/Foo_(bar)) <https://auto.example/x>"
        " [no](#x) [mail](mailto:x)",
        base_url="https://h/d/",
    )
    assert page.links == (
        ("a", "https://h/d/b.md"),
        ("wiki", "https://w/Foo_(bar)"),
        ("https://auto.example/x", "https://auto.example/x"),
    )
    assert page.images == (("i", "http://h/i.png"),)


@pytest.mark.parametrize(
    "bomb", ["[" * 200_000, "[](x" * 50_000, "[a](" * 50_000, "<http://" * 50_000, "```\n" * 50_001]
)
def test_no_text_takes_long(bomb: str) -> None:
    begin = time.process_time()
    read(bomb)
    assert time.process_time() - begin < 4


def test_headings_that_end_in_signs() -> None:
    begin = time.process_time()
    assert read("# a" + " #" * 24_000 + "x").title.endswith("# #x")
    assert time.process_time() - begin < 2
    assert read("# C# and F# ##").title == "C# and F"
    assert read("## Rain ##\n").title == "Rain"


def test_charset_of_the_header_and_byte_order_marks() -> None:
    assert read("é".encode("cp1252"), content_type="text/plain; charset=latin1").content == "é"
    assert read("# é".encode("utf-16")).title == "é"


def test_blank_text() -> None:
    with pytest.raises(ExtractionError, match="no text"):
        read("\ufeff \x00 \n")


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"),
        min_size=1,
    )
)
def test_any_printable_text_is_its_own_content(text: str) -> None:
    if text.strip():
        assert read(text).content == text
