"""Where requests are counted: in the memory of this process, or in Redis, where processes count together."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from limits.aio.storage import MemoryStorage

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.errors import Problem

logger = logging.getLogger(__name__)

KEPT_SECONDS = 120
"""That a count is kept; it is of one minute."""
BEAT_SECONDS = 2.0
"""How often `Storage.beat` is to be called."""
# Seconds to wait for others that are not urgent either.
_LINGER = 0.01


class Storage(ABC):
    """Where requests are counted. Opened and closed with the application."""

    is_shared: bool
    """Whether other processes count there, too."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: list[Callable[[], None]] = []

    @abstractmethod
    async def add(self, name: str, amount: int) -> int:
        """Add to the count of a name, which is kept for two minutes, and return the new count.

        Raises:
            Problem: 503, it cannot be counted.
        """

    @abstractmethod
    async def hold(self, name: str, wanted: int, limit: int) -> int:
        """Have so many slots of a name, or as many as other processes leave of the limit, and return how many.

        Raises:
            Problem: 503, they cannot be had.
        """

    @abstractmethod
    async def beat(self) -> bool:
        """Tell that this process lives; without it, its slots are free after some seconds.

        Returns:
            Whether it was known to live: else its slots are gone.

        Raises:
            Problem: 503, it cannot be told.
        """

    @abstractmethod
    async def open(self) -> None:
        """Connect.

        Raises:
            ConfigError: it cannot be reached.
        """

    async def close(self) -> None:
        """Give slots back, and disconnect, when what was started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def start(self, asking: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that asks the storage; nobody need wait for it."""
        task = asyncio.create_task(asking)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def later(self, do: Callable[[], None]) -> None:
        """Call it in a moment, with others that are not urgent either, so that they ask as one."""
        if not self._due:
            self.start(self._linger())
        self._due.append(do)

    async def _linger(self) -> None:
        await asyncio.sleep(_LINGER)
        due, self._due = self._due, []
        for do in due:
            do()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) and not isinstance(failure, Problem):
            logger.error("Limits cannot be counted.", exc_info=failure)


def make_storage(url: str) -> Storage:
    """The storage at a URL: `redis://HOST:PORT`, with TLS `rediss://`, or none for the memory of this process.

    Raises:
        ConfigError: the URL is another.
        MissingDependencyError: the client of Redis is not installed.
    """
    if not url:
        return InMemory()
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_known = False
    if not is_known:
        raise ConfigError("The URL for limits is redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT.")
    try:
        from jina_components.service.limits.in_redis import InRedis
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Limits in Redis take its client: pip install 'jina-components[redis]'."
        ) from error
    return InRedis(url)


class InMemory(Storage):
    """Counts in the memory of this process."""

    is_shared = False

    def __init__(self) -> None:
        super().__init__()
        self._counts = MemoryStorage()

    async def add(self, name: str, amount: int) -> int:
        """As `Storage.add`."""
        return await self._counts.incr(name, KEPT_SECONDS, amount)

    async def hold(self, name: str, wanted: int, limit: int) -> int:  # noqa: ARG002
        """All, for there is nobody else."""
        return limit

    async def beat(self) -> bool:
        """True."""
        return True

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """As `Storage.close`."""
        await super().close()
        if self._counts.timer is not None:
            await self._counts.timer


class Question:
    """Asked once at a time: who asks meanwhile waits for the same answer, and none who stops waiting cancels it.

    Args:
        storage: Whom it asks.
        ask: What asks, and keeps the answer. A `Problem` that it raises is for those who wait.
    """

    def __init__(self, storage: Storage, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._storage = storage
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the answer is yet to come."""
        return self._asking is not None and not self._asking.done()

    def start(self) -> asyncio.Task[None]:
        """Ask, unless that is under way."""
        if self._asking is None or self._asking.done():
            self._asking = self._storage.start(self._ask())
        return self._asking

    async def answered(self) -> None:
        """Ask, and wait."""
        await asyncio.shield(self.start())
