"""What is told of requests: a log line, metrics and a span each; never what was sent or with which key."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from jina_components.service.calls import Call


class Watching:
    """Gives each request its `Call`, and tells of it when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            scope.setdefault("state", {})["call"] = Call()
        await self._app(scope, receive, send)
