"""A service that ends answers all that it took on."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from served_process import serving
from starlette.responses import StreamingResponse

# A request that never reached the service; the last is of a connection that was idle too long.
REFUSED = ("ConnectError", "ReadError", "WriteError", "Server disconnected without sending a response")


@dataclass
class Client:
    """Asks one question after the other over one connection, until the service is gone."""

    url: str
    answered: set[str] = field(default_factory=set)
    closed: int = 0
    failure: httpx.RequestError | None = None

    def run(self) -> None:
        asked = {"model": "static-minilm-v1", "input": ["tides"] * 20}
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while self.failure is None:
                try:
                    answer = client.post("/v1/embeddings", json=asked)
                except httpx.RequestError as error:
                    self.failure = error
                    return
                assert answer.status_code == 200
                assert len(answer.json()["data"]) == 20
                self.answered.add(answer.headers["x-request-id"])
                self.closed += answer.headers.get("connection") == "close"


def test_sigterm_under_load_loses_no_request(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-warm-up") as process:
        clients = [Client(process.url) for _ in range(12)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        while sum(len(client.answered) for client in clients) < 200:
            assert process.running.poll() is None
            time.sleep(0.01)
        process.running.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert process.running.wait(60) == 0
    logged = [line for line in process.requests() if line["product"] == "embeddings"]
    assert all(line["status"] == 200 and line["complete"] for line in logged)
    assert {line["request_id"] for line in logged} == set().union(*(client.answered for client in clients))
    assert any(client.closed for client in clients)
    for client in clients:
        assert any(words in repr(client.failure) for words in REFUSED), repr(client.failure)


def test_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-warm-up") as process:
        host, port = httpx.URL(process.url).host, httpx.URL(process.url).port
        with socket.create_connection((host, port)) as slow:
            slow.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
            assert httpx.get(f"{process.url}/live").status_code == 200
            process.running.send_signal(signal.SIGINT)
            while not any("The service ends" in line.get("message", "") for line in process.lines()):
                time.sleep(0.01)
            assert process.running.poll() is None
            process.running.send_signal(signal.SIGINT)
            assert process.running.wait(60) == 130


class Story:
    """A stream that goes on until it is allowed to end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def add_to(self, app: FastAPI) -> FastAPI:
        async def parts() -> AsyncIterator[bytes]:
            yield b"once "
            while not self.may_end.is_set():  # noqa: ASYNC110 (it is of another thread)
                await asyncio.sleep(0.01)
            yield b"upon a time"

        app.add_api_route("/v1/story", lambda: StreamingResponse(parts()))
        return app


def test_streams_are_finished(make_app: Callable[..., FastAPI], run_service: Callable[..., Any]) -> None:
    story, app = Story(), make_app()
    with httpx.Client(timeout=60) as client:
        server = run_service(story.add_to(app))
        with client.stream("GET", f"{server.__enter__()}/v1/story") as answer:
            ending = threading.Thread(target=server.__exit__, args=(None, None, None))
            ending.start()
            while not app.state.ending:
                time.sleep(0.01)
            assert not app.state.ready
            story.may_end.set()
            assert answer.read() == b"once upon a time"
        ending.join()


def test_what_takes_too_long_is_cancelled(
    make_app: Callable[..., FastAPI], run_service: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    story, app = Story(), make_app()

    async def forever() -> None:
        await asyncio.Event().wait()

    app.add_api_route("/v1/forever", forever)
    told: list[httpx.Response | httpx.RequestError] = []

    def ask(url: str) -> None:
        try:
            told.append(httpx.get(url, timeout=60))
        except httpx.RequestError as error:
            told.append(error)

    with run_service(story.add_to(app), drain_seconds=0.3) as url:
        threads = [threading.Thread(target=ask, args=(f"{url}/v1/{name}",)) for name in ("forever", "story")]
        for thread in threads:
            thread.start()
        while app.state.metrics.in_flight._value.get() < 2:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    answer = next(each for each in told if isinstance(each, httpx.Response))
    cut = next(each for each in told if isinstance(each, httpx.RequestError))
    assert answer.status_code == 503
    assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
    assert answer.headers["retry-after"] == "1"
    assert isinstance(cut, httpx.RemoteProtocolError)
    assert "Cancelled after 0.3 seconds; requests in work: 2." in caplog.text


def test_a_request_on_an_idle_connection_is_still_answered(
    make_app: Callable[..., FastAPI], run_service: Callable[..., Any]
) -> None:
    app = make_app()
    server = run_service(app)
    with httpx.Client(base_url=server.__enter__()) as client:
        client.get("/live")
        ending = threading.Thread(target=server.__exit__, args=(None, None, None))
        ending.start()
        while not app.state.ending:
            time.sleep(0.01)
        last = client.get("/ready")
        ending.join()
    assert last.status_code == 503
    assert last.headers["connection"] == "close"
