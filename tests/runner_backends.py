"""Backends for tests of the runner, and sequences for them."""

from __future__ import annotations

import threading

import numpy as np

from jina_components.models.sequences import TokenSequence

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


class CountingBackend(RecordingBackend):
    passes = 0

    def run(self, batch):
        self.passes += 1
        return np.zeros((len(batch), 2), np.float32)


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
