"""Clients of the Model Context Protocol for tests, and what they are given back."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import yaml
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult


@asynccontextmanager
async def connected(url: str, *, headers: Mapping[str, str] | None = None, **settings: Any) -> AsyncIterator[Client]:
    """A client over HTTP that sends these headers."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), **settings) as client,
    ):
        yield client


@asynccontextmanager
async def started(*arguments: str, env: Mapping[str, str] | None = None, **settings: Any) -> AsyncIterator[Client]:
    """A client that starts `jina-components mcp` with these arguments, and ends it."""
    command = ["-m", "jina_components", "mcp", *arguments]
    server = StdioServerParameters(command=sys.executable, args=command, env={**os.environ, **(env or {})})
    async with Client(server, **settings) as client:
        yield client


async def call(
    server: str, tool: str, /, *, headers: Mapping[str, str] | None = None, **arguments: Any
) -> CallToolResult:
    """What one call gives."""
    async with connected(server, headers=headers) as client:
        return await client.call_tool(tool, arguments)


def texts(result: CallToolResult) -> list[str]:
    """Its texts."""
    return [part.text for part in result.content if part.type == "text"]


def told(result: CallToolResult) -> list[Any]:
    """What its texts say; they are YAML."""
    assert not result.is_error, texts(result)
    return [yaml.safe_load(text) for text in texts(result)]
