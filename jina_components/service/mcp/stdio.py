"""The tools for the program that started this one: over standard input and output, until its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from mcp.server.stdio import stdio_server

from jina_components.errors import ConfigError
from jina_components.net import Fetcher, URLGuard
from jina_components.service.components import Components
from jina_components.service.mcp.client import ToolError, client_at, clients_of
from jina_components.service.mcp.mounting import missing_tools
from jina_components.service.mcp.server import Tools
from jina_components.service.mcp.tools import Choice


def serve_here(app: FastAPI, *, chosen: Choice, max_tokens: int | None, key: str | None) -> None:
    """Serve the tools of an application that runs in this process, beside them.

    Args:
        app: As `create_app` makes it.
        chosen: Tools that are wanted.
        max_tokens: Tokens of pages that are taken: 0 for any number, None for what is known of the client.
        key: The client's.

    Raises:
        JinaComponentsError: the application cannot start.
    """
    asyncio.run(_serve(_tools_of(app, chosen, max_tokens, key)))
