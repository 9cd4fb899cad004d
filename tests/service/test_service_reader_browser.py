"""The Reader over HTTP with a real browser: pictures, scripts, and what they build."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chromium import page
from local_server import LocalServer, ServerThread, http
from starlette.testclient import TestClient

pytestmark = pytest.mark.slow

JSON = {"accept": "application/json"}
PNG = b"\x89PNG\r\n\x1a\n"
WORDS = "It rains today, and it will rain tomorrow, in the hills as in the plains. " * 4
LATE = f"""<title>Late</title><main><h1>Now</h1><p>{WORDS}</p></main><script>setTimeout(() => {{
const late = document.createElement("p"); late.id = "late"; late.textContent = "What came late.";
document.querySelector("main").append(late) }}, 700)</script>"""


@pytest.fixture(scope="module")
def site() -> Iterator[LocalServer]:
    thread = ServerThread()
    yield thread.start(
        LocalServer(
            {
                "/": page(f"<title>Plain</title><main><p>{WORDS}</p><iframe src=/frame></iframe></main>"),
                "/frame": page("<p>Within the frame.</p>"),
                "/late": page(LATE),
                "/inject.js": [http(body=b"document.title = 'Injected'", content_type="text/javascript")],
            }
        )
    )
    thread.stop()


@pytest.fixture(scope="module")
def reads(make_app: Callable[..., Any]) -> Iterator[TestClient]:
    with TestClient(make_app(allow_networks=("127.0.0.0/8",)), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("kind", ["screenshot", "pageshot"])
def test_pictures(reads, site, kind):
    url = f"/r/{site.url('/')}"
    answer = reads.get(url, headers={"x-respond-with": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(PNG)
    data = reads.get(url, headers=JSON | {"x-respond-with": f"{kind}+text"}).json()["data"]
    head, _, coded = data[f"{kind}Url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(coded).startswith(PNG)
    assert "It rains today" in data["text"]
    assert "content" not in data
    assert data["usage"]["tokens"] > 765


def test_what_is_waited_for(reads, site):
    url = f"/r/{site.url('/late')}"
    assert "What came late" in reads.get(url, headers={"x-wait-for-selector": "#late"}).text
    # A browser waits for what is to be kept.
    kept = reads.get(url, headers=JSON | {"x-target-selector": "#late", "x-engine": "browser"}).json()["data"]
    assert kept["content"] == "What came late."


def test_a_page_while_it_is_built(reads, site):
    answer = reads.get(
        f"/r/{site.url('/late')}",
        headers={"accept": "text/event-stream", "x-engine": "browser", "x-respond-timing": "network-idle"},
    )
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    assert {name for name, _ in events} == {"event: data"}
    assert json.loads(events[-1][1].removeprefix("data: "))["title"] == "Late"


def test_frames_and_scripts(reads, site):
    asked = {"url": site.url("/"), "withIframe": True, "injectPageScript": [site.url("/inject.js")]}
    data = reads.post("/r/", json=asked, headers=JSON).json()["data"]
    assert data["title"] == "Injected"
    assert "Within the frame." in data["content"]


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://169.254.169.254/"])
def test_scripts_are_fetched_through_the_guard(reads, site, target):
    asked = {"url": site.url("/"), "injectPageScript": target}
    answer = reads.post("/r/", json=asked, headers=JSON)
    assert (answer.status_code, answer.json()["status"]) == (451, 45102)


def test_html_that_is_sent_is_rendered(reads):
    html = "<title>T</title><main></main><script>document.querySelector('main').textContent = 'Built.'</script>"
    answer = reads.post("/r/", json={"html": html, "engine": "browser"})
    assert answer.text.endswith("Markdown Content:\nBuilt.\n")


def test_a_picture_cannot_be_had_without_a_browser(reads, site):
    answer = reads.get(f"/r/{site.url('/')}", headers=JSON | {"x-respond-with": "screenshot", "x-engine": "direct"})
    assert (answer.status_code, answer.json()["path"]) == (400, "engine")


def test_html_that_is_sent_reaches_only_what_is_public(client, site):
    inside = site.url("/frame")
    html = f"""<title>T</title><main>Words. <img src="{inside}"><iframe src="{inside}"></iframe></main><script>
    fetch("{inside}").then((found) => found.text()).then((text) => document.title = text)</script>"""
    asked = {"html": html, "url": site.url("/"), "engine": "browser", "withIframe": True, "timeout": 5}
    before = len(site.received)
    answer = client.post("/r/", json=asked)
    assert answer.status_code in (200, 451)
    assert "Within the frame" not in answer.text
    assert len(site.received) == before
