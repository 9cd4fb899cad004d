from __future__ import annotations

import json
import lzma
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import HTMLParser, document_fromstring, fragment_fromstring

from jina_components.reader.metadata import Claims, claims_of, first_paragraph, iso_date
from jina_components.reader.metadata.dates import date_in_path, written_date

URL = "https://www.site.example/2024/rain.html"


def claims(head: str, body: str = "<p>x</p>", url: str = URL) -> Claims:
    html = f"<html><head>{head}</head><body>{body}</body></html>"
    return claims_of(document_fromstring(html, parser=HTMLParser(huge_tree=True)), url)


def linked(**node: object) -> str:
    return f'<script type="application/ld+json">{json.dumps({"@context": "https://schema.org", **node})}</script>'


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("<title>Long enough title - Site</title>", "<h1>Long enough title</h1>", "Long enough title"),
        ("<title>T | Site</title><meta property='og:title' content='Given'>", "<h1>T</h1>", "Given"),
        ("<title>\n A \n B</title>", "", "A B"),
        ("", "<h1></h1><h1>Only <b>headline</b></h1>", "Only headline"),
        ("", "<p>x</p>", ""),
        ("<title>Rain in the hills goes on | News | The Site</title>", "", "Rain in the hills goes on | News"),
        ("<title>Rain | The Site</title>", "", "Rain | The Site"),
        ("<title>Rain | Site</title>", "", "Rain"),  # the host's name
        ("<title>Site: Rain</title>", "", "Rain"),
        ("<title>Rain: a guide</title>", "", "Rain: a guide"),
        ("<title>Well-known low-lying hills</title>", "", "Well-known low-lying hills"),
        ("<title>Wet - Dry</title><meta property=og:site_name content=Dry>", "", "Wet"),
        (
            "<meta property=og:title content='Rain - The Daily'><meta property=og:site_name content='The Daily'>",
            "",
            "Rain",
        ),
        (
            "<meta property=og:title content=D><meta property=og:site_name content=D><title>Rain - D</title>",
            "",
            "Rain",
        ),
        (
            "<meta property=og:title content='Rain in the hills « Blog » Me'>",
            "<h1>Rain in the hills</h1>",
            "Rain in the hills",
        ),
        ("<meta name=DC.title content='Rain &amp;amp; wind'>", "", "Rain & wind"),
        ("<title>Wind in the hills - Daily Wind</title>", "<h1>Daily Wind</h1>", "Wind in the hills - Daily Wind"),
        (linked(**{"@type": "NewsArticle", "headline": "Rain"}), "", "Rain"),
        (linked(**{"@type": "WebPage", "headline": "Other"}) + "<title>Rain</title>", "", "Rain"),
        (
            linked(**{"@type": "Article", "name": "Rain", "headline": "water from clouds"})
            + "<title>Rain - Pedia</title>",
            "",
            "Rain",
        ),
        (linked(**{"@type": ["https://schema.org/BlogPosting"], "headline": "Rain"}), "", "Rain"),
        ("<meta name=twitter:title content=Rain>", "<h1>Wind</h1>", "Rain"),
    ],
)
def test_title(head: str, body: str, expected: str) -> None:
    assert claims(head, body).title == expected


@pytest.mark.parametrize(
    "head",
    [
        "<meta property='article:published_time' content='2024-03-05T08:00:00Z'>",
        "<meta name='DC.date' content='soon'><meta itemprop='datePublished' content='2024-03-05T08:00:00Z'>",
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2024-03-05T08:00:00Z"}]}</script>',
        "<script type='application/ld+json'>{'broken'</script><meta name=date content=2024-03-05T08:00:00Z>",
        linked(**{"@type": "Comment", "datePublished": "1999-01-01"})
        + linked(**{"@type": "WebPage", "datePublished": "2024-03-05T08:00:00Z"}),
    ],
)
def test_published_time(head: str) -> None:
    assert claims(head).published_time == "2024-03-05T08:00:00+00:00"


def test_published_time_of_a_time_element() -> None:
    assert claims("", "<time pubdate datetime=2024-03-05>yesterday</time>").published_time == "2024-03-05"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024/03/05", "2024-03-05"),
        ("20240305T0800", "2024-03-05T08:00:00"),
        ("Tue, 05 Mar 2024 08:00:00 +0100", "2024-03-05T08:00:00+01:00"),
        ("soon", ""),
        ("", ""),
        ("99999999999", ""),
        ("0001-01-01T00:00:00", ""),
        ("1970-01-01T00:00:00Z", ""),
        ("1871-03-27", "1871-03-27"),
    ],
)
def test_iso_date(text: str, expected: str) -> None:
    assert iso_date(text) == expected


