from __future__ import annotations

import contextlib
import time

import pytest
from reader_samples import ARTICLE, PAGE

from jina_components.errors import ExtractionError
from jina_components.reader.html import read_html
from jina_components.reader.sources import Source
from jina_components.types import Page


def read(html: str | bytes, base_url: str = "", content_type: str = "") -> Page:
    data = html.encode() if isinstance(html, str) else html
    return read_html(Source(base_url, data, base_url, content_type))


def article(*blocks: str, head: str = "") -> str:
    return f"<!doctype html><head>{head}</head><body><article>{''.join(blocks)}<p>{ARTICLE}</p></article>"


def test_a_page() -> None:
    page = read(PAGE, "https://h.example/x/y.html")
    assert page.url == "https://h.example/x/y.html"
    assert page.title == "The Ledgers"
    assert page.description == "Forty years of weather."
    assert page.published_time == "2024-03-05T08:00:00+01:00"
    assert page.language == "en-GB"
    assert page.metadata == {"author": "Ada Marsh", "site_name": "Coast Daily", "encoding": "utf-8"}
    assert page.links == (("the archive", "https://h.example/news/more.html"),)
    assert page.images == (("ledger", "https://h.example/i/a.png"),) or page.images == ()
    assert page.warnings == ()
    assert page.page_offsets == ()


def test_the_main_content_as_markdown() -> None:
    content = read(PAGE).content
    assert f"{ARTICLE} See the archive." in content
    assert "## What was found" in content
    assert "- rain on 61% of days\n- fog on the rest" in content
    assert "| year | storms |\n| --- | --- |\n| 1901 | 7 \\| 8 |" in content
    assert "```\ndef storm(year):\n    return ledger[year]\n```" in content
    assert "> It blew all night." in content
    assert "Home" not in content
    assert "All rights reserved" not in content


def test_words_stay_as_they_are() -> None:
    words = (
        "It cost 5*3*2 under_score [sic] &amp;lt; <b>bold</b><i>italic</i> e\u0301 “quoted” <q>said</q>"
        " at <time>noon</time>."
    )
    content = read(article(f"<p>{ARTICLE}</p>", f"<p>{words}</p>")).content
    assert "It cost 5*3*2 under_score [sic] &lt; bolditalic e\u0301 “quoted” “said” at noon." in content


def test_soft_hyphens_leave() -> None:
    assert "automatic" in read(article("<p>An auto&shy;matic gauge was placed on the roof of the station.</p>")).content


def test_a_repeated_title_stands_once() -> None:
    heading = "<h1>The Ledgers of the Coast</h1>"
    content = read(article(heading, f"<p>{ARTICLE}</p>", heading, f"<p>{ARTICLE[:100]}</p>")).content
    assert content.count("# The Ledgers of the Coast") == 1


def test_lines_end_without_blanks_and_paragraphs_stand_one_line_apart() -> None:
    content = read(
        article("<p>one  <br>  two &nbsp; </p>\r\n\r\n\r\n", "<h2> x </h2>", f"<p>{ARTICLE}\x00\x07</p>")
    ).content
    assert not any(line != line.rstrip() for line in content.split("\n"))
    assert "\n\n\n" not in content
    assert "\r" not in content
    assert "\x00" not in content


def test_where_no_main_content_is_found_all_visible_text_is_given_and_said() -> None:
    page = read("<body><aside>Only<br>an <i>aside</i><p>here</p></aside><script>x()</script>")
    assert page.content == "Only\nan aside\n\nhere"
    assert "all visible text" in page.warnings[0]


@pytest.mark.parametrize("html", ["<html></html>", "<body><script>x()</script></body>", "<!-- only -->", "<img src=x>"])
def test_a_page_without_text(html: str) -> None:
    with pytest.raises(ExtractionError, match="HTML"):
        read(html)


def test_title_falls_back_to_heading_then_file_name() -> None:
    assert read(article("<h2>A heading</h2>", f"<p>{ARTICLE}</p>")).title == "A heading"
    assert read(article(), "https://h/some%20page.html").title == "some page.html"
    assert read(article()).title == ""


