from __future__ import annotations

import asyncio
import gc
import signal
import threading
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest

from jina_components.errors import BackendError, InputError
from jina_components.models import runner as runner_module
from jina_components.models.runner import ModelRunner, TokenSequence

WAIT = 10


class RecordingBackend:
    """Rows are (sum of ids, number of ids); keeps the batches it was given."""

    width = 2
    precision = "float32"

    def __init__(self, token_budget=64, *, padded=True):
        self.token_budget = token_budget
        self.padded = padded
        self.batches = []

    def run(self, batch):
        self.batches.append([len(sequence) for sequence in batch])
        return np.array([row(sequence) for sequence in batch], np.float32)


class SteppedBackend(RecordingBackend):
    """Each pass waits at its start until the test lets it go."""

    def __init__(self, token_budget=64, *, padded=True):
        super().__init__(token_budget, padded=padded)
        self.entered, self.allowed = threading.Semaphore(0), threading.Semaphore(0)

    def run(self, batch):
        self.entered.release()
        assert self.allowed.acquire(timeout=WAIT)
        return super().run(batch)

    def wait_for_pass(self):
        assert self.entered.acquire(timeout=WAIT)

    def step(self):
        """Let the pass under way end, and wait for the next to begin."""
        self.allowed.release()
        self.wait_for_pass()

    def go(self):
        self.allowed.release(1000)


def sequence(length, start=1):
    return TokenSequence(np.arange(start, start + length, dtype=np.int32))


def row(item):
    return [float(item.ids.sum()), float(len(item))]


def expected(sequences):
    return np.array([row(item) for item in sequences], np.float32).reshape(-1, 2)


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
        np.testing.assert_array_equal(future.result(WAIT), expected([sequence(n % 4 + 1), sequence(2)]))
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
    np.testing.assert_array_equal(bulk.result(WAIT), expected([sequence(10)] * 50))


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
    assert len(longer.result(WAIT)) == 30


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


class SmallBackend(RecordingBackend):
    """Has memory for three sequences of at most 20 tokens."""

    def run(self, batch):
        if len(batch) > 3 or len(batch[0]) > 20:
            raise MemoryError("too much")
        return super().run(batch)


def test_a_batch_too_large_for_the_memory_is_halved():
    sequences = [sequence(length) for length in range(1, 20)]
    backend = SmallBackend(token_budget=1000)
    np.testing.assert_array_equal(ModelRunner(backend).run(sequences), expected(sequences))
    assert max(len(lengths) for lengths in backend.batches) <= 3


def test_a_single_input_too_large_for_the_memory_says_so():
    runner = ModelRunner(SmallBackend(token_budget=1000))
    with pytest.raises(BackendError, match="single input of 30 tokens") as caught:
        runner.run([sequence(30), sequence(3)])
    assert isinstance(caught.value.__cause__, MemoryError)
    np.testing.assert_array_equal(runner.run([sequence(3)]), expected([sequence(3)]))


class FailingBackend(SteppedBackend):
    """Fails on a sequence of 7 tokens with the error it was given."""

    def __init__(self, error):
        super().__init__(token_budget=10)
        self.error = error

    def run(self, batch):
        rows = super().run(batch)
        if any(len(item) == 7 for item in batch):
            raise self.error
        return rows


@pytest.mark.parametrize("error", [ValueError("broken weights"), SystemExit(3)], ids=["error", "exit"])
def test_an_error_reaches_the_callers_of_its_batch_alone(error):
    backend = FailingBackend(error)
    runner = ModelRunner(backend)
    first = runner.submit([sequence(9)])
    backend.wait_for_pass()
    failing, other = runner.submit([sequence(7)]), runner.submit([sequence(6)])
    backend.go()
    np.testing.assert_array_equal(first.result(WAIT), expected([sequence(9)]))
    np.testing.assert_array_equal(other.result(WAIT), expected([sequence(6)]))
    with pytest.raises(BackendError, match=f"The model failed: {type(error).__name__}") as caught:
        failing.result(WAIT)
    assert caught.value.__cause__ is error
    np.testing.assert_array_equal(runner.run([sequence(2)]), expected([sequence(2)]))


@pytest.mark.parametrize("error", [ValueError("bad input"), MemoryError("too much"), SystemExit(3)])
def test_an_error_in_a_shared_pass_reaches_the_guilty_caller_alone(error):
    backend = FailingBackend(error)
    runner = ModelRunner(backend, token_budget=100)
    first = runner.submit([sequence(1)])
    backend.wait_for_pass()
    counts = []
    innocent = [runner.submit([sequence(n), sequence(2)], on_progress=counts.append) for n in (6, 8)]
    guilty = runner.submit([sequence(7), sequence(3)])
    gone = runner.submit([sequence(5)])
    backend.step()
    gone.cancel()
    backend.go()
    assert len(first.result(WAIT)) == 1
    for future, n in zip(innocent, (6, 8), strict=True):
        np.testing.assert_array_equal(future.result(WAIT), expected([sequence(n), sequence(2)]))
    with pytest.raises(BackendError) as caught:
        guilty.result(WAIT)
    assert caught.value.__cause__ is error
    assert counts == [2, 2]
    assert len(backend.batches[1]) == 7
    assert [5] not in backend.batches or isinstance(error, MemoryError)  # halving knows no jobs


def test_an_error_of_ours_stays_what_it_is():
    backend = FailingBackend(InputError("no such token"))
    backend.go()
    with pytest.raises(InputError, match="no such token"):
        ModelRunner(backend).run([sequence(7)])


def test_values_that_are_not_finite_are_an_error_for_their_caller_alone():
    class Overflowing(SteppedBackend):
        def run(self, batch):
            rows = super().run(batch)
            rows[[len(item) == 7 for item in batch]] = np.nan
            return rows

    backend = Overflowing()
    runner = ModelRunner(backend)
    runner.submit([sequence(1)])
    backend.wait_for_pass()
    bad, good = runner.submit([sequence(7)]), runner.submit([sequence(6)])
    backend.go()
    with pytest.raises(BackendError, match="NaN or infinity"):
        bad.result(WAIT)
    np.testing.assert_array_equal(good.result(WAIT), expected([sequence(6)]))
    assert len(backend.batches) == 2


def test_rows_missing_from_a_result_are_an_error():
    class Short(RecordingBackend):
        def run(self, batch):
            return super().run(batch)[:-1]

    with pytest.raises(BackendError, match="The model failed"):
        ModelRunner(Short()).run([sequence(3), sequence(4)])


def test_progress_adds_up():
    counts = []
    ModelRunner(RecordingBackend(token_budget=10)).run(
        [sequence(n % 5 + 1) for n in range(33)], on_progress=counts.append
    )
    assert sum(counts) == 33
    assert len(counts) > 5


def test_an_error_of_a_progress_callback_reaches_its_caller_alone():
    backend = SteppedBackend()
    runner = ModelRunner(backend)
    runner.submit([sequence(1)])
    backend.wait_for_pass()

    def broken(count):
        raise OSError("stderr is closed")

    failing = runner.submit([sequence(3)], on_progress=broken)
    other = runner.submit([sequence(4)])
    backend.go()
    with pytest.raises(OSError, match="stderr is closed"):
        failing.result(WAIT)
    np.testing.assert_array_equal(other.result(WAIT), expected([sequence(4)]))
    assert len(backend.batches) == 2


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
