"""Answers in the form that a client accepts, and streams that fail on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from jina_components.errors import BudgetExceededError
from jina_components.service.calls import Call
from jina_components.service.wire.negotiation import Result, answer, answer_with

EVENTS = {"accept": "text/event-stream"}


def app_of(results: AsyncGenerator[Result, None], call: Call) -> Starlette:
    async def stream(request: Request) -> Response:
        request.scope.setdefault("state", {})["call"] = call
        return await answer_with(request, results)

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
        answered = client.get("/", headers=EVENTS)
    blocks = [block.split("\n") for block in answered.text.strip().split("\n\n")]
    assert answered.status_code == 200
    assert [name for name, _ in blocks] == ["event: data"] * 3 + ["event: error"]
    told = json.loads(blocks[-1][1].removeprefix("data: "))
    assert (told["status"], told["name"], told["data"]) == (40904, "BudgetExceededError", None)
    assert closed == [True]
    assert call.tokens == 20
    assert call.code


async def complete(closed: list[bool]) -> AsyncGenerator[Result, None]:
    try:
        for number in range(3):
            yield Result({"number": number}, f"{number}", 10 * number)
    finally:
        closed.append(True)


def test_but_in_events_the_last_result_is_all():
    closed: list[bool] = []
    call = Call()
    with TestClient(app_of(complete(closed), call)) as client:
        answered = client.get("/")
    assert answered.text == "2"
    assert answered.headers["x-usage-tokens"] == "20"
    assert (closed, call.tokens) == ([True], 20)


@pytest.mark.parametrize("headers", [EVENTS, {}])
def test_what_fails_at_once_has_its_status(headers):
    closed: list[bool] = []
    with TestClient(app_of(failing(0, closed), Call())) as client, pytest.raises(BudgetExceededError):
        client.get("/", headers=headers)
    assert closed == [True]


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
