"""The front: an application that admits requests, and whose answers are those of replicas."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Container, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from fastapi import FastAPI
from opentelemetry import propagate
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components.errors import BackendError
from jina_components.scale.serving.replica import TOLD
from jina_components.service.admission import Admission
from jina_components.service.calls import Call
from jina_components.service.errors import problem
from jina_components.service.hosts import Hosts, prefix_of
from jina_components.service.logs import REQUEST_ID
from jina_components.service.names import plain_name
from jina_components.service.playground.app import add_playground
from jina_components.service.routes import health
from jina_components.service.watching import Watching

logger = logging.getLogger(__name__)

T = TypeVar("T")
Look: TypeAlias = Callable[[], tuple[bool | None, str]]
"""Tells whether each group has a replica that is ready, and why one will never have any; or None, and why."""

_SOON = {"Retry-After": "1"}
# A key of JSON and its value: within a string of JSON its quotes would have backslashes before them.
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,512})"')
# Of a scope, what goes to a replica; the rest is of this process.
_PASSED = ("type", "asgi", "http_version", "method", "scheme", "path", "query_string", "root_path", "server", "client")
# The last line of a stack of an error of ours.
_OURS = re.compile(r"^jina_components\.errors\.\w+: (.+)", re.MULTILINE)
# What the front knows by itself: probes and metrics.
_OWN = {
    (method, route.path)
    for route in health.router.routes
    if isinstance(route, Route) and route.path != "/"
    for method in route.methods or ()
}
# Seconds between looks at whether there are replicas; for which nobody can tell, so that there may be none; and after
# which the cluster is lost, as when Ray's processes of this machine died.
_LOOK, _LATE, _LOST = 0.5, 5.0, 60.0


def make_front(plain: FastAPI, handles: Mapping[str, Any], look: Look) -> FastAPI:
    """What listens: the application with the state of a plain one, whose requests go to replicas."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        watching = asyncio.create_task(_watch(app, look))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    app = FastAPI(
        openapi_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state = plain.state
    app.state.ready = False
    app.include_router(health.router)
    # The last added is the outermost, as `create_app` has them.
    app.add_middleware(_Forwarding, handles=handles)
    if app.state.settings.playground:
        add_playground(app)  # here, since its pages ask for events of the process that they were made in
    app.add_middleware(Admission, limits=app.state.settings.limits, metrics=app.state.metrics)
    app.add_middleware(Hosts)
    around: list[Any] = [*plain.user_middleware]
    app.add_middleware(CORSMiddleware, **next(each.kwargs for each in around if each.cls is CORSMiddleware))
    app.add_middleware(Watching, metrics=app.state.metrics, stand_ins={})
    return app


async def _watch(app: FastAPI, look: Look) -> None:
    """Keep the application's readiness; one whose replicas cannot be started, or cannot be reached, ends its server."""
    state, was_ready, told_at = app.state, False, time.monotonic()
    looking = asyncio.wrap_future(apart(look))
    try:
        while state.failure is None:
            await asyncio.wait([looking], timeout=_LOOK)
            is_ready, why = None, "it does not answer"
            if looking.done():
                is_ready, why = looking.result()
            if is_ready is not None:
                told_at = time.monotonic()
                state.ready = is_ready and not state.ending
                was_ready |= is_ready
                if why and not was_ready:
                    state.failure = BackendError(f"No replica could be started: {why}")
            elif time.monotonic() - told_at > _LOST:
                state.failure = BackendError(
                    f"The Ray cluster has told nothing of its replicas for {_LOST:g} s: {why}."
                )
            elif state.ready and time.monotonic() - told_at > _LATE:
                state.ready = False
                logger.warning("The cluster does not tell of its replicas: %s", why)
            await asyncio.sleep(_LOOK)
            if looking.done():
                looking = asyncio.wrap_future(apart(look))
    finally:
        await asyncio.wait([looking], timeout=_LATE)  # lest it asks when the cluster has ended, which would start one


