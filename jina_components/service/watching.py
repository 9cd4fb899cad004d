"""What is told of requests: a log line, metrics and a span each; never what was sent or with which key."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components import __version__
from jina_components.service.calls import Call
from jina_components.service.logs import REQUEST_ID, log_request, moment
from jina_components.service.metrics import METHODS, Metrics
from jina_components.service.names import plain_name

# As nginx has it: the client was gone before its answer began.
GONE = 499
# What may stand for an address: a proxy that is trusted may pass on whatever its client wrote into X-Forwarded-For.
_ADDRESS = re.compile(r"[\w.:%-]{1,64}", re.ASCII)


class Watching:
    """Gives each request its `Call`, and tells of it when it is answered.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        stand_ins: By the name of a model that another one stands in for, which.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, stand_ins: Mapping[str, str]) -> None:
        self._app = app
        self._metrics = metrics
        self._stand_ins = stand_ins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, _plainly(scope, send))
            return
        call = Call()
        scope.setdefault("state", {})["call"] = call
        if (client := scope.get("client")) and not _ADDRESS.fullmatch(client[0]):
            scope["client"] = None
        REQUEST_ID.set(call.request_id)
        wire = _Wire(scope, receive, send, self._stand_ins)
        began_at, began = time.time(), time.perf_counter()
        with _span(scope) as span:
            try:
                await self._app(scope, wire.receive, wire.send)
            finally:
                self._tell(scope, call, wire, span, began_at, time.perf_counter() - began)

    def _tell(self, scope: Scope, call: Call, wire: _Wire, span: Span, began_at: float, seconds: float) -> None:
        # The template of a route: a path may hold URLs and statements.
        route: str = getattr(scope.get("route"), "path", "")
        method, client = _method(scope), scope.get("client")
        facts = {
            "time": moment(began_at),
            "request_id": call.request_id,
            "method": method,
            "route": route,
            "status": wire.status,
            "seconds": round(seconds, 6),
            "bytes_in": wire.bytes_in,
            "bytes_out": wire.bytes_out,
            "complete": wire.complete,
            "client": client[0] if client else "",
            "product": call.product,
            "model": call.model,
            "items": call.items,
            "tokens": call.tokens,
            "code": call.code,
        }
        log_request(facts)
        self._metrics.count(call, route, method, wire.status, seconds)
        if span.is_recording():
            span.update_name(f"{method} {route}".strip())
            told: dict[str, str | int] = {
                "http.route": route,
                "http.response.status_code": wire.status,
                "jina.request_id": call.request_id,
                "jina.product": call.product,
                "jina.model": call.model,
                "jina.items": call.items,
                "jina.tokens": call.tokens,
            }
            span.set_attributes({name: value for name, value in told.items() if value != ""})
            if wire.status >= 500 or not wire.complete:
                span.set_attribute("error.type", call.code or str(wire.status))
                span.set_status(StatusCode.ERROR)


class _Wire:
    """What goes over the connection, counted; `status` is 499 until an answer begins."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, stand_ins: Mapping[str, str]) -> None:
        self._receive = receive
        self._send = send
        self._call: Call = scope["state"]["call"]
        self._app = scope["app"]
        self._stand_ins = stand_ins
        self.status = GONE
        self.bytes_in = 0
        self.bytes_out = 0
        self.complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._call.request_id
            if stand_in := self._stand_ins.get(plain_name(self._call.model)):
                headers["X-Served-By"] = stand_in
            if self._app.state.ending:
                headers["Connection"] = "close"  # the next request should go elsewhere
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)


def _plainly(scope: Scope, send: Send) -> Send:
    """Tells servers why the application cannot start without a stack, where that is the operator's to mend."""

    async def tell(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed" and (failure := scope["app"].state.failure) is not None:
            message["message"] = str(failure)
        await send(message)

    return tell


@contextmanager
def _span(scope: Scope) -> Iterator[Span]:
    """The span of a request, under the one that its `traceparent` names.

    Of the semantic conventions of HTTP it leaves out what clients write freely: path, query, host and agent.
    """
    client = scope.get("client")
    attributes = {
        "http.request.method": _method(scope),
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    } | ({"client.address": client[0]} if client else {})
    tracer = trace.get_tracer("jina_components.service", __version__)
    with tracer.start_as_current_span(
        attributes["http.request.method"],
        context=propagate.extract(Headers(scope=scope)),
        kind=SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,  # messages may quote what was sent
        set_status_on_exception=False,
    ) as span:
        yield span


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "_OTHER"
