"""What one owner reads, as another sees it: pages of the web are everybody's, what is one's own is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from local_server import LocalServer, Received, ServerThread, http
from starlette.testclient import TestClient

from jina_components.service.accounts.keys import Keys
from jina_components.service.limits.tiers import TIERS, Tier

JSON = {"Accept": "application/json"}
PAGE = "<html><title>{0}</title><article><h1>{0}</h1><p>{1}</p></article></html>"


@pytest.fixture(scope="module")
def site() -> Iterator[LocalServer]:
    """Says who asks, and with which cookie."""
    thread, site = ServerThread(), LocalServer()

    async def told(request: Received, writer: asyncio.StreamWriter) -> None:
        whose = request.headers.get("authorization", "") + request.headers.get("cookie", "") or "nobody"
        body = PAGE.format("Account", f"This is the account of {whose}, who is well known here.").encode()
        writer.write(http(200, body, content_type="text/html", connection="close"))

    site.routes["/account"] = site.routes["/cookies"] = told
    tides = PAGE.format("Tides", "The moon pulls the water of the sea, twice a day.").encode()
    site.routes["/tides"] = [http(200, tides, content_type="text/html")]
    thread.start(site)
    yield site
    thread.stop()


@pytest.fixture(scope="module")
def asking(make_app: Callable[..., FastAPI]) -> Iterator[Callable[..., Any]]:
    tiers = {"none": TIERS["none"], "free": Tier({})}
    app = make_app(needs_keys=True, tiers=tiers, allow_networks=("127.0.0.0/8",), playground=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        keys = Keys(app.state.database)
        secrets = {name: keys.create(name="laptop", owner=name)[1] for name in ("alice", "bob")}

        def ask(who: str, method: str, path: str, **others: Any) -> Any:
            headers = {**JSON, "Authorization": f"Bearer {secrets[who]}", **others.pop("headers", {})}
            return client.request(method, path, headers=headers, **others)

        yield ask


def test_pages_asked_for_as_oneself_are_ones_own(asking: Callable[..., Any], site: LocalServer) -> None:
    url = site.url("/account")
    own = asking("alice", "POST", "/r/", json={"url": url, "customHeader": {"Authorization": "alice-4711"}})
    assert "account of alice-4711" in own.json()["data"]["content"]
    cookies = asking("alice", "GET", f"/r/{site.url('/cookies')}", headers={"X-Set-Cookie": "name=alice-4711"})
    assert "account of name=alice-4711" in cookies.json()["data"]["content"]
    for path in ("/account", "/cookies"):
        seen = asking("bob", "GET", f"/r/{site.url(path)}").json()["data"]["content"]
        assert "account of nobody" in seen
    found = asking("bob", "GET", "/s/the account of alice-4711")
    assert {each["url"] for each in found.json()["data"]} & {site.url("/account"), site.url("/cookies")}
    assert all("alice-4711" not in each["content"] for each in found.json()["data"])


def test_what_was_sent_is_found_by_nobody(asking: Callable[..., Any], site: LocalServer) -> None:
    url = site.url("/tides")
    sent = PAGE.format("Plans", "The secret plans of alice-0815 for the harbour.")
    for body in ({"html": sent, "url": url}, {"html": sent}):
        assert "alice-0815" in asking("alice", "POST", "/r/", json=body).text
    upload = {"file": ("plans.html", sent.encode(), "text/html")}
    assert "alice-0815" in asking("alice", "POST", "/r/", data={"url": url}, files=upload).text
    for who in ("alice", "bob"):
        # Neither in the place of the page whose URL it was sent with, nor by a search.
        assert "alice-0815" not in asking(who, "GET", f"/r/{url}").text
        found = asking(who, "GET", "/s/secret plans for the harbour")
        assert "alice-0815" not in found.text


def test_pages_of_the_web_are_everybodys(asking: Callable[..., Any], site: LocalServer) -> None:
    url = site.url("/tides")
    assert asking("alice", "GET", f"/r/{url}").status_code == 200
    found = asking("bob", "GET", "/s/what pulls the water of the sea").json()["data"]
    assert url in [each["url"] for each in found]
