"""What of Gradio can be reached, by whom, and how it ends. No browser is needed for that."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

STREAM = "/gradio_api/queue/data"


@pytest.fixture(scope="module")
def url(service_url: str) -> str:
    return service_url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with browser_like(url) as client:
        yield client


@contextmanager
def browser_like(url: str, *, waits: bool = True) -> Iterator[httpx.Client]:
    headers = {"Accept": "text/html,*/*;q=0.8"}
    with httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers) as client:
        while waits and client.get("/").status_code == 202:
            time.sleep(0.1)
        yield client


def test_whoever_comes_first_is_told_to_wait(
    make_app: Callable[..., FastAPI], run_service: Callable[..., AbstractContextManager[str]]
):
    with run_service(make_app()) as url, browser_like(url, waits=False) as client:
        got = client.get("/")
        assert (got.status_code, got.headers["refresh"]) == (202, "1")
        assert "a few seconds" in got.text
        assert client.get("/theme.css").status_code == 200  # what is not looked at waits
        assert client.get("/").status_code == 200


def test_an_end_while_it_is_made_is_an_end(
    make_app: Callable[..., FastAPI], run_service: Callable[..., AbstractContextManager[str]]
):
    with run_service(make_app()) as url, browser_like(url, waits=False) as client:
        assert client.get("/").status_code == 202


def test_headers_do_not_say_where_the_page_is(http: httpx.Client):
    told = {"X-Forwarded-Host": "evil.example", "X-Gradio-Server": "http://evil.example"}
    assert "evil.example" not in http.get("/", headers=told).text


def test_the_page_is_at_the_root(http: httpx.Client):
    got = http.get("/")
    assert got.headers["content-type"].startswith("text/html")
    assert "Playground" in got.text
    policy = got.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert got.text.count("<script") == got.text.count(f'<script nonce="{nonce}"') > 1
    assert nonce not in http.get("/").text
    assert http.head("/").status_code == 200


def test_programs_find_something_else_at_the_root(http: httpx.Client):
    assert http.get("/", headers={"Accept": "*/*"}).json()["docs"] == "/docs"


def test_hosts_keep_their_roots(http: httpx.Client):
    got = http.get("/", headers={"Host": "r.example.com", "Accept": "text/html"})
    assert "gradio" not in got.text.lower()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/app_id"), ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"), ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/proxy=https://a.hf.space/x"), ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/call/run"), ("POST", "/gradio_api/run/predict"), ("POST", "/gradio_api/api/predict"),
        ("GET", "/monitoring"), ("POST", "/gradio_api/component_server"), ("GET", "/gradio_api/heartbeat/x"),
        ("POST", "/login"), ("GET", "/logout"), ("GET", "/gradio_api/queue/data/"), ("GET", "/gradio_api/dev/reload"),
        ("POST", "/gradio_api/vibe-edit/"), ("GET", "/gradio_api/startup-events"), ("GET", "/manifest.json"),
        ("GET", "/nothing"), ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
        ("GET", "/gradio_api/profiling/traces"), ("GET", "/gradio_api/custom_component/1/client/component/x.js"),
        ("GET", "/gradio_api/deep_link"),
    ],
)  # fmt: skip
def test_all_else_of_gradio_is_closed(http: httpx.Client, method: str, path: str):
    got = http.request(method, path)
    assert got.status_code == 404
    assert got.json()["code"] == "RESOURCE_NOT_FOUND"


def test_other_methods_are_the_services_to_answer(http: httpx.Client):
    assert http.post("/").status_code in (404, 405)
    assert http.get("/gradio_api/queue/join").json()["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    "path", ["/assets/../../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/routes.py", "/assets//etc/passwd"]
)
def test_no_file_but_those_of_the_page(url: str, path: str):
    with httpx.Client(trust_env=False) as client:
        got = client.send(httpx.Request("GET", f"{url}{path}", extensions={"target": path.encode()}))
    assert got.status_code in (403, 404)
    assert "root:" not in got.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_another_site_cannot_drive_it(http: httpx.Client, headers: dict[str, str], status: int):
    got = http.post("/gradio_api/queue/join", json=event(http), headers=headers)
    assert got.status_code == status, got.text
    with http.stream("GET", STREAM, params={"session_hash": "nobody"}, headers=headers) as stream:
        assert stream.status_code == status


def test_a_link_of_another_site_leads_to_the_page(http: httpx.Client):
    assert http.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_inputs_are_bounded(http: httpx.Client):
    def pieces() -> Iterator[bytes]:
        yield from [b'{"data": ["', *[b"x" * 1024 * 1024] * 5, b'"]}']

    assert http.post("/gradio_api/queue/join", content=b"".join(pieces())).status_code == 413
    assert http.post("/gradio_api/queue/join", content=pieces()).status_code == 413


@pytest.mark.parametrize(
    "wrong",
    [{"fn_index": 10**6}, {"fn_index": "0"}, {"fn_index": [1]}, {"data": ["jina_secret"]}, {"data": None}, {"data": 1},
     {"session_hash": None}, {"session_hash": "../x"}, {"session_hash": "x" * 65}, {"session_hash": ["a"]}],
    ids=str,
)  # fmt: skip
def test_events_are_those_of_the_page(http: httpx.Client, wrong: dict[str, object], capfd: pytest.CaptureFixture[str]):
    got = http.post("/gradio_api/queue/join", json=event(http) | wrong)
    assert got.status_code == 400
    assert got.json()["detail"] == "This is no event of the playground's page: load the page anew."
    assert http.post("/gradio_api/queue/join", content=b"[" * 100_000).status_code == 400
    assert "jina_secret" not in "".join(capfd.readouterr())


def test_sessions_are_forgotten(
    make_app: Callable[..., FastAPI], run_service: Callable[..., AbstractContextManager[str]]
):
    app = make_app()
    with run_service(app) as url, browser_like(url) as client:
        body = event(client)
        doors = next(each for each in app.user_middleware if each.cls.__name__ == "Doors")
        queue = asyncio.run(doors.kwargs["playground"].blocks())._queue
        assert queue.pending_messages_per_session.max_size == 256
        queue.pending_messages_per_session.max_size = 4
        queue.sleep_when_free = 1  # so that sessions are forgotten before their events are begun
        for number in range(12):
            client.post("/gradio_api/queue/join", json=body | {"session_hash": f"s{number}"}).raise_for_status()
        assert len(queue.pending_messages_per_session) == 4
        assert len(queue.pending_event_ids_session) <= 5
        assert not queue.event_analytics
        got = client.get(STREAM, params={"session_hash": "s11"}).text  # whom others' being forgotten does not stop
        assert "process_completed" in got


def test_it_can_be_switched_off(
    make_app: Callable[..., FastAPI], run_service: Callable[..., AbstractContextManager[str]]
):
    with run_service(make_app(playground=False)) as url, browser_like(url) as client:
        assert client.get("/").json()["docs"] == "/docs"
        assert client.get("/theme.css").status_code == 404


def test_an_open_stream_does_not_hold_up_the_end(
    make_app: Callable[..., FastAPI],
    run_service: Callable[..., AbstractContextManager[str]],
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    with run_service(make_app(), drain_seconds=170) as url:
        with browser_like(url) as client:
            client.post("/gradio_api/queue/join", json=event(client)).raise_for_status()
            assert "process_completed" in client.get(STREAM, params={"session_hash": "page"}).text  # to its end
        host, port = url.removeprefix("http://").split(":")
        waiting = socket.create_connection((host, int(port)))  # for what never comes
        waiting.sendall(f"GET {STREAM}?session_hash=page HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        httpx.get(f"{url}/live", trust_env=False)
    with waiting:
        waiting.recv(65536)
    told = [record.getMessage() for record in caplog.records]
    assert not [each for each in told if "Cancelled after" in each or "asynchronous generator" in each], told


_ALONE = """
import logging, os, sys, threading, time
from pathlib import Path
from starlette.testclient import TestClient
from jina_components.service import ServiceSettings, create_app

