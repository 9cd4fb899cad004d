"""What of Gradio can be reached, by whom, and how it ends. No browser is needed for that."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
from fastapi import FastAPI

STREAM = "/gradio_api/queue/data"


@pytest.fixture(scope="module")
def url(service_url: str) -> str:
    return service_url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


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


def test_hosts_keep_their_roots(http: httpx.Client):
    got = http.get("/", headers={"Host": "r.example.com", "Accept": "text/html"})
    assert "gradio" not in got.text.lower()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/openapi.json"), ("GET", "/gradio_api/app_id"),
        ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/gradio_api/file/etc/passwd"), ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/proxy=https://a.hf.space/x"), ("POST", "/gradio_api/upload"), ("POST", "/gradio_api/call/run"),
        ("POST", "/gradio_api/run/predict"), ("POST", "/gradio_api/api/predict"), ("GET", "/monitoring"),
        ("POST", "/gradio_api/component_server"), ("GET", "/gradio_api/heartbeat/x"), ("POST", "/login"), ("GET", "/logout"),
        ("GET", "/gradio_api/queue/data/"), ("GET", "/gradio_api/dev/reload"), ("POST", "/gradio_api/vibe-edit/"),
        ("GET", "/gradio_api/startup-events"), ("GET", "/manifest.json"), ("POST", "/gradio_api/reset"), ("GET", "/nothing"),
        ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"), ("GET", "/gradio_api/profiling/traces"), ("GET", "//"),
        ("GET", "/gradio_api/custom_component/1/client/component/x.js"), ("GET", "/gradio_api/deep_link"),
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
    body = {"data": [], "fn_index": code_event(http), "session_hash": "foreign"}
    body["data"] = [""] * 40
    got = http.post("/gradio_api/queue/join", json=body, headers=headers)
    assert got.status_code == status, got.text
    assert http.get(STREAM, params={"session_hash": "nobody"}, headers=headers).status_code == status


def test_a_link_of_another_site_leads_to_the_page(http: httpx.Client):
    assert http.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_inputs_are_bounded(http: httpx.Client):
    got = http.post("/gradio_api/queue/join", content=b'{"data": ["' + b"x" * (5 * 1024 * 1024) + b'"]}')
    assert got.status_code == 413


def test_it_can_be_switched_off(
    make_app: Callable[..., FastAPI], run_service: Callable[..., AbstractContextManager[str]]
):
    with run_service(make_app(playground=False)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/").status_code == 404
        assert client.get("/theme.css").status_code == 404


def test_an_open_stream_does_not_hold_up_the_end(
    make_app: Callable[..., FastAPI],
    run_service: Callable[..., AbstractContextManager[str]],
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    heard, listening = [], threading.Event()

    def listen(url: str) -> None:
        with httpx.Client(base_url=url, timeout=None, trust_env=False) as client:
            body = {"data": [""] * 40, "fn_index": code_event(client), "session_hash": "open"}
            client.post("/gradio_api/queue/join", json=body).raise_for_status()
            heard.append(client.get(STREAM, params={"session_hash": "open"}).text)  # to its end
            with client.stream("GET", STREAM, params={"session_hash": "open"}) as waiting:  # for what never comes
                heard.append(waiting.status_code)
                listening.set()
                heard.append(waiting.read())

    with run_service(make_app(), drain_seconds=170) as url:
        listener = threading.Thread(target=listen, args=(url,))
        listener.start()
        listening.wait(60)
    listener.join()
    assert "process_completed" in heard[0]
    assert heard[1] == 200
    told = [record.getMessage() for record in caplog.records]
    assert not [each for each in told if "Cancelled after" in each or "asynchronous generator" in each], told


def test_nothing_is_imported_before_the_first_view(make_app: Callable[..., FastAPI]):
    code = (
        "import sys, tempfile; from jina_components.service import ServiceSettings, create_app;"
        "create_app(ServiceSettings(data=tempfile.mkdtemp(), warm_up=()));"
        "assert 'gradio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def code_event(client: httpx.Client) -> int:
    """The number of the event that writes the code when the page is opened."""
    page = client.get("/").text
    config = json.loads(page.partition("window.gradio_config = ")[2].partition(";</script>")[0])
    return next(each["id"] for each in config["dependencies"] if ["load"] == [name for _, name in each["targets"]])
