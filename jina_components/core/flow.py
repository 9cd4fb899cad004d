"""Logic written once for sync and async callers: a generator that yields what to wait for, and a driver of each kind.

The way of httpx's auth flows. A step is a function, which may block and so runs in a thread for async callers, or a
future that something else completes. The generator is sent the step's result; an error of a step ends the flow, whose
`finally` blocks then cancel what they started. The same happens when an async caller is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Step: TypeAlias = "Callable[[], Any] | Future[Any]"
Flow: TypeAlias = Generator[Step, Any, T]


def drive(flow: Flow[T]) -> T:
    """Run a flow in this thread."""
    try:
        step = next(flow)
        while True:
            step = flow.send(step.result() if isinstance(step, Future) else step())
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()


async def adrive(flow: Flow[T]) -> T:
    """Run a flow without blocking the event loop."""
    try:
        step = next(flow)
        while True:
            waiting = asyncio.wrap_future(step) if isinstance(step, Future) else asyncio.to_thread(step)
            step = flow.send(await waiting)
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()
