"""Counts in Redis, where processes count together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import urlsplit
from uuid import uuid4

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from jina_components.errors import ConfigError
from jina_components.service.errors import Problem, problem
from jina_components.service.limits.storage import KEPT_SECONDS, Storage

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_PORT = 6379
_PREFIX = "jina_components"
# Seconds after which the slots of a process that is not heard of are free.
_SILENCE = 6.0
# Seconds that a command may take, and until Redis is asked again after it failed.
_TIMEOUT = 2.0
_PAUSE = 1.0
# Connections; commands beyond wait for one.
_CONNECTIONS = 16
# A day, after which what a process had when it was killed is cleared away where no other asks.
_FORGOTTEN = 86_400

# Seconds for which others are told that a process lacks slots.
_LACKING = 1.0
# Names in one command, which others wait for.
_MOST = 256

# Sets how many slots a process has, in each of some hashes (process: slots): as many as it wants, if there are so many.
# Those of which it gets fewer are noted, with the time.
_HOLD = """
local me, alive, lacking_for = ARGV[1], ARGV[2], tonumber(ARGV[5])
local time = redis.call('TIME')
local now = 1000 * time[1] + time[2] / 1000
local all_granted = {}
for place = 3, #KEYS do
  local others = 0
  local all = redis.call('HGETALL', KEYS[place])
  for i = 1, #all, 2 do
    if all[i] ~= me then
      if redis.call('EXISTS', alive .. all[i]) == 1 then
        others = others + tonumber(all[i + 1])
      else
        redis.call('HDEL', KEYS[place], all[i])
      end
    end
  end
  local wanted, limit = tonumber(ARGV[2 * place]), tonumber(ARGV[2 * place + 1])
  local granted = math.max(0, math.min(wanted, limit - others))
  if granted == 0 then
    redis.call('HDEL', KEYS[place], me)
  else
    redis.call('HSET', KEYS[place], me, granted)
    redis.call('EXPIRE', KEYS[place], ARGV[4])
  end
  if granted < wanted then
    redis.call('ZADD', KEYS[2], now, KEYS[place])
    redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, now - lacking_for)
    redis.call('PEXPIRE', KEYS[2], lacking_for)
  end
  all_granted[place - 2] = granted
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[3])
return all_granted
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One that asks for slots."""

    name: str
    wanted: int
    limit: int
    granted: asyncio.Future[int]


class InRedis(Storage):
    """Counts in Redis, or what speaks its protocol; not in a cluster of it.

    Where it fails, requests are refused rather than let in uncounted, until it answers again; what a process has leased
    before, it may still use. A Redis that is started anew has forgotten the minute.

    Args:
        url: As `make_storage` takes it.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        parts = urlsplit(url)
        self._place = f"{parts.hostname}:{parts.port or _PORT}"
        self._process = uuid4().hex
        self._alive = f"{_PREFIX}:process:"
        self._slots = f"{_PREFIX}:slots:"
        self._lacking = f"{_PREFIX}:lacking"
        self._pool: BlockingConnectionPool | None = None
        self._asked: list[_Asked] = []
        self._is_asking = False
        self._failed_at: float | None = None

    async def add(self, name: str, amount: int) -> int:
        """As `Storage.add`."""
        return await self._reach(lambda: self._counts.incr(name, KEPT_SECONDS, amount))

    async def hold(self, name: str, wanted: int, limit: int) -> int:
        """As `Storage.hold`. Those that ask while others wait for their answer go together, next."""
        asked = _Asked(name, wanted, limit, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if not self._is_asking:
            self._is_asking = True
            self.start(self._hold_all())
        return await asked.granted

    async def lacking(self) -> list[str]:
        """As `Storage.lacking`."""
        try:
            found = cast("list[bytes]", await self._client.zrange(self._lacking, 0, -1))
        except RedisError:  # which the next that has to know it is told
            return []
        return [name.decode().removeprefix(self._slots) for name in found]

    async def beat(self) -> bool:
        """As `Storage.beat`."""
        return await self._reach(self._renew)

    async def open(self) -> None:
        """As `Storage.open`."""
        try:
            self._pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=_CONNECTIONS,
                timeout=_TIMEOUT,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 1),  # over a new connection, for the server may have been started anew
            )
            self._client: Redis = Redis(connection_pool=self._pool)
            await self._renew()
        except (RedisError, TypeError, ValueError) as error:  # the latter of options in the URL
            await self._disconnect()
            raise ConfigError(f"Redis at {self._place}, where limits are counted, cannot be used: {error}") from error
        self._holding = self._client.register_script(_HOLD)
        self._counts = RedisStorage(
            self._url,
            implementation="redispy",
            key_prefix=f"{_PREFIX}:count",
            connection_pool=self._pool,  # type: ignore[arg-type]  # which it takes, and documents
        )
        await super().open()

    async def close(self) -> None:
        """As `Storage.close`."""
        await super().close()
        if self._pool is None:
            return
        try:
            await self._reach(lambda: self._client.delete(f"{self._alive}{self._process}"))
        except Problem:
            pass  # it was logged, and the slots are free after some seconds of silence
        finally:
            await self._disconnect()

    async def _disconnect(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _renew(self) -> bool:
        return bool(await self._client.pexpire(f"{self._alive}{self._process}", int(_SILENCE * 1000)))

    async def _hold_all(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked[:_MOST], self._asked[_MOST:]
                await self._answer(asked)
        finally:
            self._is_asking = False

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        keys = [f"{self._alive}{self._process}", self._lacking, *(f"{self._slots}{each.name}" for each in asked)]
        times = [int(_SILENCE * 1000), _FORGOTTEN, int(_LACKING * 1000)]
        arguments: list[str | int] = [self._process, self._alive, *times]
        arguments += [number for each in asked for number in (each.wanted, each.limit)]
        try:
            answers = await self._reach(lambda: self._holding(keys, arguments))
        except Exception as error:  # noqa: BLE001 (raised where it was asked)
            for each in asked:
                each.granted.set_exception(error)
        else:
            for each, granted in zip(asked, answers, strict=True):
                each.granted.set_result(granted)

    async def _reach(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask, and tell clients and the log when that fails."""
        if self._failed_at is not None and time.monotonic() < self._failed_at + _PAUSE:
            raise _cannot_count()
        try:
            answer = await ask()
        except RedisError as error:
            if self._failed_at is None:
                logger.error("Redis at %s fails; requests with limits get 503: %s", self._place, error)  # noqa: TRY400
            self._failed_at = time.monotonic()
            raise _cannot_count() from error
        if self._failed_at is not None:
            self._failed_at = None
            logger.warning("Redis at %s answers again.", self._place)
        return answer


def _cannot_count() -> Problem:
    return problem(503, "Your limits cannot be checked right now: come again.", headers={"Retry-After": "2"})
