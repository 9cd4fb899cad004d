"""Every option, through the Reader and a real server; those of the browser are in test_reader_rendered.py."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_server import LocalServer, http, loopback_fetcher

from jina_components import Segmenter
from jina_components.core.background import run_sync
from jina_components.errors import (
    BudgetExceededError,
    ConfigError,
    HTTPStatusError,
    InputError,
    RobotsDeniedError,
    UnknownNameError,
    WebError,
)
from jina_components.net import Fetcher, ResponseCache
from jina_components.read_options import PLAIN, QUOTABLE, MarkdownStyle, ReadOptions
from jina_components.reader import Reader

WORDS = (
    "The lighthouse keeper wrote down the weather every evening for forty years, and nobody ever read a word of it. "
)
PAGE = f"""<!doctype html><html lang="en"><head><title>Rain</title></head><body><article>
<p>{WORDS * 3}</p><p>It <b>rains</b>, says the <a href="office">office</a>.</p>
<p><img src="map.png" alt="a map"><img src="sky.png"></p><h2>Wind</h2><p>{WORDS * 2}</p></article></body></html>"""
DOT = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + bytes(60)).decode()


@pytest.fixture
def make_reader() -> Iterator[Callable[..., Reader]]:
    """Makes readers of a fetcher with these settings."""
    fetchers: list[Fetcher] = []

    def make(options: ReadOptions | None = None, **settings: object) -> Reader:
        fetchers.append(loopback_fetcher(retries=0, **settings))
        return Reader(fetcher=fetchers[-1], options=options or ReadOptions())

    yield make
    for fetcher in fetchers:
        run_sync(fetcher.aclose())


@pytest.fixture
def reader(make_reader: Callable[..., Reader]) -> Reader:
    return make_reader()


def page_at(server: LocalServer, path: str = "/a/page", html: str = PAGE, status: int = 200) -> str:
    server.routes[path] = [http(status, html.encode(), content_type="text/html; charset=utf-8")]
    return server.url(path)


def content(reader: Reader, server: LocalServer, html: str = PAGE, **options: object) -> str:
    return reader.read(page_at(server, html=html), options=ReadOptions(**options)).content  # type: ignore[arg-type]


def test_images_are_kept_or_named_or_left_out(reader: Reader, server: LocalServer) -> None:
    url = server.url("/a/map.png")
    assert f"![a map]({url})" in content(reader, server)
    alternative = content(reader, server, images="alt")
    assert "a map" in alternative
    assert "map.png" not in alternative
    none = reader.read(page_at(server), options=ReadOptions(images="none"))
    assert "map" not in none.content
    assert none.images == (("a map", url), ("", server.url("/a/sky.png")))


def test_links_are_kept_or_named_or_left_out_or_put_at_the_end(reader: Reader, server: LocalServer) -> None:
    url = server.url("/a/office")
    assert f"says the [office]({url})." in content(reader, server)
    assert "says the office." in content(reader, server, links="text")
    assert "office" not in content(reader, server, links="none")
    referenced = content(reader, server, links="referenced")
    assert "says the [office][1]." in referenced
    assert referenced.endswith(f"[1]: {url}")
    assert reader.read(page_at(server), options=ReadOptions(links="none")).links == (("office", url),)


def test_summaries_follow_the_content(reader: Reader, server: LocalServer) -> None:
    summed = content(reader, server, links_summary="unique", images_summary=True)
    assert summed.endswith(f"Links/Buttons:\n- [office]({server.url('/a/office')})")
    assert f"Images:\n- ![a map]({server.url('/a/map.png')})" in summed


def test_quotable_content_holds_the_words_alone(reader: Reader, server: LocalServer) -> None:
    page = reader.read(page_at(server), options=QUOTABLE)
    assert "It rains, says the office." in page.content
    assert (
        "It rains, says the office."
        in reader.read(page_at(server), options=ReadOptions(style=PLAIN, links="text")).content
    )


def test_styles_of_markdown(reader: Reader, server: LocalServer) -> None:
    styled = content(reader, server, style=MarkdownStyle(heading="setext", strong="__", links="discarded"))
    assert "It __rains__, says the office." in styled
    assert "Wind\n----" in styled


def test_data_urls_are_shortened_unless_kept(reader: Reader, server: LocalServer) -> None:
    html = PAGE.replace("map.png", DOT)
    assert DOT not in content(reader, server, html)
    assert "](blob:" in content(reader, server, html)
    assert DOT in content(reader, server, html, keep_data_urls=True)


def test_the_base_of_links_is_the_url_asked_for_or_the_final_one(reader: Reader, server: LocalServer) -> None:
    page_at(server, "/b/c/page")
    server.routes["/asked"] = [http(302, location="/b/c/page")]
    final = reader.read(server.url("/asked"))
    assert final.url == server.url("/b/c/page")
    assert ("office", server.url("/b/c/office")) in final.links
    initial = reader.read(server.url("/asked"), options=ReadOptions(base="initial"))
    assert ("office", server.url("/office")) in initial.links


def test_request_headers(reader: Reader, server: LocalServer) -> None:
    options = ReadOptions(
        user_agent="Bot/1", referer="https://h.example/", locale="de-DE", headers={"x-test": "1"},
        cookies=("a=1; Path=/", "b=2", "late=3; Path=/elsewhere", "gone=4; Max-Age=0"),
    )  # fmt: skip
    reader.read(page_at(server), options=options)
    sent = server.received[-1].headers
    assert sent["user-agent"] == "Bot/1"
    assert sent["referer"] == "https://h.example/"
    assert sent["accept-language"] == "de-DE"
    assert sent["x-test"] == "1"
    assert sent["cookie"] == "b=2; a=1"  # longer paths first


def test_error_pages_are_errors_unless_accepted(reader: Reader, server: LocalServer) -> None:
    url = page_at(server, status=404)
    with pytest.raises(HTTPStatusError) as caught:
        reader.read(url)
    assert caught.value.status_code == 404
    page = reader.read(url, options=ReadOptions(accept_errors=True))
    assert "lighthouse" in page.content
    assert page.warnings == ("The target answered with status 404.",)


def test_timeouts(reader: Reader, server: LocalServer) -> None:
    async def silent(_: object, writer: object) -> None:
        import asyncio

        await asyncio.sleep(5)

    server.routes["/slow"] = silent
    with pytest.raises(WebError, match="in time"):
        reader.read(server.url("/slow"), options=ReadOptions(timeout=0.3))


def test_the_cache_is_used_within_its_tolerance(
    make_reader: Callable[..., Reader], server: LocalServer, tmp_path: Path
) -> None:
    cached = make_reader(cache=ResponseCache(tmp_path, tolerance=3600))
    url = page_at(server)
    for options, requests in (
        (ReadOptions(), 1),
        (ReadOptions(), 1),
        (ReadOptions(cache_tolerance=0), 2),
        (ReadOptions(locale="de"), 3),
        (ReadOptions(cookies=("a=1",)), 4),
        (ReadOptions(cookies=("a=1",)), 5),
        (ReadOptions(user_agent="Bot/2", do_not_track=True), 6),
        (ReadOptions(user_agent="Bot/2"), 7),
    ):
        cached.read(url, options=options)
        assert len(server.received) == requests, options


def test_an_old_copy_serves_when_the_site_is_down(
    make_reader: Callable[..., Reader], server: LocalServer, tmp_path: Path
) -> None:
    cached = make_reader(cache=ResponseCache(tmp_path, tolerance=0.001))
    url = page_at(server)
    cached.read(url)
    page_at(server, html="<p>down</p>", status=503)
    page = cached.read(url)
    assert "lighthouse" in page.content
    assert "cached copy" in page.warnings[0]
    with pytest.raises(HTTPStatusError):
        cached.read(url, options=ReadOptions(cache_tolerance=0))


def test_token_limits(reader: Reader, server: LocalServer) -> None:
    with pytest.raises(BudgetExceededError, match="over the budget of 20"):
        content(reader, server, token_budget=20)
    page = reader.read(page_at(server), options=ReadOptions(max_tokens=20))
    assert page.usage.completion_tokens == 20
    assert any("cut after 20" in warning for warning in page.warnings)


def test_tokens_are_those_of_the_tokenizer(server: LocalServer) -> None:
    text = "Extraordinarily unconventional tokenization"
    tokens = Segmenter(tokenizer="cl100k_base").count(text)
    with Reader(tokenizer="cl100k_base") as counting:
        assert counting.read(text.encode()).usage.completion_tokens == tokens
        cut = counting.read(text.encode(), options=ReadOptions(max_tokens=tokens - 1))
        assert Segmenter(tokenizer="cl100k_base").count(cut.content) == tokens - 1
    assert Segmenter().count(text) != tokens
    with pytest.raises(UnknownNameError, match="cl200k"):
        Reader(tokenizer="cl200k")


def test_several_formats_of_one_load(reader: Reader, server: LocalServer) -> None:
    url = page_at(server)
    content, html, text = reader.read_formats(url, ["content", "html", "text"])
    assert server.paths() == ["/a/page"]
    for page, kind in ((content, "content"), (html, "html"), (text, "text")):
        assert page == reader.read(url, options=ReadOptions(format=kind))
    assert reader.read_formats(b"# Rain", ["markdown"])[0].content == "# Rain"
    assert reader.read_formats(url, []) == ()
    with pytest.raises(InputError, match="formats"):
        reader.read_formats(url, "html")
    with pytest.raises(ConfigError, match="html_converter"):
        reader.read_formats(url, ["content", "readerlm"])


def test_chunks(reader: Reader, server: LocalServer) -> None:
    page = reader.read(page_at(server), options=ReadOptions(chunking="h2"))
    assert len(page.chunks) == 2
    assert page.chunks[1].startswith("## Wind")


def test_robots_are_obeyed_when_asked(reader: Reader, server: LocalServer) -> None:
    server.routes["/robots.txt"] = [http(200, b"User-agent: strict\nDisallow: /a/\n", content_type="text/plain")]
    url = page_at(server)
    assert reader.read(url).title == "Rain"
    assert reader.read(url, options=ReadOptions(robots="lenient")).title == "Rain"
    with pytest.raises(RobotsDeniedError):
        reader.read(url, options=ReadOptions(robots="strict"))


def test_a_proxy_gets_the_request(reader: Reader, server: LocalServer) -> None:
    asked = "http://127.0.0.9:81/page"
    server.routes[asked] = [http(200, PAGE.encode(), content_type="text/html")]
    page = reader.read(asked, options=ReadOptions(proxy=server.url("").rstrip("/")))
    assert page.title == "Rain"
    assert server.received[-1].path == asked


def test_options_of_the_constructor_hold_unless_a_call_has_its_own(
    make_reader: Callable[..., Reader], server: LocalServer
) -> None:
    reader = make_reader(ReadOptions(links="text"))
    url = page_at(server)
    assert "says the office." in reader.read(url).content
    assert "says the [office]" in reader.read(url, options=ReadOptions()).content


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (ReadOptions(format="readerlm"), "html_converter="),
        (ReadOptions(captions=True), "captioner="),
        (ReadOptions(instruction="the price"), "extractor="),
        (ReadOptions(json_schema={"type": "object"}), "extractor="),
    ],
)
def test_options_that_need_a_model_say_which_argument_brings_it(options: ReadOptions, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        Reader().read(PAGE.encode(), options=options)
