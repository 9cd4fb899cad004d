"""How many requests may be in work at once, in this process or in several together.

A process that shares slots tells the storage how many it wants to have, which gets as many as the others leave. It
keeps those that it used a moment ago, so that not each request asks for one, until another process lacks some. Each
number is of the whole, not a difference, so that what was lost or said twice is put right by the next.
"""

from __future__ import annotations

import asyncio

from jina_components.service.limits.storage import Question, Storage

# Of a limit, the part that a busy process keeps although nobody needs it.
_KEPT_PART = 20
# Seconds to wait before asking again, for slots that others are about to give back.
_PAUSES = (0.0, 0.02, 0.05)


class Slots:
    """Those of one limit.

    Args:
        limit: Requests at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._leased = limit
        self._used = 0

    async def take(self) -> bool:
        """Take one, if one is free.

        Raises:
            Problem: 503, the storage fails.
        """
        return self._try_take()

    def release(self) -> None:
        """Give one back."""
        self._used -= 1

    def _try_take(self) -> bool:
        if self._used >= self._leased:
            return False
        self._used += 1
        return True


class SharedSlots(Slots):
    """The same of several processes, and how many of them this one has.

    Args:
        storage: Where they are had from.
        name: The same in all processes, and of nothing else.
        limit: Requests at once.
    """

    def __init__(self, storage: Storage, name: str, limit: int) -> None:
        super().__init__(limit)
        self.name = name
        self._storage = storage
        self._leased = 0
        self._waiting = 0
        self._peak = 0  # used at once, since the last `renew`
        self._is_unsure = False  # of what the storage has
        self._spare = limit // _KEPT_PART
        self._holding = Question(storage, self._hold)

    async def take(self) -> bool:
        """As `Slots.take`."""
        if self._try_take():
            return True
        self._waiting += 1
        try:
            for pause in _PAUSES:
                await asyncio.sleep(pause)
                if self._holding.is_open:
                    await self._holding.answered()
                if self._try_take():
                    return True
                await self._holding.answered()
                if self._try_take():
                    return True
        finally:
            self._waiting -= 1
        return False

    async def renew(self, *, is_lost: bool) -> None:
        """Say again what this process has, where that was lost; give back what was not used since the last time.

        Raises:
            Problem: 503, the storage fails.
        """
        try:
            if self._is_unsure or is_lost or self._leased > self._wanted:
                await self._holding.answered()
        finally:
            self._peak = self._used

    def give_back(self) -> None:
        """Give back what is not used now, for others lack some."""
        self._peak = 0
        if self._leased > self._wanted:
            self._holding.start()

    @property
    def _wanted(self) -> int:
        needed = max(self._peak, self._used + self._waiting)
        return min(self.limit, needed + self._spare) if needed else 0

    def _try_take(self) -> bool:
        is_taken = super()._try_take()
        self._peak = max(self._peak, self._used)
        return is_taken

    async def _hold(self) -> None:
        self._storage.holders[self.name] = self
        self._is_unsure = True
        self._leased = await self._storage.hold(self.name, self._wanted, self.limit)
        self._is_unsure = False
        if not self._leased:
            self._storage.holders.pop(self.name, None)