def test_authors_and_site() -> None:
    found = claims(
        "<meta name=author content='https://h/people/1'><meta property='og:site_name' content='Site'>"
        '<script type="application/ld+json">[{"author": [{"name": "A"}, {"name": "B"}, 3]}]</script>'
    )
    assert (found.author, found.site) == ("A, B", "Site")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<html lang='de-AT'><p>x", "de-AT"),
        ("<html lang='{{lang}}'><head><meta property='og:locale' content='pt_BR'></head><p>x", "pt-BR"),
        ("<p>x", ""),
    ],
)
def test_language(html: str, expected: str) -> None:
    assert claims_of(document_fromstring(html)).language == expected


def test_a_bomb_of_nested_linked_data_is_passed_over() -> None:
    bomb = "<script type='application/ld+json'>" + "[" * 100_000 + "</script><title>T</title>"
    assert claims(bomb).title == "T"


@pytest.mark.parametrize(
    ("body", "url", "expected"),
    [
        ("<span itemprop=datePublished content=2024-03-05>March</span>", URL, "2024-03-05"),
        (
            "<article><time datetime='2024-03-05T08:00'>x</time></article><time datetime=1999-01-01>",
            URL,
            "2024-03-05T08:00:00",
        ),
        ("<p class=post-date>Posted on March 5th, 2024 by A</p>", URL, "2024-03-05"),
        ("<p class=byline>Von A · 5. März 2024</p>", URL, "2024-03-05"),
        ("<span class='bday published'>1871-03-27</span>", URL, ""),
        ("<p>It was on March 5, 2024.</p>", URL, ""),
        ("<div><div><h1>Rain</h1></div><span class=date>05.03.2024</span></div><p>x</p>", URL, "2024-03-05"),
        ("<h1>Rain</h1><ul><li><a>Wind</a><span class=date>05.03.2024</span></ul>", URL, ""),
        ("<div><h1>Rain</h1><p>Press release of 5 March 2024</p></div><p>x</p>", URL, "2024-03-05"),
        ("<div><h1>Rain</h1><p>On 5 March 2024 it rained. " + "x " * 200 + "</p></div>", URL, ""),
        ("", "https://h/2024/03/05/rain", "2024-03-05"),
        ("", "https://h/news/2024/mar/05/rain", "2024-03-05"),
        ("", "https://h/2024/13/45/rain", ""),
        ("", "", ""),
    ],
)
def test_published_time_of_marks_and_of_the_url(body: str, url: str, expected: str) -> None:
    assert claims("", body, url).published_time == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("March 5, 2024", "2024-03-05"),
        ("Updated 5 Mar 2024, 10:30 AM", "2024-03-05"),
        ("5 de marzo de 2024", "2024-03-05"),
        ("le 5 mars 2024 à 10h", "2024-03-05"),
        ("05.03.2024", "2024-03-05"),
        ("2024/3/5", "2024-03-05"),
        ("2024年3月5日", "2024-03-05"),
        ("03/05/2024", ""),  # of May or of March
        ("Smarch 5, 2024", ""),
        ("February 30, 2024", ""),
        ("", ""),
    ],
)
def test_written_date(text: str, expected: str) -> None:
    assert written_date(text) == expected


@given(st.text())
def test_dates_are_dates_or_nothing(text: str) -> None:
    for found in (iso_date(text), written_date(text), date_in_path(text)):
        assert not found or iso_date(found) == found


