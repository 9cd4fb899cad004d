"""The Reader against servers and documents made to harm: all refused or bounded, in time and memory.

What a browser's own requests may reach is in test_reader_browser_security.py, files in test_reader_formats_hostile.py.
"""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from local_server import Received, http, loopback_fetcher

from jina_components.core.background import run_sync
from jina_components.errors import (
    BlockedURLError,
    ContentTooLargeError,
    ExtractionError,
    FetchTimeoutError,
    InputError,
    JinaComponentsError,
    RobotsDeniedError,
    WebError,
)
from jina_components.net import URLGuard
from jina_components.net import names as names_module
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader

DIRECT = ReadOptions(engine="direct")
PAGE = b"<title>T</title><p>It rains today, and it will rain tomorrow as well.</p>"
INTERNAL = [
    "http://127.0.0.1/",
    "http://localhost/",
    "http://localhost./",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://127\u30020\u30020\u30021/",
    "http://\u2460\u2461\u2466.0.0.1/",
    "http://user:password@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com:0/",
    "http://[::1%25lo]/",
]


@contextmanager
def open_reader(**settings) -> Iterator[Reader]:
    fetcher = loopback_fetcher(**{"timeout": 5.0, "retries": 0, **settings})
    with Reader(fetcher=fetcher, options=DIRECT) as reader:
        yield reader
    run_sync(fetcher.aclose())


@pytest.fixture
def reader():
    with open_reader() as made:
        yield made


