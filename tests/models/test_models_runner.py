from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from runner_backends import WAIT, RecordingBackend, SteppedBackend, expected, sequence

from jina_components.errors import BackendError
from jina_components.models import runner as runner_module
from jina_components.models.runner import ModelRunner


def test_without_padding_small_calls_share_a_pass_with_a_long_one():
    shared = {}
    for padded in (True, False):
        backend = SteppedBackend(token_budget=64, padded=padded)
        runner = ModelRunner(backend)
        futures = [runner.submit([sequence(1)])]
        backend.wait_for_pass()
        futures += [runner.submit([sequence(length)]) for length in (50, 3, 3, 3)]
        backend.go()
        for future in futures:
            future.result(WAIT)
        shared[padded] = backend.batches[1:]
    assert shared == {True: [[50], [3, 3, 3]], False: [[50, 3, 3, 3]]}


def test_small_calls_that_wait_share_a_pass():
    backend = SteppedBackend()
    runner = ModelRunner(backend)
    futures = [runner.submit([sequence(3)])]
    backend.wait_for_pass()
    futures += [runner.submit([sequence(n % 4 + 1), sequence(2)]) for n in range(6)]
    backend.go()
    for n, future in enumerate(futures[1:]):
        np.testing.assert_array_equal(future.result(WAIT).rows, expected([sequence(n % 4 + 1), sequence(2)]))
    assert [len(lengths) for lengths in backend.batches] == [1, 12]


def test_a_query_waits_for_no_bulk_job():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    bulk = runner.submit([sequence(10) for _ in range(50)])
    backend.wait_for_pass()
    for _ in range(5):
        backend.step()
        query = runner.submit([sequence(3)])
        for _ in range(3):  # the pass under way, at most one more of the bulk job, its own
            if not query.done():
                backend.step()
        assert query.done()
    assert not bulk.done()
    backend.go()
    np.testing.assert_array_equal(bulk.result(WAIT).rows, expected([sequence(10)] * 50))


def test_a_bulk_job_waits_for_no_stream_of_queries():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    bulk = runner.submit([sequence(10) for _ in range(20)])
    backend.wait_for_pass()
    for _ in range(45):
        runner.submit([sequence(9)])
        backend.step()
        if bulk.done():
            break
    assert bulk.done()
    backend.go()


def test_a_shorter_bulk_job_overtakes_a_longer_one():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    longer = runner.submit([sequence(10)] * 30)
    backend.wait_for_pass()
    shorter = runner.submit([sequence(9)] * 5)
    for _ in range(12):
        backend.step()
    assert shorter.done()
    assert not longer.done()
    backend.go()
    assert len(longer.result(WAIT).rows) == 30


def test_cancelling_stops_before_the_next_batch():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    counts = []
    bulk = runner.submit([sequence(10) for _ in range(50)], on_progress=counts.append)
    backend.wait_for_pass()
    backend.step()
    assert bulk.cancel()
    backend.go()
    runner.run([sequence(4)])
    assert backend.batches == [[10], [10], [4]]
    assert counts == [1]


async def test_cancelling_a_task_stops_before_the_next_batch():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    task = asyncio.create_task(runner.arun([sequence(10)] * 50))
    await asyncio.to_thread(backend.wait_for_pass)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    backend.go()
    np.testing.assert_array_equal(await runner.arun([sequence(4)]), expected([sequence(4)]))
    assert backend.batches == [[10], [4]]


def test_an_interrupt_stops_before_the_next_batch():
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            runner.run([sequence(10) for _ in range(50)])
    finally:
        signal.signal(signal.SIGALRM, before)
    backend.go()
    runner.run([sequence(4)])
    assert backend.batches == [[10], [4]]


def test_progress_adds_up():
    counts = []
    ModelRunner(RecordingBackend(token_budget=10)).run(
        [sequence(n % 5 + 1) for n in range(33)], on_progress=counts.append
    )
    assert sum(counts) == 33
    assert len(counts) > 5


