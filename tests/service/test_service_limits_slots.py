"""Requests at once: slots that processes share through a real Redis. Each storage is a process to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis_server import RedisServer

from jina_components.service.limits.in_redis import InRedis
from jina_components.service.limits.limiter import Limiter, LimitError
from jina_components.service.limits.slots import SharedSlots, Slots
from jina_components.service.limits.storage import make_storage
from jina_components.service.limits.tiers import Rate

Join = Callable[[str, int], Awaitable[SharedSlots]]


@pytest.fixture
async def connect(redis_server: RedisServer) -> AsyncIterator[Callable[[], Awaitable[InRedis]]]:
    made: list[InRedis] = []

    async def connected() -> InRedis:
        made.append(InRedis(redis_server.url))
        await made[-1].open()
        return made[-1]

    yield connected
    for storage in made:
        await storage.close()


@pytest.fixture
def join(connect: Callable[[], Awaitable[InRedis]]) -> Join:
    async def joined(name: str, limit: int) -> SharedSlots:
        return SharedSlots(await connect(), name, limit)

    return joined


async def held(slots: Slots, most: int) -> int:
    """How many could be taken."""
    return sum(await asyncio.gather(*(slots.take() for _ in range(most))))


async def test_slots_of_memory_are_exact():
    slots = Slots(3)
    assert await held(slots, 10) == 3
    slots.release()
    assert await held(slots, 10) == 1


@pytest.mark.parametrize("limit", [1, 2, 19, 100])
async def test_processes_have_one_limit_together(join, limit):
    one, other = await join(f"together {limit}", limit), await join(f"together {limit}", limit)
    numbers = await asyncio.gather(held(one, limit), held(other, limit))
    assert sum(numbers) == limit
    assert not await one.take()
    assert not await other.take()
    for slots, number in zip((one, other), numbers, strict=True):
        for _ in range(number):
            slots.release()
    assert await held(other, limit) >= limit - limit // 20


async def test_a_slot_that_was_just_given_back_can_be_had_elsewhere(join):
    one, other = await join("back and forth", 1), await join("back and forth", 1)
    for _ in range(4):
        assert await one.take()
        one.release()
        assert await other.take()
        other.release()


async def test_one_that_stops_waiting_keeps_no_slot(join):
    one, other = await join("stopped", 2), await join("stopped", 2)
    for turns in range(12):
        taking = asyncio.create_task(one.take())
        for _ in range(turns):
            await asyncio.sleep(0)
        taking.cancel()
        if (await asyncio.gather(taking, return_exceptions=True))[0] is True:
            one.release()
    await one.renew(is_lost=False)
    assert await held(other, 3) == 2


async def test_a_process_that_ends_gives_its_slots_back(connect, redis_server):
    ending = InRedis(redis_server.url)
    await ending.open()
    one, other = SharedSlots(ending, "ended", 3), SharedSlots(await connect(), "ended", 3)
    assert await held(one, 3) == 3
    assert not await other.take()
    await ending.close()
    assert await held(other, 4) == 3


async def test_slots_that_redis_forgot_are_told_again(connect, redis_server):
    storage = await connect()
    one, other = SharedSlots(storage, "forgotten", 3), SharedSlots(await connect(), "forgotten", 3)
    assert await held(one, 3) == 3
    assert await storage.beat()
    await storage._client.flushdb()
    assert not await storage.beat()
    await one.renew(is_lost=True)
    assert await held(other, 3) == 0


async def test_what_a_process_keeps_for_its_next_request_is_given_back_when_none_comes(connect):
    storage = await connect()
    one, other = SharedSlots(storage, "idle", 100), SharedSlots(await connect(), "idle", 100)
    assert await one.take()
    one.release()
    await one.renew(is_lost=False)
    assert await held(other, 101) == 100


async def test_a_busy_key_costs_few_calls(connect, monkeypatch):
    storage = await connect()
    calls = 0
    hold = storage.hold

    async def counted(name: str, wanted: int, limit: int) -> int:
        nonlocal calls
        calls += 1
        return await hold(name, wanted, limit)

    monkeypatch.setattr(storage, "hold", counted)
    slots = SharedSlots(storage, "busy", 100)

    async def client() -> None:
        for _ in range(100):
            assert await slots.take()
            await asyncio.sleep(0)
            slots.release()

    await asyncio.gather(*(client() for _ in range(5)))
    assert calls < 50


async def test_no_slot_is_lost_by_requests_that_are_cancelled(redis_server):
    """Two busy processes never let more in at once than the limit, and have all of it in the end."""
    rate = Rate(requests=100_000, tokens=10_000_000, concurrent=4)
    limiters = [Limiter(make_storage(redis_server.url)) for _ in range(2)]
    for limiter in limiters:
        await limiter.open()
    busy = most = done = 0

    async def client(limiter: Limiter) -> None:
        nonlocal busy, most, done
        for _ in range(40):
            try:
                admitted = await limiter.admit("cancelled", "embeddings", rate, 100)
            except LimitError:
                continue
            busy += 1
            most = max(most, busy)
            try:
                await asyncio.sleep(0.001)
                admitted.settle(20)
                done += 1
            finally:
                busy -= 1
                admitted.release()

    clients = [asyncio.create_task(client(limiter)) for limiter in limiters for _ in range(4)]
    for each in clients[::3]:
        await asyncio.sleep(0.01)
        each.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    assert (busy, most) == (0, 4)
    assert done > 10
    for _ in range(4):
        await limiters[1].admit("cancelled", "embeddings", rate)
    for limiter in limiters:
        await limiter.close()
