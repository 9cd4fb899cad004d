"""One background event loop for the sync methods of async components.

The way of fsspec: a daemon thread runs a loop for the life of the process, so that sync calls work
inside notebooks and running loops, and connections opened by one call can serve the next.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

SYNC_IN_LOOP = "A sync method was called inside the I/O loop; await its async twin instead."

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner_pid = 0
_iterated: WeakSet[AsyncGenerator[Any, None]] = WeakSet()


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop, started on first use; a forked child starts its own."""
    global _loop, _owner_pid
    with _lock:
        if _loop is None or _owner_pid != os.getpid():
            _loop, _owner_pid = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="jina-components-io", daemon=True).start()
        return _loop


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the background loop and wait; Ctrl-C cancels it.

    Raises:
        RuntimeError: called from the background loop itself, where waiting would never end.
    """
    if is_running():
        coroutine.close()
        raise RuntimeError(SYNC_IN_LOOP)
    future = asyncio.run_coroutine_threadsafe(coroutine, background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def iterate_sync(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """The items of an async generator, which runs on the background loop; it is closed with this one, or at exit."""
    _iterated.add(items)
    try:
        while (item := run_sync(_next(items))) is not None:
            yield item[0]
    finally:
        if not sys.is_finalizing():  # then the loop runs no more, and waiting for it would never end
            run_sync(_close(items))


@atexit.register
def _close_all() -> None:
    for items in list(_iterated):
        run_sync(_close(items))


async def _close(items: AsyncGenerator[T, None]) -> None:
    # A step that Ctrl-C has cancelled may have yet to end, and nothing tells when.
    while getattr(items, "ag_running", False):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await items.aclose()


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | None:
    async for item in items:
        return (item,)
    return None


def is_running() -> bool:
    """Whether the caller runs inside the background loop, where waiting for it would never end."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:  # in no loop at all
        return False
