"""Signs of life while nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ticked(events: AsyncGenerator[T, None], *, seconds: float = 1.0) -> AsyncGenerator[T | None, None]:
    """The events, and None whenever there was none for so long.

    Whoever waits can then show how long it has been; and Gradio, which looks only between what it is given
    whether the page is still there, ends what nobody sees any more.
    """
    async with aclosing(events):
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait((coming,), timeout=seconds))[0]:
                    yield None
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            if (event := coming.result()) is None:
                return
            yield event
