"""What a request costs is written down before the end of its answer is sent, and what it held is given back."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components.service.calls import Call, call_of
from jina_components.service.errors import answer_problem


class Accounting:
    """Settles each call that got a result, and adds the headers of its limits.

    Stands inside of `Admission`, next to the routes. A failed request costs nothing, unless its time runs out while the
    charge is being written. Neither does one whose client goes before there is an answer; streams say what they charge.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        call = call_of(connection)
        answer = _Answer(connection, call, receive, send)
        try:
            await self._app(scope, receive, answer.send)
        finally:
            if call.permit is not None:
                await call.permit.release()


class _Answer:
    """An answer whose head waits for the first piece of its body: until then it can still be another one."""

    def __init__(self, connection: HTTPConnection, call: Call, receive: Receive, send: Send) -> None:
        self._connection = connection
        self._call = call
        self._receive = receive
        self._send = send
        self._head: Message | None = None
        self._is_good = False
        self._is_refused = False

    async def send(self, message: Message) -> None:
        """Sends a piece on."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            self._head, self._is_good = message, message["status"] < 400
            return
        if self._is_good and not message.get("more_body", False) and not self._call.code:
            try:
                await self._call.settle()
            except Exception as error:
                if self._head is None:  # it has begun: cutting it off is all that can be told
                    raise
                self._is_refused = True
                self._head = None
                await answer_problem(self._connection, error)(self._connection.scope, self._receive, self._send)
                return
        if self._head is not None:
            head, self._head = self._head, None
            if self._call.permit is not None:
                MutableHeaders(scope=head).update(self._call.permit.headers())
            await self._send(head)
        await self._send(message)
