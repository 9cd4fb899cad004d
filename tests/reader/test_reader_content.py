"""The main content of pages, by behaviour: what stays, what goes, and that any page is read in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from jina_components.reader.content import main_content, whole_page

PROSE = (
    "<p>Rivers carry sand and silt, and where they meet the sea, they leave both behind, year after year, until land "
    "rises where there was none before, and people come to live on it.</p>"
)
ARTICLE = PROSE * 4


def tree_of(body: str) -> html.HtmlElement:
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, collect_ids=False)
    return html.document_fromstring(f"<html><head><title>t</title></head><body>{body}</body></html>".encode(), parser)


def content_of(body: str, *, title: str = "") -> html.HtmlElement:
    found = main_content(tree_of(body), title=title)
    assert found is not None
    return found


def text_of(body: str, *, title: str = "") -> str:
    return " ".join(content_of(body, title=title).text_content().split())


@pytest.mark.parametrize(
    "beside",
    [
        "<nav><a href='/'>Elsewhere</a></nav>",
        "<aside>Elsewhere</aside>",
        "<footer>Elsewhere</footer>",
        "<div class='sidebar'><p>Elsewhere, and much more of it, in a whole sentence.</p></div>",
        "<div id='comments'><p>Elsewhere, says somebody who has read all of this.</p></div>",
        "<p class='byline'>By Elsewhere</p>",
        "<div class='relatedPosts'><h3>Elsewhere</h3><ul><li><a href='/a'>Another text</a></li></ul></div>",
        "<div class='newsletter-signup'><p>Elsewhere is where our letters go to.</p></div>",
        "<div class='photo-gallery'><p>Elsewhere, the first picture.</p><p>And the second.</p></div>",
        "<div class='author-bio'><p>Elsewhere is the home of the author.</p></div>",
        "<p><a class='print-button' href='/print'>Elsewhere</a></p>",
        "<p>Read more: <a href='/other'>Elsewhere in the news</a></p>",
        "<p>Lesen Sie auch: <a href='/other'>Elsewhere</a></p>",
        "<p>Photo: Elsewhere Agency</p>",
        "<h3>Related articles</h3><ul><li><a href='/a'>Elsewhere</a></li></ul>",
        "<div><h2>Das könnte Sie auch interessieren</h2></div><ul><li><a href='/a'>Elsewhere</a></li></ul>",
        "<div style='display: none'>Elsewhere</div>",
        "<p hidden>Elsewhere</p>",
        "<div role='dialog' aria-modal='true'>Elsewhere</div>",
        "<form><input name='q'><label>Elsewhere</label></form>",
    ],
)
def test_what_stands_beside_a_text_goes(beside: str) -> None:
    body = f"<div class='page'><article>{PROSE * 2}{beside}{PROSE * 2}</article></div>"

    text = text_of(body)

    assert "Elsewhere" not in text
    assert text.count("Rivers carry sand") == 4


@pytest.mark.parametrize(
    "kept",
    [
        "<pre><code class='language-python'>Kept = 1\n\n\nother = 2</code></pre>",
        "<div class='code-toolbar'><pre><code>Kept</code></pre></div>",
        "<table><tr><th>Sign</th><th>Sense</th></tr><tr><td>Kept</td><td>stays</td></tr></table>",
        "<figure class='fig has-shares'><img src='/a.png'><figcaption>Kept below its picture</figcaption></figure>",
        "<dl><dt>Kept</dt><dd>A word and its sense</dd></dl>",
        "<ul><li><span class='jc-task' data-checked='true'>☑</span> Kept</li><li>Another</li></ul>",
        "<p>So <span class='jc-math' data-display='inline'>Kept^2</span> grows.</p>",
        "<p>One<br>Kept</p>",
        "<p>A <a href='/kept'>Kept</a> link within a sentence of words.</p>",
        "<h2>Kept</h2><p>Some words under a heading of their own.</p>",
        "<div class='section' id='sharing-code'><h3>Sharing code</h3><p>Kept, for it is no button.</p></div>",
        "<blockquote class='embed'><p>Kept, said the king.</p></blockquote>",
        "<ol start='7'><li>Kept</li><li>Eighth</li></ol>",
        "<p>Read more books, said the Kept king, and you will be wiser than all of us.</p>",
        "<aside class='note'><p>Kept, for it is a hint within a manual.</p></aside>",
        "<div class='admonition alert alert--warning' role='alert'><p>Kept: mind the mud.</p></div>",
        "<table class='table-header'><tr><th>Sign</th></tr><tr><td>Kept</td></tr></table>",
        "<p>Source: Kept, the spring of the river.</p>",
        "<p>Text<sup><a href='#n1'>1</a></sup></p><ol><li id='n1'>Kept note</li></ol>",
    ],
)
def test_what_belongs_to_a_text_stays(kept: str) -> None:
    assert "Kept" in text_of(f"<article>{PROSE * 3}{kept}{PROSE * 3}</article>")


def test_lines_of_code_are_left_as_they_are() -> None:
    code = content_of(f"<article>{ARTICLE}<pre>a<br><br>b\n\n\n  c</pre>{ARTICLE}</article>").find(".//pre")

    assert code is not None
    assert len(code.findall("br")) == 2
    assert "b\n\n\n  c" in "".join(code.itertext())


def test_the_heading_that_repeats_the_title_is_left_out_but_no_other() -> None:
    body = f"<article><h1>Of Rivers and Deltas</h1>{ARTICLE}<h2>Of silt</h2>{ARTICLE}</article>"

    text = text_of(body, title="Of rivers and deltas | The Paper")

    assert "Of Rivers and Deltas" not in text
    assert "Of silt" in text


LEAD = (
    "Deltas grow and sink, and nobody knows which of the two will win in the end: a visit to those who measure it, "
    "day after day, in mud up to the knees."
)


def test_a_lead_in_a_header_of_its_own_comes_first() -> None:
    header = f"<header class='post-header'><h1>Deltas</h1><p>{LEAD}</p></header>"

    assert text_of(f"{header}<div class='entry-content'>{ARTICLE}</div>").startswith(LEAD)


def test_a_caption_between_heading_and_text_is_no_lead() -> None:
    header = f"<header class='post-header'><h1>Deltas</h1><div class='caption'><p>{LEAD}</p></div></header>"

    assert LEAD not in text_of(f"{header}<div class='entry-content'>{ARTICLE}</div>")


def test_lines_between_breaks_become_paragraphs() -> None:
    sentence = PROSE.removeprefix("<p>").removesuffix("</p>")

    content = content_of(f"<div>{'<br><br>'.join([sentence] * 6)}</div>")

    assert len(content.findall(".//p")) >= 5
    assert content.text_content().count("Rivers carry sand") == 6


def test_a_table_that_lays_out_the_page_is_none() -> None:
    content = content_of(f"<table><tr><td>{ARTICLE}</td></tr></table>")

    assert content.find(".//table") is None


def test_posts_of_the_same_kind_are_read_together() -> None:
    short = "<div class='message'><p>Yes, I have seen that very delta.</p></div>"
    body = f"<main><div class='message'>{ARTICLE}</div>{short * 3}</main>"

    assert text_of(body).count("very delta") == 3


def test_a_post_is_not_dropped_for_what_it_is_filed_under() -> None:
    posts = "".join(
        f"<article class='post-{number} type-post category-gallery tag-newsletter'>{PROSE * 2}</article>"
        for number in range(5)
    )

    assert text_of(f"<main>{posts}</main>").count("Rivers carry sand") == 10


def test_text_spread_over_sections_is_read_whole() -> None:
    sections = "".join(
        f"<section><div class='grid{number}'><div class='cell{number}'>{PROSE}</div></div></section>"
        for number in range(8)
    )

    assert text_of(f"<div class='wrap'>{sections}</div>").count("Rivers carry sand") == 8


CHROME = (
    "<header><nav><ul>" + "<li><a href='/s'>Elsewhere on this site</a></li>" * 12 + "</ul></nav></header>",
    "<footer><p>Elsewhere: all rights are reserved, by the site, and by its owners, in every country.</p></footer>",
)


@pytest.mark.parametrize(
    "body",
    [
        "<div class='product'><h2>Red shoe</h2><p>Of leather.</p><ul><li>Kept</li><li>Sole of rubber</li></ul></div>",
        "<div><h2>Rivers</h2><ul>" + "<li><a href='/r'>Kept</a></li>" * 40 + "</ul></div>",
        "<div><table><tr><th>River</th><th>Length</th></tr>"
        + "<tr><td>Kept</td><td>9 km</td></tr>" * 40
        + "</table></div>",
        "<div><h2>1.2</h2><ul><li>Kept: a thing</li></ul><h2>1.1</h2><ul><li>Gone: a bug</li></ul></div>",
        f"<div style='visibility: hidden'><article>{ARTICLE * 3}<p>Kept until a script shows it.</p></article></div>",
    ],
)
def test_a_page_of_other_than_paragraphs_is_read_without_what_is_around_it(body: str) -> None:
    text = text_of(CHROME[0] + body + CHROME[1])

    assert "Kept" in text
    assert "Elsewhere" not in text


def test_a_menu_of_tabs_around_paragraphs_is_read() -> None:
    assert text_of(f"<div class='page'>{PROSE}<div class='tab-menu'>{ARTICLE}</div></div>").count("Rivers") == 5


def test_a_page_within_a_nav_left_open_is_read() -> None:
    assert text_of(f"<nav><a href='/'>Home</a>{ARTICLE}").count("Rivers carry sand") == 4


def test_a_short_page_is_kept() -> None:
    assert text_of("<div><p>Nothing but this.</p></div>") == "Nothing but this."


@pytest.mark.parametrize("body", ["", "<p> </p>", "<script>words()</script>", "<div hidden>words</div>"])
def test_a_page_without_text_has_no_content(body: str) -> None:
    assert main_content(tree_of(body)) is None


def test_the_whole_page_is_without_scripts_and_what_is_hidden() -> None:
    page = whole_page(
        tree_of("<nav>Menu</nav><script>x()</script><style>p {}</style><p hidden>no</p><p>Text</p><footer>End</footer>")
    )

    assert list(page.itertext()) == ["Menu", "Text", "End"]


def test_text_after_what_is_dropped_stays() -> None:
    page = whole_page(tree_of("<p>one<script>x()</script> two<span hidden>no</span> three</p>"))

    assert page.text_content() == "one two three"


def test_the_same_page_gives_the_same_content() -> None:
    body = f"<main><h1>A</h1><div class='x share'>{PROSE}</div><article>{ARTICLE}</article></main>" * 3

    first, second = (etree.tostring(content_of(body)) for _ in range(2))

    assert first == second


BIG = {
    "many elements": "<div><p>word, <a href='/'>link</a> <b>bold</b></p></div>" * 30_000,
    "deep": "<div class='share author'>" * 1900 + ARTICLE + "</div>" * 1900,
    "deep spans": "<div><span>" * 900 + "<a href='/'>words of a link</a>" * 2_000 + "</span></div>" * 900,
    "deep tables": "<table><tr><td>" * 500 + ARTICLE + "</td></tr></table>" * 500,
    "many breaks": "word<br><br>" * 30_000,
    "many dropped": "<script></script>x" * 50_000,
    "many headings": "<h2>Related articles</h2><p>word</p>" * 20_000,
    "many bylines": "<p class='author byline'>" + "word " * 30 + "</p>" * 10_000,
    "wrapped headings": "<div><h2>Related articles</h2></div>" * 20_000 + ARTICLE,
    "many captions": f"<div>{ARTICLE}{'<p class=caption>word</p>' * 20_000}</div>",
    "deep bylines": "<div class='byline'>" * 1900 + "<span></span>" * 30_000 + "</div>" * 1900 + ARTICLE,
    "deep buttons": ARTICLE + "<div class='share'>" * 1900 + "<span></span>" * 30_000 + "</div>" * 1900,
    "flat siblings": f"<div>{'<p>word, word and yet another word of it.</p>' * 30_000}</div>",
    "one long class": f"<div class='{'aA' * 200_000}'>{ARTICLE}</div>",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", BIG.values(), ids=BIG)
def test_hostile_pages_take_seconds(body: str) -> None:
    tree = tree_of(body)

    begin = time.process_time()
    main_content(tree)

    assert time.process_time() - begin < 15


TAGS = st.sampled_from(
    ["div", "p", "span", "a", "ul", "li", "table", "tr", "td", "br", "h1", "h2", "pre", "article", "b"]
)
NAMES = st.sampled_from(["", "share", "entry-content", "header", "sidebar", "gallery", "author", "caption", "main"])
NODES = st.recursive(
    st.sampled_from(["word", "a sentence, with commas, and an end.", " ", "Read more:"]),
    lambda inner: st.builds(
        lambda tag, name, children: f"<{tag} class='{name}'>{''.join(children)}</{tag}>",
        TAGS,
        NAMES,
        st.lists(inner, max_size=4),
    ),
    max_leaves=30,
)


@given(st.lists(NODES, max_size=5), st.booleans())
def test_content_is_words_of_the_page(nodes: list[str], long: bool) -> None:
    tree = tree_of("".join(nodes) + (ARTICLE if long else ""))
    available = "".join("".join(tree.itertext()).split())

    content = main_content(tree)

    if content is not None:
        assert all(word in available for word in " ".join(content.itertext()).split())
