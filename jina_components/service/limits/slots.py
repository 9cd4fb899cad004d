"""How many requests may be in work at once, in all processes together.

A process tells the storage how many slots it wants to have, which gets as many as the others leave. Each number is of
the whole, not a difference, so that what was lost or said twice is put right by the next.
"""

from __future__ import annotations

import asyncio

from jina_components.service.limits.storage import Question, Storage

# Of a limit, the part that a busy process keeps although nobody needs it, so that not each request asks for a slot.
_KEPT_PART = 20
# Seconds to wait before asking again, for slots that linger elsewhere.
_PAUSES = (0.0, 0.02, 0.05)


class Slots:
    """Those of one limit, and how many of them this process has.

    Args:
        storage: Where they are had from.
        name: The same in all processes, and of nothing else.
        limit: Requests at once.
    """

    def __init__(self, storage: Storage, name: str, limit: int) -> None:
        self.limit = limit
        self._storage = storage
        self._name = name
        self._used = 0
        self._waiting = 0
        self._leased = 0 if storage.is_shared else limit
        self._is_unsure = False  # of what the storage has
        self._spare = limit // _KEPT_PART
        self._holding = Question(storage, self._hold)
        self._is_lingering = False

    async def take(self) -> bool:
        """Take one, if one is free.

        Raises:
            Problem: 503, the storage fails.
        """
        if self._try_take():
            return True
        if not self._storage.is_shared:
            return False
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

    def release(self) -> None:
        """Give one back; a moment later it can be had elsewhere, if it is not taken here again."""
        self._used -= 1
        self._linger()

    async def renew(self, *, is_lost: bool) -> None:
        """Say again what this process has, where that was lost; give back what was not used of late.

        Raises:
            Problem: 503, the storage fails.
        """
        if self._is_unsure or (self._leased and (is_lost or self._leased > self._wanted or not self._used)):
            await self._holding.answered()

    @property
    def _wanted(self) -> int:
        return min(self.limit, self._used + self._waiting + self._spare)

    def _try_take(self) -> bool:
        if self._used >= self._leased:
            return False
        self._used += 1
        return True

    async def _hold(self) -> None:
        wanted = self._wanted if self._used or self._waiting else 0
        self._is_unsure = True
        self._leased = await self._storage.hold(self._name, wanted, self.limit)
        self._is_unsure = False
        self._linger()

    def _linger(self) -> None:
        if self._storage.is_shared and self._leased > self._wanted and not self._is_lingering:
            self._is_lingering = True
            self._storage.later(self._give_back)

    def _give_back(self) -> None:
        self._is_lingering = False
        if self._leased > self._wanted:
            self._holding.start()
