"""The worker: embeds what waits, a chunk at a time, and commits each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ParamSpec, TypeVar

import orjson

from jina_components.embedder import Embedder
from jina_components.errors import (
    BackendError,
    JinaComponentsError,
    MissingDependencyError,
    ModelFilesError,
    UnknownNameError,
)
from jina_components.service.batches.jobs import Batch, Line
from jina_components.service.batches.store import BatchStore
from jina_components.service.batches.webhooks import Webhooks
from jina_components.service.calls import OWNER
from jina_components.service.components import Components
from jina_components.service.embedding import embedded
from jina_components.service.errors import Problem, as_problem, problem
from jina_components.service.logs import REQUEST_ID
from jina_components.service.metrics import Metrics
from jina_components.service.stepping import keep_stepping
from jina_components.service.wire.batches import embeddings_request
from jina_components.types import Embeddings

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# No line of the batch can be embedded.
_NO_MODEL = (UnknownNameError, ModelFilesError, MissingDependencyError)

# A chunk is to take this long, so that calls of people who wait get their turn soon, and a kill costs little work: it
# has as many bytes as the model is fast for, within bounds.
_CHUNK_SECONDS = 0.2
_CHUNK_INPUTS = 256
_LEAST_BYTES, _MOST_BYTES = 1024.0, 131_072.0
_POLL_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_RETRY_SECONDS = (1.0, 5.0, 30.0, 120.0, 600.0)
"""After which a batch is tried again of which the model failed on a whole chunk."""
_MOST_BEGUN = 3
"""Times that lines are begun while the process ends each time, as by a lack of memory."""
_FAULT = problem(500, "The model failed on this. The log of the service has it under this request_id.")
_KILLED = problem(
    500,
    f"The service was killed {_MOST_BEGUN} times while it embedded this or lines beside it: send it alone, or shorter.",
)


class BatchWorker:
    """Works on the batches of a store, beside those of other processes and machines: each on another batch.

    What one leaves behind that is killed goes to another some seconds later. Batches of different owners take turns,
    chunk by chunk.

    Args:
        store: Of the batches.
        components: What embeds.
        webhooks: What tells of the end.
        metrics: Where lines are counted that are done.
    """

    def __init__(self, store: BatchStore, components: Components, webhooks: Webhooks, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._embedders = components.embedders
        self._webhooks = webhooks
        self._woken = asyncio.Event()
        self._owner = ""
        self._bytes: dict[str, float] = {}
        self._swept_at = -_SWEEP_SECONDS

    def wake(self) -> None:
        """Look for work now rather than a little later."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled. What was embedded is then committed or not at all."""
        async with asyncio.TaskGroup() as group:
            for step in (self._step, self._webhooks.step):
                group.create_task(keep_stepping(step, self._woken, what="the worker of batches", poll=_POLL_SECONDS))

    async def _step(self) -> bool:
        """One chunk, and some tidying up when it is time; whether there was anything to do."""
        sweeping = time.monotonic() - self._swept_at >= _SWEEP_SECONDS
        if sweeping and not await _whole(self._store.sweep):
            self._swept_at, sweeping = time.monotonic(), False
        batch = await self._next_turn()
        if batch is None:
            return sweeping
        self._owner = batch.owner
        await self._work(batch)
        return True

    async def _next_turn(self) -> Batch | None:
        taking = asyncio.ensure_future(asyncio.to_thread(self._store.next_turn, self._owner))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            if batch := await taking:  # others need not wait until it is over
                await asyncio.to_thread(self._store.put_back, batch)
            raise

    async def _work(self, batch: Batch) -> None:
        REQUEST_ID.set(batch.request_id)
        OWNER.set(batch.owner)
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew(batch))
            try:
                await self._worked(batch)
            except BaseException:  # such as the end of the service, or a full disk
                await _whole(self._store.put_back, batch)
                raise
            renewing.cancel()

    async def _renew(self, batch: Batch) -> None:
        """Hold a batch, however long its model takes; what comes of a turn that is over all the same is not kept."""
        goes_on = True
        while goes_on:
            await asyncio.sleep(self._store.lease / 3)
            with suppress(Problem):  # there is time for another try
                goes_on = await _whole(self._store.renew, batch)

    async def _worked(self, batch: Batch) -> None:
        refused = await _whole(self._store.refusal, batch)
        waiting = await _whole(self._take, batch, _MOST_BYTES if refused else self._chunk_bytes(batch))
        if refused:
            await self._commit(batch, [line.failed_with(refused) for line in waiting])
            return
        if batch.begun > _MOST_BEGUN:
            logger.error(
                "The process was killed %d times while at %d lines of %s.", _MOST_BEGUN, len(waiting), batch.id
            )
            if batch.failed and not batch.completed:  # other lines will fare no better
                await _whole(self._store.fail, batch, _KILLED.detail)
            else:
                await self._commit(batch, [line.failed_with(_KILLED) for line in waiting])
            return
        try:
            results = await self._embedded(batch, waiting) if waiting else []
        except UnknownNameError as error:  # no line can be embedded
            await _whole(self._store.fail, batch, error.message)
            return
        faults = [each for each in results if isinstance(each, Exception)]
        if faults:
            logger.error(
                "The model failed on %d of %d lines of %s.", len(faults), len(waiting), batch.id, exc_info=faults[0]
            )
        if faults and len(faults) == len(waiting):
            if batch.attempts < len(_RETRY_SECONDS):
                await _whole(self._store.defer, batch, _RETRY_SECONDS[batch.attempts])
                return
            if not batch.completed:
                await _whole(self._store.fail, batch, _FAULT.detail)
                return
        lines = [
            result if isinstance(result, Line) else line.failed_with(_FAULT)
            for line, result in zip(waiting, results, strict=True)
        ]
        await self._commit(batch, lines)

    async def _commit(self, batch: Batch, lines: Sequence[Line]) -> None:
        if done := await _whole(self._store.commit, batch, lines):
            self._metrics.add("batch", batch.model, len(done), sum(line.tokens for line in done))

    def _take(self, batch: Batch, max_bytes: float) -> list[Line]:
        return self._store.waiting(batch, max_inputs=_CHUNK_INPUTS, max_bytes=int(max_bytes))

    def _chunk_bytes(self, batch: Batch) -> float:
        fast = self._bytes.setdefault(batch.model, _LEAST_BYTES)
        # Of lines that may have killed the process as few as can be, and always the same.
        return _LEAST_BYTES if batch.begun > 1 else fast

    def _note_speed(self, model: str, seconds: float) -> None:
        """Make the chunks of a model smaller or larger; by a factor of two at most, for a machine may be busy once."""
        factor = min(max(_CHUNK_SECONDS / max(seconds, 1e-3), 0.5), 2.0)
        self._bytes[model] = min(max(self._bytes[model] * factor, _LEAST_BYTES), _MOST_BYTES)

    async def _embedded(self, batch: Batch, waiting: Sequence[Line]) -> list[Line | Exception]:
        """What became of each line; an exception where the model is to blame rather than the line."""
        with self._embedders.use(batch.model) as embedder:
            try:
                await asyncio.to_thread(embedder.load)
            except _NO_MODEL:
                raise
            except Exception as error:  # noqa: BLE001 (such as no memory: it may go another time)
                return [error] * len(waiting)
            # Each by itself, so that it fails alone; the model's batcher runs them together.
            calls = (_embed(embedder, batch, line) for line in waiting)
            began = time.monotonic()
            results = await asyncio.gather(*calls, return_exceptions=True)
            self._note_speed(batch.model, time.monotonic() - began)
            return [_judged(line, result) for line, result in zip(waiting, results, strict=True)]


def _judged(line: Line, result: Line | BaseException) -> Line | Exception:
    if isinstance(result, Line):
        return result
    if isinstance(result, _NO_MODEL):
        raise result
    if isinstance(result, Problem) or (
        isinstance(result, JinaComponentsError) and not isinstance(result, BackendError)
    ):
        return line.failed_with(as_problem(result))
    return result if isinstance(result, Exception) else BackendError(f"The model was stopped: {result!r}.")


async def _embed(embedder: Embedder, batch: Batch, line: Line) -> Line:
    asked = embeddings_request(batch, orjson.loads(line.content))
    made = (await embedded(embedder, asked, per_token=False)).result
    assert isinstance(made, Embeddings)  # noqa: S101 (so it was asked for)
    return replace(line, content=made.vectors.astype("<f4", copy=False).tobytes(), tokens=made.usage.total_tokens)


async def _whole(step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of a step in a thread, which ends once it has begun, also when the worker is to end."""
    running = asyncio.ensure_future(asyncio.to_thread(step, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
