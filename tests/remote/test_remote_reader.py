"""RemoteReader reads what a Reader reads: on our own server, and by what Jina's answers."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import http, loopback_fetcher
from starlette.datastructures import Headers

from jina_components import QUOTABLE, Reader, ReadOptions
from jina_components.errors import (
    BlockedURLError,
    BudgetExceededError,
    ConfigError,
    HTTPStatusError,
    InputError,
    ReadError,
    WebError,
)
from jina_components.protocols import SupportsRead
from jina_components.read_options import MarkdownStyle, Viewport
from jina_components.remote import Remote, RemoteReader
from jina_components.remote.reading import read_body
from jina_components.remote.unmarked import unmarked
from jina_components.service.wire.reading import read_request
from jina_components.types import Page, SourceFailure

RICH = b"""<html lang="en"><head><title>Snake_case</title><meta name="description" content="On names.">
<meta property="og:type" content="article"><link rel="canonical" href="/rich"></head><body><article>
<h1>Names of *things*</h1><p>A <b>bold</b> and <em>slanted</em> word, 2 * 3 * 4, snake_case and <code>a_b</code>.</p>
<p>See <a href="/tides">the tides</a> or <a href="/bread">bread</a>, <a href="/tides">again</a>.</p>
<ul><li>one</li><li>two</li></ul><h2>Pictures</h2><p><img src="/a.png" alt="A boat"> and
<img src="/b.png"> and <img src="/a.png" alt="A boat"></p><pre><code>x = a_b * **c**</code></pre>
<p>All names here have been chosen with care, and long enough to count as the text of an article.</p>
</article></body></html>"""


@pytest.fixture
def rich(service):
    service.site.routes["/rich"] = [http(body=RICH, content_type="text/html; charset=utf-8")]
    return service.site.url("/rich")


@pytest.fixture
def remote_reader(service):
    with RemoteReader(Remote(service.url)) as reader:
        yield reader


@pytest.fixture(scope="module")
def local_reader():
    with Reader(fetcher=loopback_fetcher()) as reader:
        yield reader


@pytest.mark.parametrize(
    "options",
    [
        ReadOptions(),
        QUOTABLE,
        ReadOptions(format="markdown", style=MarkdownStyle(heading="setext", bullet="*", emphasis="_", rule="***")),
        ReadOptions(format="html"),
        ReadOptions(format="text"),
        ReadOptions(images="alt", links="text"),
        ReadOptions(links="none", images="none"),
        ReadOptions(style=MarkdownStyle(numbered_images=True, links="referenced", references="collapsed")),
        ReadOptions(links="referenced", style=MarkdownStyle(strong="__", escape=False)),
        ReadOptions(style=MarkdownStyle(links="cited")),
        ReadOptions(target_selector="ul"),
        ReadOptions(remove_selector="ul, pre"),
        ReadOptions(links_summary="all", images_summary=True),
        ReadOptions(links_summary="unique"),
        ReadOptions(chunking="h2"),
        ReadOptions(chunking="s2", base="initial"),
    ],
    ids=repr,
)
def test_a_page_as_a_reader_reads_it(rich, remote_reader, local_reader, options):
    found = remote_reader.read(rich, options=options)
    expected = local_reader.read(rich, options=options)
    for name in ("url", "title", "content", "description", "published_time", "external", "chunks", "warnings"):
        assert getattr(found, name) == getattr(expected, name), name
    assert [url for _, url in found.links] == (
        list(dict.fromkeys(url for _, url in expected.links))  # whose wire lists each number once
        if options.style.links == "cited"
        else [url for _, url in expected.links]
    )
    assert found.images == expected.images
    assert found.metadata["meta"] == expected.metadata["meta"]
    assert found.usage.completion_tokens > 0


def test_it_is_a_reader_for_others(remote_reader):
    assert isinstance(remote_reader, SupportsRead)
    assert remote_reader.options == ReadOptions()


def test_the_options_of_the_constructor_hold_where_a_call_says_nothing(service, rich):
    with RemoteReader(Remote(service.url), options=ReadOptions(format="text")) as reader:
        assert "**bold**" not in reader.read(rich).content
        assert "**bold**" in reader.read(rich, options=ReadOptions()).content


@pytest.mark.parametrize(("suffix", "kind"), [(".html", "text/html"), (".HTM", ""), (".txt", ""), (".md", "")])
def test_a_file_is_sent(tmp_path, remote_reader, suffix, kind):
    path = tmp_path / f"ledger{suffix}"
    path.write_bytes(b"<html><head><title>Bread</title></head><body><p>Bread is made of flour.</p></body></html>")
    for source in (path, str(path)):
        page = remote_reader.read(source)
        assert "Bread is made of flour." in page.content
        assert page.url == str(path)
    page = remote_reader.read(path.read_bytes(), content_type=kind, base_url="https://example.com/")
    assert "Bread is made of flour." in page.content


def test_html_in_another_charset(tmp_path, remote_reader):
    path = tmp_path / "old.html"
    path.write_bytes(
        '<meta charset="iso-8859-1"><title>Tschüß</title><p>Grüße aus Köln, alles Gute!</p>'.encode("latin-1")
    )
    assert "Grüße aus Köln" in remote_reader.read(path).content


def test_a_pdf_is_sent(make_pdf, remote_reader, local_reader):
    path = make_pdf(["The ledger of 1911.", "Flour cost little."])
    page = remote_reader.read(path)
    assert page.content == local_reader.read(path).content
    assert page.metadata["num_pages"] == 2


@pytest.mark.parametrize("source", ["missing.html", "", "/", "no\0path"])
def test_a_file_that_is_none(remote_reader, source):
    with pytest.raises(ReadError):
        remote_reader.read(source)


@pytest.mark.parametrize("source", [None, 3, ["https://example.com"], "ftp://example.com/a"])
def test_a_source_that_is_none(remote_reader, source):
    with pytest.raises(InputError, match="source must be"):
        remote_reader.read(source)


def test_refusals_have_the_errors_of_a_reader(service, rich, remote_reader):
    with pytest.raises(BudgetExceededError):
        remote_reader.read(rich, options=ReadOptions(token_budget=3))
    with pytest.raises(BlockedURLError):
        remote_reader.read("http://10.1.2.3/")
    with pytest.raises(InputError, match="resolved"):
        remote_reader.read("http://no-such-host.invalid/")
    with pytest.raises(HTTPStatusError, match="empty"):
        remote_reader.read(service.site.url("/gone"))


def test_an_error_page_is_an_error_unless_it_is_accepted(service, remote_reader):
    service.site.routes["/lost"] = [http(404, b"<title>Lost</title><p>Here is nothing.", content_type="text/html")]
    url = service.site.url("/lost")
    with pytest.raises(HTTPStatusError) as caught:
        remote_reader.read(url)
    assert caught.value.status_code == 404
    assert caught.value.url == url
    page = remote_reader.read(url, options=ReadOptions(accept_errors=True))
    assert "404" in page.warnings[0]


def test_many_in_order_with_those_that_fail(service, remote_reader):
    sources = [service.site.url(path) for path in ("/tides", "/gone", "/bread")]
    reading = remote_reader.read_all([*sources, "missing.txt"])
    assert [page.title for page in reading.pages] == ["Tides", "Bread"]
    assert [failure.source for failure in reading.failures] == [sources[1], "missing.txt"]
    outcomes = dict(remote_reader.read_many(iter(sources)))
    assert isinstance(outcomes[1], SourceFailure)
    assert isinstance(outcomes[2], Page)
    assert remote_reader.read_all([]) == replace(reading, pages=(), failures=())


def test_many_that_are_none(remote_reader):
    with pytest.raises(InputError, match="sources"):
        remote_reader.read_all("https://example.com")
    with pytest.raises(InputError, match=r"sources\[1\]") as caught:
        remote_reader.read_all(["missing.txt", 3])
    assert caught.value.index == 1


async def _first(reader, sources):
    outcomes = reader.aread_many(sources)
    found = await anext(outcomes)
    await outcomes.aclose()
    return found


def test_many_that_are_given_up(service, remote_reader):
    sources = [service.site.url("/tides")] * 9
    index, page = asyncio.run(_first(remote_reader, sources))
    assert index < 9
    assert page.title == "Tides"


def test_a_picture(server):
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 20
    data = {"url": "https://example.com/", "content": "Tides", "screenshotUrl": None}
    data["screenshotUrl"] = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    server.routes["/r/"] = [_answer(data)]
    with RemoteReader(Remote(server.url(""))) as reader:
        page = reader.read("https://example.com/", options=ReadOptions(format="screenshot"))
    assert page.screenshot == png
    assert page.content == "Tides"
    assert _sent(server)["respondWith"] == "content+screenshot"


def test_what_was_extracted(server):
    server.routes["/r/"] = [_answer({"url": "https://example.com/", "content": '{"price": 3}'})]
    with RemoteReader(Remote(server.url(""))) as reader:
        page = reader.read("https://example.com/", options=ReadOptions(json_schema={"type": "object"}))
    assert page.extracted == {"price": 3}


DOCUMENTED = {
    "title": "Example Domain",
    "description": "",
    "url": "https://example.com/",
    "content": "This domain is for use in illustrative examples.\n\n![Image 1: A boat](https://example.com/a.png)",
    "publishedTime": "Mon, 13 Jan 2025 20:11:20 GMT",
    "metadata": {"lang": "en", "viewport": "width=device-width, initial-scale=1"},
    "external": {"icon": {"https://example.com/favicon.ico": {"type": "image/x-icon"}}},
    "links": [["More information...", "https://www.iana.org/domains/example"]],
    "images": {"Image 1,3: A boat": "https://example.com/a.png", "Image 2": "https://example.com/b.png",
               "Hidden Image 4": "https://example.com/c.png"},
    "warning": "This is a cached snapshot of the original page.",
    "usage": {"tokens": 42},
}  # fmt: skip


def test_what_jina_answers(server):
    server.routes["/r/"] = [_answer(DOCUMENTED)]
    with RemoteReader(Remote(server.url(""), api_key="s3cret")) as reader:
        page = reader.read("https://example.com")
    assert page.title == "Example Domain"
    assert page.language == "en"
    assert page.links == (("More information...", "https://www.iana.org/domains/example"),)
    a, b, c = (f"https://example.com/{name}.png" for name in "abc")
    assert page.images == (("A boat", a), ("", b), ("A boat", a), ("Hidden Image 4", c))
    assert page.external["icon"]["https://example.com/favicon.ico"] == {"type": "image/x-icon"}
    assert page.warnings == ("This is a cached snapshot of the original page.",)
    assert page.usage.total_tokens == 42
    assert server.received[0].headers["authorization"] == "Bearer s3cret"
    assert server.received[0].headers["accept"] == "application/json"
    assert _sent(server)["url"] == "https://example.com"


def test_links_by_their_texts(server):
    server.routes["/r/"] = [_answer({**DOCUMENTED, "links": {"More": "https://www.iana.org/"}})]
    with RemoteReader(Remote(server.url(""))) as reader:
        assert reader.read("https://example.com").links == (("More", "https://www.iana.org/"),)


@pytest.mark.parametrize(
    ("warning", "status"),
    [("Target URL returned error 404: Not Found", 404), ("The target answered with status 503.", 503)],
)
def test_how_servers_tell_of_an_error_page(server, warning, status):
    server.routes["/r/"] = [_answer({**DOCUMENTED, "warning": warning})]
    with RemoteReader(Remote(server.url(""))) as reader:
        with pytest.raises(HTTPStatusError) as caught:
            reader.read("https://example.com")
        assert reader.read("https://example.com", options=ReadOptions(accept_errors=True)).warnings == (warning,)
    assert caught.value.status_code == status


OUT_OF_FORM = [
        {}, {"data": None}, {"data": []}, {"data": "text"}, {"data": {}}, {"data": {"content": 3}},
        *({"data": {**DOCUMENTED, name: wrong}}
          for name in ("title", "content", "metadata", "external", "links", "images", "warning", "usage", "chunks")
          for wrong in (3, True, [[1]])),
        *({"data": {**DOCUMENTED, name: {"a": 5}}} for name in ("title", "external", "links", "images", "chunks")),
        {"data": {**DOCUMENTED, "usage": {"tokens": -1}}}, {"data": {**DOCUMENTED, "usage": {"tokens": 1e999}}},
]  # fmt: skip


def test_answers_out_of_form(server):
    with RemoteReader(Remote(server.url(""))) as reader:
        for body in OUT_OF_FORM:
            server.routes["/r/"] = [http(body=json.dumps(body).encode(), content_type="application/json")]
            with pytest.raises(WebError, match="127.0.0.1"):
                reader.read("https://example.com")


def test_a_picture_that_is_none(server):
    server.routes["/r/"] = [_answer({**DOCUMENTED, "screenshotUrl": "data:image/png;base64,?"})]
    with RemoteReader(Remote(server.url(""))) as reader, pytest.raises(WebError, match="screenshotUrl"):
        reader.read("https://example.com", options=ReadOptions(format="screenshot"))


def test_what_a_server_cannot_be_told():
    with pytest.raises(ConfigError, match="max_tokens must be at least 500"):
        RemoteReader(Remote(), options=ReadOptions(max_tokens=100))


_WORDS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
_STYLES = st.builds(
    MarkdownStyle,
    heading=st.sampled_from(("atx", "setext")),
    bullet=st.sampled_from("-*+"),
    emphasis=st.sampled_from(("*", "_", "")),
    strong=st.sampled_from(("**", "__", "")),
    rule=st.sampled_from(("---", "* * *")),
    links=st.sampled_from(("inlined", "referenced", "cited", "discarded")),
    references=st.sampled_from(("full", "collapsed", "shortcut")),
    numbered_images=st.booleans(),
    tables=st.sampled_from(("gfm", "html")),
    gfm=st.booleans(),
    escape=st.booleans(),
)
_STRATEGIES = dict(  # noqa: C408 (as the constructor is called)
    format=st.sampled_from(("content", "markdown", "html", "text", "screenshot", "pageshot", "readerlm")),
    engine=st.sampled_from(("auto", "browser")),
    target_selector=st.sampled_from(("", "main")),
    wait_for_selector=st.sampled_from(("", "#done")),
    remove_selector=st.sampled_from(("", "nav, .ad")),
    images=st.sampled_from(("all", "none", "alt")),
    captions=st.booleans(),
    links=st.sampled_from(("all", "none", "text", "referenced")),
    iframes=st.booleans(),
    shadow_dom=st.booleans(),
    remove_overlays=st.booleans(),
    cookies=st.sampled_from(((), ("a=1; Path=/", "b=2"))),
    headers=st.dictionaries(_WORDS, _WORDS, max_size=2),
    user_agent=_WORDS,
    referer=st.sampled_from(("", "https://example.com/")),
    locale=st.sampled_from(("", "de-DE")),
    proxy=st.sampled_from(("", "http://user:pass@proxy.example:3128")),
    timeout=st.none() | st.floats(1, 180),
    timing=st.sampled_from(("auto", "html", "network-idle")),
    cache_tolerance=st.none() | st.integers(0, 9000).map(float),
    do_not_track=st.booleans(),
    max_tokens=st.none() | st.integers(500, 9000),
    chunking=st.sampled_from(("", "h3", "s5")),
    robots=st.sampled_from(("", "MyBot")),
    base=st.sampled_from(("initial", "final")),
    scripts=st.sampled_from(((), ("a()", "b()"))),
    viewport=st.none() | st.builds(Viewport, width=st.integers(1, 99), mobile=st.booleans()),
    keep_data_urls=st.booleans(),
    instruction=st.sampled_from(("", "Find the price.")),
    json_schema=st.sampled_from((None, {"type": "object"})),
    style=_STYLES,
)
_OPTIONS = st.builds(ReadOptions, **_STRATEGIES)


def _meant(options: ReadOptions) -> ReadOptions:
    """The same options in one of the ways in which they can be said."""
    links, form = options.links, options.style.links
    if links == "referenced":
        links, form = "all", "referenced"
    if form == "cited" and links != "all":
        form = "inlined"
    style = replace(options.style, links=form, tables="gfm" if not options.style.gfm else options.style.tables)
    if options.engine == "browser" and not options.wait_for_selector:
        options = replace(options, wait_for_selector=options.target_selector)
    if options.pictures:
        options = replace(options, format="content")
    return replace(options, links=links, style=style, accept_errors=True)


@settings(max_examples=60)
@given(options=_OPTIONS, budget=st.none() | st.integers(1, 99))
def test_the_service_understands_every_option(options, budget):
    body = json.loads(json.dumps(read_body(replace(options, token_budget=budget), of_jina=False)))
    asked = read_request(Headers({}), body)
    assert _meant(asked.options) == _meant(options)
    assert asked.token_budget == budget
    assert asked.formats == (("content", options.format) if options.pictures else (_wire(options.format),))
    assert asked.links == ("cited" if options.links == "all" and options.style.links == "cited" else "all")
    assert asked.images


def _wire(name: str) -> str:
    return "readerlm-v2" if name == "readerlm" else name


def test_every_option_is_said_or_done_here():
    done_here = {"accept_errors", "links_summary", "images_summary"}
    assert {each.name for each in fields(ReadOptions)} == {*_STRATEGIES, "token_budget"} | done_here


def test_jinas_servers_are_told_nothing_they_do_not_know():
    said = read_body(QUOTABLE, of_jina=True)["markdown"]
    assert said == {
        "headingStyle": "atx", "bulletListMarker": "-", "hr": "---", "linkReferenceStyle": "full",
        "linkStyle": "discarded",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("**bold** and _slanted_ and *so*", "bold and slanted and so"),
        (r"2 \* 3, snake\_case, \[1\]", "2 * 3, snake_case, [1]"),
        ("`a_b` and ``x`y``", "a_b and x`y"),
        ("```\n**a** \\* _b_\n```\nso *it* is", "```\n**a** \\* _b_\n```\nso it is"),
        ("[**text**](https://e.org/a_b_c_(d))", "[text](https://e.org/a_b_c_(d))"),
        ("![Image 1: A boat](https://e.org/_a_.png) ![Image 2](b)", "![A boat](https://e.org/_a_.png) ![](b)"),
        ("* one\n* two *x*\n\n***\n\n# 1 _a_", "* one\n* two x\n\n***\n\n# 1 a"),
        ("snake_case stays", "snake_case stays"),
        ("~~~py\n_a_\n~~~\n_b_", "~~~py\n_a_\n~~~\nb"),
    ],
)  # fmt: skip
def test_marks_are_taken_out(markdown, plain):
    assert unmarked(markdown, QUOTABLE.style) == plain
    assert unmarked(markdown, replace(MarkdownStyle(), numbered_images=True)) == markdown


def test_long_markdown_takes_no_long_time():
    for piece in ("`", "**", "[", "](", "\\", "![Image 1", "_a", "```\n"):
        unmarked(piece * 5_000, QUOTABLE.style)


def _answer(data):
    body = {"code": 200, "status": 20000, "data": data, "meta": {"usage": {"tokens": 42}}}
    return http(body=json.dumps(body).encode(), content_type="application/json")


def _sent(server):
    return json.loads(server.received[-1].body)
