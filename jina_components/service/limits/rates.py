"""Quotas of a minute, of this process or of several.

A process that shares one leases some of a quota from the storage at a time, and spends that by itself, so that a busy
key costs some tens of calls a minute rather than one a request. The sum of what was leased is never above the limit,
and the leases grow small towards it, so that hardly any of it is left unused in a process that does not need it.
"""

from __future__ import annotations

from collections.abc import Callable

from jina_components.service.limits.storage import Question, Storage

MINUTE = 60
# Of a limit, the part that is leased at once, and towards its end, of what is left of it.
_PART, _PART_OF_REST = 100, 20
# Seconds for which a storage that had not enough is not asked again.
_REFUSED = 1.0


class Quota:
    """What may be used in a minute. Minutes are those of the clock.

    Args:
        limit: A minute.
        clock: Seconds since 1970.
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._minute = -1
        self._held = 0  # not used yet; below zero where more was used

    @property
    def minute(self) -> int:
        """That it is, since 1970."""
        self._turn()
        return self._minute

    @property
    def remaining(self) -> int:
        """What is left of the minute, as far as this process knows."""
        self._turn()
        return max(0, self._held)

    async def take(self, amount: int) -> bool:
        """Use some, if it is left; of course never more than the limit.

        Raises:
            Problem: 503, the storage fails.
        """
        return self._try_take(amount)

    def give(self, amount: int, minute: int) -> None:
        """Give back what was taken in a minute; below zero, use more, whether it is left or not."""
        if self.minute != minute:
            amount = min(amount, 0)  # what was left of a minute is gone with it
        self._held += amount

    def _try_take(self, amount: int) -> bool:
        """Use some of what this process has."""
        self._turn()
        if self._held < amount:
            return False
        self._held -= amount
        return True

    def _turn(self) -> None:
        """Begin a minute when it is time; what was left of the last one is gone."""
        minute = int(self._clock() // MINUTE)
        if not 0 <= self._minute - minute <= 1:  # a clock that is set back a little opens no minute again
            self._minute = minute
            self._begin()

    def _begin(self) -> None:
        self._held = self.limit


class SharedQuota(Quota):
    """The same of several processes, and what this one has leased of it.

    Args:
        storage: Where it is leased from.
        name: The same in all processes, and of nothing else.
        limit: A minute.
        clock: Seconds since 1970.
    """

    def __init__(self, storage: Storage, name: str, limit: int, clock: Callable[[], float]) -> None:
        super().__init__(limit, clock)
        self._storage = storage
        self._name = name
        self._kept = max(1, limit // _PART)
        self._leased = 0  # by all processes, as far as known
        self._wanted = 0  # by those who wait
        self._refused_until = 0.0
        self._leasing = Question(storage, self._lease)
        self._returning = Question(storage, self._return)

    @property
    def remaining(self) -> int:
        """As `Quota.remaining`."""
        self._turn()
        return max(0, self.limit - self._leased + self._held)

    async def take(self, amount: int) -> bool:
        """As `Quota.take`."""
        if self._try_take(amount):
            return True
        self._wanted += amount
        try:
            while self._clock() >= self._refused_until:
                await self._leasing.answered()
                if self._try_take(amount):
                    return True
        finally:
            self._wanted -= amount
        self._even_out()
        return False

    def give(self, amount: int, minute: int) -> None:
        """As `Quota.give`."""
        super().give(amount, minute)
        self._even_out()

    def _begin(self) -> None:
        self._held, self._leased, self._refused_until = 0, 0, 0.0

    def _even_out(self) -> None:
        """Let other processes know of what was used beyond the leases, and have what is not needed here."""
        if self._held < 0:
            self._leasing.start()
        elif self._held > 2 * self._kept:
            self._returning.start()

    async def _lease(self) -> None:
        minute, debt = self.minute, max(0, -self._held)
        block = max(1, min(self._kept, (self.limit - self._leased) // _PART_OF_REST))
        amount = debt + max(block, self._wanted)
        total = await self._count(minute, amount)
        granted = min(amount, max(debt, self.limit - (total - amount)))
        if self.minute == minute:
            self._held += granted
            self._leased = total - amount + granted
            if granted < amount:
                self._refused_until = self._clock() + _REFUSED  # when others may have given some back
        if granted < amount:
            await self._count(minute, granted - amount)

    async def _return(self) -> None:
        minute, surplus = self.minute, self._held - self._kept
        if surplus > 0:
            self._held -= surplus
            total = await self._count(minute, -surplus)
            if self.minute == minute:
                self._leased = total

    async def _count(self, minute: int, amount: int) -> int:
        return await self._storage.add(f"{self._name}:{minute}", amount)
