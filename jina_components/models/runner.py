"""Runs token sequences through a backend: one owner thread a model, merged calls, a token budget a batch.

Models are not safe to call from several threads, and small calls waste a forward pass each. So every
loaded model has one thread that owns it. Calls hand it jobs; each pass takes the shortest waiting jobs
together, and a bulk job batch by batch, in turns, so that neither keeps the other waiting. When a shared
pass fails, each job's part runs again alone, so that an error reaches only the caller whose input it is.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from jina_components.errors import BackendError, JinaComponentsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# An idle owner thread ends, so that a forgotten model can be collected; the next call starts another.
_IDLE_SECONDS = 2.0
_NOT_FINITE = "The model returned NaN or infinity: its weights are broken, or overflow on this device."


class TokenSequence(NamedTuple):
    """An input as a model takes it.

    Attributes:
        ids: Token ids.
        type_ids: Segment ids, when any is not 0.
        prompt: Tokens at its head that are the prompt's, which some models leave out of their pooling.
    """

    ids: NDArray[np.int32]
    type_ids: NDArray[np.int32] | None = None
    prompt: int = 0

    def __len__(self) -> int:
        return len(self.ids)


class Backend(Protocol):
    """How a model runs. Called by one thread at a time.

    Attributes:
        token_budget: Tokens that a pass should hold at most.
        padded: Whether every sequence of a pass costs as much as its longest.
        precision: Numeric type it computes in.
    """

    token_budget: int
    padded: bool
    precision: str

    @property
    def width(self) -> int:
        """Columns of the result."""
        ...

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """One row a sequence, shape [len(batch), width]; raises MemoryError when the batch is too large."""
        ...


@dataclass(eq=False)
class _Job:
    sequences: Sequence[TokenSequence]
    rows: FloatArray
    on_progress: Callable[[int], object] | None
    future: Future[FloatArray] = field(default_factory=Future)
    todo: list[int] = field(default_factory=list)  # shortest first: the longest is taken from the end
    tokens: int = 0  # of what is to do

    def __post_init__(self) -> None:
        filled = [index for index, sequence in enumerate(self.sequences) if len(sequence)]
        self.todo = sorted(filled, key=lambda i: (len(self.sequences[i]), -i))
        self.unfinished = len(self.todo)
        self.tokens = sum(len(self.sequences[index]) for index in self.todo)

    @property
    def longest(self) -> int:
        """Tokens of the sequence that is next."""
        return len(self.sequences[self.todo[-1]])

    def take(self) -> int:
        """Index of the next sequence, which is the caller's to run."""
        self.tokens -= self.longest
        return self.todo.pop()


