"""The service's HTTP API as the tools ask it, in this process or at a URL: the same limits, charges and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
from starlette.types import ASGIApp

from jina_components.service.in_process import InProcess

# The address of whom requests are made for, to a client that makes them.
Clients: TypeAlias = Callable[[str], httpx.AsyncClient]

_CONNECT_SECONDS = 10.0
# Where an error of the API has its words, by family of routes.
_WORDS = ("detail", "message", "error")


class ToolError(Exception):
    """A tool that gives no result; the message is for the model that called it."""


def clients_of(app: ASGIApp) -> Clients:
    """Clients of an application that runs in this process."""

    def client(address: str) -> httpx.AsyncClient:
        transport = InProcess(app, address)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", trust_env=False)

    return client


def client_at(url: str) -> httpx.AsyncClient:
    """A client of a service at a URL, for all requests; the service ends those that take too long."""
    return httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS))


@dataclass(frozen=True, slots=True)
class Api:
    """The API as one caller asks it.

    Attributes:
        client: How it is reached.
        key: The caller's.
    """

    client: httpx.AsyncClient
    key: str | None = field(default=None, repr=False)

    async def get(self, path: str) -> dict[str, Any]:
        """The answer to a GET; raises as `post`."""
        return await self._ask("GET", path)

    async def post(
        self, path: str, body: Mapping[str, object], *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer to a POST of JSON; what is None is left out.

        Raises:
            ToolError: the service refuses, fails, or cannot be reached; with its words.
        """
        given = {name: value for name, value in body.items() if value is not None}
        return await self._ask("POST", path, json=given, headers=headers)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = httpx.Headers({"accept": "application/json", **(headers or {})})
        if self.key is not None:
            sent["authorization"] = f"Bearer {self.key}"
        try:
            answer = await self.client.request(method, path, json=json, headers=sent)
            told = answer.json()
        except httpx.HTTPError as error:
            raise ToolError(f"The service could not be asked: {type(error).__name__}.") from error
        except ValueError as error:
            raise ToolError(f"The service answered with status {answer.status_code}, and no JSON.") from error
        if not answer.is_success or not isinstance(told, dict):
            raise ToolError(_words(told, answer.status_code))
        return told


def _words(told: object, status: int) -> str:
    """What an error of the API says."""
    words = next((told[name] for name in _WORDS if told.get(name)), "") if isinstance(told, dict) else ""
    return f"{status}: {words}" if words else f"The service answered with status {status}."