def test_nothing_to_do():
    backend = RecordingBackend()
    runner = ModelRunner(backend)
    assert runner.run([]).shape == (0, 2)
    assert not runner.run([sequence(0), sequence(0)]).any()
    assert backend.batches == []


def test_an_idle_thread_ends_and_the_next_call_starts_another(monkeypatch):
    monkeypatch.setattr(runner_module, "_IDLE_SECONDS", 0.01)
    backend = RecordingBackend()
    runner = ModelRunner(backend)
    for number in range(1, 4):
        runner.run([sequence(number)])
        owners = [t for t in threading.enumerate() if t is runner._thread]
        for thread in owners:
            thread.join(WAIT)
            assert not thread.is_alive()
    assert backend.batches == [[1], [2], [3]]
    forgotten = weakref.ref(backend)
    del runner, backend
    gc.collect()
    assert forgotten() is None


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own(holds_in_forked_child):
    runner = ModelRunner(RecordingBackend())
    runner.run([sequence(3)])
    assert holds_in_forked_child(lambda: np.array_equal(runner.run([sequence(4)]), expected([sequence(4)])))
    np.testing.assert_array_equal(runner.run([sequence(5)]), expected([sequence(5)]))


def test_many_threads_get_their_own_rows():
    backend = RecordingBackend(token_budget=50)
    runner = ModelRunner(backend)

    def work(number):
        sequences = [sequence(number % 7 + n % 3 + 1, start=number) for n in range(number % 4 + 1)]
        np.testing.assert_array_equal(runner.run(sequences), expected(sequences))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(400)))
    assert len(backend.batches) <= 400


def test_a_cancelled_job_raises_for_its_waiter():
    backend = SteppedBackend()
    runner = ModelRunner(backend)
    runner.submit([sequence(1)])
    backend.wait_for_pass()
    waiting = runner.submit([sequence(2)])
    waiting.cancel()
    backend.go()
    with pytest.raises(CancelledError):
        waiting.result(WAIT)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_amid_work_has_no_lock_and_no_job_of_its_parent(holds_in_forked_child):
    backend = SteppedBackend(token_budget=10)
    runner = ModelRunner(backend)
    waiting = runner.submit([sequence(10)] * 3)
    backend.wait_for_pass()

    def runs_its_own():
        backend.go()
        return np.array_equal(runner.run([sequence(4)]), expected([sequence(4)])) and backend.batches == [[4]]

    held, release = threading.Event(), threading.Event()

    def hold():
        with runner._wake:
            held.set()
            assert release.wait(WAIT)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(WAIT)
    try:
        assert holds_in_forked_child(runs_its_own)
    finally:
        release.set()
        holder.join(WAIT)
    backend.go()
    assert len(waiting.result(WAIT).rows) == 3


def test_a_job_whose_thread_cannot_start_is_not_kept(monkeypatch):
    backend = RecordingBackend()
    runner = ModelRunner(backend)

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(BackendError, match="can't start new thread"):
            runner.submit([sequence(3)])
    assert len(runner.run([sequence(4)])) == 1
    assert backend.batches == [[4]]


EXIT_WHILE_FREEING = """
import threading, time
from runner_backends import RecordingBackend, sequence
from jina_components.models import runner as module

freeing = threading.Event()

class SlowlyFreed(RecordingBackend):
    def __del__(self):
        freeing.set()
        time.sleep(0.3)
        print("freed", flush=True)

module._IDLE_SECONDS = 0.01
runner = module.ModelRunner(SlowlyFreed())
runner.run([sequence(3)])
del runner
assert freeing.wait(10)
"""


def test_the_process_waits_for_a_model_that_its_thread_is_freeing():
    # A thread that is cut off inside the destructors of torch's tensors aborts the process.
    folder = Path(__file__).parents[1]
    output = subprocess.check_output([sys.executable, "-c", EXIT_WHILE_FREEING], text=True, cwd=folder, timeout=WAIT)
    assert output == "freed\n"
