"""Chromium's processes: how many, how long, and that none outlives its owner."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from chromium import Watch, eventually, page, running_browser, slowly
from local_server import http

from jina_components.core.background import background_loop, run_sync
from jina_components.errors import ConfigError, FetchTimeoutError, MissingDependencyError, WebError
from jina_components.read_options import ReadOptions
from jina_components.reader.browser import Browser, visit

OPTIONS = ReadOptions(timing="html")

pytestmark = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")


@pytest.fixture
def watch(monkeypatch):
    # Not `tmp_path`, which is too long for the path of Chromium's socket where several processes run tests.
    with tempfile.TemporaryDirectory(prefix="jc") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Watch(Path(folder))


def read(browser, url, *, timeout=20):
    return run_sync(browser.snapshot(url, OPTIONS, timeout=timeout))


def main_process(watch):
    """The browser process, which leads its group."""
    return next(pid for pid in watch.alive() if os.getpgid(pid) == pid)


@pytest.mark.slow
def test_many_pages_leave_nothing_behind(server, watch):
    server.routes["/"] = page("<p>small</p>")
    for browser in running_browser(pool=4, pages_per_process=15):
        read(browser, server.url("/"))
        assert eventually(lambda: len(watch.alive()) > 0)
        most = len(watch.alive()) + 2

        async def read_many(browser=browser):
            return await asyncio.gather(*(browser.snapshot(server.url("/"), OPTIONS, timeout=300) for _ in range(49)))

        snapshots = asyncio.run(read_many())
        assert all("small" in snapshot.html for snapshot in snapshots)
        # Renderers end with their pages, replaced processes with their last one.
        assert eventually(lambda most=most: len(watch.alive()) <= most)
    assert eventually(lambda: not watch.alive())
    assert watch.left() == []


def test_a_process_is_replaced_after_so_many_pages(server, watch):
    server.routes["/"] = page("x")
    for browser in running_browser(pages_per_process=2):
        seen = []
        for _ in range(4):
            read(browser, server.url("/"))
            seen.append(main_process(watch))
            eventually(lambda: sum(os.getpgid(pid) == pid for pid in watch.alive()) == 1, seconds=5)
        assert len(set(seen)) == 2


def test_an_idle_browser_ends_and_comes_again(server, watch):
    server.routes["/"] = page("x")
    for browser in running_browser(idle_seconds=0.5):
        for _ in range(2):
            read(browser, server.url("/"))
            assert eventually(lambda: not watch.alive())


async def test_a_browser_that_nobody_waited_for_ends_too(server, watch):
    browser = next(running_browser(idle_seconds=0.5))
    reading = asyncio.ensure_future(browser.snapshot(server.url("/"), OPTIONS, timeout=20))
    assert await asyncio.to_thread(eventually, watch.alive)
    reading.cancel()
    assert await asyncio.to_thread(eventually, lambda: not watch.alive())
    await browser.aclose()


async def test_closing_while_it_is_opened_leaves_nothing_running(server, watch):
    server.routes["/"] = page("x")
    browser = next(running_browser())

    async def open_and_close():
        reading = asyncio.ensure_future(browser.snapshot(server.url("/"), OPTIONS, timeout=20))
        await asyncio.sleep(0)
        await browser.aclose()
        return (await asyncio.gather(reading, return_exceptions=True))[0]

    outcome = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(open_and_close(), background_loop()))
    assert isinstance(outcome, WebError) or "x" in outcome.html
    await browser.aclose()
    assert await asyncio.to_thread(eventually, lambda: not watch.alive())


def test_a_closed_browser_starts_again(server, watch):
    server.routes["/"] = page("x")
    for browser in running_browser():
        for _ in range(2):
            read(browser, server.url("/"))
            browser.close()
            browser.close()
            assert eventually(lambda: not watch.alive())
            assert watch.left() == []


async def test_closing_ends_the_pages_under_way(server, watch):
    server.routes["/"] = slowly(b"", 30)
    browser = next(running_browser())
    reading = asyncio.ensure_future(browser.snapshot(server.url("/"), OPTIONS, timeout=30))
    assert await asyncio.to_thread(eventually, lambda: "/" in server.paths())
    await browser.aclose()
    with pytest.raises(WebError, match="closed"):
        await reading
    assert await asyncio.to_thread(eventually, lambda: not watch.alive())


async def test_a_cancelled_reader_cancels_its_page(server, watch):
    ended = []

    async def hang(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\n\r\n<p>x</p>")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            ended.append(True)

    server.routes["/"] = hang
    server.routes["/other"] = page("other")
    browser = next(running_browser(pool=1))
    reading = asyncio.ensure_future(browser.snapshot(server.url("/"), OPTIONS, timeout=60))
    assert await asyncio.to_thread(eventually, lambda: "/" in server.paths())
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    # Its place is free for the next one, and its connections are gone.
    assert "other" in (await browser.snapshot(server.url("/other"), OPTIONS, timeout=20)).html
    assert await asyncio.to_thread(eventually, lambda: bool(ended))
    await browser.aclose()


async def test_leaving_a_stream_ends_its_page(server, watch):
    server.routes["/"] = page("<p>x</p><img src=/never>")
    server.routes["/never"] = slowly(b"", 30)
    browser = next(running_browser(pool=1))
    stream = browser.stream(server.url("/"), ReadOptions(timing="network-idle"), timeout=30)
    async for snapshot in stream:
        assert not snapshot.is_final
        break
    await stream.aclose()
    server.routes["/other"] = page("other")
    assert "other" in (await browser.snapshot(server.url("/other"), OPTIONS, timeout=20)).html
    await browser.aclose()


async def test_no_more_pages_at_a_time_than_the_pool_holds(server):
    under_way, most = 0, 0

    async def count(_, writer):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.5)
        under_way -= 1
        writer.write(http(body=b"x", content_type="text/html", connection="close"))

    server.routes |= {f"/{number}": count for number in range(6)}
    browser = next(running_browser(pool=2))
    urls = [server.url(f"/{number}") for number in range(6)]
    await asyncio.gather(*(browser.snapshot(url, OPTIONS, timeout=20) for url in urls))
    assert most == 2
    await browser.aclose()


async def test_a_browser_that_dies_is_replaced(server, watch):
    server.routes["/"] = page("x")
    answers = [slowly(http(body=b"slow", content_type="text/html", connection="close"), 2)]
    server.routes["/slow"] = answers[0]
    browser = next(running_browser())
    await browser.snapshot(server.url("/"), OPTIONS, timeout=20)
    os.kill(main_process(watch), signal.SIGKILL)
    assert "x" in (await browser.snapshot(server.url("/"), OPTIONS, timeout=20)).html
    reading = asyncio.ensure_future(browser.snapshot(server.url("/slow"), OPTIONS, timeout=20))
    assert await asyncio.to_thread(eventually, lambda: "/slow" in server.paths())
    os.kill(main_process(watch), signal.SIGKILL)
    assert "slow" in (await reading).html
    await browser.aclose()
    assert await asyncio.to_thread(eventually, lambda: not watch.alive())
    assert watch.left() == []


@pytest.mark.slow
def test_a_browser_that_no_longer_obeys_is_killed(server, watch, monkeypatch):
    for name in ("_CAPTURE_SECONDS", "_SPARE_SECONDS", "_CLOSE_SECONDS"):
        monkeypatch.setattr(visit, name, 3.0)
    server.routes["/"] = page("x")
    for browser in running_browser():
        read(browser, server.url("/"))
        os.kill(main_process(watch), signal.SIGSTOP)
        with pytest.raises(FetchTimeoutError, match="does not obey"):
            read(browser, server.url("/"), timeout=1)
        assert "x" in read(browser, server.url("/")).html
    assert eventually(lambda: not watch.alive())


OWNER = """
    import os, sys, time
    sys.path[:0] = ["tests"]
    from chromium import running_browser
    from jina_components.core.background import run_sync
    from jina_components.read_options import ReadOptions
    browser = next(running_browser())
    print(run_sync(browser.snapshot(sys.argv[1], ReadOptions(timing="html"), timeout=30)).html, flush=True)
    if sys.argv[2] == "wait":
        time.sleep(60)
