"""How the playground asks the service: as any client does, with the key of whoever looks at the page."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from jina_components.service.in_process import InProcess
from jina_components.service.playground.code import Asked

_BASE = "http://127.0.0.1"
_EVENTS = "text/event-stream"


class Refused(Exception):  # noqa: N818 (the service's own words, for people's eyes)
    """The service answered with an error.

    Attributes:
        status: HTTP status.
        message: What it said.
        request_id: Of the request, for whoever reads the log.
    """

    def __init__(self, status: int, message: str, request_id: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered.

    Attributes:
        content: JSON as Python's values, or text.
        headers: Names in lower case.
        seconds: How long it took.
    """

    content: Any
    headers: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event.

    Attributes:
        data: JSON as Python's values, or text.
        name: Its `event:` field; "message" where it has none.
    """

    data: Any
    name: str = "message"


class Service:
    """The service as one who looks at the page may use it.

    Args:
        app: As `create_app` makes it; running.
        address: Of who looks at the page.
        key: Theirs; empty for none.
    """

    def __init__(self, app: FastAPI, address: str, key: str) -> None:
        self._app = app
        self._address = address
        self._key = key.strip()

    async def ask(self, asked: Asked) -> Answer:
        """The whole answer.

        Raises:
            Refused: it is an error.
        """
        async with self._client() as client:
            response = await client.request(asked.method, asked.path, content=_body(asked), headers=asked.all_headers)
            content = _content(response)
            if response.is_error:
                raise _refused(response, content)
            return Answer(content, dict(response.headers), response.elapsed.total_seconds())

    async def stream(self, asked: Asked) -> AsyncGenerator[Event, None]:
        """The events of an answer as they come; one with a single body is a single event.

        Close it (`contextlib.aclosing`) where it is left early, so that the service stops working.

        Raises:
            Refused: it is an error, or an event is one.
        """
        async with (
            self._client() as client,
            client.stream(asked.method, asked.path, content=_body(asked), headers=asked.all_headers) as response,
        ):
            if response.is_error:
                await response.aread()
                raise _refused(response, _content(response))
            if not response.headers.get("content-type", "").startswith(_EVENTS):
                await response.aread()
                yield Event(_content(response))
                return
            async with aclosing(_events(response)) as events:
                async for event in events:
                    if event.name == "error" or (isinstance(event.data, dict) and event.data.get("error")):
                        raise _refused(response, event.data)
                    yield event

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        transport = InProcess(self._app, self._address)
        # The service has its own limits of time.
        settings: dict[str, Any] = {"base_url": _BASE, "headers": headers, "timeout": None, "trust_env": False}
        async with httpx.AsyncClient(transport=transport, **settings) as client:
            yield client


def _body(asked: Asked) -> bytes | None:
    return None if asked.body is None else json.dumps(asked.body).encode()


def _content(response: httpx.Response) -> Any:  # noqa: ANN401 (JSON)
    form = response.headers.get("content-type", "")
    if form.startswith("application/json"):
        return response.json()
    if form.startswith(_EVENTS):  # one, that tells an error
        return _parsed(response.text.partition("data: ")[2].strip())
    return response.text


def _refused(response: httpx.Response, content: Any) -> Refused:  # noqa: ANN401 (JSON)
    """An error of any family of routes, in its words."""
    message = content
    if isinstance(content, dict):
        found = (content.get(name) for name in ("readableMessage", "detail", "error", "message"))
        message = next((each for each in found if each), content)
    return Refused(response.status_code, str(message).strip(), response.headers.get("x-request-id", ""))


async def _events(response: httpx.Response) -> AsyncGenerator[Event, None]:
    name, data = "message", list[str]()
    async for line in response.aiter_lines():
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            whole = "\n".join(data)
            if whole == "[DONE]":
                return
            yield Event(_parsed(whole), name)
            name, data = "message", []


def _parsed(text: str) -> Any:  # noqa: ANN401 (JSON)
    try:
        return json.loads(text)
    except ValueError:
        return text
