"""What a pass of the runner holds, with padding and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runner_backends import WAIT, CountingBackend, RecordingBackend, expected, sequence

from jina_components.models.runner import ModelRunner
from jina_components.models.sequences import TokenSequence


def cost(lengths, *, padded):
    return max(lengths) * len(lengths) if padded else sum(lengths)


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=6), st.integers(1, 100), st.booleans())
@settings(max_examples=100, deadline=None)
def test_rows_come_in_the_order_given_and_batches_keep_to_the_budget(jobs, budget, padded):
    backend = RecordingBackend(padded=padded)
    runner = ModelRunner(backend, token_budget=budget)
    inputs = [[sequence(length, start=n) for n, length in enumerate(lengths)] for lengths in jobs]
    futures = [runner.submit(sequences) for sequences in inputs]
    for sequences, future in zip(inputs, futures, strict=True):
        np.testing.assert_array_equal(future.result(WAIT).rows, expected(sequences))
    for lengths in backend.batches:
        assert len(lengths) == 1 or cost(lengths, padded=padded) <= budget
    ran = sorted(length for lengths in backend.batches for length in lengths)
    assert ran == sorted(length for lengths in jobs for length in lengths if length)


def test_a_batch_holds_texts_of_like_length():
    backend = RecordingBackend()
    ModelRunner(backend, token_budget=100).run([sequence(length) for length in [1, 50, 2, 49, 1, 50, 2, 2]])
    assert backend.batches == [[50, 50], [49, 2], [2, 2, 1, 1]]


def test_without_padding_a_batch_costs_its_tokens():
    backend = RecordingBackend(token_budget=100, padded=False)
    ModelRunner(backend).run([sequence(length) for length in [1, 50, 2, 49, 1, 50, 2, 2]])
    assert backend.batches == [[50, 50], [49, 2, 2, 2, 1, 1]]


@pytest.mark.parametrize("padded", [True, False])
def test_scheduling_looks_at_each_of_many_sequences_a_few_times(padded):
    """Whatever the number of batches: a job must not be gone through again for each."""

    class Counted(TokenSequence):
        looks = 0

        def __len__(self):
            Counted.looks += 1
            return len(self.ids)

    ids = np.ones(3, np.int32)
    for count in (10_000, 100_000):
        Counted.looks = 0
        backend = CountingBackend(token_budget=64, padded=padded)
        ModelRunner(backend).run([Counted(ids[: 1 + n % 3]) for n in range(count)])
        assert backend.passes > count / 64
        assert Counted.looks < 12 * count
