import asyncio
import pickle
import socket
import ssl

import httpcore
import pytest
import trustme
from local_server import LOOPBACK, http, loopback_fetcher

from jina_components.core.background import run_sync
from jina_components.errors import BlockedURLError, FetchTimeoutError, WebError
from jina_components.net import Fetcher, URLGuard
from jina_components.net.transport import GuardedBackend


async def test_the_address_connected_to_is_the_one_checked(server, resolver):
    server.routes["/"] = [http(body=b"public")]
    asked = resolver(["127.0.0.1"], ["10.0.0.1"])
    async with loopback_fetcher() as fetcher:
        # Checked once, connected to, and kept: the second answer of the resolver is not even asked for.
        for _ in range(2):
            assert (await fetcher.fetch(server.url("/", host="rebind.test"))).content == b"public"
        assert asked == ["rebind.test"]
        assert server.received[0].headers["host"] == f"rebind.test:{server.port}"
        assert server.connections == 1
    async with loopback_fetcher() as fetcher:
        with pytest.raises(BlockedURLError, match=r"10\.0\.0\.1"):
            await fetcher.fetch(server.url("/", host="rebind.test"))
    assert server.connections == 1


async def test_one_forbidden_address_among_good_ones_stops_the_connection(server, resolver):
    resolver(["127.0.0.1", "192.168.0.1"])
    async with loopback_fetcher() as fetcher:
        with pytest.raises(BlockedURLError) as caught:
            await fetcher.fetch(server.url("/", host="both.test"))
    assert caught.value.url == server.url("/", host="both.test")
    assert server.connections == 0


async def test_the_next_checked_address_is_tried(server, resolver):
    server.routes["/"] = [http(body=b"found")]
    asked = resolver(["::1", "127.0.0.1"])
    async with Fetcher(guard=URLGuard(allow_networks=("127.0.0.0/8", "::1"))) as fetcher:
        assert (await fetcher.fetch(server.url("/", host="dual.test"))).content == b"found"
    assert asked == ["dual.test"]


async def test_without_permission_loopback_is_refused_under_every_name(server):
    async with Fetcher() as fetcher:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]"):
            with pytest.raises(BlockedURLError):
                await fetcher.fetch(server.url("/", host=host))
    assert server.connections == 0


async def test_proxies_of_the_environment_are_not_used(server, fetcher, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.routes["/"] = [http(body=b"direct")]
    assert (await fetcher.fetch(server.url("/"))).content == b"direct"


async def test_the_backend_opens_no_unix_socket():
    with pytest.raises(NotImplementedError):
        await GuardedBackend(LOOPBACK).connect_unix_socket("/var/run/docker.sock")


async def test_refused_connections_are_told_from_blocked_ones():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        backend = GuardedBackend(LOOPBACK)
        with pytest.raises(httpcore.ConnectError):
            await backend.connect_tcp("127.0.0.1", unused.getsockname()[1])
        async with loopback_fetcher(retries=0) as fetcher:
            with pytest.raises(WebError, match="cannot be fetched") as caught:
                await fetcher.fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert type(caught.value) is WebError


async def test_tls_verifies_the_name_of_the_url(start_server, resolver):
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("good.test").configure_cert(served)
    authority.configure_trust(trusting)
    names = []
    served.sni_callback = lambda _socket, name, _context: names.append(name)
    server = start_server(served)
    server.routes["/"] = [http(body=b"secure")]
    resolver(*[["127.0.0.1"]] * 3)
    async with loopback_fetcher(ssl_context=trusting) as fetcher:
        assert (await fetcher.fetch(server.url("/", host="good.test"))).content == b"secure"
        assert names == ["good.test"]
        # The pinned address is the same, and a connection to it lies open: neither may stand in for the name.
        with pytest.raises(WebError, match="CERTIFICATE_VERIFY_FAILED"):
            await fetcher.fetch(server.url("/", host="evil.test"))
    assert names == ["good.test", "evil.test"]  # a wrong certificate is no reason to try again
    async with Fetcher(guard=LOOPBACK) as distrusting:
        with pytest.raises(WebError, match="CERTIFICATE_VERIFY_FAILED"):
            await distrusting.fetch(server.url("/", host="good.test"))


def test_one_fetcher_serves_many_loops(server):
    server.routes["/"] = [http(body=b"x")]
    fetcher = loopback_fetcher()

    async def fetch_twice():
        return [(await fetcher.fetch(server.url("/"))).content for _ in range(2)]

    for _ in range(3):
        assert asyncio.run(fetch_twice()) == [b"x", b"x"]
    assert server.connections == 3  # one for each loop, reused within it
    assert run_sync(fetch_twice()) == [b"x", b"x"]
    assert run_sync(fetch_twice()) == [b"x", b"x"]
    assert server.connections == 4
    asyncio.run(fetcher.aclose())  # from another loop than that of the open connection
    assert run_sync(fetch_twice()) == [b"x", b"x"]
    assert server.connections == 5
    run_sync(fetcher.aclose())


async def test_a_fetcher_pickles_as_its_settings(server):
    server.routes["/"] = [http(body=b"x")]
    async with Fetcher(guard=LOOPBACK, timeout=5.0) as fetcher:
        await fetcher.fetch(server.url("/"))
        copied = pickle.dumps(fetcher)
    async with pickle.loads(copied) as copy:
        assert (copy.guard, copy.timeout) == (fetcher.guard, fetcher.timeout)
        assert (await copy.fetch(server.url("/"))).content == b"x"
    assert server.connections == 2


async def test_an_address_that_never_answers_times_out(resolver):
    with socket.socket() as full:
        # A full backlog: connecting hangs, as it does to an address behind a silent firewall.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        try:
            resolver(*[["127.0.0.1"]] * 3)
            async with loopback_fetcher(timeout=0.3) as fetcher:
                with pytest.raises(FetchTimeoutError):
                    await fetcher.fetch(f"http://silent.test:{port}/")
        finally:
            for one in fill:
                one.close()