def test_modified_time_image_and_canonical_url() -> None:
    found = claims(
        "<link rel=canonical href=/rain><meta property='article:modified_time' content='2024-03-06T01:00:00+01:00'>"
        "<meta property='og:image' content='rain.png'>"
    )
    assert (found.modified_time, found.image, found.canonical) == (
        "2024-03-06T01:00:00+01:00", "https://www.site.example/2024/rain.png", "https://www.site.example/rain",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (linked(**{"@type": "Article", "image": ["/a.png", "/b.png"]}), "https://www.site.example/a.png"),
        (
            linked(**{"@type": "Article", "image": {"@type": "ImageObject", "url": "/a.png"}}),
            "https://www.site.example/a.png",
        ),
        ("<link rel=image_src href=/a.png>", "https://www.site.example/a.png"),
        ("<meta property='og:image' content='data:image/png;base64,x'>", ""),
    ],
)
def test_image(head: str, expected: str) -> None:
    assert claims(head).image == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<meta name=author content='By Ann Lee'>", "Ann Lee"),
        (
            "<meta name=citation_author content='Lee, A.'><meta name=citation_author content='Ray, B.'>",
            "Lee, A., Ray, B.",
        ),
        (linked(**{"@type": "Article", "author": {"@type": "Person", "name": "Ann Lee"}}), "Ann Lee"),
        (linked(**{"@type": "Review", "author": {"name": "Ann Lee"}, "publisher": {"name": "Site"}}), "Ann Lee"),
        (linked(**{"@type": "Comment", "author": {"name": "A Troll"}}), ""),
        (
            linked(
                **{
                    "@graph": [
                        {"@type": "Article", "author": [{"@id": "#1"}, {"@id": "#2"}]},
                        {"@type": "Person", "@id": "#1", "name": "Ann Lee"},
                    ]
                }
            ),
            "Ann Lee",
        ),
        ("<meta name=twitter:label1 content='Verfasst von'><meta name=twitter:data1 content='Ann Lee'>", "Ann Lee"),
        ("<article><footer class=entry-footer><a rel=author>Ann Lee</a></footer></article>", "Ann Lee"),
        ("<div class='page has-sidebar elementor-widget comments-open'><i class=author>Ann Lee</i></div>", "Ann Lee"),
        ("<i rel=author>x@y</i> <i rel=author>Ann Lee</i>", "Ann Lee"),
        ("<a rel=author href=/x>Ann Lee</a>", "Ann Lee"),
        ("<p itemprop=author itemscope><b itemprop=name>Ann Lee</b>, reporter</p>", "Ann Lee"),
        ("<p class=byline>Von Ann Lee, 5. März 2024</p>", "Ann Lee"),
        ("<p class=byline><a href=/author/lee>Ann Lee</a><span>22 Dec 2016</span></p>", "Ann Lee"),
        ("<p class='article-author'>Ann Lee on March 5, 2024</p>", "Ann Lee"),
        ("<div class=comments><b class=author>A Troll</b></div>", ""),
        ("<footer><a rel=author>The Site</a></footer>", ""),
        (
            "<aside><i class=author>Another</i></aside><article><aside><i class=author>Ann Lee</i></aside></article>",
            "Ann Lee",
        ),
        ("<p class=author-box>Follow the author</p>", ""),
        ("<div class=author-page>" + "<p>Long text about it.</p>" * 50 + "</div>", ""),
        ("<p class=byline>ann@site.example</p><p class=byline>https://x</p><p class=byline>2024</p>", ""),
    ],
)
def test_author(html: str, expected: str) -> None:
    assert claims("", html).author == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<meta name=description content=b><meta property=og:description content=a>", "a"),
        (linked(**{"@type": "Article", "description": "a &amp; b"}), "a & b"),
        (linked(**{"@type": "WebSite", "description": "of the site"}), ""),
        ("<meta name=description content=' a \n b '>", "a b"),
    ],
)
def test_description(head: str, expected: str) -> None:
    assert claims(head).description == expected


def test_first_paragraph() -> None:
    assert (
        first_paragraph(fragment_fromstring("<div><p> </p><p>It <b>rains</b>\n today.</p><p>x</p></div>"))
        == "It rains today."
    )
    assert first_paragraph(fragment_fromstring("<div>x</div>")) == ""


def test_the_map_of_meta_tags() -> None:
    found = claims("<meta charset=utf-8><meta name=Robots content=noindex><meta property='og:type' content=article>"
                   "<meta name=robots content=all><meta http-equiv=Refresh content=5><meta name=empty>")  # fmt: skip
    assert found.meta == {"robots": "noindex", "og:type": "article", "refresh": "5"}


