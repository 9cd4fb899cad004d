"""What all remote components do: ask their server, within limits, and tell its refusals in errors of this library."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.errors import (
    BlockedURLError,
    BudgetExceededError,
    BusyError,
    ConfigError,
    ContentTooLargeError,
    InputError,
    JinaComponentsError,
    RobotsDeniedError,
    TooLongError,
    UnknownNameError,
)
from jina_components.net.api import ApiClient, ApiStatusError
from jina_components.remote.address import Product, Remote, is_of_jina

_ITEM = re.compile(r"body -> input -> (\d+)")
# What the names and codes of the wire stand for; any other error keeps its status.
_MEANINGS: dict[str, Callable[[str, str], JinaComponentsError]] = {
    "BudgetExceededError": lambda message, _: BudgetExceededError(message),
    "SecurityCompromiseError": BlockedURLError,
    "ResourcePolicyDenyError": RobotsDeniedError,
    "TargetFileTooLargeError": ContentTooLargeError,
    "INPUT_TOKEN_LIMIT_EXCEEDED": lambda message, _: TooLongError(message),
    "INPUT_MODEL_NOT_FOUND": lambda message, _: UnknownNameError(message),
    "model_not_found": lambda message, _: UnknownNameError(message),
    "RESOURCE_NOT_FOUND": lambda message, _: UnknownNameError(message),
    "CONFLICT_RESOURCE_BUSY": lambda message, _: BusyError(message),
}


class RemoteComponent(Component):
    """A product of a server.

    Thread-safe. Nothing connects before the first call. Pickles as its settings, key included.

    Args:
        remote: The server.

    Raises:
        ConfigError: `remote` is no Remote.
    """

    product: ClassVar[Product]

    def __init__(self, remote: Remote) -> None:
        if not isinstance(remote, Remote):
            raise ConfigError(f"remote must be a Remote, such as Remote('http://localhost:8000'); got {remote!r}.")
        self._remote = remote
        self._api = remote.endpoint(self.product).client()
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self.aclose())

    async def aclose(self) -> None:
        """Like `close`, for event loops."""
        await self._api.aclose()

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self._arguments[1].items() if name != "remote")
        return f"{type(self).__name__}({self._remote!r}{given})"

    @property
    def _of_jina(self) -> bool:
        """Whether it asks one of Jina's own servers, which know less than those of this library."""
        return is_of_jina(self._api.base_url)

    async def _post(self, path: str, body: Mapping[str, Any], *, api: ApiClient | None = None) -> dict[str, Any]:
        """What the server answers.

        Raises:
            InputError, UnknownNameError, BusyError, BudgetExceededError, WebError: it refuses, or does not answer.
        """
        with as_refusals():
            async with self._gate():
                return await (api or self._api).post(path, body)

    async def _stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        """The data of its events, as they come; raises as `_post`."""
        with as_refusals():
            async with self._gate(), aclosing(self._api.stream(path, body)) as events:
                async for data in events:
                    yield data

    def _gate(self) -> asyncio.Semaphore:
        """Lets `concurrency` requests through, those of all calls on the running loop together."""
        return self._gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._remote.concurrency))


@contextmanager
def as_refusals() -> Iterator[None]:
    """Tells what a server refuses by the error of this library that means it; the same error where none does."""
    try:
        yield
    except ApiStatusError as error:
        if (meant := _meant(error)) is None:
            raise
        raise meant from error


def _meant(error: ApiStatusError) -> JinaComponentsError | None:
    body = _body(error.words)
    inner = body.get("error")
    details = inner if isinstance(inner, dict) else body
    for name in (details.get("name"), details.get("code")):
        if isinstance(name, str) and name in _MEANINGS:
            return _MEANINGS[name](error.message, error.url)
    # A 422 that has a name is of reading: the page could not be read.
    if error.status_code == 400 or (error.status_code in (413, 422) and "name" not in body):
        return InputError(error.message, _index(body))
    return None


def _body(words: str) -> dict[str, Any]:
    try:
        body = json.loads(words)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _index(body: Mapping[str, Any]) -> int | None:
    """Place of the input that an error is about."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    field = first.get("field") if isinstance(first, dict) else None
    found = _ITEM.match(field) if isinstance(field, str) else None
    return int(found[1]) if found else None
