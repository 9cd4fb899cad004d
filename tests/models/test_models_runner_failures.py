"""What becomes of a job, and of its neighbours, when the model fails."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runner_backends import WAIT, CountingBackend, RecordingBackend, SteppedBackend, expected, sequence
from tiny_checkpoints import save_checkpoint

from jina_components import Embedder
from jina_components.errors import BackendError, InputError
from jina_components.models.runner import ModelRunner
from jina_components.models.sequences import TokenSequence


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
    np.testing.assert_array_equal(first.result(WAIT).rows, expected([sequence(9)]))
    np.testing.assert_array_equal(other.result(WAIT).rows, expected([sequence(6)]))
    with pytest.raises(BackendError, match=f"The model failed: {type(error).__name__}") as caught:
        failing.result(WAIT).all_rows()
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
    assert len(first.result(WAIT).rows) == 1
    for future, n in zip(innocent, (6, 8), strict=True):
        np.testing.assert_array_equal(future.result(WAIT).rows, expected([sequence(n), sequence(2)]))
    with pytest.raises(BackendError) as caught:
        guilty.result(WAIT).all_rows()
    assert caught.value.__cause__ is error
    assert sum(counts) == 4
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
        bad.result(WAIT).all_rows()
    np.testing.assert_array_equal(good.result(WAIT).rows, expected([sequence(6)]))
    assert backend.batches[1:] == [[7, 6], [7]]


def test_rows_missing_from_a_result_are_an_error():
    class Short(RecordingBackend):
        def run(self, batch):
            return super().run(batch)[:-1]

    with pytest.raises(BackendError, match="The model failed"):
        ModelRunner(Short()).run([sequence(3), sequence(4)])


@pytest.mark.parametrize("error", [OSError("stderr is closed"), SystemExit(3), StopIteration(3)])
def test_an_error_of_a_progress_callback_reaches_its_caller_alone(error):
    backend = SteppedBackend()
    runner = ModelRunner(backend)
    runner.submit([sequence(1)])
    backend.wait_for_pass()

    def broken(count):
        raise error

    failing = runner.submit([sequence(3)], on_progress=broken)
    other = runner.submit([sequence(4)])
    backend.go()
    with pytest.raises(BackendError, match=f"The progress callback failed: {type(error).__name__}") as caught:
        failing.result(WAIT)
    assert caught.value.__cause__ is error
    np.testing.assert_array_equal(other.result(WAIT).rows, expected([sequence(4)]))
    assert len(backend.batches) == 2


FATES = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["runs", "runs", "raises", "is nan", "is too large"])))
FAILURES = {"raises": "The model failed: ValueError", "is nan": "NaN or infinity", "is too large": "Out of memory on a"}
FATE = ["runs", *FAILURES]


class FatedBackend(RecordingBackend):
    """A sequence's first id says how it ends."""

    def run(self, batch):
        fates = [FATE[item.ids[0]] for item in batch]
        if "is too large" in fates:
            raise MemoryError
        if "raises" in fates:
            raise ValueError("an input")
        rows = super().run(batch)
        rows[[fate == "is nan" for fate in fates]] = np.nan
        return rows


def fated(length, fate):
    return sequence(length, start=FATE.index(fate))


@given(st.lists(FATES, max_size=4), st.integers(1, 60), st.booleans())
@settings(max_examples=150, deadline=None)
def test_each_sequence_that_fails_is_found_and_the_others_keep_their_rows(jobs, budget, padded):
    jobs = [[(12, "runs"), *job, (1, "runs")] for job in jobs]
    counts = [[] for _ in jobs]
    runner = ModelRunner(FatedBackend(padded=padded), token_budget=budget)
    inputs = [[fated(*item) for item in job] for job in jobs]
    futures = [runner.submit(items, on_progress=seen.append) for items, seen in zip(inputs, counts, strict=True)]
    for job, items, future, seen in zip(jobs, inputs, futures, counts, strict=True):
        result = future.result(WAIT)
        wanted = expected(items)
        wanted[[fate != "runs" for _, fate in job]] = 0
        np.testing.assert_array_equal(result.rows, wanted)
        failed = {index: FAILURES[fate] for index, (_, fate) in enumerate(job) if fate != "runs"}
        assert result.errors.keys() == failed.keys()
        assert all(str(result.errors[index]).startswith(("The model returned", text)) for index, text in failed.items())
        assert sum(seen) == len(job)


