"""Memory that nobody uses goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import sys

_EVERY_SECONDS = 30.0


async def watch_memory() -> None:
    """Give freed memory back, until cancelled.

    Long texts take gigabytes for a moment, which the C library keeps for the thread that had them.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # musl has none
        return
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        await asyncio.to_thread(libc.malloc_trim, 0)