JAPANESE = "日本語の文章です。東京は日本の首都であり、世界有数の大都市である。"


@pytest.mark.parametrize(
    ("codec", "head", "content_type", "warned"),
    [
        ("shift_jis", '<meta charset="Shift_JIS">', "", False),
        ("shift_jis", '<meta http-equiv="Content-Type" content="text/html; charset=shift_jis">', "", False),
        ("shift_jis", '<meta charset="utf-8">', "text/html; charset=shift_jis", False),
        ("euc_jp", '<meta charset="euc-jp">', "text/html; charset=utf-8", True),
        ("utf-16", "", "", False),
        ("utf-8", '<meta charset="utf-16">', "", False),
        ("utf-8", "", "", False),
        ("euc_jp", "", "", True),
        ("utf-8", '<meta charset="iso-8859-1">', "text/html; charset=latin1", True),
    ],
)
def test_charsets(codec: str, head: str, content_type: str, warned: bool) -> None:
    page = read(article(f"<p>{JAPANESE}</p>" * 3, head=head).encode(codec), content_type=content_type)
    assert JAPANESE in page.content
    assert bool(page.warnings) == warned


def test_cp1252_labelled_utf8() -> None:
    page = read(article(f"<p>{ARTICLE} “Naïve café”</p>").encode("cp1252"), content_type="text/html; charset=utf-8")
    assert "“Naïve café”" in page.content
    assert "'utf-8' does not fit" in page.warnings[0]


def test_entities_of_the_document_are_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        f"<html><body><article><p>{ARTICLE}</p><p>{ARTICLE} &b; &f;</p></article></body></html>"
    )
    content = read(bomb).content
    assert "aaaaaaaaaa" not in content.partition("lighthouse")[2]
    assert "root:" not in content


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "q", "pre", "blockquote"])
@pytest.mark.parametrize("depth", [300, 1500, 100_000])
def test_a_bomb_of_nested_elements_gives_text_or_an_error(tag: str, depth: int) -> None:
    begin = time.perf_counter()
    page = read(f"<body><p>Before the bomb.</p>{f'<{tag}>' * depth}inside</body>")
    assert "Before the bomb." in page.content
    assert page.warnings
    assert ("inside" in page.content) or any("not read" in warning for warning in page.warnings)
    assert time.perf_counter() - begin < 5


def test_a_bomb_with_all_text_inside_is_an_error_that_names_the_cause() -> None:
    with pytest.raises(ExtractionError, match="nested too deep"):
        read("<div>" * 100_000 + "text")


@pytest.mark.parametrize("attribute", [" a{}=1", " a{}", " a{}='>'", ' a{}=">"', "/a{}"])
def test_a_tag_of_very_many_attributes_is_refused_at_once(attribute: str) -> None:
    begin = time.perf_counter()
    attributes = "".join(map(attribute.format, range(80_000)))
    with pytest.raises(ExtractionError, match="more than 1,000 attributes"):
        read(f"<!-- <p --><p>Before.</p><p{attributes}>inside</p>")
    assert time.perf_counter() - begin < 5


def test_long_attributes_and_scripts_are_not_many_attributes() -> None:
    image = f"<img src='data:image/png;base64,{'ab/ =' * 50_000}'><img src=data:image/png;base64,{'ab/=' * 50_000}>"
    script = f"<script>for (i=0; i<n; i++) {{ {'a b = c; ' * 5000} }}</script>"
    page = read(article(image, script, f"<p>{ARTICLE}</p>", f"<p>{ARTICLE}</p>"))
    assert ARTICLE in page.content


@pytest.mark.parametrize("piece", ["<a ", "<a b='", '<a b="', "<!--", "<script>", "<a b=\"'", "<"])
def test_looking_for_many_attributes_takes_linear_time(piece: str) -> None:
    begin = time.perf_counter()
    with contextlib.suppress(ExtractionError):
        read(piece * 100_000)
    assert time.perf_counter() - begin < 5
