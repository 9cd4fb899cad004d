import pytest
from local_server import http

from jina_components.errors import BlockedURLError, HTTPStatusError, InputError
from jina_components.net import Fetcher


async def test_a_body_is_posted(server, fetcher):
    server.routes["/hook"] = [http(201, b"thanks")]
    answer = await fetcher.post(server.url("/hook"), b'{"a": 1}', headers={"content-type": "application/json"})
    assert (answer.status_code, answer.content) == (201, b"thanks")
    (request,) = server.received
    assert (request.method, request.body, request.headers["content-type"]) == ("POST", b'{"a": 1}', "application/json")


async def test_what_fails_on_the_way_is_sent_again(server, fetcher):
    server.routes["/hook"] = [http(503, Retry_After="0"), http(200)]
    await fetcher.post(server.url("/hook"), b"x")
    assert [request.body for request in server.received] == [b"x", b"x"]


async def test_a_redirect_is_not_followed(server, fetcher):
    server.routes["/hook"] = [http(307, location=server.url("/other"))]
    with pytest.raises(HTTPStatusError, match="307"):
        await fetcher.post(server.url("/hook"), b"secret")
    assert server.paths() == ["/hook"]


async def test_the_guard_stands_before_what_is_posted(server):
    async with Fetcher() as fetcher:
        for url in (server.url("/hook"), server.url("/hook", host="localhost"), "ftp://example.com/"):
            with pytest.raises(BlockedURLError):
                await fetcher.post(url, b"x")
    assert server.connections == 0


async def test_headers_of_the_fetcher_are_its_own(server, fetcher):
    with pytest.raises(InputError, match="content-length"):
        await fetcher.post(server.url("/hook"), b"x", headers={"content-length": "3"})
