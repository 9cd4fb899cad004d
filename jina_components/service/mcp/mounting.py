"""The tools over HTTP: the transport "streamable HTTP" without sessions, each request answered in one piece of JSON.

So any machine of several can answer any request, a server that ends waits for no stream, and a client that goes away
cancels what it asked for.
"""

from __future__ import annotations

from importlib.util import find_spec

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp, Receive, Scope, Send

from jina_components.service.components import Components
from jina_components.service.mcp.client import clients_of
from jina_components.service.mcp.server import Tools


class Mounted:
    """The tools of an application, as an ASGI application.

    Args:
        app: Whose.
        components: Its components.
    """

    def __init__(self, app: ASGIApp, components: Components) -> None:
        how = components.settings
        self._tools = Tools(
            clients_of(app),
            lambda: components.fetcher,
            preferred=(how.embedder, how.reranker),
            missing=missing_tools(components),
        )
        self._most_bytes = how.limits.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        manager = StreamableHTTPSessionManager(
            self._tools.server, json_response=True, stateless=True, max_request_body_size=self._most_bytes
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def missing_tools(components: Components) -> frozenset[str]:
    """Tools that could never give anything here: nobody who is asked finds images, or there is no browser."""
    can = {"search_images": components.finds_images, "capture_screenshot_url": find_spec("playwright") is not None}
    return frozenset(name for name, is_able in can.items() if not is_able)
