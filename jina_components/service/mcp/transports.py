"""The tools over HTTP, and over standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Receive, Scope, Send

from jina_components.errors import ConfigError
from jina_components.net import Fetcher, URLGuard
from jina_components.service.components import Components
from jina_components.service.mcp.client import ToolError, client_at, clients_of
from jina_components.service.mcp.server import Tools
from jina_components.service.mcp.tools import Choice


class Mounted:
    """The tools of an application, as an ASGI application: the transport "streamable HTTP" without sessions.

    Each request is answered in one piece of JSON. So any machine of several can answer any request, a server that ends
    waits for no stream, and a client that goes away cancels what it asked for.

    Args:
        app: Whose.
    """

    def __init__(self, app: FastAPI) -> None:
        self._tools = _tools_of(app)
        self._most_bytes = app.state.settings.limits.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        manager = StreamableHTTPSessionManager(
            self._tools.server, json_response=True, stateless=True, max_request_body_size=self._most_bytes
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


async def serve_app(app: FastAPI, *, key: str | None, chosen: Choice, max_tokens: int | None) -> None:
    """Serve the program that started this one, until its input ends, with a service in this process.

    Args:
        app: As `create_app` makes it.
        key: That of the program, None for none.
        chosen: The tools that it wants.
        max_tokens: Tokens of pages that it takes: 0 for any number, None for what is known of it.
    """
    async with app.router.lifespan_context(app):
        await _serve(_tools_of(app, key=key, chosen=chosen, max_tokens=max_tokens))


async def serve_url(
    url: str, *, guard: URLGuard, preferred: tuple[str, ...], key: str | None, chosen: Choice, max_tokens: int | None
) -> None:
    """Serve the program that started this one, until its input ends, with a service elsewhere.

    Args:
        url: Where the paths of its API begin.
        guard: What may be reached when images are fetched.
        preferred: Models to ask for where the service has them.
        key: As for `serve_app`, and so what follows.
        chosen: Likewise.
        max_tokens: Likewise.

    Raises:
        ConfigError: there is no such service.
    """
    fetcher = Fetcher(guard=guard)
    try:
        async with client_at(url) as client:
            tools = Tools(
                lambda _: client, lambda: fetcher, preferred=preferred, key=key, chosen=chosen, max_tokens=max_tokens
            )
            try:
                await tools.models()
            except ToolError as error:
                raise ConfigError(f"--url {url}: {error} Is it the address of `jina-components serve`?") from error
            await _serve(tools)
    finally:
        await fetcher.aclose()


def _tools_of(app: FastAPI, **wishes: Any) -> Tools:  # noqa: ANN401 (those of Tools)
    """The tools of an application, less those that could never give anything."""
    components: Components = app.state.components
    how = components.settings
    can = {"search_images": components.finds_images, "capture_screenshot_url": find_spec("playwright") is not None}
    return Tools(
        clients_of(app),
        lambda: components.fetcher,
        preferred=(how.embedder, how.reranker),
        missing=[name for name, is_able in can.items() if not is_able],
        **wishes,
    )


async def _serve(tools: Tools) -> None:
    async with stdio_server() as (read, write):
        await tools.server.run(read, write, tools.server.create_initialization_options())
