import asyncio
import pickle
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import http, loopback_fetcher

from jina_components.errors import ConfigError, HTTPStatusError
from jina_components.net import Fetched, Politeness


def overloaded(wait, status=429):
    return Fetched("http://a/", status, {"retry-after": str(wait)}, b"")


class Crowd:
    """Visitors of hosts; notes their order, and how many are in at a time."""

    def __init__(self, politeness):
        self.politeness = politeness
        self.order, self.starts, self.inside, self.most = [], [], {}, {}
        self.most_anywhere = 0

    async def visit(self, name, host="a", stay=0.01, delay=0.0):
        async with self.politeness.turn(host, delay=delay):
            self.order.append(name)
            self.starts.append(time.monotonic())
            self.inside[host] = self.inside.get(host, 0) + 1
            self.most[host] = max(self.most.get(host, 0), self.inside[host])
            self.most_anywhere = max(self.most_anywhere, sum(self.inside.values()))
            try:
                await asyncio.sleep(stay)
            finally:
                self.inside[host] -= 1


async def test_turns_are_limited_by_host_and_taken_in_order():
    crowd = Crowd(Politeness(per_host=3))
    await asyncio.gather(*(crowd.visit((host, n), host, 0.03) for n in range(12) for host in "abcd"))
    assert crowd.most == dict.fromkeys("abcd", 3)
    assert all([n for at, n in crowd.order if at == host] == list(range(12)) for host in "abcd")
    assert crowd.most_anywhere == 12  # the hosts side by side
    assert crowd.politeness._hosts == {}


async def test_requests_begin_a_delay_apart():
    crowd = Crowd(Politeness(per_host=5, delay=0.02))
    await asyncio.gather(*(crowd.visit(n, stay=0, delay=0.05 if n % 2 else 0.0) for n in range(6)))
    gaps = [later - earlier for earlier, later in zip(crowd.starts, crowd.starts[1:], strict=False)]
    assert crowd.order == list(range(6))
    assert min(gaps) >= 0.015
    assert min(gaps[1::2]) >= 0.045
    assert crowd.politeness._hosts.keys() == {"a"}  # its delay has still to be kept


async def test_without_a_delay_nobody_waits():
    crowd = Crowd(Politeness(per_host=200))
    await asyncio.gather(*(crowd.visit(n, stay=0.05) for n in range(200)))
    assert crowd.most == {"a": 200}


@pytest.mark.parametrize("status", [429, 503])
async def test_an_overloaded_host_is_left_alone_by_all(status):
    politeness = Politeness(per_host=2)
    crowd = Crowd(politeness)
    politeness.heed("a", overloaded(0.2, status))
    begin = time.monotonic()
    await asyncio.gather(*(crowd.visit(n, host) for n, host in enumerate("aab")))
    assert crowd.order[0] == 2
    assert all(start - begin >= 0.19 for start in crowd.starts[1:])


async def test_a_pause_reaches_those_who_already_wait_for_their_delay():
    politeness = Politeness(per_host=2, delay=0.05)
    crowd = Crowd(politeness)
    visits = [asyncio.create_task(crowd.visit(n, stay=0)) for n in range(2)]
    await asyncio.sleep(0.02)
    politeness.heed("a", overloaded(0.3))
    begin = time.monotonic()
    await asyncio.gather(*visits)
    assert crowd.starts[1] - begin >= 0.29


async def test_what_a_site_asks_for_is_cut():
    politeness = Politeness(longest_wait=0.1)
    crowd = Crowd(politeness)
    politeness.heed("a", overloaded(10**9))
    begin = time.monotonic()
    await crowd.visit(0, delay=10**9)
    await crowd.visit(1, delay=10**9)
    assert time.monotonic() - begin >= 0.19
    politeness.heed("b", Fetched("", 500, {"retry-after": "9"}, b""))
    politeness.heed("b", Fetched("", 429, {}, b""))
    assert "b" not in politeness._hosts


async def test_cancelled_visitors_lose_no_turn():
    crowd = Crowd(Politeness(per_host=2))
    for _ in range(20):
        visits = [asyncio.create_task(crowd.visit(n, stay=0.005)) for n in range(12)]
        for n, visit in enumerate(visits):
            if n % 3 != 2:
                await asyncio.sleep(0.001)
                visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
        assert crowd.politeness._hosts == {}
    assert crowd.most == {"a": 2}


