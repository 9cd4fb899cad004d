import asyncio
import base64
import ssl
from contextlib import suppress

import pytest
import trustme
from local_server import LOOPBACK, LocalServer, ServerThread, http, loopback_fetcher

from jina_components.errors import BlockedURLError, HTTPStatusError, WebError
from jina_components.net import Fetcher, FetchOptions, ResponseCache, URLGuard


def through(proxy, credentials=""):
    return FetchOptions(proxy=f"http://{credentials}127.0.0.1:{proxy.port}")


@pytest.fixture
def tunnel():
    """A proxy that opens tunnels to 127.0.0.1, whatever host is asked for; and what it was asked for."""
    asked = []

    async def pump(reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    class Tunnels(LocalServer):
        async def serve(self, reader, writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            asked.append(head.split(" ")[1])
            there = await asyncio.open_connection("127.0.0.1", int(asked[-1].rpartition(":")[2]))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
            finally:
                there[1].transport.abort()

    thread = ServerThread()
    yield thread.start(Tunnels()).port, asked
    thread.stop()


async def test_plain_requests_go_to_the_proxy(server, fetcher, resolver):
    resolver(["127.0.0.1"], ["127.0.0.1"])  # the target, then the proxy
    server.routes["http://site.test/a?b"] = [http(body=b"by proxy")]
    page = await fetcher.fetch("http://site.test/a?b", options=through(server, "us%40er:pa%20ss@"))
    assert (page.url, page.content) == ("http://site.test/a?b", b"by proxy")
    [request] = server.received
    assert request.headers["host"] == "site.test"
    credentials = base64.b64encode(b"us@er:pa ss").decode()
    assert request.headers["proxy-authorization"] == f"Basic {credentials}"


async def test_tls_goes_through_a_tunnel_to_the_server_itself(start_server, resolver, tunnel):
    port, asked = tunnel
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("good.test").configure_cert(served)
    authority.configure_trust(trusting)
    server = start_server(served)
    server.routes["/"] = [http(302, location="/end")]
    server.routes["/end"] = [http(body=b"secure")]
    resolver(*[["127.0.0.1"]] * 6)
    options = FetchOptions(proxy=f"http://user:secret@127.0.0.1:{port}")
    async with loopback_fetcher(ssl_context=trusting) as fetcher:
        page = await fetcher.fetch(server.url("/", host="good.test"), options=options)
        assert (page.content, page.url) == (b"secure", server.url("/end", host="good.test"))
        assert set(asked) == {f"good.test:{server.port}"}
        assert all("proxy-authorization" not in request.headers for request in server.received)
        with pytest.raises(WebError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await fetcher.fetch(server.url("/", host="evil.test"), options=options)
    assert "secret" not in str(caught.value)


async def test_the_target_is_checked_before_the_proxy_hears_of_it(server, fetcher, resolver):
    for target in ("http://10.0.0.1/", "http://[fd00::1]/", "http://169.254.169.254/", "file:///etc/passwd"):
        with pytest.raises(BlockedURLError):
            await fetcher.fetch(target, options=through(server))
    resolver(["192.168.1.1"])
    with pytest.raises(BlockedURLError, match=r"192\.168\.1\.1"):
        await fetcher.fetch("http://intranet.test/", options=through(server))
    assert server.connections == 0


async def test_redirects_through_the_proxy_are_checked(server, fetcher, resolver):
    resolver(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"])
    server.routes["http://site.test/"] = [http(302, location="http://intranet.test/")]
    with pytest.raises(BlockedURLError, match=r"10\.0\.0\.1"):
        await fetcher.fetch("http://site.test/", options=through(server))
    assert server.paths() == ["http://site.test/"]


async def test_the_proxy_itself_passes_the_guard(server, resolver):
    async with Fetcher(guard=URLGuard()) as strict:
        resolver(["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34"], ["10.0.0.1"])
        for proxy in (f"http://127.0.0.1:{server.port}", f"http://proxy.test:{server.port}"):
            with pytest.raises(BlockedURLError, match=r"127\.0\.0\.1|10\.0\.0\.1"):
                await strict.fetch("http://site.test/", options=FetchOptions(proxy=proxy))
    assert server.connections == 0


async def test_robots_txt_is_fetched_by_the_same_way(server, fetcher, resolver):
    resolver(*[["127.0.0.1"]] * 4)
    server.routes |= {"http://site.test/robots.txt": [http(404)], "http://site.test/": [http(body=b"x")]}
    options = FetchOptions(proxy=through(server).proxy, robots="bot")
    assert (await fetcher.fetch("http://site.test/", options=options)).content == b"x"
    assert server.paths() == ["http://site.test/robots.txt", "http://site.test/"]


async def test_what_a_proxy_answers_is_not_served_to_others(server, resolver, tmp_path):
    resolver(*[["127.0.0.1"]] * 4)
    url = server.url("/", host="site.test")
    server.routes |= {url: [http(body=b"forged")], "/": [http(body=b"real")]}
    cache = ResponseCache(tmp_path)
    async with Fetcher(guard=LOOPBACK, cache=cache) as fetcher:
        assert (await fetcher.fetch(url, options=through(server))).content == b"forged"
        assert (await fetcher.fetch(url)).content == b"real"
        assert (await fetcher.fetch(url, options=through(server))).from_cache
        assert (await fetcher.fetch(url)).from_cache
    cache.close()
    assert b"secret" not in cache.path.read_bytes()


async def test_failures_of_the_proxy(server, fetcher, resolver):
    resolver(*[["127.0.0.1"]] * 12)
    server.routes |= {"http://site.test/": [http(407, body=b"who are you")], "site.test:443": [http(407)]}
    with pytest.raises(HTTPStatusError, match="407"):
        await fetcher.fetch("http://site.test/", options=through(server, "user:secret@"))
    with pytest.raises(WebError, match="407") as caught:
        await fetcher.fetch("https://site.test/", options=through(server, "user:secret@"))
    assert "secret" not in str(caught.value)
