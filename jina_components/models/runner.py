"""Runs token sequences through a backend: one owner thread a model, merged calls, a token budget a batch.

Models are not safe to call from several threads, and small calls waste a forward pass each. So every
loaded model has one thread that owns it. Calls hand it jobs; each pass takes the shortest waiting jobs
together, and a bulk job batch by batch, in turns, so that neither keeps the other waiting.

When a pass fails, what failed in it runs again in smaller parts: each job's alone, then its halves, until it is known
which sequences fail; the others keep their rows. Lest a broken model be asked for every sequence, a job first tries
up to 8 of what it has left, from the shortest to the longest, one by one: when all of these fail, all of it has failed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from jina_components.errors import BackendError, JinaComponentsError
from jina_components.models.owners import start_thread
from jina_components.models.sequences import Backend, ModelInput

if TYPE_CHECKING:
    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

# An idle owner thread ends, so that a forgotten model can be collected; the next call starts another.
_IDLE_SECONDS = 2.0
# Sequences tried one by one to tell a broken model from a broken input.
_PROBES = 8
_NOT_FINITE = "The model returned NaN or infinity: its weights are broken, or overflow on this device."


@dataclass(frozen=True, slots=True, eq=False)
class JobResult:
    """What became of a job's sequences.

    Attributes:
        rows: In their order, of each one, or as many as it wants; shape [rows, width]; zeros for a sequence without
            tokens, and for one that failed.
        errors: By position, what each one failed with that did.
    """

    rows: FloatArray
    errors: Mapping[int, JinaComponentsError]

    def all_rows(self) -> FloatArray:
        """The rows; raises the error of the first sequence that failed, if one did."""
        if self.errors:
            raise self.errors[min(self.errors)]
        return self.rows


@dataclass(eq=False)
class _Job:
    sequences: Sequence[ModelInput]
    rows: FloatArray
    on_progress: Callable[[int], object] | None
    future: Future[JobResult] = field(default_factory=Future)
    errors: dict[int, JinaComponentsError] = field(default_factory=dict)
    todo: list[int] = field(default_factory=list)  # shortest first: the longest is taken from the end
    tokens: int = 0  # of what is to do

    def __post_init__(self) -> None:
        self.ends = np.cumsum([sequence.num_rows for sequence in self.sequences])
        filled = [index for index, sequence in enumerate(self.sequences) if len(sequence) and sequence.num_rows]
        self.todo = sorted(filled, key=lambda i: (len(self.sequences[i]), -i))
        self.unfinished = len(self.todo)
        self.tokens = sum(len(self.sequences[index]) for index in self.todo)

    def keep(self, index: int, rows: FloatArray) -> None:
        """Keep what a sequence gave."""
        self.rows[self.ends[index] - len(rows) : self.ends[index]] = rows

    @property
    def longest(self) -> int:
        """Tokens of the sequence that is next."""
        return len(self.sequences[self.todo[-1]])

    def take(self) -> int:
        """Index of the next sequence, which is the caller's to run."""
        self.tokens -= self.longest
        return self.todo.pop()


