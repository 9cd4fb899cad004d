"""The playground: made when it is first looked at, and open no further than its page needs.

Gradio serves the page and runs its events; its other routes (files, uploads, proxies, a client's API) are closed. What
the page asks of the service goes through `asking`, as any client's requests do. Whoever comes while it is made sees a
page that says so and loads itself anew.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components.service.errors import problem
from jina_components.service.playground import STREAM
from jina_components.service.playground.joining import checked

if TYPE_CHECKING:
    import gradio as gr

_READ = frozenset({"GET", "HEAD"})
_WRITE = frozenset({"POST"})
_JOIN = "/gradio_api/queue/join"
_FOLDERS = ("/assets/", "/static/")
"""Of Gradio's own files."""
# What the page needs.
_ROUTES: dict[str, frozenset[str]] = {
    "/": _READ,
    "/theme.css": _READ,
    **dict.fromkeys(_FOLDERS, _READ),
    STREAM: _READ,
    _JOIN: _WRITE,
    "/gradio_api/cancel": _WRITE,
    "/gradio_api/reset": _WRITE,  # which does nothing, and which the page calls after it
}
# Nothing is loaded from elsewhere, not even a picture of a page that was read. Scripts are Gradio's files and those
# that the page came with, which know the nonce: text that were taken for HTML by mistake could run none. Gradio
# compiles templates in the browser, which is `eval`. No other site may put the page into a frame to mislead clicks.
_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Of the page as Gradio writes it: browsers ask for an icon otherwise; there is no manifest; and only the browser knows
# under which scheme, host and path a proxy shows the page.
_ROOT = b"<script>gradio_config.root = (location.origin + location.pathname).replace(/\\/+$/, '');</script>"
_REWRITTEN = (
    (b"<head>", b'<head><link rel="icon" href="data:,">'),
    (b'<link rel="manifest" href="/manifest.json" />', b""),
    (b"<script data-gradio-mode>", _ROOT + b"<script data-gradio-mode>"),
    (b"document.head.appendChild(script);", b""),  # of frames, in which the page is not
)
# What Gradio is told of a request. It would believe anybody's `X-Forwarded-Host`.
_HEADERS = frozenset({b"host", b"content-type", b"content-length", b"accept-encoding", b"if-none-match"})
_MAKING = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Playground</title></head>
<body style="font-family: system-ui, sans-serif; margin: 2rem"><h1>Playground</h1>
<p role="status">It is being made ready, for the first time since the service started: a few seconds.</p></body></html>
"""
_MAKING_HEADERS = {
    "Refresh": "1",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
}
# Names of these files hold a digest of what is in them.
_LASTING = "public, max-age=31536000, immutable"
# Seconds between looks at whether the service ends.
_LOOK = 0.2


@dataclass(frozen=True, slots=True)
class _Route:
    """What the log and metrics call a request."""

    path: str


class Playground:
    """The page, from its first visit to the end of the application."""

    def __init__(self, service: FastAPI) -> None:
        self._service = service
        self._making: asyncio.Task[gr.Blocks] | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def is_made(self) -> bool:
        """Whether `blocks` is there at once, or has failed; begins to make it."""
        if self._making is None:
            self._making = asyncio.create_task(self._make())
        return self._making.done()

    async def blocks(self) -> gr.Blocks:
        """The page in Gradio's terms, whose `app` is an application."""
        making = self._making = self._making or asyncio.create_task(self._make())
        try:
            return await asyncio.shield(making)
        except Exception:
            self._making = None  # the next visit tries again
            raise

    async def _make(self) -> gr.Blocks:
        # Gradio takes seconds to import. It wants a loop that runs, and leaves one open otherwise.
        blocks = await asyncio.to_thread(lambda: asyncio.run(_made(self._service)))
        before = asyncio.all_tasks()
        blocks.run_startup_events()  # type: ignore[no-untyped-call]
        self._tasks = asyncio.all_tasks() - before
        return blocks

    async def aclose(self) -> None:
        """End what runs."""
        tasks = [each for each in (self._making, *self._tasks) if each is not None]
        if self._making is not None and self._making.done() and not self._making.exception():
            # Blocks.close would end a server that there is not.
            self._making.result()._queue.stopped = True  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._making, self._tasks = None, set()


