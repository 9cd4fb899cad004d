"""A replica: the service in a process of Ray's."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import Message

from jina_components.service.calls import Call
from jina_components.service.logs import ACCESS, logging_config
from jina_components.service.memory import watch_memory
from jina_components.service.telemetry import exported_spans

TOLD = ("product", "model", "items", "tokens", "code")
"""What a replica tells of a request, for the front's log and metrics: attributes of its `Call`."""


class Replica:
    """The service in a process of Ray's. Ray calls the methods, all on one event loop.

    Args:
        make_app: Makes the service.
        model: The model that it is for.
    """

    async def __init__(self, make_app: Callable[[str], FastAPI], model: str) -> None:  # type: ignore[misc]  # as Ray has it
        logging.config.dictConfig(logging_config("json"))  # into files of Ray's
        logging.getLogger(ACCESS).setLevel(logging.WARNING)  # the front tells of requests
        sys.setswitchinterval(0.0005)
        self._app = make_app(model)
        self._has_started, self._is_ending = asyncio.Event(), asyncio.Event()
        self._living = asyncio.create_task(self._live())
        while not (self._has_started.is_set() and self._app.state.ready):
            if self._living.done():
                self._living.result()
            if self._app.state.failure is not None:
                raise self._app.state.failure
            await asyncio.sleep(0.02)

    async def _live(self) -> None:
        """The application's life, in one task from its beginning to its end."""
        components = self._app.state.components
        in_memory = asyncio.create_task(watch_memory(lambda: (components.embedders.held, components.rerankers.held)))
        try:
            with exported_spans():
                async with self._app.router.lifespan_context(self._app):
                    self._has_started.set()
                    await self._is_ending.wait()
        finally:
            in_memory.cancel()
            await asyncio.gather(in_memory, return_exceptions=True)
            if components.retriever is not None:
                await asyncio.to_thread(components.retriever.close)

    async def __call__(self, scope: dict[str, Any], body: bytes) -> AsyncGenerator[list[Message], None]:
        """The messages of an answer, those that are there at a time, and what is told of the request."""
        scope["state"] = {}
        coming, unread, is_gone = _Messages(), [body], asyncio.Event()

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def work() -> None:
            try:
                await self._app(scope, receive, coming.put)
                call: Call = scope["state"]["call"]
                route = getattr(scope.get("route"), "path", "")
                await coming.put({"type": "jina.told", "route": route, **{name: getattr(call, name) for name in TOLD}})
            finally:
                coming.end()

        working = asyncio.create_task(work())
        try:
            async for messages in coming:
                yield messages
            await working
        finally:
            is_gone.set()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def check_health(self) -> None:
        """Raises where the service is not ready; Ray replaces the replica then."""
        if not self._app.state.ready:
            raise RuntimeError("The service is not ready.")

    async def __del__(self) -> None:
        self._app.state.ready, self._app.state.ending = False, True
        self._is_ending.set()
        await asyncio.gather(self._living, return_exceptions=True)


class _Messages:
    """Messages on their way, as those that are there at a time: what is answered at once is one piece for Ray."""

    def __init__(self) -> None:
        self._there: list[Message] = []
        self._is_changed = asyncio.Event()
        self._is_ended = False

    async def put(self, message: Message) -> None:
        """One more."""
        self._there.append(message)
        self._is_changed.set()

    def end(self) -> None:
        """There are no more."""
        self._is_ended = True
        self._is_changed.set()

    async def __aiter__(self) -> AsyncGenerator[list[Message], None]:
        while self._there or not self._is_ended:
            await self._is_changed.wait()
            self._is_changed.clear()
            there, self._there = self._there, []
            if there:
                yield there
