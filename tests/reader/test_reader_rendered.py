"""The Reader through real Chromium: what only a browser can read."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import slowly
from local_server import LocalServer, http, loopback_fetcher

from jina_components.core.background import run_sync
from jina_components.errors import (
    BlockedURLError,
    ExtractionError,
    HTTPStatusError,
    InputError,
    MissingDependencyError,
    RobotsDeniedError,
)
from jina_components.net import Politeness, ResponseCache
from jina_components.read_options import ReadOptions, Viewport
from jina_components.reader import Reader
from jina_components.reader.browser import Browser

WORDS = "The lighthouse keeper wrote down the weather every evening for forty years, and nobody read a word of it. "
SHELL = f"""<!doctype html><title>Loading</title><div id="root"></div><script>
setTimeout(() => {{ document.title = 'Built'; root.innerHTML = '<main><h1>Built</h1><p>{WORDS * 3}</p></main>' }}, 100)
</script>"""
ARTICLE = f"<!doctype html><title>Plain</title><article><p>{WORDS * 3}</p></article>"


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    fetcher = loopback_fetcher(retries=0)
    yield Reader(fetcher=fetcher, browser=browser)
    run_sync(fetcher.aclose())


def html_at(server: LocalServer, path: str, body: str, status: int = 200) -> str:
    server.routes[path] = [http(status, body.encode(), content_type="text/html; charset=utf-8")]
    return server.url(path)


def test_auto_renders_what_scripts_build_and_nothing_else(reader: Reader, server: LocalServer) -> None:
    built = reader.read(html_at(server, "/shell", SHELL))
    assert built.title == "Built"
    assert built.content.count("lighthouse") == 3
    assert server.paths().count("/shell") == 2
    assert reader.read(html_at(server, "/plain", ARTICLE)).title == "Plain"
    assert server.paths().count("/plain") == 1


def test_direct_renders_nothing(reader: Reader, server: LocalServer) -> None:
    with pytest.raises(ExtractionError, match="without text"):
        reader.read(html_at(server, "/shell", SHELL), options=ReadOptions(engine="direct"))


def test_without_a_browser_a_scripted_page_is_read_as_it_is_and_says_so(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fetcher = loopback_fetcher(retries=0)
    reader = Reader(fetcher=fetcher)
    shell = SHELL.replace('<div id="root">', '<p>A few words.</p><div id="root">')
    page = reader.read(html_at(server, "/shell", shell))
    assert page.content == "A few words."
    assert "built by scripts" in page.warnings[0]
    assert "apt-get install chromium" in page.warnings[0]
    assert list(reader.stream(server.url("/shell")))[-1] == page
    with pytest.raises(ExtractionError, match="apt-get install chromium"):
        reader.read(html_at(server, "/empty", SHELL))
    with pytest.raises(MissingDependencyError):
        reader.read(server.url("/shell"), options=ReadOptions(engine="browser"))
    reader.close()
    run_sync(fetcher.aclose())


def test_frames_and_shadow_roots_when_asked(reader: Reader, server: LocalServer) -> None:
    html_at(server, "/frame", f"<p>In the frame. {WORDS * 2}</p>")
    url = html_at(server, "/host", f"""<title>Host</title><article><p>{WORDS * 2}</p><iframe src="/frame"></iframe>
        <div id="box"></div></article><script>
        box.attachShadow({{mode: 'open'}}).innerHTML = '<p>In the shadow. {WORDS * 2}</p>'</script>""")  # fmt: skip
    plain = reader.read(url).content
    assert "In the frame" not in plain
    assert "In the shadow" not in plain
    both = reader.read(url, options=ReadOptions(iframes=True, shadow_dom=True)).content
    assert "In the frame" in both
    assert "In the shadow" in both


def test_waiting_for_an_element(reader: Reader, server: LocalServer) -> None:
    late = ARTICLE + "<script>setTimeout(() => document.body.append(Object.assign(document.createElement('p'), "
    late += "{className: 'late', textContent: 'Here at last.'})), 900)</script>"
    options = ReadOptions(wait_for_selector=".late", target_selector=".late")
    assert reader.read(html_at(server, "/late", late), options=options).content == "Here at last."


@pytest.mark.parametrize(("shot", "height"), [("screenshot", 300), ("pageshot", 2000)])
def test_pictures(reader: Reader, server: LocalServer, shot: str, height: int) -> None:
    tall = ARTICLE.replace("<article>", "<style>body { margin: 0; height: 2000px }</style><article>")
    options = ReadOptions(format=shot, viewport=Viewport(width=400, height=300))  # type: ignore[arg-type]
    page = reader.read(html_at(server, "/tall", tall), options=options)
    width, shown = struct.unpack(">II", page.screenshot[16:24])
    assert width == 400
    assert height <= shown < height + 50
    assert "lighthouse" in page.content


def test_scripts_run_in_the_page(reader: Reader, server: LocalServer) -> None:
    options = ReadOptions(
        scripts=("document.querySelector('p').textContent = 'Put in by a script.'",), format="markdown"
    )
    assert "Put in by a script." in reader.read(html_at(server, "/plain", ARTICLE), options=options).content


def test_html_of_the_caller_is_rendered_when_asked(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "shell.html"
    path.write_text(SHELL)
    page = reader.read(path, options=ReadOptions(engine="browser"))
    assert (page.url, page.title) == (str(path), "Built")
    assert "lighthouse" in reader.read(SHELL.encode(), options=ReadOptions(engine="browser")).content


def test_what_is_no_html_is_fetched_even_by_a_browser(reader: Reader, server: LocalServer) -> None:
    server.routes["/notes"] = [http(200, b"# Notes", content_type="text/markdown", content_disposition="attachment")]
    assert reader.read(server.url("/notes"), options=ReadOptions(engine="browser")).content == "# Notes"


def test_error_pages_are_errors_in_a_browser_too(reader: Reader, server: LocalServer) -> None:
    url = html_at(server, "/gone", ARTICLE, status=404)
    with pytest.raises(HTTPStatusError):
        reader.read(url, options=ReadOptions(engine="browser"))
    page = reader.read(url, options=ReadOptions(engine="browser", accept_errors=True))
    assert any("404" in warning for warning in page.warnings)


def test_pages_stream_in_ever_better_versions(reader: Reader, server: LocalServer) -> None:
    steps = ARTICLE + "<script>for (let n = 1; n < 5; n++) setTimeout(() => document.querySelector('article')"
    steps += f".insertAdjacentHTML('beforeend', `<p id=s${{n}}>Step ${{n}}. {WORDS}</p>`), n * 500)</script>"
    url = html_at(server, "/steps", steps)
    pages = list(reader.stream(url, options=ReadOptions(wait_for_selector="#s4")))
    assert len(pages) >= 2
    assert "Step 4" in pages[-1].content
    assert len(pages[0].content) < len(pages[-1].content)
    assert [page.title for page in reader.stream(html_at(server, "/plain", ARTICLE))] == ["Plain"]
    with pytest.raises(InputError, match="use read"):
        next(reader.stream("notes.txt"))


async def test_streams_end_early_when_they_are_closed(reader: Reader, server: LocalServer) -> None:
    server.routes["/slow.css"] = slowly(http(200), 30)
    url = html_at(server, "/slow", ARTICLE.replace("<article>", "<link rel=stylesheet href=/slow.css><article>"))
    pages = reader.astream(url, options=ReadOptions(engine="browser", timeout=20))
    async for page in pages:
        assert "lighthouse" in page.content
        break
    await pages.aclose()


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://[::1]:8081/", "http://169.254.169.254/latest/meta-data/"]
)
def test_a_page_reaches_nothing_private(reader: Reader, server: LocalServer, target: str) -> None:
    probe = f"<img src='{target}x.png'><iframe src='{target}'></iframe><script>fetch('{target}')</script>"
    page = reader.read(html_at(server, "/probe", ARTICLE + probe), options=ReadOptions(engine="browser", timeout=15))
    assert "lighthouse" in page.content
    assert any("refused" in warning for warning in page.warnings)
    url = html_at(server, "/jump", f"<script>location = '{target}'</script>")
    with pytest.raises((BlockedURLError, ExtractionError)):
        reader.read(url, options=ReadOptions(engine="browser", timeout=15))


def test_rendered_pages_are_cached(browser: Browser, server: LocalServer, tmp_path: Path) -> None:
    fetcher = loopback_fetcher(retries=0, cache=ResponseCache(tmp_path, tolerance=3600))
    reader = Reader(fetcher=fetcher, browser=browser, options=ReadOptions(engine="browser"))
    url = html_at(server, "/shell", SHELL)
    first = reader.read(url)
    assert reader.read(url) == first
    assert server.paths().count("/shell") == 1
    reader.read(url, options=ReadOptions(engine="browser", cookies=("a=1",)))
    reader.read(url, options=ReadOptions(engine="browser", cache_tolerance=0))
    assert server.paths().count("/shell") == 3
    html_at(server, "/robots.txt", "User-agent: bot\nDisallow: /")
    with pytest.raises(RobotsDeniedError):
        reader.read(url, options=ReadOptions(engine="browser", robots="bot"))
    with pytest.raises(RobotsDeniedError):
        next(reader.stream(url, options=ReadOptions(engine="browser", robots="bot")))
    routes = f"{url}#/a", f"{url}#/b", f"{url}#place"
    assert [reader.read(route).title for route in routes] == ["Built"] * 3
    assert server.paths().count("/shell") == 5
    run_sync(fetcher.aclose())


def test_an_old_rendered_page_serves_when_the_site_is_down(
    browser: Browser, start_server: Callable[..., LocalServer], tmp_path: Path
) -> None:
    async def hang_up(_: object, writer: asyncio.StreamWriter) -> None:
        writer.close()

    fetcher = loopback_fetcher(retries=0, cache=ResponseCache(tmp_path, tolerance=0.001))
    reader = Reader(fetcher=fetcher, browser=browser, options=ReadOptions(engine="browser"))
    server = start_server()
    assert reader.read(html_at(server, "/shell", SHELL)).title == "Built"
    server.routes["/shell"] = hang_up
    page = reader.read(server.url("/shell"))
    assert page.title == "Built"
    assert "cached copy" in page.warnings[0]
    run_sync(fetcher.aclose())


def test_a_stranger_gets_nothing_of_what_the_caller_sends(
    reader: Reader, server: LocalServer, start_server: Callable[..., LocalServer]
) -> None:
    stranger = start_server()
    stranger.routes["/book"] = [http(200, b"plain words", content_type="text/plain")]
    server.routes["/book"] = [http(302, location=stranger.url("/book"))]
    options = ReadOptions(
        engine="browser",
        headers={"authorization": "Bearer secret"},
        cookies=("session=secret",),
        referer="http://h.example/x",
    )
    assert reader.read(server.url("/book"), options=options).content == "plain words"
    assert server.received[0].headers["authorization"] == "Bearer secret"
    assert "Bearer" not in str(stranger.received)
    assert "secret" not in str(stranger.received[-1])  # the browser's own requests know a host, not its port


def test_a_browser_waits_for_its_turn_at_a_host(browser: Browser, server: LocalServer) -> None:
    fetcher = loopback_fetcher(retries=0, politeness=Politeness(per_host=1))
    reader = Reader(fetcher=fetcher, browser=browser, options=ReadOptions(engine="browser"))
    running, most = 0, 0

    async def count(_: object, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.2)
        running -= 1
        writer.write(http(200, ARTICLE.encode(), content_type="text/html"))
        await writer.drain()

    server.routes.update({f"/{number}": count for number in range(3)})
    reading = reader.read_all([server.url(f"/{number}") for number in range(3)])
    assert [page.title for page in reading.pages] == ["Plain"] * 3
    assert most == 1
    server.routes["/notes"] = [http(200, b"# Notes", content_type="text/markdown", content_disposition="attachment")]
    assert [page.content for page in reader.stream(server.url("/notes"))] == ["# Notes"]
    assert reader.read(server.url("/notes")).content == "# Notes"
    run_sync(fetcher.aclose())
