"""Answers in the form that a client accepts, and streams that fail on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from jina_components.errors import BudgetExceededError
from jina_components.service.calls import Call
from jina_components.service.wire.negotiation import Result, answer, answer_events, while_connected


def app_of(results: AsyncGenerator[Result, None], call: Call) -> Starlette:
    async def stream(request: Request) -> Response:
        request.scope.setdefault("state", {})["call"] = call
        return await answer_events(request, results)

    app = Starlette()
    app.add_route("/", stream)
    return app


async def failing(count: int, closed: list[bool]) -> AsyncGenerator[Result, None]:
    try:
        for number in range(count):
            yield Result({"number": number}, "", 10 * number)
        raise BudgetExceededError("Too many.", 9)
    finally:
        closed.append(True)


def test_what_fails_on_the_way_is_the_last_event():
    closed: list[bool] = []
    call = Call()
    with TestClient(app_of(failing(3, closed), call)) as client:
        answered = client.get("/")
    blocks = [block.split("\n") for block in answered.text.strip().split("\n\n")]
    assert answered.status_code == 200
    assert [name for name, _ in blocks] == ["event: data"] * 3 + ["event: error"]
    told = json.loads(blocks[-1][1].removeprefix("data: "))
    assert (told["status"], told["name"], told["data"]) == (40904, "BudgetExceededError", None)
    assert closed == [True]
    assert call.tokens == 20
    assert call.code


def test_what_fails_at_once_has_its_status():
    closed: list[bool] = []
    with TestClient(app_of(failing(0, closed), Call())) as client, pytest.raises(BudgetExceededError):
        client.get("/")
    assert closed == [True]


def asking(*messages: str) -> Request:
    """A request whose client sends these messages, one after the other, and then is silent."""
    waiting = list(messages)

    async def receive() -> dict[str, object]:
        if not waiting:
            await asyncio.sleep(3600)
        return {"type": waiting.pop(0)}

    state = {"call": Call()}
    return Request({"type": "http", "headers": [], "state": state, "method": "GET", "path": "/"}, receive)


async def test_work_ends_with_its_client():
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    assert await while_connected(asking("http.request", "http.disconnect"), work()) is None
    assert cancelled.is_set()


async def test_work_gives_what_it_gives_and_fails_as_it_fails():
    async def work(fails: bool) -> int:
        await asyncio.sleep(0)
        if fails:
            raise BudgetExceededError("Too many.")
        return 1

    assert await while_connected(asking("http.request"), work(fails=False)) == 1
    with pytest.raises(BudgetExceededError):
        await while_connected(asking(), work(fails=True))


async def test_work_ends_when_the_request_does():
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    task = asyncio.create_task(while_connected(asking(), work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        (b"application/json", "application/json", b'"tokens":7'),
        (b"Application/JSON, text/plain", "application/json", b'"status":20000'),
        (b"text/event-stream", "text/event-stream; charset=utf-8", b'event: data\ndata: {"a":1}\n\n'),
        (b"text/html", "text/plain; charset=utf-8", b"as text"),
    ],
)
def test_forms(accept, kind, body):
    request = Request({"type": "http", "headers": [(b"accept", accept)], "state": {"call": Call()}})
    answered = answer(request, Result({"a": 1}, "as text", 7))
    assert answered.headers["content-type"] == kind
    assert body in bytes(answered.body)
    assert answered.headers.get("x-usage-tokens") == ("7" if body == b"as text" else None)