def apart(do: Callable[[], T]) -> Future[T]:
    """Do it in a thread that nobody waits for at the end of the process: a cluster that is lost may never answer."""
    done: Future[T] = Future()

    def work() -> None:
        done.set_running_or_notify_cancel()
        try:
            done.set_result(do())
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            done.set_exception(error)

    threading.Thread(target=work, name="ray", daemon=True).start()
    return done


class _Forwarding:
    """Passes requests on to replicas, and their answers back, piece by piece."""

    def __init__(self, app: ASGIApp, handles: Mapping[str, Any]) -> None:
        from ray import exceptions
        from ray.serve.exceptions import BackPressureError, RayServeException

        self._app = app
        self._handles = handles
        self._full, self._faults = BackPressureError, exceptions.RayTaskError
        self._failures = (exceptions.RayError, RayServeException)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, but for those that ask about the front itself."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) in _OWN:
            await self._app(scope, receive, send)
            return
        body = (await receive()).get("body", b"")  # the whole of it, which Admission has read
        call: Call = scope["state"]["call"]
        stream = self._handles[group_of(body, self._handles)].remote(_passed(scope), body)
        is_whole = False
        try:
            async for messages in stream:
                for message in messages:
                    await self._take(message, scope, call, send)
            is_whole = True
        except self._full as error:
            raise problem(503, "Too many requests wait for this already; come again.", headers=_SOON) from error
        except self._faults:
            raise
        except self._failures as error:
            logger.warning("A replica failed: %s", reason(str(error)))
            raise problem(503, "What worked on the request has failed; come again.", headers=_SOON) from error
        finally:
            if not is_whole:
                stream.cancel()

    async def _take(self, message: Message, scope: Scope, call: Call, send: Send) -> None:
        if message["type"] == "jina.told":
            for name in TOLD:
                setattr(call, name, message[name])
            scope["route"] = _Route(message["route"])
            return
        if message["type"] == "http.response.start":
            call.request_id = Headers(raw=message["headers"])["x-request-id"]  # errors hold it too
            REQUEST_ID.set(call.request_id)
            message["headers"] = _before_cors(message["headers"])
        await send(message)


@dataclass(frozen=True, slots=True)
class _Route:
    """The template of a route, of which logs and metrics tell."""

    path: str


def group_of(body: bytes, groups: Container[str]) -> str:
    """The model that a body asks for, if it has a group. A good guess does, for any replica can answer."""
    found = _MODEL.search(body)
    name = plain_name(found[1].decode(errors="replace")) if found else ""
    return name if name in groups else ""


def _before_cors(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers of a replica's answer without those for scripts of other sites, which the front adds to all answers."""
    kept = [(name, value) for name, value in headers if not name.startswith(b"access-control-")]
    varying = [(name, value.removesuffix(b"Origin").rstrip(b", ")) for name, value in kept if name == b"vary"]
    return [*(each for each in kept if each[0] != b"vary"), *(each for each in varying if each[1])]


def _passed(scope: Scope) -> dict[str, Any]:
    """What a replica needs of a scope, as it came: a host's prefix, which it adds again, is off the path."""
    passed = {name: scope[name] for name in _PASSED}
    host = Headers(scope=scope).get("host", "")
    passed["path"] = passed["path"][len(prefix_of(host.encode("latin-1"))) :]
    passed["raw_path"] = scope.get("raw_path", b"")[len(prefix_of(host.encode("latin-1"))) :]
    traced: dict[str, str] = {}
    propagate.inject(traced)
    others = [(name, value) for name, value in scope["headers"] if name.decode("latin-1") not in traced]
    passed["headers"] = [*others, *((name.encode(), value.encode()) for name, value in traced.items())]
    return passed


def reason(text: str) -> str:
    """What went wrong, of all that Ray tells of it: an error of ours, or else the last line."""
    lines = _OURS.findall(text) or [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