"""


@pytest.mark.parametrize("end", ["killed", "interrupted", "exits"])
def test_nothing_outlives_the_process_that_owns_it(server, watch, end):
    server.routes["/"] = page("owned")
    command = [sys.executable, "-c", textwrap.dedent(OWNER), server.url("/"), "wait" if end != "exits" else "exit"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert "owned" in owner.stdout.readline()
        if end != "exits":
            assert len(watch.alive()) > 3
            owner.send_signal(signal.SIGKILL if end == "killed" else signal.SIGINT)
        owner.wait(20)
    assert eventually(lambda: not watch.alive())
    assert eventually(lambda: not watch.left())


def test_without_playwright_the_extra_is_named():
    program = """
        import sys
        sys.modules["playwright"] = None
        from jina_components.core.background import run_sync
        from jina_components.read_options import ReadOptions
        from jina_components.reader.browser import Browser
        run_sync(Browser().snapshot("https://example.com/", ReadOptions(), timeout=5))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "MissingDependencyError" in ended.stderr
    assert "pip install 'jina-components[browser]'" in ended.stderr


def test_without_chromium_the_ways_to_get_one_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    for browser in running_browser():
        for _ in range(2):
            with pytest.raises(MissingDependencyError, match="apt-get install chromium"):
                read(browser, "http://127.0.0.1:8080/")


@pytest.mark.parametrize("executable", ["/nowhere/chromium", "/bin/false"])
def test_what_is_no_chromium_is_a_config_error(watch, executable):
    for browser in running_browser(executable=executable):
        with pytest.raises(ConfigError, match="does not start"):
            read(browser, "http://127.0.0.1:8080/")
    assert eventually(lambda: not watch.alive())


def test_a_browser_pickles_as_its_settings(server):
    server.routes["/"] = page("x")
    for browser in running_browser(pool=1):
        read(browser, server.url("/"))
        copied = pickle.loads(pickle.dumps(browser))
        assert isinstance(copied, Browser)
        assert "x" in read(copied, server.url("/")).html
        copied.close()
