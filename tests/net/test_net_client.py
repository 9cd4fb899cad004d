import asyncio
import gc
import gzip
import threading
import time
import tracemalloc
import zlib

import pytest
from local_server import http, loopback_fetcher

from jina_components.errors import (
    BlockedURLError,
    ConfigError,
    ContentTooLargeError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    WebError,
)
from jina_components.net import Fetched, Fetcher, FetchOptions, Politeness, URLGuard


async def test_a_page_is_fetched(server, fetcher):
    server.routes["/a"] = [http(body="grüße".encode(), Content_Type='Text/HTML; charset="UTF-8"', X_Two="1")]
    page = await fetcher.fetch(server.url("/a#part"))
    assert page == Fetched(server.url("/a"), 200, page.headers, "grüße".encode())
    assert page.headers["x-two"] == "1"
    assert page.headers["content-type"] == 'Text/HTML; charset="UTF-8"'
    assert not page.from_cache
    sent = server.received[0].headers
    assert sent["accept-encoding"] == "gzip, deflate"
    assert "jina-components" in sent["user-agent"]
    assert "cookie" not in sent


async def test_connections_are_reused_and_cookies_are_not_kept(server, fetcher):
    server.routes["/"] = [http(body=b"x", Set_Cookie="session=1")]
    for _ in range(3):
        await fetcher.fetch(server.url("/"))
    assert server.connections == 1
    assert not any("cookie" in request.headers for request in server.received)


async def test_redirects_are_followed_to_the_final_url(server, fetcher):
    server.routes["/a"] = [http(302, location="b?x=1")]
    server.routes["/b?x=1"] = [http(308, location=server.url("/c"))]
    server.routes["/c"] = [http(body=b"end")]
    page = await fetcher.fetch(server.url("/a"))
    assert (page.url, page.content) == (server.url("/c"), b"end")


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "//192.168.0.1/",
        "http://0xa9fea9fe/",
        "http://[::1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://user:password@127.0.0.1/",
    ],
)
async def test_every_hop_is_checked(server, fetcher, target):
    server.routes["/"] = [http(302, location=target)]
    with pytest.raises(BlockedURLError) as caught:
        await fetcher.fetch(server.url("/"))
    assert caught.value.url != server.url("/")
    assert server.paths() == ["/"]


async def test_a_redirect_to_another_port_is_refused_where_ports_are_limited(start_server):
    server, other = start_server(), start_server()
    server.routes["/"] = [http(302, location=other.url("/"))]
    async with Fetcher(guard=URLGuard(allow_networks=("127.0.0.0/8",), allow_ports=(server.port,))) as fetcher:
        with pytest.raises(BlockedURLError, match=f"port {other.port}"):
            await fetcher.fetch(server.url("/"))
    assert other.connections == 0


async def test_a_redirect_to_a_name_is_checked_where_it_resolves(server, resolver):
    server.routes["/"] = [http(302, location="http://metadata.test/")]
    resolver(["127.0.0.1"], ["169.254.169.254"])
    async with loopback_fetcher() as fetcher:
        with pytest.raises(BlockedURLError, match=r"metadata\.test.*169\.254\.169\.254"):
            await fetcher.fetch(server.url("/", host="start.test"))


async def test_credentials_stay_with_their_origin(start_server, fetcher):
    server, other = start_server(), start_server()
    server.routes["/"] = [http(302, location="/same")]
    server.routes["/same"] = [http(302, location=other.url("/"))]
    other.routes["/"] = [http(302, location=server.url("/back"))]
    server.routes["/back"] = [http()]
    headers = {"Authorization": "Bearer s", "Cookie": "a=b", "X-Api-Key": "s", "Accept-Language": "de"}
    await fetcher.fetch(server.url("/"), headers=headers)
    here, same, back = server.received
    for request in (here, same):
        assert request.headers["authorization"] == "Bearer s"
        assert request.headers["x-api-key"] == "s"
    for request in (other.received[0], back):
        assert request.headers.keys().isdisjoint({"authorization", "cookie", "x-api-key"})
        assert request.headers["accept-language"] == "de"


async def test_redirects_are_limited(server):
    server.routes["/"] = [http(302, location="/")]
    async with loopback_fetcher(max_redirects=3) as fetcher:
        with pytest.raises(WebError, match="more than 3 redirects"):
            await fetcher.fetch(server.url("/"))
    assert len(server.received) == 4


