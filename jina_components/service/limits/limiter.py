"""Lets requests in within the limits of who asks: of the minute, and at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from jina_components.service.limits.rates import MINUTE, Quota, SharedQuota
from jina_components.service.limits.slots import SharedSlots, Slots
from jina_components.service.limits.storage import Storage
from jina_components.service.limits.tiers import Rate

What: TypeAlias = Literal["requests", "tokens", "concurrent"]

# Tokens of a byte of a body, until more is known of those of a caller, and how fast that is forgotten.
_PER_BYTE, _MEMORY = 0.25, 1_000_000
# A request never takes more than this part of a minute's tokens before it is known what it costs.
_LARGEST_PART = 2


class LimitError(Exception):
    """A limit is reached.

    Attributes:
        what: Which.
        limit: So many.
        seconds: Until it is worth coming again; whole.
        headers: Of the answer: what is left of the limits.
    """

    def __init__(self, what: What, limit: int, seconds: int, headers: dict[str, str]) -> None:
        super().__init__(what)
        self.what: What = what
        self.limit = limit
        self.seconds = seconds
        self.headers = headers


class Meter:
    """The limits of one caller for one product, and what is used of them."""

    def __init__(self, storage: Storage | None, name: str, rate: Rate, clock: Callable[[], float]) -> None:
        def quota(what: What, limit: int | None) -> Quota | None:
            if limit is None:
                return None
            return SharedQuota(storage, f"{what}:{name}", limit, clock) if storage else Quota(limit, clock)

        def slots(limit: int | None) -> Slots | None:
            if limit is None:
                return None
            return SharedSlots(storage, f"{name}:{limit}", limit) if storage else Slots(limit)

        self.rate = rate
        self.requests = quota("requests", rate.requests)
        self.tokens = quota("tokens", rate.tokens)
        self.slots = slots(rate.concurrent)
        self.users = 0
        self.used_at = 0.0
        self._per_byte = _PER_BYTE

    def estimate(self, size: int | None) -> int:
        """Tokens of a body of so many bytes, by those before it; None where its size is not known."""
        most = max(1, (self.rate.tokens or 1) // _LARGEST_PART)
        return most if size is None else max(1, min(most, int(size * self._per_byte)))

    def learn(self, size: int, tokens: int) -> None:
        """Images have far fewer tokens a byte than texts have."""
        weight = min(1.0, size / _MEMORY)
        self._per_byte += (tokens / max(1, size) - self._per_byte) * weight

    def headers(self) -> dict[str, str]:
        """What is left."""
        told = {}
        for name, quota in (("Requests", self.requests), ("Tokens", self.tokens)):
            if quota is not None:
                told[f"X-RateLimit-Limit-{name}"] = str(quota.limit)
                told[f"X-RateLimit-Remaining-{name}"] = str(quota.remaining)
        return told


@dataclass(slots=True)
class Pass:
    """What a request holds of the limits."""

    meter: Meter
    size: int | None
    _request: int | None = field(default=None, init=False)  # the minute that it was counted in
    _tokens: int = field(default=0, init=False)  # taken and not settled,
    _minute: int = field(default=0, init=False)  # in that minute
    _has_slot: bool = field(default=False, init=False)

    async def take(self) -> What | None:
        """Take all that it needs; what there was not enough of, or None."""
        meter = self.meter
        if meter.requests is not None:
            if not await meter.requests.take(1):
                return "requests"
            self._request = meter.requests.minute
        if meter.tokens is not None:
            estimate = meter.estimate(self.size)
            if not await meter.tokens.take(estimate):
                return "tokens"
            self._tokens, self._minute = estimate, meter.tokens.minute
        if meter.slots is not None:
            if not await meter.slots.take():
                return "concurrent"
            self._has_slot = True
        return None

    def settle(self, tokens: int) -> None:
        """Count the tokens that it cost in place of those that were guessed."""
        if self.meter.tokens is not None:
            self.meter.tokens.give(self._tokens - tokens, self._minute)
            self._tokens = 0
            if self.size is not None:
                self.meter.learn(self.size, tokens)

    def release(self) -> None:
        """Give its slot back, and tokens that were not settled, for it failed."""
        if self.meter.tokens is not None and self._tokens:
            self.meter.tokens.give(self._tokens, self._minute)
        if self.meter.slots is not None and self._has_slot:
            self.meter.slots.release()
        self.meter.users -= 1

    def undo(self) -> None:
        """As if it had not come."""
        if self.meter.requests is not None and self._request is not None:
            self.meter.requests.give(1, self._request)
        self.release()


class Limiter:
    """The limits of all callers.

    Args:
        storage: Where they are counted with other processes, opened and closed with this; None for this one alone.
        clock: Seconds since 1970.
    """

    def __init__(self, storage: Storage | None, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock
        self._meters: dict[tuple[str, str], Meter] = {}
        self._swept_at = 0.0

    async def admit(self, caller: str, what: str, rate: Rate, size: int | None = 0) -> Pass:
        """Let a request in.

        Args:
            caller: A name, no secret.
            what: What is asked for.
            rate: Its limits.
            size: Bytes of the body; None where they are not known.

        Raises:
            LimitError: a limit is reached; nothing is held, and the request does not count.
            Problem: 503, the storage fails.
        """
        meter = self._meter(caller, what, rate)
        held = Pass(meter, size)
        meter.users += 1
        try:
            lacking = await held.take()
        except BaseException:
            held.undo()
            raise
        if lacking is not None:
            held.undo()
            raise LimitError(lacking, getattr(rate, lacking), self._wait(lacking), meter.headers())
        return held

    async def open(self) -> None:
        """As `Storage.open`."""
        if self._storage is not None:
            await self._storage.open()

    async def close(self) -> None:
        """As `Storage.close`."""
        if self._storage is not None:
            await self._storage.close()

    def _wait(self, lacking: What) -> int:
        return 1 if lacking == "concurrent" else max(1, math.ceil(MINUTE - self._clock() % MINUTE))

    def _meter(self, caller: str, what: str, rate: Rate) -> Meter:
        now = self._clock()
        meter = self._meters.get((caller, what))
        if meter is None or (meter.rate is not rate and meter.rate != rate):
            self._sweep(now)
            meter = self._meters[caller, what] = Meter(self._storage, f"{caller}:{what}", rate, self._clock)
        meter.used_at = now
        return meter

    def _sweep(self, now: float) -> None:
        """Forget whose minute is over, once a minute."""
        if now - self._swept_at > MINUTE:
            self._swept_at = now
            for key, meter in list(self._meters.items()):
                if not meter.users and now - meter.used_at > 2 * MINUTE:
                    del self._meters[key]