class Doors:
    """Lets through to the playground what its page needs, and leaves all else to the service.

    Stands inside of `Admission`.

    Args:
        app: The service.
        playground: What is behind the doors.
    """

    def __init__(self, app: ASGIApp, playground: Playground) -> None:
        self._app = app
        self._playground = playground

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, to one of both."""
        route = _route(scope) if scope["type"] == "http" else ""
        if not route:
            await self._app(scope, receive, send)
            return
        scope["route"] = _Route(route)
        if route != "/" and not _is_own(Headers(scope=scope)):
            raise problem(403, "The playground is for its own page, not for those of other sites.")
        if route == "/" and not self._playground.is_made:
            await HTMLResponse(_MAKING, 202, _MAKING_HEADERS)(scope, receive, send)
            return
        blocks = await self._playground.blocks()
        app: ASGIApp = blocks.app
        # A copy: routing writes into it, and the service's own is still asked about the service.
        scope = {
            **scope,
            "headers": [(name, value) for name, value in scope["headers"] if name in _HEADERS],
            "query_string": scope["query_string"] if route == STREAM else b"",
        }
        if route == "/":
            await _page(app, scope, receive, send)
        elif route == STREAM:
            await app(scope, self._until_the_end(scope, receive), send)
        elif route == _JOIN:
            await app(scope, await checked(receive, blocks), send)
        else:
            await app(scope, receive, _lasting(send) if route == "/assets/" else send)

    def _until_the_end(self, scope: Scope, receive: Receive) -> Receive:
        """The stream's client is gone when the service ends, so that it does not wait for the page."""
        state = scope["app"].state

        async def received() -> Message:
            hearing = asyncio.ensure_future(receive())
            try:
                while not state.ending:
                    done, _ = await asyncio.wait((hearing,), timeout=_LOOK)
                    if done:
                        return hearing.result()
                return {"type": "http.disconnect"}
            finally:
                hearing.cancel()

        return received


async def _page(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The page, whose scripts are told from others."""
    nonce, body = secrets.token_urlsafe(16), bytearray()
    start: dict[str, Any] = {}

    async def collect(message: Message) -> None:
        start.update(message if message["type"] == "http.response.start" else {})
        body.extend(message.get("body", b""))

    plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    await app({**scope, "headers": plain}, receive, collect)
    whole = bytes(body)
    for found, better in _REWRITTEN:
        whole = whole.replace(found, better, 1)
    whole = whole.replace(b"<script", f'<script nonce="{nonce}"'.encode())
    answered = MutableHeaders(scope=start)
    answered["Content-Security-Policy"] = _POLICY.format(nonce)
    answered["Referrer-Policy"] = "no-referrer"
    answered["Cache-Control"] = "no-store"
    if scope["method"] != "HEAD":
        answered["Content-Length"] = str(len(whole))
    await send(start)
    await send({"type": "http.response.body", "body": whole})


def _lasting(send: Send) -> Send:
    """Lets browsers keep what was found."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message)["Cache-Control"] = _LASTING
        await send(message)

    return send_on


def add_playground(app: FastAPI) -> None:
    """Put the playground at `/` of an application, where Gradio is installed: before `Admission` is added around it."""
    if find_spec("gradio") is None:
        return
    playground = Playground(app)
    around = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[None]:
        async with around(running):
            try:
                yield
            finally:
                await playground.aclose()

    app.router.lifespan_context = lifespan
    app.add_middleware(Doors, playground=playground)


def _route(scope: Scope) -> str:
    """The route that a request is for; empty where it is none of the playground.

    At `/` there is something for programs too, which do not ask for HTML.
    """
    path: str = scope["path"]
    if path == "/":
        return "/" if scope["method"] in _READ and "text/html" in Headers(scope=scope).get("accept", "") else ""
    route = next((folder for folder in _FOLDERS if path.startswith(folder)), path)
    return route if scope["method"] in _ROUTES.get(route, ()) else ""


def _is_own(headers: Headers) -> bool:
    """Whether a request comes from the page, or from no browser at all."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _made(service: FastAPI) -> gr.Blocks:
    from jina_components.service.playground.blocks import made

    return made(service)
