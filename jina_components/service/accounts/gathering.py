"""Calls of many tasks that are made together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """Works off items in groups: while one group is in work, the next one gathers. Nobody waits for a group to fill.

    Args:
        work: What becomes of a group, item by item: a result, or the error to raise. It runs in a thread of its own,
            one group at a time.
        name: Of the thread.
        most: Items of a group.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, name: str, most: int = 256
    ) -> None:
        self._work = work
        self._name = name
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._is_working = False

    async def add(self, item: Item) -> Result:
        """What became of an item. It is worked off also when nobody waits for it any more."""
        waiting: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.append((item, waiting))
            if not self._is_working:
                self._thread = self._thread or ThreadPoolExecutor(1, self._name)
                self._thread.submit(self._work_off)
                self._is_working = True
        return await waiting

    def close(self) -> None:
        """Work off what waits, and end the thread; the next item begins another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()

    def _work_off(self) -> None:
        while group := self._next():
            results: Sequence[Result | Exception]
            try:
                results = self._work([item for item, _ in group])
            except Exception as error:  # noqa: BLE001 (raised where the items came from)
                results = [error] * len(group)
            by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result | Exception]]] = {}
            for (_, waiting), result in zip(group, results, strict=True):
                by_loop.setdefault(waiting.get_loop(), []).append((waiting, result))
            for loop, resolved in by_loop.items():
                with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                    loop.call_soon_threadsafe(_resolve, resolved)

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._is_working = bool(group)
            return group


def _resolve(resolved: Sequence[tuple[asyncio.Future[Result], Result | Exception]]) -> None:
    for waiting, result in resolved:
        if waiting.done():  # cancelled
            continue
        if isinstance(result, Exception):
            waiting.set_exception(result)
        else:
            waiting.set_result(result)