@pytest.fixture
def strict():
    with Reader(options=DIRECT) as made:
        yield made


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, answer by answer."""
    answers: dict[str, list[str]] = {}
    monkeypatch.setattr(names_module, "_look_up", lambda host, _: [answers[host].pop(0) if host in answers else host])
    return answers


@pytest.mark.parametrize("url", INTERNAL)
def test_internal_addresses_in_any_notation_are_refused(strict, url):
    with pytest.raises(BlockedURLError):
        strict.read(url)


@pytest.mark.parametrize("engine", ["direct", "auto"])
@pytest.mark.parametrize("url", INTERNAL[:8])
def test_they_are_refused_by_every_engine_that_starts_with_a_fetch(url, engine):
    with Reader(options=ReadOptions(engine=engine)) as reader, pytest.raises(BlockedURLError):
        reader.read(url)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
def test_names_of_internal_addresses_are_refused(strict, names, address):
    names["intranet.test"] = [address]
    with pytest.raises(BlockedURLError, match="intranet"):
        strict.read("http://intranet.test/")


def test_a_name_that_changes_between_check_and_connection_gains_nothing(server, reader, names):
    server.routes["/"] = [http(body=PAGE, content_type="text/html")]
    names["rebind.test"] = ["127.0.0.1", "10.0.0.1"]
    page = reader.read(server.url("/", host="rebind.test"))
    assert "It rains" in page.content
    assert names["rebind.test"] == ["10.0.0.1"]  # the second answer was never asked for


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://example.com/",
        "gopher://a/",
        "data:text/html,x",
        "javascript:1",
        "blob:http://a/1",
    ],
)
def test_other_schemes_are_no_sources(strict, url):
    with pytest.raises((InputError, BlockedURLError, JinaComponentsError)) as caught:
        strict.read(url)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "//192.168.0.1/",
        "gopher://a/",
        "http://0x0a000001/",
    ],
)
def test_redirects_to_what_is_internal_are_refused(server, reader, target):
    server.routes |= {"/": [http(302, location="/next")], "/next": [http(307, location=target)]}
    with pytest.raises(BlockedURLError):
        reader.read(server.url("/"))
    assert server.paths() == ["/", "/next"]


def test_a_redirect_to_a_name_of_an_internal_address_is_refused(server, reader, names):
    names["metadata.test"] = ["169.254.169.254"]
    server.routes["/"] = [http(302, location="http://metadata.test/")]
    with pytest.raises(BlockedURLError, match=r"169\.254\.169\.254"):
        reader.read(server.url("/"))


def test_redirects_in_a_circle_end(server, reader):
    server.routes |= {"/a": [http(302, location="/b")], "/b": [http(302, location="/a")]}
    with pytest.raises(WebError, match="redirects"):
        reader.read(server.url("/a"))
    assert len(server.received) == 11


def test_credentials_do_not_follow_a_redirect(start_server, reader):
    server, thief = start_server(), start_server()
    server.routes["/"] = [http(302, location=thief.url("/"))]
    thief.routes["/"] = [http(body=PAGE, content_type="text/html")]
    options = ReadOptions(engine="direct", cookies=("session=secret",), headers={"Authorization": "Bearer secret"})
    reader.read(server.url("/"), options=options)
    assert "secret" in str(server.received[0].headers)
    assert "secret" not in str(thief.received[0].headers)


BOMB = bytes(100_000_000)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", lambda: gzip.compress(BOMB, 1)),
        ("deflate", lambda: zlib.compress(BOMB, 1)),
        ("gzip", lambda: gzip.compress(BOMB[:10_000_000], 1) * 10),
    ],
)
def test_bombs_do_not_unfold(server, encoding, pack):
    server.routes["/"] = [http(body=pack(), content_encoding=encoding, content_type="text/html")]
    with open_reader(max_bytes=10_000_000) as reader:
        tracemalloc.start()
        try:
            with pytest.raises(ContentTooLargeError, match="10,000,000 bytes"):
                reader.read(server.url("/"))
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip, identity, gzip", "compress"])
def test_encodings_that_were_not_asked_for_are_refused(server, reader, encoding):
    body = gzip.compress(gzip.compress(PAGE))
    server.routes["/"] = [http(body=body, content_encoding=encoding, content_type="text/html")]
    with pytest.raises(WebError, match="not supported"):
        reader.read(server.url("/"))


async def streaming(request: Received, writer: asyncio.StreamWriter) -> None:
    """100 MB, in a body of a declared length, chunked without an end, or without any length."""
    heads = {"/length": b"content-length: 100000000\r\n", "/chunked": b"transfer-encoding: chunked\r\n", "/bare": b""}
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n" + heads[request.path] + b"\r\n")
    piece = b"<p>words</p>" * 5000
    for _ in range(100_000_000 // len(piece)):
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if request.path == "/chunked" else piece)
        await writer.drain()
    await asyncio.sleep(60)


@pytest.mark.parametrize("path", ["/length", "/chunked", "/bare"])
def test_a_body_of_100_mb_ends_at_the_limit(server, path):
    server.routes[path] = streaming
    with open_reader(max_bytes=5_000_000) as reader:
        tracemalloc.start()
        try:
            with pytest.raises(ContentTooLargeError):
                reader.read(server.url(path))
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
        finally:
            tracemalloc.stop()


SLOW = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nx-a: ", b"b"),
    "status line": (b"HTTP", b"/"),
    "body": (b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n", b"<p>"),
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_loris_meets_the_time_limit(server, kind):
    first, then = SLOW[kind]

    async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(0.02)

    server.routes["/"] = drip
    with open_reader(timeout=0.5) as reader:
        with pytest.raises(WebError):
            reader.read(server.url("/"))
        with pytest.raises(FetchTimeoutError):
            reader.read(server.url("/"), options=ReadOptions(engine="direct", timeout=0.2))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nx\0y: z\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\n folded: header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_answers_that_lie_about_themselves_are_errors(server, reader, raw):
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    server.routes["/"] = answer
    with pytest.raises(WebError):
        reader.read(server.url("/"))


def test_what_follows_an_answer_is_not_taken_for_the_next_one(server, reader):
    first = http(body=PAGE, content_type="text/html")
    server.routes |= {"/": [first + http(body=b"<p>smuggled, and long enough to be read</p>")], "/b": [first]}
    assert "It rains" in reader.read(server.url("/")).content
    assert "smuggled" not in reader.read(server.url("/b")).content


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-B: c"},
        {"X-A\r\nX-B": "c"},
        {"X-A": "b\0"},
        {"X-A:": "b"},
        {"Host": "other"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_headers_cannot_be_injected(server, reader, headers):
    with pytest.raises(InputError):
        reader.read(server.url("/"), options=ReadOptions(engine="direct", headers=headers))
    assert server.received == []


@pytest.mark.parametrize("field", ["user_agent", "referer", "locale"])
def test_header_options_cannot_be_injected(server, reader, field):
    with pytest.raises((InputError, ValueError)):
        reader.read(server.url("/"), options=ReadOptions(engine="direct", **{field: "a\r\nX-B: c"}))
    assert server.received == []


@pytest.mark.parametrize("path", ["/a\r\nX-Injected: 1", "/a HTTP/1.1\r\nHost: b\r\n\r\n", "/\t", "/ü\n"])
def test_urls_cannot_inject_into_the_request(server, reader, path):
    server.routes["/"] = [http(body=PAGE)]
    with pytest.raises((WebError, InputError)):
        reader.read(server.url(path))
    assert not any("x-injected" in request.headers for request in server.received)


DEEP = 50_000


@pytest.mark.parametrize(
    "document",
    [
        b"<div>" * DEEP + PAGE,
        b"<b>" * DEEP + PAGE,
        b"<ul><li>" * DEEP + PAGE,
        b"<blockquote>" * DEEP + PAGE,
        b"<table><tr><td>" * DEEP + PAGE,
        b"<svg>" * DEEP + PAGE,
        b"<math>" + b"<mrow>" * DEEP + PAGE,
        b"<font><p>" * DEEP + PAGE,
        b"<a href=x>" * DEEP + PAGE,
        b"<template>" * DEEP + PAGE,
        b"<p" + b" a" * DEEP + b">" + PAGE,
        b"<" * 1_000_000 + PAGE,
        b"<!--" * DEEP + PAGE,
        b"&" * 1_000_000 + PAGE,
        b"<p title='" + b"x" * 5_000_000 + PAGE,
        b"\0" * 100_000 + PAGE,
    ],
    ids=lambda document: document[:12].decode().replace("\0", "NUL"),
)
def test_deep_and_twisted_documents_are_read_or_refused_in_time(server, document):
    server.routes["/"] = [http(body=document, content_type="text/html")]
    with open_reader(timeout=20.0) as reader:
        begin = time.process_time()
        try:
            page = reader.read(server.url("/"))
        except ExtractionError:
            page = None
        assert time.process_time() - begin < 30
    assert page is None or len(page.content) < 10 * len(document)


def test_a_site_that_forbids_bots_is_not_read_by_one(server, reader):
    server.routes |= {"/robots.txt": [http(body=b"User-agent: *\nDisallow: /")], "/": [http(body=PAGE)]}
    with pytest.raises(RobotsDeniedError):
        reader.read(server.url("/"), options=ReadOptions(engine="direct", robots="mybot"))
    assert server.paths() == ["/robots.txt"]


def test_a_proxy_does_not_get_around_the_guard(server, names):
    proxy = f"http://127.0.0.1:{server.port}"
    with open_reader(guard=URLGuard()) as strict:
        names["site.test"] = ["93.184.216.34"] * 3
        for url in ("http://10.0.0.1/", "http://site.test/"):
            with pytest.raises(BlockedURLError):
                strict.read(url, options=ReadOptions(engine="direct", proxy=proxy))
    assert server.connections == 0
