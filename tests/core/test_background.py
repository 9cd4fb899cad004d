from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jina_components.core.background import background_loop, iterate_sync, run_sync


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


def test_results_and_errors_come_back():
    assert run_sync(double(4)) == 8

    async def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_sync(fail())


async def test_it_works_inside_a_running_loop():
    assert run_sync(double(5)) == 10
    assert asyncio.get_running_loop() is not background_loop()


def test_all_calls_share_one_loop():
    async def current():
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(8) as pool:
        loops = set(pool.map(lambda _: run_sync(current()), range(32)))
    assert loops == {background_loop()}


def test_calls_from_threads_overlap():
    barrier = asyncio.Barrier(4)

    async def meet():
        async with asyncio.timeout(10):
            await barrier.wait()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: run_sync(meet()), range(4)))


def test_waiting_inside_the_loop_is_refused():
    async def nested():
        return run_sync(double(1))

    with pytest.raises(RuntimeError, match="await its async twin"):
        run_sync(nested())


def test_the_name_of_the_calling_thread_is_no_matter():
    results = []
    thread = threading.Thread(target=lambda: results.append(run_sync(double(2))), name="jina-components-io")
    thread.start()
    thread.join(10)
    assert results == [4]


def test_an_interrupt_cancels():
    cancelled = threading.Event()

    async def endless():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            run_sync(endless())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert cancelled.wait(10)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own(holds_in_forked_child):
    run_sync(double(1))
    assert holds_in_forked_child(lambda: run_sync(double(2)) == 4)
    assert run_sync(double(3)) == 6


def test_async_generators_are_iterated_and_closed():
    closed = []

    async def count():
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    assert list(iterate_sync(count())) == list(range(10))
    some = iterate_sync(count())
    assert [next(some), next(some)] == [0, 1]
    some.close()
    assert len(closed) == 2


def test_ctrl_c_ends_an_iteration_and_closes_the_generator():
    closed = []

    async def never():
        try:
            await asyncio.sleep(60)
            yield 1
        finally:
            await asyncio.sleep(0.05)
            closed.append(True)

    main = threading.main_thread().ident
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(iterate_sync(never()))
    assert closed == [True]


ABANDONED = """
import asyncio
from jina_components.core.background import iterate_sync

async def count():
    try:
        for number in range(10):
            await asyncio.to_thread(int)
            yield number
    finally:
        print("closed")

numbers = iterate_sync(count())
print(next(numbers))
"""


def test_an_iteration_that_is_abandoned_does_not_keep_the_process_from_ending():
    done = subprocess.run([sys.executable, "-c", ABANDONED], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["0", "closed"]
    assert done.stderr == ""
