import asyncio
import sqlite3

import pytest
from local_server import http, loopback_fetcher

from jina_components.errors import BlockedURLError, HTTPStatusError, RobotsDeniedError, WebError
from jina_components.net import Fetcher, FetchOptions, ResponseCache, URLGuard


@pytest.fixture
def cache(tmp_path):
    made = ResponseCache(tmp_path / "cache", tolerance=60)
    yield made
    made.close()


def aged(cache, seconds):
    """Makes all entries older."""
    connection = sqlite3.connect(cache.path)
    with connection:
        connection.execute("UPDATE entry SET stored_at = stored_at - ?", (seconds,))
    connection.close()


async def test_the_fetcher_serves_from_the_cache(server, cache):
    server.routes["/"] = [http(302, location="/end")]
    server.routes["/end"] = [http(body=b"one"), http(body=b"two")]
    async with loopback_fetcher(cache=cache) as fetcher:
        first, second = [await fetcher.fetch(server.url("/")) for _ in range(2)]
        assert (first.from_cache, second.from_cache) == (False, True)
        assert (second.url, second.content, second.failure) == (server.url("/end"), b"one", "")
        assert server.paths() == ["/", "/end"]
        assert (await fetcher.fetch(server.url("/"), headers={"Accept-Language": "de"})).content == b"two"
    async with loopback_fetcher(cache=cache, max_bytes=2) as small:
        with pytest.raises(Exception, match="exceeds 2 bytes"):
            await small.fetch(server.url("/"))


async def test_what_a_fetch_asks_of_the_cache(server, cache):
    server.routes["/"] = [http(body=b"%d" % n) for n in range(9)]
    url = server.url("/")

    async def content(**options):
        return (await fetcher.fetch(url, options=FetchOptions(**options))).content

    async with loopback_fetcher(cache=cache) as fetcher:
        assert await content(store=False) == b"0"
        assert await content() == b"1"
        assert await content() == b"1"
        assert await content(cache_tolerance=0) == b"2"
        assert await content() == b"2"  # a fresh one has taken its place
        aged(cache, 100)
        assert await content(cache_tolerance=1000) == b"2"
        assert await content(max_bytes=1) == b"3"
        assert (await fetcher.fetch(url, headers={"Referer": "http://a/"})).content == b"4"
        assert await content() == b"3"


async def test_a_bot_is_not_served_what_it_may_not_fetch(server, cache):
    server.routes |= {"/robots.txt": [http(body=b"User-agent: bot\nDisallow: /")], "/": [http(body=b"x")]}
    async with loopback_fetcher(cache=cache) as fetcher:
        await fetcher.fetch(server.url("/"))
        with pytest.raises(RobotsDeniedError):
            await fetcher.fetch(server.url("/"), options=FetchOptions(robots="bot"))


async def test_an_old_response_stands_in_for_a_failure(server, cache):
    url = server.url("/")

    async def hang_up(_, writer):
        """Answer nothing."""

    async def sleep(_, writer):
        await asyncio.sleep(60)

    server.routes["/"] = [http(body=b"good")]
    async with loopback_fetcher(cache=cache, retries=0, timeout=0.5) as fetcher:
        await fetcher.fetch(url)
        aged(cache, 1000)
        for failing, reason in ((hang_up, "cannot be fetched"), (sleep, "in time"), ([http(503)], "status 503")):
            server.routes["/"] = failing
            for options in (FetchOptions(), FetchOptions(accept_errors=True)):
                old = await fetcher.fetch(url, options=options)
                assert (old.content, old.from_cache) == (b"good", True)
                assert reason in old.failure
                assert 1000 <= old.age < 1010
        with pytest.raises(HTTPStatusError):
            await fetcher.fetch(url, options=FetchOptions(cache_tolerance=0))
        aged(cache, cache.retention)
        with pytest.raises(HTTPStatusError):
            await fetcher.fetch(url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(404), HTTPStatusError),
        (http(410), HTTPStatusError),
        (http(302, location="http://10.0.0.1/"), BlockedURLError),
        (http(302, location="file:///etc/passwd"), BlockedURLError),
        (http(body=b"x" * 2000), WebError),
    ],
)
async def test_a_definite_answer_is_not_hidden_by_an_old_response(server, cache, answer, error):
    server.routes["/"] = [http(body=b"good"), answer]
    async with loopback_fetcher(cache=cache, max_bytes=1000) as fetcher:
        await fetcher.fetch(server.url("/"))
        aged(cache, 1000)
        with pytest.raises(error):
            await fetcher.fetch(server.url("/"))


async def test_error_pages_are_not_kept(server, cache):
    server.routes["/"] = [http(404, body=b"sorry"), http(body=b"good")]
    async with loopback_fetcher(cache=cache) as fetcher:
        accepting = FetchOptions(accept_errors=True)
        page = await fetcher.fetch(server.url("/"), options=accepting)
        assert (page.status_code, page.content) == (404, b"sorry")
        assert (await fetcher.fetch(server.url("/"), options=accepting)).content == b"good"


async def test_a_response_that_cannot_be_kept_is_returned_all_the_same(server, tmp_path, caplog):
    server.routes["/"] = [http(body=b"page")]
    (tmp_path / "cache").symlink_to(tmp_path / "unmounted")
    async with loopback_fetcher(cache=ResponseCache(tmp_path / "cache", tolerance=60)) as fetcher:
        fetched = await fetcher.fetch(server.url("/"))
    assert (fetched.content, fetched.from_cache) == (b"page", False)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("jina_components.net.client", "WARNING")
    assert "is not cached: The response cache" in record.message


async def test_requests_with_credentials_bypass_the_cache(server, cache):
    server.routes["/"] = [http(body=b"mine")]
    async with loopback_fetcher(cache=cache) as fetcher:
        for name in ("Authorization", "Cookie", "X-Api-Key"):
            assert not (await fetcher.fetch(server.url("/"), headers={name: "x"})).from_cache
        assert not cache.path.exists()
        assert not (await fetcher.fetch(server.url("/"))).from_cache
    assert len(server.received) == 4


async def test_the_cache_does_not_get_around_the_guard(server, cache, resolver):
    server.routes["/"] = [http(body=b"internal")]
    async with loopback_fetcher(cache=cache) as lenient:
        await lenient.fetch(server.url("/"))
        resolver(["127.0.0.1"])
        await lenient.fetch(server.url("/", host="intranet.test"))
    async with Fetcher(guard=URLGuard(), cache=cache) as strict:
        with pytest.raises(BlockedURLError):
            await strict.fetch(server.url("/"))
        resolver(["127.0.0.1"])
        with pytest.raises(BlockedURLError):
            await strict.fetch(server.url("/", host="intranet.test"))
