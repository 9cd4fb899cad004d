"""The server: where it listens, and what it takes from a connection."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from fastapi import FastAPI
from starlette.responses import Response

from jina_components.errors import ConfigError
from jina_components.service import server
from jina_components.service.calls import OpenAccess
from jina_components.service.server import serve


class KeyedAccess(OpenAccess):
    """Says that it needs keys."""

    needs_keys = True


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=60) as connection:
        yield connection


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_keys_it_listens_on_the_loopback_interface_alone(service_app: FastAPI, host: str) -> None:
    with pytest.raises(ConfigError, match=rf"everybody who reaches {host}.*127\.0\.0\.1"):
        serve(service_app, host=host, port=0)


def test_with_keys_it_may_listen_elsewhere(make_app: Callable[..., FastAPI]) -> None:
    with server._tcp_socket("0.0.0.0", 0, is_safe=KeyedAccess().needs_keys) as listening:
        assert listening.getsockname()[0] == "0.0.0.0"


def test_a_port_in_use_is_told(service_app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Cannot listen on port {port} of 127.0.0.1: .*in use"):
            serve(service_app, port=port)


def test_a_host_that_is_none_is_told(service_app: FastAPI) -> None:
    with pytest.raises(ConfigError, match="Cannot listen on port 0 of no-such-host.invalid"):
        serve(service_app, host="no-such-host.invalid", port=0)


def test_a_file_that_is_no_certificate_is_told(service_app: FastAPI, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("none")
    for name in ("cert.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=f"The certificate .*{name} and its key cannot be used"):
            serve(service_app, port=0, certificate=tmp_path / name)


def test_it_speaks_https(make_app: Callable[..., FastAPI], run_service: Callable[..., Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = tmp_path / "all.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with run_service(make_app(), ssl_certfile=pem) as url:
        assert url.startswith("https:")
        assert httpx.get(f"{url}/live", verify=trusting).status_code == 200


def test_a_head_without_end_is_refused(service_url: str) -> None:
    with connected(service_url) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nX: ")
        received = b""
        while not received:
            try:
                connection.sendall(b"x" * 16384)
                connection.setblocking(False)
                received = connection.recv(1000)
            except BlockingIOError:
                pass
            except ConnectionError:
                return  # it was closed before all was sent
            finally:
                connection.settimeout(60)
        assert received.startswith(b"HTTP/1.1 431 ")


def test_large_bodies_are_no_large_heads(service_url: str) -> None:
    with httpx.Client(base_url=service_url) as client:
        for content in (bytes(3_000_000), iter([b"x"] * 20_000)):
            assert client.post("/v1/nothing", content=content, timeout=60).status_code == 404


@pytest.mark.parametrize("begun", [b"", b"GET /live HT"])
def test_a_head_that_comes_too_slowly_is_not_waited_for(
    service_url: str, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.2)
    with connected(service_url) as connection:
        connection.sendall(begun)
        assert connection.recv(1000) == b""


def test_an_answer_that_nobody_takes_is_given_up(
    make_app: Callable[..., FastAPI], run_service: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_UNSENT_SECONDS", 0.2)
    app = make_app()
    app.add_api_route("/v1/much", lambda: Response(bytes(50_000_000)))
    lose, lost = server.Connection.connection_lost, threading.Event()
    monkeypatch.setattr(server.Connection, "connection_lost", lambda self, why: (lose(self, why), lost.set()))
    with run_service(app) as url, connected(url) as connection:
        connection.sendall(b"GET /v1/much HTTP/1.1\r\nHost: here\r\n\r\n")
        assert lost.wait(60)
        received = 0
        while piece := connection.recv(1_000_000):
            received += len(piece)
    assert 0 < received < 50_000_000


def test_an_offer_of_another_protocol_is_left_alone(service_url: str, caplog: pytest.LogCaptureFixture) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    asked = {"content": "Tides follow the moon."}
    with httpx.Client(base_url=service_url) as client:
        answers = [client.post("/v1/segment", json=asked, headers=offer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_pages_of_the_api_need_no_network(service_url: str) -> None:
    with httpx.Client(base_url=service_url) as client:
        for page in ("/docs", "/redoc"):
            told = client.get(page)
            assert told.status_code == 200
            assert "http://" not in told.text.replace("http://www.w3.org", "")
            assert "https://" not in told.text
            assert told.headers["content-security-policy"].startswith("default-src 'self'; ")
        for file in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js"):
            assert client.get(f"/docs/assets/{file}").status_code == 200
        assert client.get("/").json()["docs"] == "/docs"


def test_it_is_ready_when_models_are_warm(make_app: Callable[..., FastAPI], run_service: Callable[..., Any]) -> None:
    may_load = threading.Event()
    app = make_app(warm_up=("static-minilm-v1",))
    load = app.state.components.warm_up

    def warm_up() -> None:
        may_load.wait(60)
        load()

    app.state.components.warm_up = warm_up
    with run_service(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/live").status_code == 200
        starting = client.get("/ready")
        assert (starting.status_code, starting.headers["retry-after"]) == (503, "1")
        asked = client.post("/v1/embeddings", json={"model": "static-minilm-v1", "input": "tides"})
        assert asked.status_code == 200
        may_load.set()
        while client.get("/ready").status_code != 200:
            time.sleep(0.01)
        assert 'jina_models_in_memory{kind="embedder",model="static-minilm-v1"} 1.0' in client.get("/metrics").text
