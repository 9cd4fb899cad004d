"""Answers of the rpc family (`/r/`, `/s/`, `/g/`): as text, JSON or server-sent events, by what the client accepts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from jina_components.service.answers import event, form_of, json_answer
from jina_components.service.calls import call_of
from jina_components.service.errors import as_problem, rpc_body
from jina_components.service.streaming import LIVE, stream

TOKENS_HEADER = "X-Usage-Tokens"


@dataclass(frozen=True, slots=True)
class Result:
    """What is answered with, in each form.

    Attributes:
        data: `data` of the JSON envelope, and of an event.
        text: The whole body of the text form; bytes are a PNG.
        tokens: Those to be charged.
        event: Name of the event; steps on the way to the data have their own.
        warnings: What a reader of the JSON should know of how the data came about.
    """

    data: Any
    text: str | bytes
    tokens: int
    event: str = "data"
    warnings: tuple[str, ...] = ()


def envelope(result: Result) -> dict[str, Any]:
    """The body of a good answer in JSON."""
    meta: dict[str, Any] = {"usage": {"tokens": result.tokens}}
    if result.warnings:
        meta["warnings"] = result.warnings
    return {"code": 200, "status": 20000, "data": result.data, "meta": meta}


def answer(request: Request, result: Result, *, background: BackgroundTask | None = None) -> Response:
    """One result, in the form that the client accepts; its tokens go to the call.

    Args:
        request: Which is answered.
        result: The result.
        background: What is done once the answer is sent.
    """
    call_of(request).tokens = result.tokens
    form = form_of(request)
    if form == "json":
        answered = json_answer(envelope(result))
    elif form == "events":
        answered = Response(event(result.data, name="data"), headers=LIVE, media_type="text/event-stream")
    else:
        kind = "image/png" if isinstance(result.text, bytes) else "text/plain"
        answered = Response(result.text, headers={TOKENS_HEADER: str(result.tokens)}, media_type=kind)
    answered.background = background
    return answered


async def answer_with(
    request: Request, results: AsyncGenerator[Result, None], *, background: BackgroundTask | None = None
) -> Response:
    """Ever more complete results as server-sent events; in the other forms the last, which is complete.

    What fails before the first event is raised, so that the answer has its status; what fails later is the last event
    (`event: error`). A client that goes in between is charged for what it was sent, which may be all that it wanted.
    """
    if form_of(request) == "events":
        return await stream(_events(request, results), background=background)
    async with aclosing(results):
        async for result in results:
            last = result
    return answer(request, last, background=background)


async def _events(request: Request, results: AsyncGenerator[Result, None]) -> AsyncGenerator[bytes, None]:
    call, has_begun = call_of(request), False
    try:
        async with aclosing(results):
            async for result in results:
                call.tokens = result.tokens
                yield event(result.data, name=result.event)
                has_begun = True
        await call.settle()
    except Exception as error:
        if not has_begun:
            raise
        told = as_problem(error)  # which logs what is our own fault
        call.code = told.code
        yield event(rpc_body(told), name="error")
    except BaseException:  # it is cancelled, or closed
        if has_begun and await request.is_disconnected():
            await call.settle()
        raise
