"""Long work in a thread, slice by slice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jina_components.core.progress import progress_bar

_SLICE = 256


async def in_slices(work: Callable[[range], None], total: int, description: str, *, show: bool) -> None:
    """Work through so many items, with a bar; cancelling is heard once the slice under way is done."""
    with progress_bar(description, unit="item", total=total, show=show) as bar:
        for start in range(0, total, _SLICE):
            places = range(start, min(start + _SLICE, total))
            await asyncio.to_thread(work, places)
            bar.update(len(places))
