"""Quotas of a minute: leased by several, never above the limit, and hardly below it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.service.limits.limiter import Limiter, LimitError
from jina_components.service.limits.rates import MINUTE, Quota, SharedQuota
from jina_components.service.limits.storage import Storage
from jina_components.service.limits.tiers import Rate

START = 1_000_000 * MINUTE


class Clock:
    """Seconds since 1970, as they are set."""

    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


class Shared(Storage):
    """Counts that several in one process share as if they were processes, and that take a while, as a network does."""

    def __init__(self, delays: list[int] | None = None) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self._delays = delays or [0]

    async def add(self, name: str, amount: int) -> int:
        self.calls += 1
        await self._travel(0)
        self.counts[name] += amount
        count = self.counts[name]
        await self._travel(1)
        return count

    async def _travel(self, way: int) -> None:
        for _ in range(self._delays[(2 * self.calls + way) % len(self._delays)]):
            await asyncio.sleep(0)

    async def hold(self, name: str, wanted: int, limit: int) -> int:
        return wanted

    async def lacking(self) -> list[str]:
        return []

    async def beat(self) -> bool:
        return True


def run(storage: Storage, work: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        await storage.open()
        try:
            await work
        finally:
            await storage.close()

    asyncio.run(main())


async def spend(quota: Quota, amount: int) -> int:
    """What was used until no more was left."""
    spent = 0
    while await quota.take(amount):
        spent += amount
        await asyncio.sleep(0)
    return spent


@pytest.mark.parametrize("limit", [1, 2, 19, 100, 101, 5000])
def test_one_process_uses_exactly_the_limit(limit):
    storage = Shared()

    async def work() -> None:
        assert await spend(Quota(limit, Clock()), 1) == limit
        assert await spend(SharedQuota(storage, "q", limit, Clock()), 1) == limit

    run(storage, work())


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 3000),
    processes=st.integers(2, 4),
    clients=st.integers(1, 5),
    delays=st.lists(st.integers(0, 4), min_size=1, max_size=9),
)
def test_processes_that_are_all_busy_use_exactly_the_limit_together(limit, processes, clients, delays):
    storage = Shared(delays)

    async def work() -> None:
        quotas = [SharedQuota(storage, "q", limit, Clock()) for _ in range(processes)]
        spent = await asyncio.gather(*(spend(quota, 1) for quota in quotas for _ in range(clients)))
        assert sum(spent) == limit
        assert storage.calls <= 500 * processes

    run(storage, work())


@settings(max_examples=100, deadline=None)
@given(
    limit=st.integers(1, 400),
    delays=st.lists(st.integers(0, 4), min_size=1, max_size=9),
    clients=st.lists(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 90), st.integers(-90, 30), st.integers(0, 3)), max_size=12
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_what_is_leased_is_what_was_counted_whatever_the_order(limit, delays, clients):
    """Each client takes an amount in a process, settles it by a difference, and may stop waiting in between."""
    storage = Shared(delays)

    async def work() -> None:
        quotas = [SharedQuota(storage, "q", limit, Clock()) for _ in range(3)]
        used, beyond = 0, 0

        async def client(steps: list[tuple[int, int, int, int]]) -> None:
            nonlocal used, beyond
            for process, amount, more, patience in steps:
                quota = quotas[process]
                taking = asyncio.create_task(quota.take(min(amount, limit)))
                for _ in range(3 * patience):
                    await asyncio.sleep(0)
                if patience == 1:
                    taking.cancel()
                (taken,) = await asyncio.gather(taking, return_exceptions=True)
                if taken is True:
                    used += min(amount, limit)
                    assert used <= limit + beyond
                    await asyncio.sleep(0)
                    more = max(more, -min(amount, limit))
                    used += more
                    beyond += max(0, more)
                    quota.give(-more, quota.minute)

        await asyncio.gather(*map(client, clients))
        await Storage.close(storage)  # what was started has ended
        counted = await storage.add(f"q:{START // MINUTE}", 0)
        assert counted == used + sum(quota._held for quota in quotas)
        assert used <= limit + beyond

    run(storage, work())


def test_a_new_minute_is_a_new_quota_and_what_was_left_is_gone():
    storage, clock = Shared(), Clock()

    async def work() -> None:
        quota = SharedQuota(storage, "q", 10, clock)
        assert await quota.take(4)
        clock.now += MINUTE - 0.001
        assert await spend(quota, 1) == 6
        assert quota.remaining == 0
        clock.now += 0.001
        assert quota.remaining == 10
        assert await spend(quota, 1) == 10

    run(storage, work())


async def test_a_clock_that_is_set_back_opens_no_minute_again():
    clock = Clock()
    quota = Quota(10, clock)
    assert await spend(quota, 1) == 10
    clock.now -= 1
    assert not await quota.take(1)


def test_a_lease_that_comes_late_is_of_the_minute_that_it_was_asked_in():
    storage, clock = Shared([3]), Clock()

    async def work() -> None:
        quota = SharedQuota(storage, "q", 1, clock)
        taking = asyncio.create_task(quota.take(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        clock.now += MINUTE
        assert await taking
        assert not await quota.take(1)
        counted = [await storage.add(f"q:{START // MINUTE + minute}", 0) for minute in (0, 1)]
        assert counted == [1, 1]

    run(storage, work())


def test_what_is_used_beyond_a_lease_is_known_to_others():
    storage, clock = Shared(), Clock()

    async def work() -> None:
        one, other = SharedQuota(storage, "q", 1000, clock), SharedQuota(storage, "q", 1000, clock)
        assert await one.take(1)
        one.give(-1500, one.minute)
        await Storage.close(storage)
        assert one.remaining == 0
        assert not await one.take(1)
        assert not await other.take(1)
        clock.now += MINUTE
        assert await other.take(1)

    run(storage, work())


def test_what_is_given_back_can_be_had_elsewhere():
    storage, clock = Shared(), Clock()

    async def work() -> None:
        one, other = SharedQuota(storage, "q", 1000, clock), SharedQuota(storage, "q", 1000, clock)
        assert await one.take(1000)
        assert not await other.take(500)
        one.give(990, one.minute)
        await Storage.close(storage)
        clock.now += 1
        assert await other.take(500)
        assert await spend(one, 1) + await spend(other, 1) >= 480

    run(storage, work())


async def test_what_is_given_back_of_a_minute_gone_is_gone():
    clock = Clock()
    quota = Quota(100, clock)
    assert await quota.take(60)
    minute = quota.minute
    clock.now += MINUTE
    assert await quota.take(60)
    quota.give(60, minute)
    assert quota.remaining == 40
    quota.give(-10, minute)
    assert quota.remaining == 30


def test_a_busy_quota_costs_few_calls():
    storage = Shared()

    async def work() -> None:
        assert await spend(SharedQuota(storage, "q", 5000, Clock()), 1) == 5000
        assert storage.calls <= 250

    run(storage, work())


def limited() -> tuple[Limiter, Clock]:
    clock = Clock()
    return Limiter(None, clock), clock


async def refused(limiter: Limiter, rate: Rate, size: int | None = 0) -> LimitError:
    with pytest.raises(LimitError) as caught:
        await limiter.admit("caller", "embeddings", rate, size)
    return caught.value


async def test_a_refusal_says_which_limit_and_when_to_come_again():
    rate = Rate(requests=2, tokens=1000, concurrent=500)
    limiter, clock = limited()
    await limiter.open()
    for _ in range(2):
        (await limiter.admit("caller", "embeddings", rate)).release()
    clock.now += 12.3
    error = await refused(limiter, rate)
    assert (error.what, error.limit, error.seconds) == ("requests", 2, 48)
    assert error.headers["X-RateLimit-Remaining-Requests"] == "0"
    clock.now = START + 59.9
    assert (await refused(limiter, rate)).seconds == 1
    clock.now = START + 60
    (await limiter.admit("caller", "embeddings", rate)).release()
    await limiter.close()


async def test_callers_and_products_have_limits_of_their_own():
    rate = Rate(requests=1)
    limiter, _ = limited()
    await limiter.open()
    for caller in ("a", "b"):
        for product in ("embeddings", "rerank"):
            (await limiter.admit(caller, product, rate)).release()
    await limiter.close()


async def test_tokens_are_guessed_by_the_size_and_settled_by_what_they_were():
    rate = Rate(tokens=1000)
    limiter, _ = limited()
    await limiter.open()
    held = await limiter.admit("caller", "embeddings", rate, 1600)
    assert held.meter.headers()["X-RateLimit-Remaining-Tokens"] == "600"
    held.settle(300)
    held.release()
    assert held.meter.headers()["X-RateLimit-Remaining-Tokens"] == "700"
    held = await limiter.admit("caller", "embeddings", rate, 400)
    held.release()  # a failure costs nothing
    assert held.meter.headers()["X-RateLimit-Remaining-Tokens"] == "700"
    await limiter.close()


async def test_a_body_larger_than_the_limit_can_be_sent_and_is_counted():
    rate = Rate(tokens=1000)
    limiter, clock = limited()
    await limiter.open()
    for size in (10_000_000, None):
        held = await limiter.admit("caller", "embeddings", rate, size)
        held.settle(5000)
        held.release()
        error = await refused(limiter, rate, 4)
        assert (error.what, error.headers["X-RateLimit-Remaining-Tokens"]) == ("tokens", "0")
        clock.now += MINUTE
    await limiter.close()


async def test_images_of_many_bytes_and_few_tokens_do_not_shut_out_each_other():
    rate = Rate(tokens=100_000)
    limiter, _ = limited()
    await limiter.open()
    first = await limiter.admit("caller", "embeddings", rate, 1_400_000)
    first.settle(4000)
    first.release()
    held = [await limiter.admit("caller", "embeddings", rate, 1_400_000) for _ in range(20)]
    for each in held:
        each.settle(4000)
        each.release()
    await limiter.close()


async def test_a_refused_request_counts_for_nothing():
    rate = Rate(requests=10, tokens=100, concurrent=1)
    limiter, _ = limited()
    await limiter.open()
    held = await limiter.admit("caller", "embeddings", rate, 40)
    assert (await refused(limiter, rate, 40)).what == "concurrent"
    error = await refused(limiter, rate, 400_000)
    assert (error.what, error.headers["X-RateLimit-Remaining-Requests"]) == ("concurrent", "9")
    held.settle(95)
    error = await refused(limiter, rate, 40)
    assert (error.what, error.seconds) == ("tokens", 60)
    assert error.headers == {
        "X-RateLimit-Limit-Requests": "10", "X-RateLimit-Remaining-Requests": "9",
        "X-RateLimit-Limit-Tokens": "100", "X-RateLimit-Remaining-Tokens": "5",
    }  # fmt: skip
    held.release()
    await limiter.close()


async def test_a_changed_rate_is_in_force_at_once():
    limiter, _ = limited()
    await limiter.open()
    small, large = Rate(requests=1), Rate(requests=5)
    (await limiter.admit("caller", "embeddings", small)).release()
    await refused(limiter, small)
    for _ in range(5):
        (await limiter.admit("caller", "embeddings", large)).release()
    await refused(limiter, large)
    await limiter.close()


async def test_callers_of_minutes_ago_are_forgotten_but_not_those_in_work():
    rate = Rate(requests=1, concurrent=1)
    limiter, clock = limited()
    await limiter.open()
    held = await limiter.admit("in work", "embeddings", rate)
    for number in range(100):
        (await limiter.admit(str(number), "embeddings", rate)).release()
    clock.now += 3 * MINUTE
    (await limiter.admit("new", "embeddings", rate)).release()
    assert len(limiter._meters) == 2
    with pytest.raises(LimitError, match="concurrent"):
        await limiter.admit("in work", "embeddings", rate)
    held.release()
    await limiter.close()
