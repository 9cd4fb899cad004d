"""`/mcp`, and the host mcp by the paths of Jina's: the tools for clients of the Model Context Protocol."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from jina_components.service.errors import problem

router = APIRouter(include_in_schema=False)


@router.post("/mcp")
@router.post("/mcp/")
@router.post("/mcp/v1")
@router.post("/mcp/sse")
async def tools(request: Request) -> Response:
    """A message of a client, and the answer to it; a tool asks for what it needs with the client's key."""
    settings = request.app.state.settings
    if not settings.mcp or find_spec("mcp") is None:
        raise problem(404, "There are no tools here: the service was started without them.")
    _check_origin(request)
    if request.app.state.mcp is None:
        request.app.state.mcp = await asyncio.to_thread(_mounted, request.app)  # imports take a second
    return _Passed(request.app.state.mcp)


def _check_origin(request: Request) -> None:
    """Refuse scripts of other web sites, also those whose name was made to lead here (DNS rebinding)."""
    allowed, origin = request.app.state.origins, request.headers.get("origin")
    if origin is not None and "*" not in allowed and origin not in allowed:
        raise problem(403, "Scripts of this web site may not call the service.")


def _mounted(app: FastAPI) -> ASGIApp:
    from jina_components.service.mcp.transports import Mounted

    return Mounted(app)


class _Passed(Response):
    """The answer that another application gives."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give it."""
        await self._app(scope, receive, send)
