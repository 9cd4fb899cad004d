"""Calls of many tasks that are made together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """Works off items in groups: while one group is in work, the next one gathers.

    Args:
        work: What becomes of a group, item by item: a result, or the error to raise. It runs in a thread of its own,
            one group at a time.
        name: Of the thread.
        pause: Seconds that an item which is not urgent waits for others.
        most: Items of a group.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        name: str,
        pause: float,
        most: int = 256,
    ) -> None:
        self._work = work
        self._name = name
        self._pause = pause
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Item, asyncio.Future[Result], float]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._is_working = False
        self._is_urgent = False  # to work off what waits

    def add(self, item: Item, *, is_urgent: bool = True) -> asyncio.Future[Result]:
        """What will become of an item. It is worked off also when nobody waits for it any more.

        Args:
            item: To work off.
            is_urgent: Whether it and those that wait are worked off now.
        """
        waiting: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._changed:
            self._waiting.append((item, waiting, time.monotonic() + self._pause))
            if is_urgent or len(self._waiting) >= self._most:
                self._hurry()
            if not self._is_working:
                self._thread = self._thread or ThreadPoolExecutor(1, self._name)
                self._thread.submit(self._work_off)
                self._is_working = True
        return waiting

    def close(self) -> None:
        """Work off what waits, and end the thread; the next item begins another."""
        with self._changed:
            self._hurry()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()

    def _hurry(self) -> None:
        self._is_urgent = True
        self._changed.notify()

    def _work_off(self) -> None:
        while group := self._next():
            results: Sequence[Result | Exception]
            try:
                results = self._work([item for item, *_ in group])
            except Exception as error:  # noqa: BLE001 (raised where the items came from)
                results = [error] * len(group)
            by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result | Exception]]] = {}
            for (_, waiting, _), result in zip(group, results, strict=True):
                by_loop.setdefault(waiting.get_loop(), []).append((waiting, result))
            for loop, resolved in by_loop.items():
                with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                    loop.call_soon_threadsafe(_resolve, resolved)

    def _next(self) -> list[tuple[Item, asyncio.Future[Result], float]]:
        with self._changed:
            if self._waiting:
                self._changed.wait_for(lambda: self._is_urgent, self._waiting[0][-1] - time.monotonic())
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._is_urgent = self._is_urgent and bool(self._waiting)
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
