"""Which route a request is for: by the first label of its host, as Jina's hosts have it, or by its path."""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from jina_components.service.errors import Family, answer_problem, problem

# By the host's first label, what stands for its root: http://r.example.com/X is http://example.com/r/X.
HOSTS: dict[str, str] = {
    "api": "", "r": "/r", "s": "/s", "g": "/g", "deepsearch": "/deepsearch", "segment": "/segment",
    "svip": "/svip", "mcp": "/mcp",
}  # fmt: skip

_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("/r/", "rpc"), ("/s/", "rpc"), ("/g/", "rpc"), ("/svip/", "rpc"),
    ("/v1/chat/", "deepsearch"), ("/deepsearch/", "deepsearch"), ("/v2/", "cohere"), ("/v1/embed/", "cohere"),
)  # fmt: skip
_LABEL = re.compile(rb"(?:eu\.)?([a-z]+)\.[a-z0-9.-]+", re.IGNORECASE)


_HOST = re.compile(rb"(?:[a-z0-9._-]{0,255}|\[[0-9a-f:.]+\])(?::\d{0,5})?", re.IGNORECASE)


class Hosts:
    """Puts the prefix of a host before the path, and notes the family of routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            prefix = prefix_of(hosts[0]) if hosts else ""
            if prefix:
                raw = scope.get("raw_path") or scope["path"].encode()
                scope["path"], scope["raw_path"] = prefix + scope["path"], prefix.encode() + raw
            scope["state"]["family"] = family_of(scope["path"])
            if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)):  # it goes into URLs that answers hold
                refusal = problem(400, "The header Host must be there once, with a name or an address, and a port.")
                await answer_problem(HTTPConnection(scope), refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def family_of(path: str) -> Family:
    """The family of routes that a path is of."""
    return next((family for prefix, family in _FAMILIES if f"{path}/".startswith(prefix)), "api")


def prefix_of(host: bytes) -> str:
    """What stands for the root of a host; empty for that of the application."""
    match = _LABEL.match(host)
    return HOSTS.get(match[1].decode().lower(), "") if match else ""
