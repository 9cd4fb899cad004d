"""The tools for the program that started this one: over standard input and output, until the input ends."""

from __future__ import annotations

from fastapi import FastAPI
from mcp.server.stdio import stdio_server

from jina_components.errors import ConfigError
from jina_components.net import Fetcher, URLGuard
from jina_components.service.components import Components
from jina_components.service.mcp.client import ToolError, client_at, clients_of
from jina_components.service.mcp.mounting import missing_tools
from jina_components.service.mcp.server import Tools
from jina_components.service.mcp.tools import Choice


async def serve_app(app: FastAPI, *, key: str | None, chosen: Choice, max_tokens: int | None) -> None:
    """Serve the tools of a service that runs in this process meanwhile.

    Args:
        app: As `create_app` makes it.
        key: That of the program, None for none.
        chosen: The tools that it wants.
        max_tokens: Tokens of pages that it takes: 0 for any number, None for what is known of it.
    """
    components: Components = app.state.components
    how = components.settings
    async with app.router.lifespan_context(app):
        tools = Tools(
            clients_of(app),
            lambda: components.fetcher,
            preferred=(how.embedder, how.reranker),
            missing=missing_tools(components),
            key=key,
            chosen=chosen,
            max_tokens=max_tokens,
        )
        await _serve(tools)


async def serve_url(
    url: str, *, guard: URLGuard, preferred: tuple[str, ...], key: str | None, chosen: Choice, max_tokens: int | None
) -> None:
    """Serve the tools of a service elsewhere.

    Args:
        url: Where the paths of its API begin.
        guard: What may be reached when images are fetched.
        preferred: Models to ask for where the service has them.
        key: That of the program, None for none.
        chosen: The tools that it wants.
        max_tokens: As for `serve_app`.

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


async def _serve(tools: Tools) -> None:
    async with stdio_server() as (read, write):
        await tools.server.run(read, write, tools.server.create_initialization_options())
