"""Logic written once for sync and async callers: a generator that yields what to wait for, and a driver of each kind.

The way of httpx's auth flows. A step is a function, which may block and so runs in a thread for async callers, or a
future that something else completes. The generator is sent the step's result; an error of a step ends the flow, whose
`finally` blocks then cancel what they started. The same happens when an async caller is cancelled; if that is while a
function runs, its result is cancelled when it has a method `cancel`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from jina_components.core.background import SYNC_IN_LOOP, is_running

T = TypeVar("T")
Step: TypeAlias = "Callable[[], Any] | Future[Any]"
Flow: TypeAlias = Generator[Step, Any, T]


def drive(flow: Flow[T]) -> T:
    """Run a flow in this thread.

    Raises:
        RuntimeError: called from the background loop, which may be what completes the future waited for.
    """
    result: Any = None
    try:
        while True:
            try:
                step = flow.send(result)
            except StopIteration as stop:
                return stop.value
            result = _wait(step) if isinstance(step, Future) else _call(step)
    finally:
        flow.close()


async def adrive(flow: Flow[T]) -> T:
    """Run a flow without blocking the event loop."""
    result: Any = None
    try:
        while True:
            try:
                step = flow.send(result)
            except StopIteration as stop:
                return stop.value
            result = await (asyncio.wrap_future(step) if isinstance(step, Future) else _in_thread(step))
    finally:
        flow.close()


def _wait(future: Future[Any]) -> Any:  # noqa: ANN401 (any step's result)
    if not future.done() and is_running():
        future.cancel()
        raise RuntimeError(SYNC_IN_LOOP)
    return future.result()


def _call(step: Callable[[], Any]) -> Any:  # noqa: ANN401 (any step's result)
    """The step's result. StopIteration, which asyncio's futures cannot carry, becomes another error."""
    try:
        return step()
    except StopIteration as error:
        raise RuntimeError("A step raised StopIteration.") from error


async def _in_thread(step: Callable[[], Any]) -> Any:  # noqa: ANN401 (any step's result)
    """Call a step in a thread. It cannot be stopped there: if the caller is cancelled, what it started is."""
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, context.run, _call, step)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(_cancel_result)
        raise


def _cancel_result(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled() and ended.exception() is None and hasattr(ended.result(), "cancel"):
        ended.result().cancel()
