"""Answers of the rpc family (`/r/`, `/s/`, `/g/`): as text, JSON or server-sent events, by what the client accepts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jina_components.service.answers import event, json_answer
from jina_components.service.calls import call_of
from jina_components.service.errors import as_problem, rpc_body

T = TypeVar("T")

Form: TypeAlias = Literal["text", "json", "events"]

TOKENS_HEADER = "X-Usage-Tokens"
# Not an answer that anybody gets: what the log says of a request whose client went away.
_GONE = 499
_LIVE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


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


def form_of(request: Request) -> Form:
    """What the client accepts; text where it names none of ours. `errors` has the same rule."""
    accept = request.headers.get("accept", "").lower()
    if "text/event-stream" in accept:
        return "events"
    return "json" if "/json" in accept else "text"


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
        answered = Response(event(result.data, name="data"), headers=_LIVE, media_type="text/event-stream")
    else:
        kind = "image/png" if isinstance(result.text, bytes) else "text/plain"
        answered = Response(result.text, headers={TOKENS_HEADER: str(result.tokens)}, media_type=kind)
    answered.background = background
    return answered


async def answer_events(
    request: Request, results: AsyncGenerator[Result, None], *, background: BackgroundTask | None = None
) -> Response:
    """Ever more complete results as server-sent events, the last of them complete.

    What fails before the first result is raised, so that the answer has its status; what fails later is the last event
    (`event: error`). A client that goes away ends `results`.
    """
    queue: asyncio.Queue[Result | Exception | None] = asyncio.Queue(maxsize=1)
    # All results come from one task: deadlines within them belong to it.
    working = asyncio.create_task(_fill(queue, results))
    try:
        first = await while_connected(request, queue.get())
    except asyncio.CancelledError:
        await _end(working)
        raise
    if not isinstance(first, Result):
        await _end(working)
        if isinstance(first, Exception):
            raise first
        return gone(request)
    return _Events(_events(request, first, queue), working, background)


async def _fill(queue: asyncio.Queue[Result | Exception | None], results: AsyncGenerator[Result, None]) -> None:
    """Every result, then what ended them: an error, or None."""
    try:
        async with aclosing(results):
            async for result in results:
                await queue.put(result)
    except Exception as error:  # noqa: BLE001 (told to the client; `as_problem` logs what is our own fault)
        await queue.put(error)
    else:
        await queue.put(None)


async def _events(
    request: Request, first: Result, queue: asyncio.Queue[Result | Exception | None]
) -> AsyncGenerator[bytes, None]:
    call, result = call_of(request), first
    while True:
        call.tokens = result.tokens
        yield event(result.data, name=result.event)
        following = await queue.get()
        if isinstance(following, Exception):
            told = as_problem(following)
            call.code = told.code
            yield event(rpc_body(told), name="error")
        if not isinstance(following, Result):
            return
        result = following


class _Events(StreamingResponse):
    """A stream of events that ends the work behind it, however it ends itself."""

    def __init__(
        self, content: AsyncGenerator[bytes, None], working: asyncio.Task[None], background: BackgroundTask | None
    ) -> None:
        super().__init__(content, headers=_LIVE, media_type="text/event-stream", background=background)
        self._content, self._working = content, working

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._content.aclose()
            await _end(self._working)


async def _end(working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None once the client has gone away, when `work` is cancelled.

    The body of the request must have been read before. Answer None with `gone`.
    """
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


def gone(request: Request) -> Response:
    """What stands for an answer that nobody waits for any more."""
    call_of(request).code = "CLIENT_CLOSED_REQUEST"
    return Response(status_code=_GONE)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
