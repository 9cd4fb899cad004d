from __future__ import annotations

import contextlib
import time

import pytest
from reader_samples import ARTICLE, PAGE

from jina_components.errors import ExtractionError
from jina_components.read_options import PLAIN, MarkdownStyle, ReadOptions
from jina_components.reader.html import open_html
from jina_components.reader.parsing import parse_source
from jina_components.reader.sources import Source
from jina_components.types import Page


def read(html: str | bytes, base_url: str = "", content_type: str = "", **options: object) -> Page:
    how = ReadOptions(**options)  # type: ignore[arg-type]
    data = html.encode() if isinstance(html, str) else html
    source = Source(base_url, data, base_url, content_type)
    return open_html(source, parse_source(source), how).written(how)


def article(*blocks: str, head: str = "") -> str:
    return f"<!doctype html><head>{head}</head><body><article>{''.join(blocks)}<p>{ARTICLE}</p></article>"


def test_a_page() -> None:
    page = read(PAGE, "https://h.example/x/y.html")
    assert page.url == "https://h.example/x/y.html"
    assert page.title == "The Ledgers"
    assert page.description == "Forty years of weather."
    assert page.published_time == "2024-03-05T08:00:00+01:00"
    assert page.language == "en-GB"
    facts = {"author": "Ada Marsh", "site_name": "Coast Daily", "encoding": "utf-8"}
    assert {name: fact for name, fact in page.metadata.items() if name != "meta"} == facts
    assert page.metadata["meta"]["og:site_name"] == "Coast Daily"
    assert page.links == (("the archive", "https://h.example/news/more.html"),)
    assert page.images == (("ledger", "https://h.example/i/a.png"),)
    assert page.warnings == ()
    assert page.page_offsets == ()


def test_the_main_content_as_markdown() -> None:
    content = read(PAGE, "https://h.example/x/y.html").content
    assert f"{ARTICLE} See [the archive](https://h.example/news/more.html)." in content
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
    content = read(article(f"<p>{ARTICLE}</p>", f"<p>{words}</p>"), style=PLAIN).content
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
    assert not any(line != line.rstrip() for line in content.replace("one  \n", "").split("\n"))  # a line break is two
    assert "\n\n\n" not in content
    assert "\r" not in content
    assert "\x00" not in content


@pytest.mark.parametrize("html", ["<html></html>", "<body><script>x()</script></body>", "<!-- only -->"])
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
    begin = time.process_time()
    page = read(f"<body><p>Before the bomb.</p>{f'<{tag}>' * depth}inside</body>")
    assert "Before the bomb." in page.content
    assert ("inside" in page.content) or any("not read" in warning for warning in page.warnings)
    assert time.process_time() - begin < 5


def test_a_bomb_with_all_text_inside_is_an_error_that_names_the_cause() -> None:
    with pytest.raises(ExtractionError, match="nested too deep"):
        read("<div>" * 100_000 + "text")


@pytest.mark.parametrize("attribute", [" a{}=1", " a{}", " a{}='>'", ' a{}=">"', "/a{}"])
def test_a_tag_of_very_many_attributes_is_refused_at_once(attribute: str) -> None:
    begin = time.process_time()
    attributes = "".join(map(attribute.format, range(80_000)))
    with pytest.raises(ExtractionError, match="more than 1,000 attributes"):
        read(f"<!-- <p --><p>Before.</p><p{attributes}>inside</p>")
    assert time.process_time() - begin < 5


def test_long_attributes_and_scripts_are_not_many_attributes() -> None:
    image = f"<img src='data:image/png;base64,{'ab/ =' * 50_000}'><img src=data:image/png;base64,{'ab/=' * 50_000}>"
    script = f"<script>for (i=0; i<n; i++) {{ {'a b = c; ' * 5000} }}</script>"
    page = read(article(image, script, f"<p>{ARTICLE}</p>", f"<p>{ARTICLE}</p>"))
    assert ARTICLE in page.content


@pytest.mark.parametrize("piece", ["<a ", "<a b='", '<a b="', "<!--", "<script>", "<a b=\"'", "<"])
def test_looking_for_many_attributes_takes_linear_time(piece: str) -> None:
    begin = time.process_time()
    with contextlib.suppress(ExtractionError):
        read(piece * 100_000)
    assert time.process_time() - begin < 5


PARTS = f"""<!doctype html><title>T</title><base href="https://h.example/a/">
<nav><a href="/">Home</a></nav><aside class="promo">Buy it</aside>
<main><h1>Rain</h1><p class="lead">{ARTICLE}</p><p>{ARTICLE} <a href="b">b</a></p></main><footer>Imprint</footer>"""


def test_target_selectors_keep_what_they_match_in_its_order() -> None:
    page = read(PARTS, target_selector="footer, h1")
    assert page.content == "# Rain\n\nImprint"
    nested = read(PARTS, target_selector="main, .lead")
    assert nested.content.count("lighthouse") == 2


def test_a_target_selector_that_matches_nothing_is_an_error_that_names_it() -> None:
    with pytest.raises(ExtractionError, match=r"nothing matches target_selector '\.absent'"):
        read(PARTS, "https://h.example/", target_selector=".absent")


def test_remove_selectors_drop_what_they_match() -> None:
    content = read(PARTS, remove_selector=".lead, main a", format="markdown").content
    assert content.count("lighthouse") == 1
    assert "](https://h.example/a/b)" not in content
    assert "Buy it" in content


def test_the_whole_page_as_markdown() -> None:
    content = read(PARTS, format="markdown").content
    assert "[Home](https://h.example/)" in content
    assert "Imprint" in content
    assert "Imprint" not in read(PARTS).content


def test_the_document_as_html() -> None:
    page = read(PARTS, format="html")
    assert page.content.startswith("<html>")
    assert '<base href="https://h.example/a/">' in page.content
    assert page.links[-1] == ("b", "https://h.example/a/b")
    assert read(PARTS, format="html", target_selector="footer").content == "<div><footer>Imprint</footer></div>"
    assert "Imprint" not in read(PARTS, format="html", remove_selector="footer").content


def test_what_is_visible_as_text() -> None:
    content = read(PARTS, format="text").content
    assert "Home" in content
    assert "Rain\n" in content
    assert "#" not in content
    assert "](" not in content


def test_styles_reach_the_markdown() -> None:
    content = read(PARTS, target_selector="h1", style=MarkdownStyle(heading="setext")).content
    assert content == "Rain\n===="


def test_overlays_leave_when_asked() -> None:
    wall = f"<div id='onetrust-banner-sdk' role='dialog'><p>We value your privacy and our cookies.</p></div>{PARTS}"
    assert "cookies" in read(wall, format="markdown").content
    assert "cookies" not in read(wall, format="markdown", remove_overlays=True).content


def test_a_page_that_is_a_wall_says_so() -> None:
    page = read("<title>Just a moment...</title><p>Checking your browser.</p><script>window._cf_chl_opt = {}</script>")
    assert "Cloudflare" in page.warnings[0]
