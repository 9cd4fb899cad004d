"""Requests beyond the limits are refused in time, and work that nobody waits for is ended."""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from jina_components.service import Limits
from jina_components.service.admission import Admission
from jina_components.service.calls import Call

KIB = 1024


class Works:
    """Routes whose work a test begins and ends."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.begun = 0
        self.cancelled = 0
        self.afterwards = threading.Event()

    def add_to(self, app: FastAPI) -> FastAPI:
        app.add_api_route("/v1/wait", self.wait, methods=["POST"])
        app.add_api_route("/v1/chat/wait", self.wait, methods=["POST"])
        app.add_api_route("/v1/echo", self.echo, methods=["POST"])
        app.add_api_route("/v1/broken", self.broken, methods=["POST"])
        app.add_api_route("/v1/later", self.later, methods=["POST"])
        return app

    async def wait(self) -> Response:
        self.begun += 1
        try:
            while not self.may_end.is_set():  # noqa: ASYNC110 (it is of another thread)
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return JSONResponse({})

    async def echo(self, request: Request) -> Response:
        return JSONResponse({"size": len(await request.body())})

    async def broken(self) -> Response:
        raise RuntimeError("the secret of this request")

    async def later(self) -> Response:
        async def work() -> None:
            await asyncio.sleep(0.3)
            self.afterwards.set()

        return JSONResponse({}, background=BackgroundTask(work))


class ImpatientLoop(asyncio.SelectorEventLoop):
    """A loop whose time leaps to the next timer wherever it would wait for one."""

    def __init__(self) -> None:
        self._leapt = 0.0
        selector = selectors.DefaultSelector()
        select = selector.select

        def leap(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self._leapt += (waited := timeout or 0.0)
            return select(0.0 if waited else timeout)

        selector.select = leap  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return super().time() + self._leapt


@pytest.fixture
def works() -> Iterator[Works]:
    works = Works()
    yield works
    works.may_end.set()


@pytest.fixture
def start(
    works: Works, make_app: Callable[..., FastAPI], run_service: Callable[..., Any]
) -> Iterator[Callable[..., str]]:
    with ExitStack() as running:
        yield lambda **limits: running.enter_context(run_service(works.add_to(make_app(limits=Limits(**limits)))))
        works.may_end.set()


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.01)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    return answer.status_code, answer.json()["code"], answer.headers.get("retry-after")


def test_requests_beyond_what_is_taken_on_are_told_to_come_again(start: Callable[..., str], works: Works) -> None:
    url = start(max_in_flight=2)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as client:
        taken = [pool.submit(client.post, "/v1/wait") for _ in range(2)]
        until(lambda: works.begun == 2)
        assert error(client.post("/v1/wait")) == (503, "SERVICE_UNAVAILABLE", "1")
        assert [client.get(path).status_code for path in ("/live", "/health", "/ready", "/metrics")] == [200] * 4
        works.may_end.set()
        assert [each.result().status_code for each in taken] == [200, 200]
        assert client.post("/v1/wait").status_code == 200


def test_one_client_cannot_take_all_the_room(start: Callable[..., str], works: Works) -> None:
    url = start(max_in_flight_per_client=2)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as client:
        taken = [pool.submit(client.post, "/v1/wait") for _ in range(2)]
        until(lambda: works.begun == 2)
        assert error(client.post("/v1/wait")) == (429, "RATE_CONCURRENCY_LIMIT_EXCEEDED", "1")
        works.may_end.set()
        assert [each.result().status_code for each in taken] == [200, 200]
        assert client.post("/v1/wait").status_code == 200


def test_refusals_have_the_shape_of_their_family(start: Callable[..., str], works: Works) -> None:
    url = start(max_in_flight=1)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as client:
        taken = pool.submit(client.post, "/v1/wait")
        until(lambda: works.begun == 1)
        reader = client.get("/r/https://example.com", headers={"Accept": "application/json"})
        chat = client.post("/v1/chat/completions", json={})
        cohere = client.post("/v2/embed", json={})
        works.may_end.set()
        taken.result()
    assert reader.json()["name"] == "ServiceNodeResourceDrainError"
    assert list(chat.json()) == ["error"]
    assert set(cohere.json()) == {"id", "message"}


def test_large_bodies_are_refused_before_they_are_read(start: Callable[..., str]) -> None:
    url = start(max_body_bytes=100 * KIB, max_upload_bytes=300 * KIB)
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/v1/echo", content=bytes(100 * KIB)).json() == {"size": 100 * KIB}
        assert error(client.post("/v1/echo", content=bytes(100 * KIB + 1)))[:2] == (413, "INPUT_BODY_TOO_LARGE")
        assert client.post("/v1/echo", content=bytes(100 * KIB)).status_code == 200
        upload = client.post("/r/x", content=bytes(300 * KIB + 1), headers={"Accept": "application/json"})
        assert (upload.status_code, upload.json()["name"]) == (413, "PayloadTooLargeError")


def test_a_client_that_asks_first_sends_no_large_body(start: Callable[..., str]) -> None:
    with connected(start(max_body_bytes=KIB)) as (sent, received):
        head = b"POST /v1/echo HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n"
        sent(head)
        assert received().startswith(b"HTTP/1.1 413 ")


def test_chunked_bodies_are_counted_as_they_come(start: Callable[..., str]) -> None:
    url = start(max_body_bytes=100 * KIB)
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 64 * KIB
            yield bytes(64 * KIB)

    with httpx.Client(base_url=url, timeout=60) as client:
        small = client.post("/v1/echo", content=iter([b"a", b"bc"]))
        assert small.json() == {"size": 3}
        large = client.post("/v1/echo", content=chunks())
        assert error(large)[:2] == (413, "INPUT_BODY_TOO_LARGE")


def test_bodies_of_all_requests_are_bounded(start: Callable[..., str], works: Works) -> None:
    url = start(max_in_flight_bytes=250 * KIB)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as client:
        taken = [pool.submit(client.post, "/v1/wait", content=bytes(100 * KIB)) for _ in range(2)]
        until(lambda: works.begun == 2)
        assert error(client.post("/v1/wait", content=bytes(100 * KIB))) == (503, "SERVICE_UNAVAILABLE", "1")
        assert client.post("/v1/echo", content=bytes(KIB)).status_code == 200
        works.may_end.set()
        assert [each.result().status_code for each in taken] == [200, 200]
        assert client.post("/v1/echo", content=bytes(200 * KIB)).status_code == 200


def test_a_body_that_comes_too_slowly_is_not_waited_for(start: Callable[..., str]) -> None:
    with connected(start(body_timeout=0.2)) as (sent, received):
        sent(b"POST /v1/echo HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nhalf")
        answer = received()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"0.2 seconds" in answer


def test_work_that_takes_too_long_is_cancelled(start: Callable[..., str], works: Works) -> None:
    url = start(timeout=0.2)
    with httpx.Client(base_url=url, timeout=60) as client:
        late = client.post("/v1/wait")
        assert error(late)[:2] == (504, "SERVICE_TIMEOUT")
        assert "0.2 seconds" in late.json()["detail"]
        until(lambda: works.cancelled == 1)
        works.may_end.set()
        assert client.post("/v1/wait").status_code == 200


def test_reasoning_has_its_own_time(start: Callable[..., str], works: Works) -> None:
    url = start(timeout=0.1, long_timeout=60)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=url, timeout=60) as client:
        reading = pool.submit(client.post, "/v1/chat/wait")
        until(lambda: works.begun == 1)
        assert client.post("/v1/wait").status_code == 504
        works.may_end.set()
        assert reading.result().status_code == 200


def test_a_stream_has_its_time_for_each_piece(service_app: FastAPI) -> None:
    sent: list[Message] = []

    async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(4):
            await asyncio.sleep(0.3)
            await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(60)
        raise AssertionError("It was not cancelled.")

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    messages: list[Message] = [{"type": "http.request"}]
    request = {"type": "http", "method": "POST", "path": "/v1/pieces", "query_string": b"", "headers": []}
    scope = {**request, "state": {"call": Call()}}
    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(Admission(pieces, Limits(timeout=0.9), service_app.state.metrics)(scope, receive, send))
    assert sent[0]["status"] == 200
    assert [each["body"] for each in sent[1:]] == [b"."] * 4  # 1.2 seconds long; what came after was cut


def test_work_for_a_client_that_is_gone_is_cancelled(start: Callable[..., str], works: Works) -> None:
    url = start()
    with connected(url) as (sent, _):
        sent(b"POST /v1/wait HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
        until(lambda: works.begun == 1)
        assert works.cancelled == 0
    until(lambda: works.cancelled == 1)


def test_a_client_that_leaves_within_its_body_leaves_nothing(start: Callable[..., str]) -> None:
    url = start(max_in_flight=1, max_in_flight_bytes=100)
    with connected(url) as (sent, _):
        sent(b"POST /v1/echo HTTP/1.1\r\nHost: here\r\nContent-Length: 90\r\n\r\n" + bytes(80))
    with httpx.Client(base_url=url, timeout=60) as client:
        until(lambda: client.post("/v1/echo", content=bytes(90)).status_code == 200)


def test_work_after_an_answer_is_done_though_the_client_leaves(start: Callable[..., str], works: Works) -> None:
    httpx.post(f"{start(timeout=0.1)}/v1/later", timeout=60)
    assert works.afterwards.wait(60)


def test_what_nobody_expected_is_answered_without_its_words(
    start: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = httpx.post(f"{start()}/v1/broken", timeout=60, headers={"Origin": "https://example.com"})
    assert error(answer)[:2] == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "A request failed." in caplog.text


@contextmanager
def connected(url: str) -> Iterator[tuple[Callable[[bytes], None], Callable[[], bytes]]]:
    """A connection: what sends bytes, and what receives the head of an answer and some of its body."""
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=60) as connection:
        yield connection.sendall, lambda: connection.recv(65536)