class ModelRunner:
    """The owner thread of a backend."""

    def __init__(self, backend: Backend, *, token_budget: int | None = None) -> None:
        self._backend = backend
        self._padded = backend.padded
        self._budget = token_budget or backend.token_budget
        self._jobs: list[_Job] = []
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._bulk_turn = False

    @property
    def width(self) -> int:
        """Columns of the result."""
        return self._backend.width

    def submit(
        self, sequences: Sequence[TokenSequence], *, on_progress: Callable[[int], object] | None = None
    ) -> Future[FloatArray]:
        """Queue sequences; cancelling the future drops what is left of them.

        Args:
            sequences: What to run.
            on_progress: Called from the owner thread with the number of sequences just finished.

        Returns:
            Their rows in the order given, shape [len(sequences), width]; zeros for one without tokens. An
            error is a BackendError, or what `on_progress` raised.
        """
        job = _Job(sequences, np.zeros((len(sequences), self.width), np.float32), on_progress)
        if not job.todo:
            job.future.set_result(job.rows)
            return job.future
        with self._wake:
            self._jobs.append(job)
            if self._thread is None or not self._thread.is_alive():  # a forked child inherits a dead one
                self._thread = threading.Thread(target=self._own, name="jina-components-model", daemon=True)
                self._thread.start()
                atexit.register(self._stop)
            self._wake.notify()
        return job.future

    def run(
        self, sequences: Sequence[TokenSequence], *, on_progress: Callable[[int], object] | None = None
    ) -> FloatArray:
        """`submit` and wait; Ctrl-C stops the model before its next batch."""
        future = self.submit(sequences, on_progress=on_progress)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def arun(
        self, sequences: Sequence[TokenSequence], *, on_progress: Callable[[int], object] | None = None
    ) -> FloatArray:
        """`submit` and await; cancelling the task does the same."""
        return await asyncio.wrap_future(self.submit(sequences, on_progress=on_progress))

    def _own(self) -> None:
        while True:
            with self._wake:
                if not self._jobs:
                    self._wake.wait(_IDLE_SECONDS)
                self._jobs = [job for job in self._jobs if not job.future.cancelled()]
                if not self._jobs:
                    self._thread = None
                    atexit.unregister(self._stop)
                    return
                batch = self._next_batch()
            self._run(batch)

    def _stop(self) -> None:
        """Drop what waits and let the pass under way end: torch aborts a process that exits amid one."""
        with self._wake:
            thread = self._thread
            for job in self._jobs:
                job.future.cancel()
            self._wake.notify()
        if thread is not None:
            thread.join()

    def _next_batch(self) -> list[tuple[_Job, int]]:
        """Items for one pass: whole small jobs together, or else as much of the leading job as fits."""
        waiting = sorted(self._jobs, key=lambda job: len(job.todo))
        if self._bulk_turn:
            waiting.insert(0, self._jobs[0])
        self._bulk_turn = not self._bulk_turn
        batch: list[tuple[_Job, int]] = []
        longest = tokens = 0
        for job in waiting:
            if batch and not (
                job.todo and self._fits(max(longest, job.longest), tokens + job.tokens, len(batch) + len(job.todo))
            ):
                continue
            while job.todo:
                length = job.longest
                longest = max(longest, length)
                if batch and not self._fits(longest, tokens + length, len(batch) + 1):
                    break
                tokens += length
                batch.append((job, job.take()))
        return batch

    def _fits(self, longest: int, tokens: int, count: int) -> bool:
        return (longest * count if self._padded else tokens) <= self._budget

    def _run(self, batch: list[tuple[_Job, int]]) -> None:
        counts = Counter(job for job, _ in batch)
        try:
            rows = self._run_halving([job.sequences[index] for job, index in batch])
            for (job, index), row in zip(batch, rows, strict=True):
                job.rows[index] = row
        except BaseException as error:  # noqa: BLE001 (whatever fails here belongs to the callers who wait)
            self._isolate(batch, list(counts), error)
        else:
            for job, count in counts.items():
                self._advance(job, count)

    def _isolate(self, batch: list[tuple[_Job, int]], jobs: list[_Job], error: BaseException) -> None:
        """Give the error of a pass to its job; of several, run each alone to learn whose it is."""
        if len(jobs) == 1:
            self._finish(jobs[0], _as_backend_error(error))
            return
        for job in jobs:
            if not job.future.cancelled():
                self._run([item for item in batch if item[0] is job])

    def _advance(self, job: _Job, count: int) -> None:
        job.unfinished -= count
        try:
            if job.on_progress is not None and not job.future.cancelled():
                job.on_progress(count)
        except Exception as error:  # noqa: BLE001 (the caller's own callback)
            self._finish(job, error)
            return
        if not job.unfinished:
            self._finish(job, None if np.isfinite(job.rows).all() else BackendError(_NOT_FINITE))

    def _finish(self, job: _Job, error: BaseException | None) -> None:
        with self._wake:
            self._jobs = [other for other in self._jobs if other is not job]
        if job.future.set_running_or_notify_cancel():
            if error is None:
                job.future.set_result(job.rows)
            else:
                job.future.set_exception(error)

    def _run_halving(self, batch: list[TokenSequence]) -> FloatArray:
        """One pass, or two halves of it when memory runs out."""
        try:
            return self._backend.run(batch)
        except MemoryError as error:
            if len(batch) == 1:
                raise BackendError(
                    f"Out of memory on a single input of {len(batch[0])} tokens: segment it, or use a smaller model."
                ) from error
        middle = len(batch) // 2
        return np.concatenate([self._run_halving(batch[:middle]), self._run_halving(batch[middle:])])


def _as_backend_error(error: BaseException) -> JinaComponentsError:
    if isinstance(error, JinaComponentsError):
        return error
    wrapped = BackendError(f"The model failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