def test_external_resources() -> None:
    found = claims(
        "<link rel=canonical href=/rain><link rel='alternate' hreflang=de href=/de/regen>"
        "<link rel=alternate type='application/rss+xml' title=News href=/feed>"
        "<link rel='shortcut icon' href=/i.ico sizes=16x16><link rel=license href=https://l.example/by>"
        "<link rel=amphtml href=/amp>"
        "<link rel='alternate stylesheet' href=/a.css><link rel=preload href=/b.js><link rel=stylesheet href=/c.css>"
        "<link rel=alternate href='android-app://x/y'><link href=/nothing>"
    ).external
    site = "https://www.site.example"
    assert found == {
        "canonical": {f"{site}/rain": {}},
        "alternate": {
            f"{site}/de/regen": {"hreflang": "de"},
            f"{site}/feed": {"type": "application/rss+xml", "title": "News"},
        },
        "icon": {f"{site}/i.ico": {"sizes": "16x16"}},
        "license": {"https://l.example/by": {}},
        "amphtml": {f"{site}/amp": {}},
    }


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Article", "headline": "Rain"} -->',
        '//<![CDATA[\n{"@type": "Article", "headline": "Rain"}\n//]]>',
        '{"@type": "Article", "headline": "Rain",}',
        '{"@type": "Article", "headline": "Rain"};',
        '{"@type": "Article", "headline": "Rain"}{"@type": "Article", "headline": "Wind"}',
        "{&quot;@type&quot;: &quot;Article&quot;, &quot;headline&quot;: &quot;Rain&quot;}",
        '{"@graph": [[{"@type": "WebPage"}], {"mainEntity": {"@type": "Article", "headline": "Ra\tin"}}]}',
    ],
)
def test_linked_data_is_read_leniently(script: str) -> None:
    assert (
        claims(f'<script type="application/ld+json; charset=utf-8">{script}</script>').title.replace(" ", "") == "Rain"
    )


@pytest.mark.parametrize(
    "node",
    [{"headline": 5}, {"headline": None, "author": 7}, {"author": [[["x"]]]}, {"@type": 3}, {"image": {"url": [1]}},
     {"publisher": [], "datePublished": {"@value": 1}}, {"author": {"name": {"name": {}}}}],
)  # fmt: skip
def test_linked_data_of_odd_types_is_passed_over(node: dict[str, object]) -> None:
    assert claims(linked(**{"@type": "Article", **node}) + "<title>T</title>").title == "T"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("<meta name=author content=x>" * 50_000, ""),
        ("<meta name='" + "dc." * 100_000 + "' content=x>", ""),
        ("<link rel=icon href=/x>" * 50_000, ""),
        ("<title>" + " - " * 200_000 + "</title>", "<h1>" + "a" * 500_000 + "</h1>"),
        (f'<script type="application/ld+json">{"[{" * 100_000}</script>' * 3, ""),
        (f'<script type="application/ld+json">{json.dumps([{"a": {}}] * 100_000)}</script>' * 3, ""),
        (f'<script type="application/ld+json">[{"," * 900_000}</script>', ""),
        ('<script type="application/ld+json">{}</script>' * 50_000, ""),
        ("", "<div class=author>" * 1_500 + "<b>x</b>" * 50_000),
        ("", "<div class=byline>" * 1_500 + "x " * 200_000),
        ("", "<p class=byline>" + "by on " * 50 + "</p>" * 20_000),
        ("", "<time datetime='" + "2024 " * 100_000 + "'>" + "1" * 100_000 + "</time>"),
        ("", "<h1>" + "<b>x</b>" * 100_000 + "</h1>" + "<h1>x</h1>" * 20_000),
    ],
)
def test_hostile_pages_take_no_long_time(head: str, body: str) -> None:
    html = f"<html><head>{head}</head><body>{body}</body></html>"
    tree = document_fromstring(html, parser=HTMLParser(huge_tree=True))
    begun = time.process_time()
    claims_of(tree, URL)
    assert time.process_time() - begun < 3


@pytest.mark.slow
def test_claims_are_those_that_readability_finds() -> None:
    """Where both claim something; what differs are site names we leave out, bylines of others, and the like."""
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader/readability_pages/pages.jsonl.xz")
    if not path.exists():
        pytest.skip("JINA_COMPONENTS_DATA has no reader/readability_pages")
    agreed = {"title": 0, "siteName": 0, "lang": 0, "publishedTime": 0}
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for page in map(json.loads, lines):
            expected = page["metadata"]
            found = claims_of(document_fromstring(page["html"].encode(), parser=HTMLParser(encoding="utf-8")), URL)
            given = {"title": found.title, "siteName": found.site, "lang": found.language}
            agreed["publishedTime"] += bool(expected.get("publishedTime")) and found.published_time != ""
            for name, value in given.items():
                agreed[name] += bool(expected.get(name)) and " ".join(expected[name].split()) == value
    assert agreed["title"] >= 110
    assert agreed["siteName"] >= 62
    assert agreed["lang"] >= 73
    assert agreed["publishedTime"] == 33
