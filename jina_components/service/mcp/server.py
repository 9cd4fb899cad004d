"""A server of the Model Context Protocol (modelcontextprotocol.io) whose tools ask a service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
    ToolAnnotations,
)
from pydantic import ValidationError
from starlette.requests import Request

from jina_components import __version__
from jina_components.net import SupportsFetch
from jina_components.service.calls import key_of
from jina_components.service.errors import as_problem
from jina_components.service.mcp.arguments import schema_of
from jina_components.service.mcp.client import Api, Clients, ToolError
from jina_components.service.mcp.results import Content, cut, most_tokens, text
from jina_components.service.mcp.tools import TOOLS, Choice, choice
from jina_components.service.mcp.visit import Models, Visit, models_of
from jina_components.types import shorten

T = TypeVar("T")

_INSTRUCTIONS = """\
Searches the web and reads its pages; sorts, classifies and compares texts. For whatever is online: what happens now, \
a page that was named, a claim that needs a source. Not for files of this machine, nor to run code.

- A search gives snippets: read the best of its pages with read_url. With a question it gives the passages that answer \
it alone, which takes far less room.
- Ask for several queries or pages in one call, which works on them at once.
- Call primer before what depends on the time."""
_HERE = "127.0.0.1"
_DIGITS = 9
_WRONGS, _NAME = 5, 100  # told of one call, and characters of the name of an argument


class Tools:
    """The tools, for whoever is connected: over HTTP as their requests say, else as the settings here say.

    Args:
        clients: How the service is asked.
        fetcher: Gives what fetches images.
        preferred: Names of models to ask for where the service has them.
        missing: Tools that the service cannot do.
        key: The key of those who are not connected over HTTP.
        chosen: Tools that they want.
        max_tokens: Tokens of pages that they take: 0 for any number, None for what is known of them.
    """

    def __init__(
        self,
        clients: Clients,
        fetcher: Callable[[], SupportsFetch],
        *,
        preferred: Sequence[str] = (),
        missing: Collection[str] = (),
        key: str | None = None,
        chosen: Choice = Choice(),  # noqa: B008 (immutable)
        max_tokens: int | None = None,
    ) -> None:
        self._clients = clients
        self._fetcher = fetcher
        self._preferred = tuple(preferred)
        self._missing = frozenset(missing)
        self._key = key
        self._chosen = chosen
        self._max_tokens = max_tokens
        self._models: Models | None = None
        self.server: Server[Any] = Server(
            "jina-components",
            version=__version__,
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self.server.middleware.clear()  # its spans would hold what clients send

    async def models(self) -> Models:
        """Those of the service, which are asked for once.

        Raises:
            ToolError: the service cannot be asked.
        """
        if self._models is None:
            self._models = await models_of(Api(self._clients(_HERE)), preferred=self._preferred)
        return self._models

    async def _list(self, context: ServerRequestContext[Any, Any], _: PaginatedRequestParams | None) -> ListToolsResult:
        try:
            names = await _apart(self._names(context))
        except ToolError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error
        return ListToolsResult(tools=[_described(name) for name in names])

    async def _names(self, context: ServerRequestContext[Any, Any]) -> list[str]:
        """The tools that are there for a request."""
        wanted = self._chosen if context.request is None else choice(context.request.query_params)
        models = await self.models()
        there = (name for name, tool in TOOLS.items() if not tool.needs or getattr(models, tool.needs))
        return wanted.of(name for name in there if name not in self._missing)

    async def _call(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        try:
            content = await _apart(self._done(context, params))
        except ToolError as error:
            return CallToolResult(content=[text(str(error))], is_error=True)
        return CallToolResult(content=[*content])

    async def _done(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> list[Content]:
        """What a tool gives.

        Raises:
            MCPError: there is no such tool.
            ToolError: it gives nothing.
        """
        if params.name not in await self._names(context):
            raise MCPError(INVALID_PARAMS, "There is no such tool here: tools/list names those that are.")
        tool = TOOLS[params.name]
        most = self._most_tokens(context) if tool.is_cut else None
        try:
            given = tool.takes.model_validate(params.arguments or {})
            content = await tool.run(given, self._visit(context))
        except ValidationError as error:
            raise ToolError(f"The arguments do not fit. {_wrong(error)}") from error
        except (ToolError, MCPError):
            raise
        except Exception as error:
            raise ToolError(as_problem(error).detail) from error
        return await asyncio.to_thread(cut, content, most) if most else content

    def _visit(self, context: ServerRequestContext[Any, Any]) -> Visit:
        request: Request | None = context.request
        address, key = _HERE, self._key
        if request is not None:
            address, key = request.client.host if request.client else "", key_of(request)
        return Visit(
            api=Api(self._clients(address), key),
            models=self.models,
            fetcher=self._fetcher,
            context=_context(request),
            progress=context.session.report_progress,
        )

    def _most_tokens(self, context: ServerRequestContext[Any, Any]) -> int | None:
        """The tokens that the client takes; None or 0 for any number."""
        request: Request | None = context.request
        said = self._max_tokens if request is None else _said(request)
        if said is not None:
            return said
        client = context.session.client_params
        name = client.client_info.name if client is not None else ""
        return most_tokens(name or (request.headers.get("user-agent", "") if request is not None else ""))


def _said(request: Request) -> int | None:
    """What `max_tokens` of a query string says.

    Raises:
        MCPError: that is no whole number of at least 0, or a very large one.
    """
    given = request.query_params.get("max_tokens")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        told = f"max_tokens of the URL must be a whole number of up to {_DIGITS} digits, 0 for no limit."
        raise MCPError(INVALID_PARAMS, told)
    return int(given)


async def _apart(work: Coroutine[Any, Any, T]) -> T:
    """What work gives, in a task of its own: it is cancelled once, as asyncio does it, so that it can clear up."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(task, return_exceptions=True)
        raise


def _context(request: Request | None) -> dict[str, Any]:
    """What is known of a caller; of one on this machine, its time zone."""
    now = datetime.now(UTC)
    when = {"utc": now.isoformat(timespec="seconds").replace("+00:00", "Z")}
    if request is None:
        local = now.astimezone()
        return {
            "timestamp": {**when, "userTimezone": local.tzname(), "userLocalTime": local.isoformat(timespec="seconds")}
        }
    client = {
        "ip": request.client.host if request.client else "",
        "userAgent": request.headers.get("user-agent", ""),
        "acceptLanguage": request.headers.get("accept-language", ""),
    }
    return {"timestamp": when, "client": {name: fact for name, fact in client.items() if fact}}


def _described(name: str) -> Tool:
    tool = TOOLS[name]
    is_open = bool({"search", "read", "parallel"} & {*tool.tags})
    return Tool(
        name=name,
        description=tool.about,
        input_schema=schema_of(tool.takes),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=is_open),
    )


def _wrong(error: ValidationError) -> str:
    """What of arguments is wrong, the first of it, without what they hold."""
    wrongs = error.errors(include_input=False, include_url=False, include_context=False)[:_WRONGS]
    return " ".join(
        f"{shorten('.'.join(map(str, each['loc'])) or 'arguments', _NAME)}: {each['msg']}." for each in wrongs
    )