@pytest.mark.parametrize("error", [ValueError("broken"), MemoryError("the device is full"), None])
@pytest.mark.parametrize("budget", [1, 100, 100_000])
def test_a_broken_model_is_not_asked_for_every_sequence(error, budget):
    class Broken(CountingBackend):
        def run(self, batch):
            rows = super().run(batch)
            if error is not None:
                raise error
            return rows + np.nan

    backend = Broken(token_budget=budget)
    result = ModelRunner(backend).submit([sequence(3 + n % 50) for n in range(1000)]).result(WAIT)
    assert backend.passes == 9
    assert (len(result.errors), len(set(map(str, result.errors.values())))) == (1000, 1)


def test_a_model_that_breaks_keeps_what_it_gave():
    class Breaking(RecordingBackend):
        def run(self, batch):
            if len(self.batches) == 3:
                raise ValueError("device lost")
            return super().run(batch)

    sequences = [sequence(10) for _ in range(1000)]
    result = ModelRunner(Breaking(token_budget=100)).submit(sequences).result(WAIT)
    assert sorted(result.errors) == list(range(30, 1000))
    np.testing.assert_array_equal(result.rows[:30], expected(sequences[:30]))


def test_a_job_cancelled_while_its_failure_is_looked_for_is_left():
    class Failing(SteppedBackend):
        def run(self, batch):
            rows = super().run(batch)
            if len(batch[0]) == 7:
                raise ValueError("an input")
            return rows

    backend = Failing(token_budget=1000)
    runner = ModelRunner(backend)
    job = runner.submit([sequence(7)] * 8)
    backend.wait_for_pass()
    backend.step()
    assert job.cancel()
    backend.go()
    runner.run([sequence(4)])
    assert backend.batches == [[7] * 8, [7] * 4, [4]]


def test_after_a_pass_too_large_for_the_memory_the_next_are_smaller(caplog):
    class Small(RecordingBackend):
        failures = 0

        def run(self, batch):
            if cost([len(item) for item in batch]) > 100:
                self.failures += 1
                raise MemoryError
            return super().run(batch)

    def cost(lengths):
        return max(lengths) * len(lengths)

    backend = Small(token_budget=800)
    runner = ModelRunner(backend)
    sequences = [sequence(10) for _ in range(800)]
    np.testing.assert_array_equal(runner.run(sequences), expected(sequences))
    assert backend.failures <= 1 + 2 + 4  # the first pass and its halves
    before = backend.failures
    runner.run(sequences)
    assert backend.failures == before
    assert [record.message for record in caplog.records] == [
        "Out of memory on a pass of 800 tokens: later ones are smaller; token_budget=400 would avoid this."
    ]


def test_an_error_outside_of_a_pass_reaches_whoever_waits():
    """The owner thread goes on."""

    class Odd(TokenSequence):
        def __len__(self):
            if threading.current_thread() is not threading.main_thread():
                raise SystemExit(3)
            return 3

    backend = RecordingBackend()
    runner = ModelRunner(backend)
    with pytest.raises(BackendError, match="SystemExit"):
        runner.submit([Odd(np.ones(3, np.int32))] * 2).result(WAIT)
    np.testing.assert_array_equal(runner.run([sequence(4)]), expected([sequence(4)]))


def test_the_owner_thread_outlives_an_error_of_a_callback_of_a_future():
    backend = SteppedBackend()
    runner = ModelRunner(backend)
    runner.submit([sequence(1)])
    backend.wait_for_pass()
    future = runner.submit([sequence(3)])
    future.add_done_callback(lambda _: sys.exit(3))
    owner = runner._thread
    backend.go()
    assert len(future.result(WAIT).rows) == 1
    np.testing.assert_array_equal(runner.run([sequence(4)]), expected([sequence(4)]))
    assert runner._thread is owner


def test_an_embedding_model_names_the_text_it_failed_on(tmp_path):
    folder = save_checkpoint(tmp_path / "model")
    model = replace(Embedder(folder).load(), runner=ModelRunner(FailingBackend(ValueError("an input"))))
    model.runner._backend.go()
    sequences = model.tokenizer.texts(["a", "a b c d e", "b c"], indices=[3, 17, 5], prompt="", truncate=False)
    assert [len(item) for item in sequences] == [3, 7, 4]
    pending = model.submit(
        ["a", "a b c d e", "b c"], [3, 17, 5],
        task=None, truncate=False, late_chunking=False, on_progress=lambda _: None,
    )  # fmt: skip
    with pytest.raises(BackendError, match=r"^inputs\[17\]: The model failed: ValueError: an input"):
        pending.finish(pending.future.result(WAIT))
