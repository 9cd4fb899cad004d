"""Where requests are counted: in the memory of this process, or in Redis, where processes count together."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.errors import Problem, problem

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.commands.core import AsyncScript

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# Seconds that a count is kept; it is of one minute.
_KEPT = 120
# Seconds after which the slots of a process that is not heard of are free, and between its signs of life.
_SILENCE = 6.0
BEAT_SECONDS = 2.0
"""How often `Storage.beat` is to be called."""
# Seconds that a command may take, and until Redis is asked again after it failed.
_TIMEOUT = 2.0
_PAUSE = 1.0
# Connections; commands beyond wait for one.
_CONNECTIONS = 16
# A day, after which the rest of processes that died is cleared away where no other asks.
_FORGOTTEN = 86_400

# Sets how many slots a process has of those in a hash (process: slots): as many as it wants, if there are so many.
_HOLD = """
local others = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    if redis.call('EXISTS', KEYS[3] .. all[i]) == 1 then
      others = others + tonumber(all[i + 1])
    else
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end
local granted = math.max(0, math.min(tonumber(ARGV[2]), tonumber(ARGV[3]) - others))
if granted == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], granted)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('SET', KEYS[2], '', 'PX', ARGV[4])
end
return granted
"""


class Storage(ABC):
    """Where requests are counted. Opened and closed with the application."""

    is_shared: bool
    """Whether other processes count there, too."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

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
            MissingDependencyError: its package is not installed.
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

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) and not isinstance(failure, Problem):
            logger.error("Limits cannot be counted.", exc_info=failure)


def make_storage(url: str) -> Storage:
    """The storage at a URL: `redis://HOST:PORT`, with TLS `rediss://`, or none for the memory of this process.

    Raises:
        ConfigError: the URL is another.
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
    return InRedis(url)


class InMemory(Storage):
    """Counts in the memory of this process."""

    is_shared = False

    def __init__(self) -> None:
        from limits.aio.storage import MemoryStorage

        super().__init__()
        self._counts = MemoryStorage()

    async def add(self, name: str, amount: int) -> int:
        """As `Storage.add`."""
        return await self._counts.incr(name, _KEPT, amount)

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


class InRedis(Storage):
    """Counts in Redis, or what speaks its protocol; not in a cluster of it.

    Where it fails, requests are refused rather than let in uncounted, until it answers again; what a process has leased
    before, it may still use.

    Args:
        url: As `make_storage` takes it.
    """

    is_shared = True

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        parts = urlsplit(url)
        self._place = f"{parts.hostname}:{parts.port or 6379}"
        self._process = uuid4().hex
        self._pool: BlockingConnectionPool | None = None
        self._failed_at: float | None = None

    async def add(self, name: str, amount: int) -> int:
        """As `Storage.add`."""
        return await self._reach(lambda: self._counts.incr(name, _KEPT, amount))

    async def hold(self, name: str, wanted: int, limit: int) -> int:
        """As `Storage.hold`."""
        keys = [f"jina:slots:{name}", f"jina:process:{self._process}", "jina:process:"]
        numbers: list[str | int] = [self._process, wanted, limit, int(_SILENCE * 1000), _FORGOTTEN]
        return int(await self._reach(lambda: self._holding(keys, numbers)))

    async def beat(self) -> bool:
        """As `Storage.beat`."""
        return await self._reach(self._renew)

    async def open(self) -> None:
        """As `Storage.open`."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "Limits in Redis take its client: pip install 'jina-components[redis]'."
            ) from error
        from limits.aio.storage import RedisStorage

        self._errors = RedisError
        pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 1),  # over a new connection, for the server may have been started anew
        )
        self._client: Redis = Redis(connection_pool=pool)
        self._holding: AsyncScript = self._client.register_script(_HOLD)
        self._counts = RedisStorage(
            self._url,
            implementation="redispy",
            key_prefix="jina:count",
            connection_pool=pool,  # type: ignore[arg-type]  # which it takes, and documents
        )
        try:
            await self._renew()
        except RedisError as error:
            await pool.aclose()
            raise ConfigError(f"Redis at {self._place}, where limits are counted, cannot be used: {error}") from error
        self._pool = pool

    async def close(self) -> None:
        """As `Storage.close`."""
        await super().close()
        if self._pool is None:
            return
        try:
            await self._reach(lambda: self._client.delete(f"jina:process:{self._process}"))
        except Problem:
            pass  # it was logged, and the slots are free after some seconds of silence
        finally:
            await self._pool.aclose()

    async def _renew(self) -> bool:
        return bool(await self._client.pexpire(f"jina:process:{self._process}", int(_SILENCE * 1000)))

    async def _reach(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask, and tell clients and the log when that fails."""
        if self._failed_at is not None and time.monotonic() < self._failed_at + _PAUSE:
            raise _cannot_count()
        try:
            answer = await ask()
        except self._errors as error:
            if self._failed_at is None:
                logger.error("Redis at %s fails; requests with limits get 503: %s", self._place, error)  # noqa: TRY400
            self._failed_at = time.monotonic()
            raise _cannot_count() from error
        if self._failed_at is not None:
            self._failed_at = None
            logger.warning("Redis at %s answers again.", self._place)
        return answer


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


def _cannot_count() -> Problem:
    return problem(503, "Your limits cannot be checked right now: come again.", headers={"Retry-After": "2"})
