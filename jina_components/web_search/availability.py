"""Whether a provider may be asked now: its rate, and a rest after failures. Safe to share between threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jina_components.web_search.provider import Rate

Clock = Callable[[], float]


class RateLimit:
    """A token bucket: `rate.calls` at once, refilled within `rate.seconds`.

    Args:
        rate: How often, or None for no limit.
        clock: Tells the time in seconds.
    """

    def __init__(self, rate: Rate | None, *, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.calls) if rate else 0.0
        self._counted_at = clock()
        self._lock = threading.Lock()

    def reserve(self, patience: float) -> float | None:
        """Seconds to wait before the call, whose place is then taken; None when that is beyond `patience`."""
        if self._rate is None:
            return 0.0
        per_second = self._rate.calls / self._rate.seconds
        with self._lock:
            now = self._clock()
            self._tokens = min(self._rate.calls, self._tokens + (now - self._counted_at) * per_second)
            self._counted_at = now
            wait = max(0.0, (1 - self._tokens) / per_second)
            if wait > patience:
                return None
            self._tokens -= 1
            return wait


class CircuitBreaker:
    """Lets a provider rest after failures in a row, then lets one call try it (Nygard, "Release It!", 2007).

    Args:
        failures: After how many.
        cooling: Seconds of rest, where the server asks for none of its own.
        clock: Tells the time in seconds.
    """

    def __init__(self, *, failures: int, cooling: float, clock: Clock = time.monotonic) -> None:
        self._most = failures
        self._cooling = cooling
        self._clock = clock
        self._failures = 0
        self._rests_until: float | None = None
        self._is_tried = False
        self._lock = threading.Lock()

    def admit(self) -> float:
        """0 when the call may go ahead, whose end one of the other methods must tell; else seconds until it may."""
        with self._lock:
            if self._rests_until is None:
                return 0.0
            rest = self._rests_until - self._clock()
            if rest > 0 or self._is_tried:
                return max(rest, 1.0)
            self._is_tried = True
            return 0.0

    def succeeded(self) -> None:
        """The call was answered."""
        with self._lock:
            self._failures, self._rests_until, self._is_tried = 0, None, False

    def failed(self, *, retry_after: float | None = None) -> None:
        """The call failed; `retry_after` is the rest that the server asks for, in seconds."""
        with self._lock:
            self._failures += 1
            if retry_after is not None or self._is_tried or self._failures >= self._most:
                self._rests_until = self._clock() + (self._cooling if retry_after is None else retry_after)
            self._is_tried = False

    def abandoned(self) -> None:
        """The call was given up, which says nothing of the provider."""
        with self._lock:
            self._is_tried = False