_Batch: TypeAlias = list[tuple[_Job, int]]


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
        self._lowered = False

    @property
    def width(self) -> int:
        """Columns of the result."""
        return self._backend.width

    def submit(
        self, sequences: Sequence[ModelInput], *, on_progress: Callable[[int], object] | None = None
    ) -> Future[JobResult]:
        """Queue sequences; cancelling the future drops what is left of them.

        Args:
            sequences: What to run.
            on_progress: Called from the owner thread with the number of sequences just finished.

        Returns:
            Their rows, and the errors of those that failed. The future itself fails, with a BackendError, when
            `on_progress` does.

        Raises:
            BackendError: no thread can be started.
        """
        count = sum(sequence.num_rows for sequence in sequences)
        job = _Job(sequences, np.zeros((count, self.width), np.float32), on_progress)
        if not job.todo:
            job.future.set_result(JobResult(job.rows, {}))
            return job.future
        with self._wake:
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_thread(self, self._own, "jina-components-model")
            self._jobs.append(job)
            self._wake.notify()
        return job.future

    def run(self, sequences: Sequence[ModelInput], *, on_progress: Callable[[int], object] | None = None) -> FloatArray:
        """`submit` and wait; raises the first sequence's error that has one. Ctrl-C stops before the next batch."""
        future = self.submit(sequences, on_progress=on_progress)
        try:
            return future.result().all_rows()
        except BaseException:
            future.cancel()
            raise

    async def arun(
        self, sequences: Sequence[ModelInput], *, on_progress: Callable[[int], object] | None = None
    ) -> FloatArray:
        """`submit` and await; cancelling the task does the same, and the errors are `run`'s."""
        return (await asyncio.wrap_future(self.submit(sequences, on_progress=on_progress))).all_rows()

    def _own(self) -> None:
        """Pass after pass, until none is wanted; whatever fails here, nobody is left waiting."""
        while True:
            batch: _Batch | None = None
            try:
                batch = self._await_batch()
                if not batch:
                    return
                self._run(batch)
            except BaseException as error:  # noqa: BLE001 (belongs to the callers who wait)
                for job in list(self._jobs) if batch is None else {job: None for job, _ in batch}:
                    self._finish(job, _as_backend_error(error))

    def _await_batch(self) -> _Batch:
        """What to run next; nothing when the thread is to end."""
        with self._wake:
            if not self._jobs:
                self._wake.wait(_IDLE_SECONDS)
            self._jobs = [job for job in self._jobs if not job.future.done()]
            if self._jobs:
                return self._next_batch()
            self._thread = None
            return []

    def stop(self) -> None:
        """Drop what waits; the thread ends after the pass under way."""
        with self._wake:
            for job in self._jobs:
                job.future.cancel()
            self._wake.notify()

    def _next_batch(self) -> _Batch:
        """Items for one pass: whole small jobs together, or else as much of the leading job as fits."""
        waiting = sorted(self._jobs, key=lambda job: len(job.todo))
        if self._bulk_turn:
            waiting.insert(0, self._jobs[0])
        self._bulk_turn = not self._bulk_turn
        batch: _Batch = []
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
        return self._cost(longest, tokens, count) <= self._budget

    def _cost(self, longest: int, tokens: int, count: int) -> int:
        return longest * count if self._padded else tokens

    def _run(self, batch: _Batch, *, probed: bool = False) -> None:
        """One pass; what fails in it runs again in smaller parts, until it is known which sequences fail."""
        batch = [(job, index) for job, index in batch if not job.future.done()]
        failed, error = self._pass(batch) if batch else ([], None)
        if error is None:
            return
        jobs = list({job: None for job, _ in failed})
        if len(batch) > 1 and isinstance(error, MemoryError):
            self._lower_budget([len(job.sequences[index]) for job, index in batch])
        if len(jobs) == 1 and not probed:
            probed = True
            if self._gave_up(jobs[0], failed, error):
                return
        if len(batch) == 1:
            self._fail(failed, _single_error(error, len(jobs[0].sequences[failed[0][1]])))
            return
        parts = [failed[: len(failed) // 2], failed[len(failed) // 2 :]]
        if len(jobs) > 1 and not isinstance(error, MemoryError):
            parts = [[item for item in failed if item[0] is job] for job in jobs]
        for part in parts:
            self._run(part, probed=probed)

    def _pass(self, batch: _Batch) -> tuple[_Batch, BaseException | None]:
        """Run a batch and keep its rows; the items that failed, and what with."""
        try:
            sequences = [job.sequences[index] for job, index in batch]
            rows, starts = self._rows(sequences), list(accumulate((s.num_rows for s in sequences), initial=0))
            finite = np.logical_and.reduceat(np.isfinite(rows).all(axis=1), starts[:-1])
            bad = set(np.flatnonzero(~finite).tolist())
            for place, (job, index) in enumerate(batch):
                if place not in bad:
                    job.keep(index, rows[starts[place] : starts[place + 1]])
        except BaseException as error:  # noqa: BLE001 (whatever fails here belongs to the callers who wait)
            return batch, error
        for job, count in Counter(job for place, (job, _) in enumerate(batch) if place not in bad).items():
            self._advance(job, count)
        return [batch[place] for place in sorted(bad)], BackendError(_NOT_FINITE) if bad else None

    def _rows(self, sequences: list[ModelInput]) -> FloatArray:
        rows = np.asarray(self._backend.run(sequences), np.float32)
        wanted = sum(sequence.num_rows for sequence in sequences)
        if len(rows) != wanted:
            raise BackendError(f"The model failed: it gave {len(rows)} rows where {wanted} are wanted.")
        return rows

    def _gave_up(self, job: _Job, failed: _Batch, error: BaseException) -> bool:
        """Whether the model is broken rather than an input: then all that is left of the job has failed."""
        left = job.todo + [index for _, index in reversed(failed)]  # shortest first
        probes = [job.sequences[left[n * len(left) // _PROBES]] for n in range(_PROBES)]
        if len(left) <= _PROBES or any(map(self._can_run, probes)):
            return False
        job.todo, job.tokens = [], 0
        self._fail([(job, index) for index in left], _as_backend_error(error))
        return True

    def _can_run(self, sequence: ModelInput) -> bool:
        try:
            return bool(np.isfinite(self._rows([sequence])).all())
        except BaseException:  # noqa: BLE001 (the error that led here is the one that is reported)
            return False

    def _lower_budget(self, lengths: list[int]) -> None:
        """After a pass that was too large: half of it is what the next may hold, or its longest sequence."""
        longest = max(lengths)
        cost = self._cost(longest, sum(lengths), len(lengths))
        self._budget = min(self._budget, max(longest, cost // 2))
        if not self._lowered:
            self._lowered = True
            message = "Out of memory on a pass of %d tokens: later ones are smaller; token_budget=%d would avoid this."
            logger.warning(message, cost, self._budget)

    def _fail(self, items: _Batch, error: JinaComponentsError) -> None:
        """Note an error for items of one job."""
        job = items[0][0]
        job.errors.update({index: error for _, index in items})
        self._advance(job, len(items))

    def _advance(self, job: _Job, count: int) -> None:
        job.unfinished -= count
        try:
            if job.on_progress is not None and not job.future.done():
                job.on_progress(count)
        except BaseException as error:  # noqa: BLE001 (the caller's own callback)
            self._finish(job, _as_backend_error(error, "The progress callback"))
        if not job.unfinished:
            self._finish(job)

    def _finish(self, job: _Job, error: BaseException | None = None) -> None:
        with self._wake:
            self._jobs = [other for other in self._jobs if other is not job]
        if job.future.done() or not job.future.set_running_or_notify_cancel():
            return
        if error is None:
            job.future.set_result(JobResult(job.rows, job.errors))
        else:
            job.future.set_exception(error)

    def after_fork(self) -> None:
        """As `Owner`."""
        self._wake = threading.Condition()
        self._jobs, self._thread = [], None


def _as_backend_error(error: BaseException, what: str = "The model") -> JinaComponentsError:
    if isinstance(error, JinaComponentsError):
        return error
    wrapped = BackendError(f"{what} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _single_error(error: BaseException, length: int) -> JinaComponentsError:
    if not isinstance(error, MemoryError):
        return _as_backend_error(error)
    wrapped = BackendError(
        f"Out of memory on a single input of {length} tokens: segment it, or use a smaller model; of a listwise "
        "reranker it is a block of documents, for which token_budget can be set."
    )
    wrapped.__cause__ = error
    return wrapped
