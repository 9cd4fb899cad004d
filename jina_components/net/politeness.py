"""How many requests a host gets at a time, and how often."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jina_components.errors import ConfigError
from jina_components.net.exchange import Fetched
from jina_components.net.retry import retry_after

_OVERLOADED = frozenset({429, 503})
_SWEEP_AT = 1000


@dataclass(slots=True)
class _Host:
    """What goes on with one host; times are those of the monotonic clock.

    Attributes:
        active: Turns taken.
        next_start: When the next request may be sent, for those who keep a delay.
        paused_until: When the host may be asked again after it said that it has too much to do.
        waiting: Those who wait for a turn, in their order.
    """

    active: int = 0
    next_start: float = 0.0
    paused_until: float = 0.0
    waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = field(default_factory=deque)

    def is_idle(self, now: float) -> bool:
        return not self.active and not self.waiting and max(self.next_start, self.paused_until) <= now


class Politeness:
    """Lets requests to a host wait for their turn, first come, first served.

    Of a host, `per_host` requests run at the same time, and they begin at least a delay apart. A host that answers
    with 429 or 503 and `Retry-After` is left alone by all for that long. What is known of a host is forgotten when
    nothing goes on with it. One object may be shared by fetchers, threads and event loops; a pickled copy starts anew.

    Args:
        per_host: Requests at the same time.
        delay: Seconds between the beginnings of two requests; a longer one that robots.txt asks for counts instead.
        longest_wait: Seconds to which delays and pauses that a site asks for are cut, so that none stops a reader.

    Raises:
        ConfigError: a limit makes no sense.
    """

    def __init__(self, *, per_host: int = 8, delay: float = 0.0, longest_wait: float = 30.0) -> None:
        if per_host < 1 or min(delay, longest_wait) < 0:
            raise ConfigError(f"per_host must be positive, delays not negative: {per_host}, {delay}, {longest_wait}.")
        self.per_host = per_host
        self.delay = delay
        self.longest_wait = longest_wait
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self._sweep_at = _SWEEP_AT

    def __repr__(self) -> str:
        return f"Politeness(per_host={self.per_host}, delay={self.delay}, longest_wait={self.longest_wait})"

    def __reduce__(self) -> tuple[Callable[..., Politeness], tuple[int, float, float]]:
        return _made, (self.per_host, self.delay, self.longest_wait)

    @asynccontextmanager
    async def turn(self, host: str, *, delay: float = 0.0) -> AsyncIterator[None]:
        """Wait for a turn at `host`; it ends with the block.

        Args:
            host: The name or the address.
            delay: Seconds that the host asks for between two requests.
        """
        state = await self._entered(host)
        try:
            await self._paced(state, max(self.delay, min(delay, self.longest_wait)))
            yield
        finally:
            self._leave(host, state)

    def heed(self, host: str, reply: Fetched) -> None:
        """Leave `host` alone for as long as its `reply` asks for."""
        if reply.status_code not in _OVERLOADED:
            return
        wait = retry_after(reply.headers, now=datetime.now(UTC))
        if wait is None:
            return
        with self._lock:
            state = self._hosts.setdefault(host, _Host())
            state.paused_until = max(state.paused_until, time.monotonic() + min(wait, self.longest_wait))

    async def _entered(self, host: str) -> _Host:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._sweep()
            state = self._hosts.setdefault(host, _Host())
            if state.active < self.per_host:
                state.active += 1
                return state
            place = loop, loop.create_future()
            state.waiting.append(place)
        try:
            await place[1]
        except asyncio.CancelledError:
            with self._lock:
                handed_on = place not in state.waiting
                if not handed_on:
                    state.waiting.remove(place)
            if handed_on:
                self._leave(host, state)
            raise
        return state

    async def _paced(self, state: _Host, delay: float) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                start = max(now, state.paused_until)
                if delay:
                    start = max(start, state.next_start)
                    state.next_start = start + delay
            await asyncio.sleep(start - now)
            if state.paused_until <= time.monotonic():
                return

    def _leave(self, host: str, state: _Host) -> None:
        with self._lock:
            while state.waiting:
                loop, turn = state.waiting.popleft()
                with suppress(RuntimeError):  # the loop has been closed, and nobody waits there any more
                    # The turn passes on without being free in between, so that nobody overtakes.
                    loop.call_soon_threadsafe(_grant, turn)
                    return
            state.active -= 1
            if state.is_idle(time.monotonic()):
                self._hosts.pop(host, None)

    def _sweep(self) -> None:
        """Forget hosts that had a delay or a pause to keep when they were left; each costs a constant, all told."""
        if len(self._hosts) < self._sweep_at:
            return
        now = time.monotonic()
        self._hosts = {host: state for host, state in self._hosts.items() if not state.is_idle(now)}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._hosts))


def _grant(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _made(per_host: int, delay: float, longest_wait: float) -> Politeness:
    return Politeness(per_host=per_host, delay=delay, longest_wait=longest_wait)
