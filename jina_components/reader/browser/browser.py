"""The browser engine: pages rendered by Chromium, behind the URL guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from jina_components.core.background import background_loop, is_running, run_sync
from jina_components.core.component import Component
from jina_components.errors import ConfigError, FetchTimeoutError, MissingDependencyError, WebError
from jina_components.net.guard import URLGuard
from jina_components.net.guarding_proxy import GuardingProxy
from jina_components.net.passage import PassageLimits
from jina_components.read_options import ReadOptions
from jina_components.reader.browser.snapshot import Order, Snapshot

if TYPE_CHECKING:
    from jina_components.reader.browser.pool import ChromiumPool

T = TypeVar("T")


@dataclass(slots=True)
class _Home:
    """What lives on the background loop: the proxy, the processes, the jobs under way."""

    proxy: GuardingProxy
    pool: ChromiumPool
    jobs: set[asyncio.Task[Any]] = field(default_factory=set)
    is_closing: bool = False


class Browser(Component):
    """Renders pages in Chromium, which reaches the web only through a proxy that asks the URL guard.

    Chromium is started by the first page, kept for the next ones, and replaced after many or a crash. Each page has a
    context of its own: cookies, caches and storage end with it. Call it from any thread and any event loop.

    Args:
        guard: What may be reached, for the page as for all that it loads.
        executable: Path of Chromium or Chrome; None to look for `chromium`, `chromium-browser`, `google-chrome`, and
            the one that playwright installs.
        pool: Pages at the same time; others wait, and their time only then begins to run.
        pages_per_process: Pages after which a new process takes over.
        idle_seconds: Time without pages after which Chromium ends.
        limits: What one page may load.
        switches: Further switches for Chromium's command line. Some of them open what is closed here.

    Raises:
        ConfigError: a number is not positive.
    """

    def __init__(
        self,
        *,
        guard: URLGuard = URLGuard(),  # noqa: B008 (immutable)
        executable: str | None = None,
        pool: int = 4,
        pages_per_process: int = 100,
        idle_seconds: float = 60.0,
        limits: PassageLimits = PassageLimits(),  # noqa: B008 (immutable)
        switches: tuple[str, ...] = (),
    ) -> None:
        if min(pool, pages_per_process) < 1 or idle_seconds <= 0:
            raise ConfigError("pool, pages_per_process and idle_seconds must be positive.")
        self._guard = guard
        self._executable = executable
        self._pool = pool
        self._pages_per_process = pages_per_process
        self._idle_seconds = idle_seconds
        self._limits = limits
        self._switches = switches
        self._home: asyncio.Task[_Home] | None = None

    @property
    def guard(self) -> URLGuard:
        """What may be reached."""
        return self._guard

    async def snapshot(self, url: str, options: ReadOptions, *, timeout: float, html: str | None = None) -> Snapshot:  # noqa: ASYNC109 (of the page, and no cancellation)
        """The page behind `url`, rendered.

        Args:
            url: An http(s) URL.
            options: What to wait for, to send and to write out.
            timeout: Seconds for loading, after which what is there is taken, with a warning.
            html: A document to render at `url` in place of the one that is there; `url` is then not asked.

        Raises:
            BlockedURLError: the guard refuses the URL, or where it leads.
            FetchTimeoutError: nothing was there in time.
            ContentTooLargeError: the document is too large.
            WebError: any other failure of the network, the server or the page.
            InputError: a cookie is malformed or for another host.
            MissingDependencyError: playwright or Chromium is not installed.
            ConfigError: Chromium does not start.
        """
        return await _at_home(self._snapshot(Order(url, options, timeout, html)))

    async def stream(
        self,
        url: str,
        options: ReadOptions,
        *,
        timeout: float,  # noqa: ASYNC109
        html: str | None = None,
    ) -> AsyncGenerator[Snapshot, None]:
        """Snapshots of the page while it loads, each more complete; the last one is what `snapshot` gives.

        The parameters and errors are those of `snapshot`.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Snapshot | None] = asyncio.Queue(maxsize=1)

        def put_latest(item: Snapshot | None) -> None:
            if queue.full():  # a slow reader gets the newest one, and no backlog of whole documents
                queue.get_nowait()
            queue.put_nowait(item)

        def put(item: Snapshot | None) -> None:
            with suppress(RuntimeError):  # the reader's loop has been closed, and nobody reads any more
                loop.call_soon_threadsafe(put_latest, item)

        task = asyncio.ensure_future(_at_home(self._snapshot(Order(url, options, timeout, html, put))))
        task.add_done_callback(lambda _: put(None))
        try:
            while (item := await queue.get()) is not None:
                yield item
            yield await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def aclose(self) -> None:
        """End Chromium and all pages under way, whose callers get a `WebError`; the next page starts it again."""
        await _at_home(self._aclose())

    def close(self) -> None:
        """Like `aclose`."""
        run_sync(self.aclose())

    async def _snapshot(self, order: Order) -> Snapshot:
        order = replace(order, url=self._guard.check(order.url))
        home = await self._at_loop()
        job = asyncio.current_task()
        assert job is not None  # noqa: S101 (this is a coroutine)
        home.jobs.add(job)
        try:
            return await self._visited(home, order)
        except asyncio.CancelledError as error:
            if not home.is_closing:
                raise
            raise WebError(f"{order.url} is not read: the browser was closed meanwhile.", order.url) from error
        finally:
            home.jobs.discard(job)

    async def _visited(self, home: _Home, order: Order, *, again: bool = True) -> Snapshot:
        from jina_components.reader.browser.visit import visit

        async with home.pool.lease() as chromium:
            passage = home.proxy.open(limits=self._limits, upstream=order.options.proxy)
            try:
                return await visit(chromium, order, passage, proxy_port=home.proxy.port)
            except WebError as error:
                # Chromium has crashed, by another's page perhaps.
                if chromium.is_usable or not again or isinstance(error, FetchTimeoutError):
                    raise
            finally:
                home.proxy.end(passage)
        return await self._visited(home, order, again=False)

    async def _at_loop(self) -> _Home:
        """What lives on this loop, the background one; made by the first who asks, and again after a fork."""
        loop = asyncio.get_running_loop()
        while True:
            if self._home is None or self._home.get_loop() is not loop:
                self._home = loop.create_task(self._settled())
            asked = self._home
            try:
                home = await asyncio.shield(asked)
            except Exception:
                if self._home is asked:
                    self._home = None
                raise
            if not home.is_closing:  # else it was closed while this one waited
                return home

    async def _settled(self) -> _Home:
        try:
            from jina_components.reader.browser.pool import ChromiumPool
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "The browser engine needs playwright: pip install 'jina-components[browser]'."
            ) from error
        proxy = GuardingProxy(self._guard)
        await proxy.start()
        pool = ChromiumPool(
            size=self._pool,
            pages=self._pages_per_process,
            idle_seconds=self._idle_seconds,
            executable=self._executable,
            proxy_port=proxy.port,
            switches=self._switches,
        )
        return _Home(proxy, pool)

    async def _aclose(self) -> None:
        if self._home is None or self._home.get_loop() is not asyncio.get_running_loop():
            return
        home, self._home = await self._home, None
        home.is_closing = True
        for job in home.jobs:
            job.cancel()
        await asyncio.gather(*home.jobs, return_exceptions=True)
        await home.pool.aclose()
        await home.proxy.aclose()


async def _at_home(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the background loop, from whichever loop this is; a cancelled caller cancels it."""
    if is_running():
        return await asyncio.ensure_future(work)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, background_loop()))
