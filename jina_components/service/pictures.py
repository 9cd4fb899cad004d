"""Which images of web pages are pictures worth showing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jina_components.errors import InputError, WebError
from jina_components.net import FetchOptions, SupportsFetch
from jina_components.types import Image

if TYPE_CHECKING:
    import PIL.Image

# The shorter side in pixels; smaller ones are icons, buttons, and pixels that count visitors.
_SIDE = 256
# How many are looked at, at a time, for how many seconds together.
_SEEN, _AT_A_TIME, _SECONDS = 30, 6, 20.0
_FETCH = FetchOptions(max_bytes=10_000_000, timeout=10.0)


def check_pictures() -> None:
    """See that images can be looked at.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    import jina_components.models.images  # noqa: F401


async def pictures(urls: Sequence[str], fetcher: SupportsFetch, *, limit: int = 10) -> list[str]:
    """Those of the first images that are of some size, in order; what cannot be fetched in time is none.

    Args:
        urls: http(s) URLs.
        fetcher: Guards and fetches.
        limit: How many to give.
    """
    slots = asyncio.Semaphore(_AT_A_TIME)
    looking = [asyncio.create_task(_side(url, fetcher, slots)) for url in urls[:_SEEN]]
    try:
        seen = set((await asyncio.wait(looking, timeout=_SECONDS))[0]) if looking else set()
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    sized = (url for url, task in zip(urls, looking, strict=False) if task in seen and task.result() >= _SIDE)
    return list(sized)[:limit]


async def _side(url: str, fetcher: SupportsFetch, slots: asyncio.Semaphore) -> int:
    """The shorter side of an image in pixels; 0 where there is none."""
    from jina_components.models.images import atry_images

    try:
        async with slots:
            found = await fetcher.fetch(url, headers={"accept": "image/*"}, options=_FETCH)
            [side] = await atry_images([Image(found.content)], process=_shorter, fetcher=fetcher)
    except (InputError, WebError):
        return 0
    return side if isinstance(side, int) else 0


def _shorter(picture: PIL.Image.Image) -> int:
    return min(picture.size)