home, calls = Path.home(), []

def hook(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect") or (event == "subprocess.Popen"):
        calls.append((event, str(arguments)))
    elif event == "open" and str(arguments[0]).startswith(str(home)) and "w" in str(arguments[1]):
        calls.append((event, str(arguments)))

app = create_app(ServiceSettings(data=Path(sys.argv[1]), warm_up=()))
with TestClient(app) as client:
    assert "gradio" not in sys.modules
    handlers, before = list(logging.getLogger().handlers), dict(os.environ)
    sys.addaudithook(hook)
    while (got := client.get("/", headers={"Accept": "text/html"})).status_code == 202:
        time.sleep(0.1)
    assert "gradio_config" in got.text
    assert "gradio" in sys.modules
assert not calls, calls
assert not list(home.iterdir()), list(home.iterdir())
assert logging.getLogger().handlers == handlers
assert [each.name for each in threading.enumerate() if not each.daemon] == ["MainThread"]
changed = {name for name in before | dict(os.environ) if before.get(name) != os.environ.get(name)}
assert changed <= {"HF_HUB_DISABLE_TELEMETRY"}, changed
"""


def test_gradio_keeps_to_itself(tmp_path: Path):
    """It is imported at the first view alone, asks nobody, writes nothing at home, and leaves no thread."""
    (home := tmp_path / "home").mkdir()
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", _ALONE, str(tmp_path / "data")], check=True, timeout=100, env=environment)


def event(client: httpx.Client) -> dict[str, object]:
    """The event that writes the code when the page is opened."""
    page = client.get("/").text
    config = json.loads(page.partition("window.gradio_config = ")[2].partition(";</script>")[0])
    found = next(each for each in config["dependencies"] if [name for _, name in each["targets"]] == ["load"])
    return {"data": [""] * len(found["inputs"]), "fn_index": found["id"], "session_hash": "page"}
