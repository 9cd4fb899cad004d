import asyncio
import base64
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import LOOPBACK, http

from jina_components.errors import BlockedURLError, WebError
from jina_components.net.guard import URLGuard
from jina_components.net.guarding_proxy import GuardingProxy
from jina_components.net.passage import Passage, PassageLimits


@asynccontextmanager
async def running(guard=LOOPBACK):
    proxy = GuardingProxy(guard)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.aclose()


@pytest.fixture
async def proxy():
    async with running() as made:
        yield made


@pytest.fixture
def passage(proxy):
    return proxy.open(limits=PassageLimits())


def password(passage):
    return "Basic " + base64.b64encode(f"{passage.username}:{passage.password}".encode()).decode()


async def connect(proxy):
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def send(proxy, passage, line, *fields, body=b""):
    """Everything the proxy answers to one request, until it hangs up."""
    reader, writer = await connect(proxy)
    credentials = [f"Proxy-Authorization: {password(passage)}"] if passage else []
    writer.write("\r\n".join([f"{line} HTTP/1.1", *credentials, *fields, "", ""]).encode() + body)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def tunnel(proxy, passage, target):
    reader, writer = await connect(proxy)
    writer.write(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: {password(passage)}\r\n\r\n".encode())
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def test_a_request_is_sent_on_without_what_concerns_the_proxy(server, proxy, passage):
    server.routes["/a?b=c"] = [http(body=b"found", content_type="text/plain")]
    answer = await send(
        proxy, passage, f"GET {server.url('/a?b=c')}", "X-Kept: 1", "Proxy-Connection: keep-alive", "Upgrade: h2c"
    )
    assert answer.startswith(b"HTTP/1.1 200 X\r\n")
    assert answer.endswith(b"\r\n\r\nfound")
    (received,) = server.received
    assert received.path == "/a?b=c"
    assert received.headers == {"host": f"127.0.0.1:{server.port}", "x-kept": "1", "connection": "close"}
    assert not passage.errors


async def test_a_body_is_sent_on_and_nothing_after_it(server, proxy, passage):
    server.routes["/form"] = [http(body=b"thanks")]
    second = f"GET {server.url('/second')} HTTP/1.1\r\n\r\n".encode()
    await send(proxy, passage, f"POST {server.url('/form')}", "Content-Length: 4", body=b"name" + second)
    assert [(request.path, request.body) for request in server.received] == [("/form", b"name")]


async def test_the_host_that_is_told_is_the_one_that_was_checked(server, proxy, passage):
    server.routes["/"] = [http(body=b"x")]
    await send(proxy, passage, f"GET {server.url('/')}", "Host: inside.test", "host : inside.test")
    assert server.received[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_the_answer_closes_the_connection_even_where_the_server_would_not(server, proxy, passage):
    server.routes["/"] = [http(body=b"x", connection="keep-alive", keep_alive="timeout=60")]
    reader, writer = await connect(proxy)
    writer.write(f"GET {server.url('/')} HTTP/1.1\r\nProxy-Authorization: {password(passage)}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b"connection: close" in head
    assert b"keep-alive" not in head
    writer.close()


async def test_interim_answers_are_left_out(server, proxy, passage):
    server.routes["/"] = [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(body=b"x")]
    assert (await send(proxy, passage, f"GET {server.url('/')}")).startswith(b"HTTP/1.1 200 X")


async def test_a_tunnel_carries_bytes_both_ways(server, proxy, passage):
    server.routes["/"] = [http(body=b"tunnelled")]
    head, reader, writer = await tunnel(proxy, passage, f"127.0.0.1:{server.port}")
    assert head.startswith(b"HTTP/1.1 200")
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"tunnelled")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize(
    "credentials",
    [[], ["Proxy-Authorization: Basic ?"], ["Proxy-Authorization: Basic eDp5"], ["Proxy-Authorization: Bearer x"]],
)
async def test_strangers_get_a_407(server, proxy, passage, credentials):
    answer = await send(proxy, None, f"GET {server.url('/')}", *credentials)
    assert answer.startswith(b"HTTP/1.1 407")
    assert b"Proxy-Authenticate: Basic" in answer
    assert server.connections == 0


async def test_another_jobs_name_with_this_jobs_password_is_no_way_in(server, proxy, passage):
    other = proxy.open(limits=PassageLimits())
    other.password, passage.password = passage.password, other.password
    crossed = "Basic " + base64.b64encode(f"{other.username}:{passage.password}x".encode()).decode()
    assert (await send(proxy, None, f"GET {server.url('/')}", f"Proxy-Authorization: {crossed}")).startswith(
        b"HTTP/1.1 407"
    )


async def test_a_password_is_worth_nothing_after_its_job(server, proxy, passage):
    proxy.end(passage)
    assert (await send(proxy, passage, f"GET {server.url('/')}")).startswith(b"HTTP/1.1 407")


@pytest.mark.parametrize(
    "line",
    [
        "GET http://10.0.0.1/",
        "GET http://169.254.169.254/latest/meta-data",
        "GET http://2852039166/",
        "GET http://[::ffff:10.0.0.1]/",
        "GET http://[64:ff9b::a00:1]/",
        "GET file:///etc/passwd",
        "GET ftp://127.0.0.1/",
        "GET https://127.0.0.1/",
        "GET http://user:word@127.0.0.1/",
        "GET /relative",
        "CONNECT 10.0.0.1:443",
        "CONNECT [::1]:443",
        "CONNECT 0xa000001:80",
        "CONNECT 127.0.0.1:99999",
        "CONNECT x@127.0.0.1:443",
    ],
)
async def test_what_the_guard_refuses_is_not_reached_and_is_told(proxy, passage, line):
    assert (await send(proxy, passage, line)).startswith(b"HTTP/1.1 403")
    (error,) = passage.blocked
    assert "refused" in error.message or "valid" in error.message
    assert list(passage.errors) == [line.partition(" ")[2]]


async def test_the_address_connected_to_is_the_one_checked(server, proxy, passage, resolver):
    server.routes["/"] = [http(body=b"public")]
    asked = resolver(["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"])
    url = server.url("/", host="rebind.test")
    assert (await send(proxy, passage, f"GET {url}", f"Host: rebind.test:{server.port}")).endswith(b"public")
    assert asked == ["rebind.test"]
    assert server.received[0].headers["host"] == f"rebind.test:{server.port}"
    # A new connection is a new question, and its answer is checked again.
    assert (await send(proxy, passage, f"GET {url}")).startswith(b"HTTP/1.1 403")
    head, _, writer = await tunnel(proxy, passage, f"rebind.test:{server.port}")
    assert head.startswith(b"HTTP/1.1 403")
    writer.close()
    assert server.connections == 1
    assert isinstance(passage.error_of(url), BlockedURLError)
    assert isinstance(passage.error_of(url.replace("http:", "https:") + "any"), BlockedURLError)


async def test_what_cannot_be_reached_is_an_error_but_not_blocked(proxy, passage):
    answer = await send(proxy, passage, "GET http://127.0.0.1:9/")
    assert answer.startswith(b"HTTP/1.1 502")
    error = passage.error_of("http://127.0.0.1:9/#part")
    assert isinstance(error, WebError)
    assert not passage.blocked
    assert passage.error_of("http://127.0.0.1:9/other") is None


async def test_a_body_of_unknown_length_is_not_sent(server, proxy, passage):
    answer = await send(proxy, passage, f"POST {server.url('/')}", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502")
    assert not server.received


@pytest.mark.parametrize("limits", [PassageLimits(connections=2), PassageLimits(hosts=1)])
async def test_a_job_over_its_limits_is_cut_off(server, proxy, limits):
    server.routes["/"] = [http(body=b"x")]
    passage = proxy.open(limits=limits)
    hosts = ["127.0.0.1", "127.0.0.1", "localhost", "127.0.0.1"]
    answers = [await send(proxy, passage, f"GET {server.url('/', host=host)}") for host in hosts]
    assert [answer[:12] for answer in answers[:2]] == [b"HTTP/1.1 200"] * 2
    assert not any(answer.startswith(b"HTTP/1.1 200") for answer in answers[2:])
    assert "more than" in passage.reason
    assert server.connections == 2


async def test_an_endless_body_ends_at_the_limit(server, proxy):
    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    server.routes["/"] = endless
    passage = proxy.open(limits=PassageLimits(max_bytes=1_000_000))
    assert len(await send(proxy, passage, f"GET {server.url('/')}")) < 2_000_000
    assert passage.reason == "it moves more than 1,000,000 bytes"


async def test_endless_interim_answers_end_at_the_limit(server, proxy):
    async def endless(_, writer):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: " + b"x" * 65_536 + b"\r\n\r\n")
            await writer.drain()

    server.routes["/"] = endless
    passage = proxy.open(limits=PassageLimits(max_bytes=1_000_000))
    assert await send(proxy, passage, f"GET {server.url('/')}") == b""
    assert passage.reason == "it moves more than 1,000,000 bytes"


async def test_a_length_of_thousands_of_digits_is_none(server, proxy, passage, caplog):
    server.routes["/"] = [b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\nbody"]
    reader, writer = await connect(proxy)
    writer.write(f"GET {server.url('/')} HTTP/1.1\r\nProxy-Authorization: {password(passage)}\r\n\r\n".encode())
    assert await asyncio.wait_for(reader.readuntil(b"body"), 5)
    writer.close()
    assert not caplog.records


async def test_what_is_kept_of_refused_requests_is_small(proxy, passage):
    urls = [f"http://10.0.0.1/{number}" + "x" * 60_000 for number in range(1100)]
    for url in urls[:3]:
        await send(proxy, passage, f"GET {url}")
    assert isinstance(passage.error_of(urls[0]), BlockedURLError)
    for url in urls:
        passage.record(url, WebError(url, url))
    kept = passage.errors.items()
    assert len(kept) == 1000
    assert max(len(target) + len(error.message) + len(error.url) for target, error in kept) < 5000
    assert all(error.__traceback__ is None for _, error in kept)


async def test_the_end_of_a_job_ends_what_never_would(server, proxy, passage):
    async def slow(_, writer):
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.routes["/"] = slow
    asked = asyncio.ensure_future(send(proxy, passage, f"GET {server.url('/')}"))
    await asyncio.sleep(0.2)
    assert not asked.done()
    proxy.end(passage)
    assert await asyncio.wait_for(asked, 5) == b""


@pytest.mark.parametrize("sent", [b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\xfe\r\n\r\n", b"x" * 300_000 + b"\r\n\r\n"])
async def test_nonsense_gets_no_further(proxy, sent):
    reader, writer = await connect(proxy)
    writer.write(sent)
    with suppress(ConnectionResetError):  # it may hang up in the middle
        assert not (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 2")
    writer.close()


async def test_answers_that_are_no_http_end_the_connection(server, proxy, passage):
    server.routes["/"] = [b"y" * 300_000 + b"\r\n\r\n"]
    assert b"y" not in await send(proxy, passage, f"GET {server.url('/')}")


async def test_a_further_proxy_is_asked_for_the_address_that_was_checked(server, proxy, resolver):
    async with running() as further:
        theirs = further.open(limits=PassageLimits())
        upstream = f"http://{theirs.username}:{theirs.password}@127.0.0.1:{further.port}"
        passage = proxy.open(limits=PassageLimits(), upstream=upstream)
        server.routes["/"] = [http(body=b"by way of two")]
        asked = resolver(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"])
        url = server.url("/", host="chained.test")
        assert (await send(proxy, passage, f"GET {url}")).endswith(b"by way of two")
        # Ours asks for both names; theirs for the address it was given.
        assert asked == ["chained.test", "127.0.0.1", "127.0.0.1"]
        assert (await send(proxy, passage, f"GET {url}")).startswith(b"HTTP/1.1 403")
        assert not theirs.errors


@pytest.mark.parametrize(
    ("upstream", "status"),
    [("http://10.0.0.1:3128", b"403"), ("socks5://127.0.0.1:1080", b"502"), ("http://127.0.0.1:{stranger}", b"502")],
)
async def test_a_further_proxy_that_is_private_odd_or_unwilling(server, proxy, upstream, status):
    passage = proxy.open(limits=PassageLimits(), upstream=upstream.format(stranger=proxy.port))
    answer = await send(proxy, passage, f"GET {server.url('/')}")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert server.connections == 0


async def test_ports_are_the_guards_too(server):
    async with running(URLGuard(allow_networks=("127.0.0.0/8",), allow_ports=(443,))) as proxy:
        passage = proxy.open(limits=PassageLimits())
        head, _, writer = await tunnel(proxy, passage, f"127.0.0.1:{server.port}")
        assert head.startswith(b"HTTP/1.1 403")
        writer.close()


async def test_closing_ends_all_connections(server):
    async with running() as proxy:
        passage = proxy.open(limits=PassageLimits())
        _, reader, writer = await tunnel(proxy, passage, f"127.0.0.1:{server.port}")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert proxy.port == 0
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("turns", range(8))
async def test_closing_ends_what_was_accepted_a_moment_ago(turns):
    """Whichever step of asyncio's a connection has come to by then."""
    async with running() as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await proxy.aclose()
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""


async def test_closing_ends_what_takes_no_answer(server):
    """Its buffers are full, and what is left of the answer is never sent."""

    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    server.routes["/"] = endless
    async with running() as proxy:
        passage = proxy.open(limits=PassageLimits())
        reader, writer = await connect(proxy)
        writer.write(f"GET {server.url('/')} HTTP/1.1\r\nProxy-Authorization: {password(passage)}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        proxy.end(passage)
    assert not proxy._tasks
    writer.transport.abort()


@given(st.text(max_size=40))
def test_any_url_can_be_asked_about(url):
    assert Passage(limits=PassageLimits()).error_of(url) is None
