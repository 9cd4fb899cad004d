"""Trying again: exponential backoff with full jitter, and the wait a server asks for."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

import httpx

TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})

_TRANSIENT_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)
_random = random.SystemRandom()  # the user's seeded generator stays as it is


class _Reply(Protocol):
    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


R = TypeVar("R", bound=_Reply)


async def with_retries(
    attempt: Callable[[], Awaitable[R]],
    *,
    retries: int,
    deadline: float,
) -> R:
    """The reply of the first attempt that gets through, else of the last one.

    Only for requests that may be repeated: a GET, or a POST that computes and changes nothing. Tried again
    are lost or refused connections and replies with one of `TRANSIENT_STATUSES`. Waits are drawn from
    [0, min(8 s, 0.5 s · 2^n)] (full jitter, as in "Exponential Backoff And Jitter" of the AWS Architecture
    Blog) or are what `Retry-After` asks for; one that would pass the deadline ends the retries at once.

    Args:
        attempt: Sends the request once.
        retries: Attempts after the first.
        deadline: Time of the running loop's clock, in seconds, after which no attempt may start.

    Raises:
        httpx.TransportError: of the last attempt.
    """
    number = 0
    while True:
        wait = _random.uniform(0, 0.5 * 2 ** min(number, 4))
        try:
            reply = await attempt()
        except _TRANSIENT_ERRORS as error:
            refused = "CERTIFICATE_VERIFY_FAILED" in str(error)
            if refused or number >= retries or _passes(deadline, wait):
                raise
        else:
            asked = retry_after(reply.headers, now=datetime.now(UTC))
            wait = wait if asked is None else asked
            if reply.status_code not in TRANSIENT_STATUSES or number >= retries or _passes(deadline, wait):
                return reply
        await asyncio.sleep(wait)
        number += 1


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds that `Retry-After` asks to wait (RFC 9110, section 10.2.3: a number or a date), or None."""
    value = headers.get("retry-after", "")
    with suppress(ValueError):
        seconds = float(value)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(value)
        return max((date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds(), 0.0)
    return None


def _passes(deadline: float, wait: float) -> bool:
    return asyncio.get_running_loop().time() + wait >= deadline