async def test_a_turn_granted_and_cancelled_at_once_passes_on():
    politeness = Politeness(per_host=1)
    crowd = Crowd(politeness)
    first, second, third = [asyncio.create_task(crowd.visit(n, stay=0.02)) for n in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)  # the turn is on its way to the second
    second.cancel()
    await asyncio.wait_for(third, 1)
    with suppress(asyncio.CancelledError):
        await second
    assert politeness._hosts == {}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.none() | st.integers(0, 4)), max_size=20),
    st.integers(1, 3),
)
def test_any_crowd_keeps_the_limit_and_leaves_nothing_behind(plan, per_host):
    crowd = Crowd(Politeness(per_host=per_host))

    async def run():
        visits = [asyncio.create_task(crowd.visit(n, host, stay / 1000)) for n, (host, stay, _) in enumerate(plan)]
        for visit, (_, _, cancelled_after) in zip(visits, plan, strict=True):
            if cancelled_after is not None:
                await asyncio.sleep(cancelled_after / 2000)
                visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)

    asyncio.run(run())
    assert max(crowd.most.values(), default=0) <= per_host
    assert crowd.politeness._hosts == {}
    kept = [n for n, (_, _, cancelled_after) in enumerate(plan) if cancelled_after is None]
    assert set(kept) <= set(crowd.order)


def test_threads_with_their_own_loops_share_the_limit():
    crowd = Crowd(Politeness(per_host=2))

    async def run(name):
        await asyncio.gather(*(crowd.visit((name, n), stay=0.002) for n in range(20)))

    threads = [threading.Thread(target=asyncio.run, args=(run(name),)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(crowd.order) == 80
    assert crowd.most["a"] <= 2
    assert crowd.politeness._hosts == {}


def test_a_waiter_whose_loop_is_gone_is_passed_over():
    politeness = Politeness(per_host=1)
    abandoned = asyncio.new_event_loop()

    async def hold():
        async with politeness.turn("a"):
            lost = abandoned.create_task(politeness.turn("a").__aenter__())
            abandoned.call_soon(abandoned.stop)
            await asyncio.to_thread(abandoned.run_forever)
            lost.cancel()
            abandoned.close()
        async with asyncio.timeout(1), politeness.turn("a"):
            pass

    asyncio.run(hold())
    assert politeness._hosts == {}


async def test_hosts_are_forgotten():
    politeness = Politeness(delay=0.001)
    for n in range(5000):
        async with politeness.turn(f"host{n}"):
            pass
    assert len(politeness._hosts) <= 1100


def test_settings_are_validated_and_pickled():
    for wrong in ({"per_host": 0}, {"delay": -1}, {"longest_wait": -1}):
        with pytest.raises(ConfigError):
            Politeness(**wrong)
    copy = pickle.loads(pickle.dumps(Politeness(per_host=3, delay=1.5, longest_wait=9.0)))
    assert repr(copy) == "Politeness(per_host=3, delay=1.5, longest_wait=9.0)"


async def test_fetches_take_turns_and_their_time_starts_then(server):
    busy = most = 0

    async def slow(_, writer):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.25)
        busy -= 1
        writer.write(http(body=b"x"))

    server.routes["/"] = slow
    async with loopback_fetcher(politeness=Politeness(per_host=2), timeout=1.5) as fetcher:
        begin = time.monotonic()
        await asyncio.gather(*(fetcher.fetch(server.url("/")) for _ in range(14)))
        assert time.monotonic() - begin > 1.6
    assert most == 2


async def test_retry_after_of_one_fetch_holds_the_others_back(server):
    server.routes |= {"/busy": [http(503, retry_after="0.4"), http(body=b"up")], "/": [http(body=b"x")]}
    async with loopback_fetcher() as fetcher:
        begin = time.monotonic()
        busy = asyncio.create_task(fetcher.fetch(server.url("/busy")))
        await asyncio.sleep(0.15)
        await fetcher.fetch(server.url("/"))
        assert time.monotonic() - begin >= 0.4
        assert (await busy).content == b"up"
        server.routes["/busy"] = [http(429, retry_after="90")]
        with pytest.raises(HTTPStatusError) as caught:
            await fetcher.fetch(server.url("/busy"))
    assert caught.value.retry_after == 90
