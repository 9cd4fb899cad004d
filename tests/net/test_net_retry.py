import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
from hypothesis import given
from hypothesis import strategies as st

from jina_components.net.retry import retry_after, with_retries

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Reply:
    status_code: int
    headers: dict = field(default_factory=lambda: {"retry-after": "0"})


async def run(*outcomes, seconds=5.0, **settings):
    """What `with_retries` gives, and how many attempts it took."""
    remaining = list(outcomes)

    async def attempt():
        outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    deadline = asyncio.get_running_loop().time() + seconds
    try:
        result = await with_retries(attempt, deadline=deadline, **settings)
    except httpx.HTTPError as error:
        result = error
    return result, len(outcomes) - len(remaining)


async def test_only_transient_failures_are_tried_again():
    good = Reply(200)
    for status in (429, 502, 503, 504):
        assert await run(Reply(status), good, retries=2) == (good, 2)
    for status in (200, 301, 400, 401, 404, 500):
        assert await run(Reply(status), good, retries=2) == (Reply(status), 1)


async def test_the_last_outcome_is_given():
    assert await run(Reply(503), Reply(429), Reply(504), retries=2) == (Reply(504), 3)
    error = httpx.ReadTimeout("x")
    assert await run(error, retries=2) == (error, 1)
    last = httpx.ConnectError("two")
    assert await run(httpx.ConnectError("one"), last, retries=1) == (last, 2)
    certificate = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] …")
    assert await run(certificate, retries=2) == (certificate, 1)


async def test_the_wait_of_the_server_is_kept():
    begin = time.monotonic()
    assert await run(Reply(503, {"retry-after": "0.2"}), Reply(200), retries=1) == (Reply(200), 2)
    assert time.monotonic() - begin >= 0.2


async def test_no_wait_beyond_the_deadline():
    slow = Reply(503, {"retry-after": "3"})
    assert await run(slow, retries=5, seconds=2) == (slow, 1)
    error = httpx.ConnectError("x")
    assert await run(error, retries=5, seconds=0) == (error, 1)


def test_retry_after_forms():
    def wait(value):
        return retry_after({"retry-after": value}, now=NOW)

    assert wait("120") == 120
    assert wait("0.5") == 0.5
    assert wait("-3") == 0
    assert wait(format_datetime(NOW + timedelta(seconds=90), usegmt=True)) == 90
    assert wait("Wed, 01 Jan 2025 00:00:05 -0000") == 5
    assert wait(format_datetime(NOW - timedelta(days=1))) == 0
    zone, day = "Thu, 01 Jan 1970 00:00:00 +" + "9" * 20, f"Thu, {'9' * 20} Jan 1970 00:00:00 GMT"
    for nonsense in ("", "soon", "nan", "inf", "Mon, 99 Jan 2025", zone, day):
        assert wait(nonsense) is None
    assert retry_after({}, now=NOW) is None


@given(st.text() | st.from_regex(r"\w{3}, \d{1,25} [A-Z][a-z]{2} \d{1,25} \d+:\d+:\d+ [+-]\d{1,25}"))
def test_any_retry_after_is_a_wait_or_none(value):
    wait = retry_after({"retry-after": value}, now=NOW)
    assert wait is None or wait >= 0
