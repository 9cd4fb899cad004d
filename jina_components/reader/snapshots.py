"""Rendered pages, kept in the fetcher's cache beside its responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from jina_components.errors import WebError
from jina_components.read_options import ReadOptions
from jina_components.reader.browser.snapshot import Order, Snapshot

if TYPE_CHECKING:
    from jina_components.net import ResponseCache, URLGuard

_KIND = "snapshot"
# What shapes a rendered page; with other than the defaults of the second group it is one caller's own.
_SHAPES = ("wait_for_selector", "iframes", "shadow_dom", "user_agent", "referer", "locale", "proxy", "robots")
_OWN = ("cookies", "headers", "scripts", "viewport", "remove_overlays")
_DEFAULTS = ReadOptions()


async def cached_snapshot(
    order: Order, cache: ResponseCache, guard: URLGuard, render: Callable[[], Awaitable[Snapshot]]
) -> Snapshot:
    """What `render` gives, or gave not long ago; an older one, with a warning, if it fails for want of an answer.

    As in Jina's Reader, pages with pictures, cookies, scripts or a viewport of their own are not cached.
    """
    from jina_components.net.cache import may_store
    from jina_components.net.exchange import is_outage

    url, options = order.url, order.options
    own = any(getattr(options, name) != getattr(_DEFAULTS, name) for name in _OWN)
    if own or options.pictures:
        return await render()
    guard.check(url)
    vary = {name: str(getattr(options, name)) for name in _SHAPES} | {"guard": repr(guard), "timing": order.timing}
    tolerance = cache.tolerance if options.cache_tolerance is None else options.cache_tolerance
    if entry := await asyncio.to_thread(cache.load, _KIND, url, vary, tolerance=tolerance):
        return Snapshot(**entry.header, html=entry.body.decode())
    try:
        snapshot = await render()
    except WebError as error:
        if tolerance == 0 or not is_outage(error):
            raise
        entry = await asyncio.to_thread(cache.load, _KIND, url, vary, tolerance=cache.retention)
        if entry is None:
            raise
        warning = f"This is a cached copy, {entry.age:,.0f} seconds old, for no newer one could be had: {error}"
        return Snapshot(**entry.header, html=entry.body.decode(), warnings=(warning,))
    is_whole = snapshot.status == 200 and snapshot.is_document and not snapshot.warnings
    if is_whole and may_store(snapshot.headers) and not options.do_not_track:
        header = {"url": snapshot.url, "status": 200, "title": snapshot.title}
        await asyncio.to_thread(cache.save, _KIND, url, vary, header, snapshot.html.encode())
    return snapshot
