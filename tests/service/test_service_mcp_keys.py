"""The tools of a service that needs keys: they ask with the key of their caller, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chromium import page
from fastapi import FastAPI
from local_server import LocalServer, ServerThread
from mcp_clients import call, connected, texts, told

from jina_components.service.accounts.keys import FREE_GRANT, Keys

RANK = {"query": "tides", "documents": ["The moon pulls the sea.", "Bread needs salt."]}


@pytest.fixture(scope="module")
def site() -> Iterator[LocalServer]:
    thread = ServerThread()
    yield thread.start(LocalServer({"/tides": page("<title>Tides</title><article><p>The moon pulls the sea.</p>")}))
    thread.stop()


@pytest.fixture(scope="module")
def app(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app(needs_keys=True, allow_networks=("127.0.0.0/8",))


@pytest.fixture(scope="module")
def url(app: FastAPI, start_service: Callable[..., str]) -> str:
    return f"{start_service(app)}/mcp"


@pytest.fixture(scope="module")
def keys(app: FastAPI, url: str) -> Keys:
    return Keys(app.state.database)


def bearer(secret: str | bytes) -> dict[str, Any]:
    return {"Authorization": b"Bearer " + secret if isinstance(secret, bytes) else f"Bearer {secret}"}


@pytest.mark.parametrize("headers", [{}, bearer("jina_" + "x" * 60), bearer("jina_ wrong"), bearer("clé".encode())])
async def test_without_a_key_tools_are_listed_and_refused(url: str, headers: dict[str, Any]) -> None:
    async with connected(url, headers=headers) as client:
        assert "sort_by_relevance" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("sort_by_relevance", RANK)
        assert result.is_error
        assert texts(result)[0].startswith("401: ")
        assert "x" * 20 not in texts(result)[0]


async def test_the_key_of_the_caller_is_charged(url: str, keys: Keys, site: LocalServer) -> None:
    mine, secret = keys.create(name="mine")
    other, _ = keys.create(name="other")
    ranked = told(await call(url, "sort_by_relevance", headers=bearer(secret), **RANK))
    assert ranked[0]["index"] == 0
    [read] = told(await call(url, "read_url", headers=bearer(secret), url=site.url("/tides")))
    assert read["title"] == "Tides"
    assert keys.get(mine.id).balance < FREE_GRANT
    assert keys.get(other.id).balance == FREE_GRANT
    keys.revoke(mine.id)
    refused = await call(url, "sort_by_relevance", headers=bearer(secret), **RANK)
    assert texts(refused)[0].startswith("401: ")


async def test_a_key_without_balance_is_told_so(url: str, keys: Keys, site: LocalServer) -> None:
    _, secret = keys.create(name="empty", grant=0)
    for tool, arguments in (("sort_by_relevance", RANK), ("read_url", {"url": site.url("/tides")})):
        result = await call(url, tool, headers=bearer(secret), **arguments)
        assert result.is_error
        assert "balance" in texts(result)[0]


async def test_the_log_holds_no_key(url: str, keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    _, secret = keys.create(name="quiet")
    with caplog.at_level("DEBUG"):
        shown: Any = await call(url, "show_api_key", headers=bearer(secret))
        await call(url, "sort_by_relevance", headers=bearer(secret), **RANK)
    assert secret not in texts(shown)[0]
    said = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert said
    assert not [record for record in said if secret in str(record.getMessage())]