async def test_a_redirect_does_not_wait_for_its_body(server, fetcher):
    async def never_ending(_, writer):
        writer.write(b"HTTP/1.1 302 X\r\nlocation: /end\r\ncontent-length: 9\r\n\r\n")
        await asyncio.sleep(60)

    server.routes |= {"/": never_ending, "/end": [http(body=b"end")]}
    assert (await fetcher.fetch(server.url("/"))).content == b"end"


@pytest.mark.parametrize("location", ["http://[", "http://a:b:c/", "http://exa mple/", "\x7f"])
async def test_a_malformed_redirect_is_a_web_error(server, fetcher, location):
    server.routes["/"] = [http(302, location=location)]
    with pytest.raises(WebError):
        await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize(
    ("status", "remedy"), [(404, "check the URL"), (403, "who may read"), (500, "later"), (304, "URL")]
)
async def test_error_statuses_raise(server, fetcher, status, remedy):
    server.routes["/"] = [http(status, body=b"" if status == 304 else b"sorry")]
    with pytest.raises(HTTPStatusError, match=remedy) as caught:
        await fetcher.fetch(server.url("/"))
    assert (caught.value.status_code, caught.value.url) == (status, server.url("/"))
    assert len(server.received) == 1


async def test_retries_until_it_works(server, fetcher):
    server.routes["/"] = [http(503, Retry_After="0"), http(429, Retry_After="0.05"), http(body=b"up")]
    begin = time.monotonic()
    assert (await fetcher.fetch(server.url("/"))).content == b"up"
    assert time.monotonic() - begin >= 0.05
    assert len(server.received) == 3


async def test_retries_end(server, fetcher):
    server.routes["/"] = [http(503, Retry_After="0")]
    with pytest.raises(HTTPStatusError, match="503"):
        await fetcher.fetch(server.url("/"))
    assert len(server.received) == 3


async def test_a_wait_beyond_the_time_limit_is_not_begun(server):
    server.routes["/"] = [http(429, Retry_After="120")]
    async with loopback_fetcher(timeout=100) as fetcher, asyncio.timeout(50):
        with pytest.raises(HTTPStatusError):
            await fetcher.fetch(server.url("/"))


async def test_lost_connections_are_retried(server, fetcher):
    async def hang_up(_, writer):
        server.routes["/"] = [http(body=b"up")]

    server.routes["/"] = hang_up
    assert (await fetcher.fetch(server.url("/"))).content == b"up"


async def test_a_slow_drip_meets_the_total_timeout(server):
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.routes["/"] = drip
    async with loopback_fetcher(timeout=0.3) as fetcher:
        with pytest.raises(FetchTimeoutError, match="raise timeout") as caught:
            await fetcher.fetch(server.url("/"))
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.url == server.url("/")


async def test_the_timeout_covers_all_hops(server):
    async def slow_redirect(_, writer):
        await asyncio.sleep(0.12)
        writer.write(http(302, location="/"))

    server.routes["/"] = slow_redirect
    async with loopback_fetcher(timeout=0.3) as fetcher:
        with pytest.raises(FetchTimeoutError):
            await fetcher.fetch(server.url("/"))
    assert len(server.received) <= 3


async def test_an_endless_body_meets_the_byte_limit(server):
    sent = 0

    async def endless(_, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    server.routes["/"] = endless
    async with loopback_fetcher(max_bytes=100_000) as fetcher:
        with pytest.raises(ContentTooLargeError, match="100,000 bytes"):
            await fetcher.fetch(server.url("/"))
    assert sent < 50_000_000


async def test_a_declared_length_over_the_limit_is_not_read(server):
    server.routes["/"] = [http(body=b"x" * 1001)]
    async with loopback_fetcher(max_bytes=1000) as fetcher:
        with pytest.raises(ContentTooLargeError):
            await fetcher.fetch(server.url("/"))
        server.routes["/"] = [http(body=b"x" * 1000)]
        assert len((await fetcher.fetch(server.url("/"))).content) == 1000


async def test_a_gzip_bomb_does_not_inflate(server):
    bomb = gzip.compress(bytes(50_000_000), 1)
    server.routes["/"] = [http(body=bomb, content_encoding="gzip")]
    async with loopback_fetcher(max_bytes=1_000_000) as fetcher:
        with pytest.raises(ContentTooLargeError, match="1,000,000 bytes"):
            await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("X-GZip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_encodings_are_unpacked(server, fetcher, encoding, pack):
    server.routes["/"] = [http(body=pack(b"hello " * 99), content_encoding=encoding)]
    assert (await fetcher.fetch(server.url("/"))).content == b"hello " * 99


async def test_an_unknown_encoding_says_so(server, fetcher):
    server.routes["/"] = [http(body=b"x", content_encoding="br")]
    with pytest.raises(WebError, match="'br' is not supported"):
        await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 20_000 + b"\r\n",
    ],
)
async def test_broken_answers_are_web_errors(server, raw):
    async def answer(_, writer):
        writer.write(raw)

    server.routes["/"] = answer
    async with loopback_fetcher(retries=0) as fetcher:
        with pytest.raises(WebError) as caught:
            await fetcher.fetch(server.url("/"))
    assert caught.value.url == server.url("/")


