import asyncio
import json
import pickle

import pytest
from local_server import http

from jina_components.errors import (
    ConfigError,
    ContentTooLargeError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    WebError,
)
from jina_components.net import ApiClient

KEY = "sk-secret-key"


@pytest.fixture
async def client(server):
    async with ApiClient(server.url("/v1/"), api_key=KEY, timeout=5.0) as made:
        yield made


def answers(server, *responses):
    server.routes["/v1/embeddings"] = list(responses)


async def test_json_goes_and_comes(server, client):
    answers(server, http(body=b'{"data": [1.5]}'))
    for path in ("embeddings", "/embeddings"):
        assert await client.post(path, {"input": ["grüße"]}) == {"data": [1.5]}
    request = server.received[0]
    assert (request.method, json.loads(request.body)) == ("POST", {"input": ["grüße"]})
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert server.connections == 1


async def test_no_key_no_header(server):
    answers(server, http(body=b"{}"))
    async with ApiClient(server.url("/v1")) as client:
        assert await client.post("embeddings", {}) == {}
        assert "api_key=None" in repr(client)
    assert "authorization" not in server.received[0].headers


async def test_retries_with_the_same_body(server, client):
    answers(server, http(429, retry_after="0"), http(503, retry_after="0"), http(body=b"{}"))
    assert await client.post("embeddings", {"a": 1}) == {}
    assert [json.loads(request.body) for request in server.received] == [{"a": 1}] * 3
    answers(server, http(500))
    with pytest.raises(HTTPStatusError):
        await client.post("embeddings", {})
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"detail": "no such model"}', "no such model"),
        (b'{"detail": [{"loc": ["input"], "msg": "too long"}]}', "too long"),
        (b'{"error": {"message": "bad input"}}', "bad input"),
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "cohere says"}', "cohere says"),
        (b'{"other": 1}', "other"),
        (b"<h1>Bad gateway</h1>", "Bad gateway"),
        (b"[" * 50_000, "[[["),
        (b"\xff\xfe", "\ufffd"),
        (b"", "status 400 "),
        (b"x" * 50_000, "xxx…"),
        (b"x" * 70_000, "status 400 (check base_url"),
    ],
)
async def test_errors_carry_the_words_of_the_server_shortened(server, client, body, text):
    answers(server, http(400, body=body))
    with pytest.raises(HTTPStatusError) as caught:
        await client.post("embeddings", {})
    assert text in str(caught.value)
    assert len(str(caught.value)) < 500
    assert (caught.value.status_code, caught.value.url) == (400, server.url("/v1/embeddings"))


async def test_the_key_is_never_shown(server, client):
    answers(server, http(401, body=b'{"error": {"message": "wrong key: %s"}}' % KEY.encode()))
    with pytest.raises(HTTPStatusError, match="check api_key") as caught:
        await client.post("embeddings", {})
    assert KEY not in repr(caught.value) + str(caught.value) + repr(client) + str(vars(client)["_connections"])
    for odd in (KEY + "\n", f" {KEY}", "schlüssel-" + KEY, ""):
        with pytest.raises(ConfigError) as caught:
            ApiClient(server.url("/"), api_key=odd)
        assert KEY not in str(caught.value)


async def test_redirects_are_not_followed(start_server, server, client):
    thief = start_server()
    answers(server, http(307, location=thief.url("/")))
    with pytest.raises(HTTPStatusError, match="set base_url") as caught:
        await client.post("embeddings", {})
    assert thief.url("/") in str(caught.value)
    assert thief.connections == 0


@pytest.mark.parametrize("body", [b"[]", b"1", b"", b"<html>", b'{"a": ', b"[" * 100_000])
async def test_an_answer_that_is_no_object_is_an_error(server, client, body):
    answers(server, http(body=body))
    with pytest.raises(WebError, match="check base_url"):
        await client.post("embeddings", {})


async def test_limits(server):
    answers(server, http(body=b'{"a": "%s"}' % bytes(200)))
    async with ApiClient(server.url("/v1"), max_bytes=100) as client:
        with pytest.raises(ContentTooLargeError):
            await client.post("embeddings", {})

    async def silent(_, writer):
        await asyncio.sleep(60)

    server.routes["/v1/embeddings"] = silent
    async with ApiClient(server.url("/v1"), timeout=0.2) as client:
        with pytest.raises(FetchTimeoutError):
            await client.post("embeddings", {})


