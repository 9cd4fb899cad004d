import asyncio
import gc
import threading

import pytest
from local_server import http, loopback_fetcher

from jina_components.errors import FetchTimeoutError, WebError
from jina_components.net import FetchOptions, Politeness
from jina_components.net import pool as pool_module


async def pool_of(fetcher):
    return (await fetcher._connections.transport())._pool


async def test_idle_connections_are_used_again_by_their_origin(start_server, fetcher):
    first, second = start_server(), start_server()
    for server in (first, second):
        server.routes["/"] = [http(body=b"x")]
    for _ in range(5):
        await asyncio.gather(*(fetcher.fetch(server.url("/")) for server in (first, second)))
    assert (first.connections, second.connections) == (1, 1)
    assert len((await pool_of(fetcher))._idle) == 2


async def test_the_longest_idle_close_first(start_server, fetcher, monkeypatch):
    monkeypatch.setattr(pool_module, "_MAX_IDLE", 3)
    servers = [start_server() for _ in range(5)]
    for server in servers:
        server.routes["/"] = [http(body=b"x")]
        await fetcher.fetch(server.url("/"))
    pool = await pool_of(fetcher)
    assert [*pool._idle.values()] == [server.url("") for server in servers[2:]]
    assert pool._by_origin.keys() == {server.url("") for server in servers[2:]}
    for server in servers:
        await fetcher.fetch(server.url("/"))
    assert len(pool._idle) == 3


async def test_connections_that_the_server_closed_are_not_used(server):
    async def close(_, writer):
        writer.write(http(body=b"x"))

    server.routes["/"] = close
    async with loopback_fetcher(retries=0) as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(server.url("/"))).content == b"x"
            await asyncio.sleep(0.05)
        assert server.connections == 3
        assert len((await pool_of(fetcher))._idle) <= 1


async def test_connections_idle_for_long_are_closed(start_server, monkeypatch):
    monkeypatch.setattr(pool_module, "_IDLE_SECONDS", 0.05)
    first, second = start_server(), start_server()
    for server in (first, second):
        server.routes["/"] = [http(body=b"x")]
    async with loopback_fetcher() as fetcher:
        await fetcher.fetch(first.url("/"))
        await asyncio.sleep(0.1)
        await fetcher.fetch(second.url("/"))
        assert [*(await pool_of(fetcher))._idle.values()] == [second.url("")]
        await fetcher.fetch(first.url("/"))
    assert first.connections == 2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1", b"HTTP/1.0 200 OK"])
async def test_connections_that_end_with_the_answer_are_not_kept(server, fetcher, head):
    async def answer(_, writer):
        writer.write(head + b"\r\n\r\nx")

    server.routes["/"] = answer
    assert (await fetcher.fetch(server.url("/"))).content == b"x"
    pool = await pool_of(fetcher)
    assert (pool._idle, pool._by_origin) == ({}, {})


async def test_what_was_not_read_to_the_end_is_not_kept(server, fetcher):
    arrived = threading.Event()

    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        arrived.set()
        while True:
            writer.write(bytes(65_536))
            await writer.drain()

    async def silent(_, writer):
        arrived.set()
        await asyncio.sleep(60)

    server.routes |= {"/endless": endless, "/silent": silent, "/": [http(body=b"x")]}
    pool = await pool_of(fetcher)
    with pytest.raises(WebError):
        await fetcher.fetch(server.url("/endless"), options=FetchOptions(max_bytes=1000))
    with pytest.raises(FetchTimeoutError):
        await fetcher.fetch(server.url("/silent"), options=FetchOptions(timeout=0.1))
    arrived.clear()
    task = asyncio.create_task(fetcher.fetch(server.url("/silent")))
    await asyncio.to_thread(arrived.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not pool._idle
    await fetcher.fetch(server.url("/"))
    assert len(pool._idle) == 1
    await fetcher.aclose()
    assert (pool._idle, pool._by_origin) == ({}, {})


async def test_answers_never_go_to_another_request(server):
    """Some requests are cancelled at any moment; no other gets what was meant for them."""

    async def answer(request, writer):
        await asyncio.sleep(0.001 * (len(request.path) % 3))
        writer.write(http(body=request.path.encode()))

    server.routes |= {f"/{n}": [http(body=b"/%d" % n)] if n % 2 else answer for n in range(300)}
    async with loopback_fetcher(politeness=Politeness(per_host=50)) as fetcher:

        async def fetch(n):
            fetched = await fetcher.fetch(server.url(f"/{n}"))
            assert fetched.content == b"/%d" % n

        tasks = [asyncio.create_task(fetch(n)) for n in range(300)]
        for n, task in enumerate(tasks):
            if n % 5 == 0:
                await asyncio.sleep(0.003)
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert outcomes.count(None) >= 240
    gc.collect()  # a socket left open would warn


async def test_what_a_server_sends_beyond_its_answer_is_dropped_with_the_connection(server, fetcher):
    answer = http(body=b"right")
    for surplus in (http(body=b"smuggled"), b"\r\n", b"junk"):
        server.routes["/"] = [answer + surplus, answer]
        for _ in range(3):
            assert (await fetcher.fetch(server.url("/"))).content == b"right"
    server.routes["/"] = [answer]
    connections = server.connections
    for _ in range(3):
        await fetcher.fetch(server.url("/"))
    assert server.connections <= connections + 1
