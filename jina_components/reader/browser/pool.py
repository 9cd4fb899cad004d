"""Which Chromium serves which job: one at a time, a fresh one after many pages or a crash, none when idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jina_components.reader.browser.chromium import Chromium


class ChromiumPool:
    """Lends a running Chromium to a few jobs at the same time. Belongs to one event loop.

    Args:
        size: Jobs at the same time.
        pages: Pages after which a process is replaced.
        idle_seconds: Time without a job after which it is ended.
        executable: Path of Chromium, or None to look for one.
        proxy_port: Port of the proxy it may use.
        switches: Further switches.
    """

    def __init__(
        self,
        *,
        size: int,
        pages: int,
        idle_seconds: float,
        executable: str | None,
        proxy_port: int,
        switches: tuple[str, ...],
    ) -> None:
        self._slots = asyncio.Semaphore(size)
        self._pages = pages
        self._idle_seconds = idle_seconds
        self._executable = executable
        self._proxy_port = proxy_port
        self._switches = switches
        self._current: asyncio.Task[Chromium] | None = None
        self._all: set[Chromium] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Chromium]:
        """A Chromium for one page.

        Raises:
            MissingDependencyError: there is none.
            ConfigError: it does not start.
        """
        async with self._slots:
            chromium = await self._running()
            chromium.jobs += 1
            chromium.served += 1
            try:
                yield chromium
            finally:
                chromium.jobs -= 1
                self._settle()

    async def aclose(self) -> None:
        """End every Chromium, whatever it does."""
        self._cancel_idle()
        starting, self._current = self._current, None
        if starting is not None:
            await asyncio.gather(starting, return_exceptions=True)
        for chromium in list(self._all):
            self._end(chromium)
        await asyncio.gather(*self._closing)

    async def _running(self) -> Chromium:
        self._cancel_idle()
        if self._current is None or (self._current.done() and not self._may_serve(self._current)):
            self._current = asyncio.ensure_future(self._launch())
            # If all who waited for it have gone, its time without a job begins.
            self._current.add_done_callback(lambda _: self._settle())
        # A job that is cancelled leaves the start to those who wait for it too.
        return await asyncio.shield(self._current)

    async def _launch(self) -> Chromium:
        chromium = await Chromium.launch(
            executable=self._executable, proxy_port=self._proxy_port, switches=self._switches
        )
        self._all.add(chromium)
        return chromium

    def _may_serve(self, started: asyncio.Task[Chromium]) -> bool:
        if not started.done() or started.cancelled() or started.exception() is not None:
            return False
        chromium = started.result()
        return chromium in self._all and chromium.is_usable and chromium.served < self._pages

    def _settle(self) -> None:
        """End those that have served, and have the idle one ended in a while."""
        current = self._current.result() if self._current and self._may_serve(self._current) else None
        for chromium in list(self._all):
            if chromium is not current and chromium.jobs == 0:
                self._end(chromium)
        if current is not None and current.jobs == 0:
            self._cancel_idle()
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._end, current)

    def _end(self, chromium: Chromium) -> None:
        if chromium not in self._all or (chromium.jobs and self._current is not None):
            return
        self._all.discard(chromium)
        task = asyncio.ensure_future(chromium.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
