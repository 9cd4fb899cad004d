"""Where processes count requests together."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.errors import Problem

if TYPE_CHECKING:
    from jina_components.service.limits.slots import SharedSlots

logger = logging.getLogger(__name__)

KEPT_SECONDS = 120
"""That a count is kept; it is of one minute."""
# Seconds between telling that this process lives, and between asking who lacks slots that are held here.
_BEAT, _LOOK = 2.0, 0.025


class Storage(ABC):
    """Where processes count requests together. Opened and closed with the application.

    Attributes:
        holders: By their names, those that hold slots.
    """

    def __init__(self) -> None:
        self.holders: dict[str, SharedSlots] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

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
    async def lacking(self) -> Collection[str]:
        """Names of which a process got fewer slots than it wanted, of late, as far as they can be known."""

    @abstractmethod
    async def beat(self) -> bool:
        """Tell that this process lives; without it, its slots are free after some seconds.

        Returns:
            Whether it was known to live: else its slots are gone.

        Raises:
            Problem: 503, it cannot be told.
        """

    async def open(self) -> None:
        """Connect.

        Raises:
            ConfigError: it cannot be reached.
        """
        self._is_open = True
        self.start(self._keep())

    async def close(self) -> None:
        """Give slots back, and disconnect, when what was started has ended."""
        self._is_open = False
        while self._tasks:
            await asyncio.wait(self._tasks)

    def start(self, asking: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that asks the storage; nobody need wait for it."""
        task = asyncio.create_task(asking)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def renew(self) -> None:
        """Tell that this process lives, and what it holds where that changed. Raises as `beat`."""
        is_lost = not await self.beat()
        await asyncio.gather(*(each.renew(is_lost=is_lost) for each in list(self.holders.values())))

    async def _keep(self) -> None:
        """Keep the slots of this process, and give back those that it does not need and others do."""
        due = time.monotonic() + _BEAT
        while self._is_open:
            await asyncio.sleep(_LOOK)
            with suppress(Problem):  # it is logged
                if time.monotonic() > due:
                    due = time.monotonic() + _BEAT
                    await self.renew()
                elif self.holders:
                    for name in self.holders.keys() & await self.lacking():
                        self.holders[name].give_back()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) and not isinstance(failure, Problem):
            logger.error("Limits cannot be counted.", exc_info=failure)


def make_storage(url: str) -> Storage | None:
    """The storage at a URL: `redis://HOST:PORT`, with TLS `rediss://`; None without one, for this process alone.

    Raises:
        ConfigError: the URL is another.
        MissingDependencyError: the client of Redis is not installed.
    """
    if not url:
        return None
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