@pytest.mark.parametrize("payload", [{"a": float("nan")}, {"a": object()}])
async def test_what_is_no_json_is_not_sent(server, client, payload):
    with pytest.raises(InputError, match="embeddings"):
        await client.post("embeddings", payload)
    with pytest.raises(InputError, match="embed"):
        await client.post("embed\nings", {})
    assert server.connections == 0


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://a/", "http://u:p@a/", "http://a/?q=1", "http://a:b/", "http://"]
)
def test_the_base_url_is_validated(url):
    with pytest.raises(ConfigError, match="base_url"):
        ApiClient(url)


@pytest.mark.parametrize("settings", [{"timeout": 0}, {"retries": -1}, {"max_bytes": 0}])
def test_settings_are_validated(settings):
    with pytest.raises(ConfigError):
        ApiClient("http://a/", **settings)


async def test_a_client_pickles_as_its_settings(server, client):
    answers(server, http(body=b"{}"))
    await client.post("embeddings", {})
    async with pickle.loads(pickle.dumps(client)) as copy:
        assert await copy.post("embeddings", {}) == {}
    assert server.received[1].headers["authorization"] == f"Bearer {KEY}"


async def test_get_sends_a_query(server):
    query = "/search?q=gr%C3%BC%C3%9Fe+%26+caf%C3%A9&n=3&site=a&site=b"
    server.routes[query] = [http(503, retry_after="0"), http(body=b'{"results": []}')]
    server.routes["/search?have=1"] = [http(body=b"{}")]
    async with ApiClient(server.url("/"), timeout=5.0) as client:
        assert await client.get("search", params={"q": "grüße & café", "n": 3, "site": ["a", "b"]}) == {"results": []}
        assert await client.get("/search?have=1") == {}
    assert [request.method for request in server.received] == ["GET"] * 3
    assert "content-type" not in server.received[0].headers
    assert server.received[0].headers["accept"] == "application/json"


async def test_get_bytes_takes_any_form(server):
    server.routes |= {"/feed": [http(body=b"<feed/>")], "/none": [http(404, body=b"gone")]}
    async with ApiClient(server.url("/")) as client:
        assert await client.get_bytes("feed") == b"<feed/>"
        answer = await client.get_response("feed")
        assert (answer.content, answer.headers["content-length"]) == (b"<feed/>", "7")
        with pytest.raises(WebError, match="JSON object"):
            await client.get("feed")
        with pytest.raises(HTTPStatusError, match="gone"):
            await client.get_bytes("none")


async def test_the_key_goes_into_the_header_of_the_api(server):
    server.routes["/s"] = [http(body=b"{}")]
    async with ApiClient(server.url("/"), api_key=KEY, auth_header="X-API-KEY") as client:
        await client.get("s", headers={"X-Site": "a.example", "x-api-key": "other", "Accept": "text/plain"})
        await client.post("s", {}, headers={"X-Site": "b.example"})
    first, second = server.received
    assert first.headers["x-api-key"] == second.headers["x-api-key"] == KEY
    assert "authorization" not in first.headers
    assert (first.headers["accept"], second.headers["content-type"]) == ("text/plain", "application/json")
    assert [request.headers["x-site"] for request in server.received] == ["a.example", "b.example"]


async def test_the_server_is_told_who_calls(server):
    server.routes["/s"] = [http(body=b"{}")] * 2
    for settings in ({}, {"user_agent": "notes/1.0 (a team)"}):
        async with ApiClient(server.url("/"), **settings) as client:
            await client.get("s")
    assert [each.headers["user-agent"] for each in server.received][1] == "notes/1.0 (a team)"
    assert "jina-components" in server.received[0].headers["user-agent"]
    for name in ("", "a\r\nX-B: 1", " a", "é", None):
        with pytest.raises(ConfigError, match="user_agent"):
            ApiClient(server.url("/"), user_agent=name)


@pytest.mark.parametrize("headers", [{"X-A": "secret\r\nX-B: 1"}, {"Host": "a"}, {"": "a"}, {"X-A:": "secret\n"}])
async def test_headers_are_checked(server, headers):
    async with ApiClient(server.url("/")) as client:
        with pytest.raises(InputError, match="eader") as caught:
            await client.get("s", headers=headers)
    assert "secret" not in str(caught.value)
    for name in ("", "X API", "X-API:", "a\n"):
        with pytest.raises(ConfigError, match="auth_header"):
            ApiClient(server.url("/"), auth_header=name)
    assert server.connections == 0


async def test_the_wait_that_a_server_asks_for_is_told(server):
    server.routes |= {"/a": [http(429, retry_after="120")], "/b": [http(500)]}
    async with ApiClient(server.url("/"), retries=0) as client:
        for path, wait in (("a", 120.0), ("b", None)):
            with pytest.raises(HTTPStatusError) as caught:
                await client.get(path)
            assert pickle.loads(pickle.dumps(caught.value)).retry_after == wait