async def test_headers_are_validated_without_showing_values(server, fetcher):
    with pytest.raises(InputError, match="accept-encoding"):
        await fetcher.fetch(server.url("/"), headers={"Accept-Encoding": "br"})
    for value in ("sécret", "secret\r\nx: y", "secret "):
        with pytest.raises(InputError, match="x-token") as caught:
            await fetcher.fetch(server.url("/"), headers={"X-Token": value})
        assert value.strip() not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize("settings", [{"timeout": 0}, {"max_bytes": 0}, {"retries": -1}, {"max_redirects": -1}])
def test_settings_are_validated(settings):
    with pytest.raises(ConfigError):
        Fetcher(**settings)


async def test_many_fetches_at_once(server, fetcher):
    server.routes |= {f"/{i}": [http(body=str(i).encode())] for i in range(50)}
    pages = await asyncio.gather(*(fetcher.fetch(server.url(f"/{i}")) for i in range(50)))
    assert [page.content for page in pages] == [str(i).encode() for i in range(50)]


async def test_cancelling_leaves_the_fetcher_usable(server, fetcher):
    arrived = threading.Event()

    async def silent(_, writer):
        arrived.set()
        await asyncio.sleep(60)

    server.routes |= {"/silent": silent, "/": [http(body=b"x")]}
    task = asyncio.create_task(fetcher.fetch(server.url("/silent")))
    assert await asyncio.to_thread(arrived.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await fetcher.fetch(server.url("/"))).content == b"x"


async def test_error_pages_are_returned_when_asked_for(server, fetcher):
    body = b"long " * 50_000
    server.routes |= {"/404": [http(404, body=body)], "/503": [http(503, b"down", Retry_After="0")], "/": [http()]}
    accepting = FetchOptions(accept_errors=True)
    page = await fetcher.fetch(server.url("/404"), options=accepting)
    assert (page.status_code, page.content) == (404, body)
    assert (await fetcher.fetch(server.url("/503"), options=accepting)).content == b"down"
    assert len(server.received) == 4  # what may pass is still tried again
    with pytest.raises(ContentTooLargeError):
        await fetcher.fetch(server.url("/404"), options=FetchOptions(accept_errors=True, max_bytes=1000))


async def test_limits_of_one_fetch(server):
    async def silent(_, writer):
        await asyncio.sleep(60)

    server.routes |= {"/silent": silent, "/": [http(body=b"x" * 1000)]}
    async with loopback_fetcher(timeout=50) as fetcher, asyncio.timeout(40):
        with pytest.raises(FetchTimeoutError):
            await fetcher.fetch(server.url("/silent"), options=FetchOptions(timeout=0.2))
        with pytest.raises(ContentTooLargeError, match="999 bytes"):
            await fetcher.fetch(server.url("/"), options=FetchOptions(max_bytes=999))


async def test_a_thousand_pages_with_200_in_flight(server):
    body = b"<p>words</p>" * 2000
    server.routes |= {f"/{n}": [http(body=b"%d" % n + body)] for n in range(1000)}
    free = asyncio.Semaphore(200)
    async with loopback_fetcher(politeness=Politeness(per_host=200), retries=0) as fetcher:

        async def fetch(n):
            async with free:
                return (await fetcher.fetch(server.url(f"/{n}"))).content == b"%d" % n + body

        for _ in range(2):
            assert all(await asyncio.gather(*(fetch(n) for n in range(1000))))
            assert server.connections <= 200
            server.received.clear()


async def test_memory_stays_flat_over_many_pages(server):
    server.routes["/"] = [http(body=bytes(100_000))]
    async with loopback_fetcher(politeness=Politeness(per_host=20), retries=0) as fetcher:

        async def left_after(pages):
            for _ in range(pages // 20):
                await asyncio.gather(*(fetcher.fetch(server.url("/")) for _ in range(20)))
            server.received.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            early = await left_after(100)
            assert await left_after(400) - early < 500_000
        finally:
            tracemalloc.stop()
