"""Real Chromium for tests, and the processes that run on this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_server import LOOPBACK

from jina_components.reader.browser import Browser

MARK = b"user-data-dir"


def running_browser(**settings: Any) -> Iterator[Browser]:
    """A browser that may reach this machine's loopback, for a fixture to yield from."""
    browser = Browser(**{"guard": LOOPBACK, **settings})
    yield browser
    browser.close()


def processes() -> set[int]:
    """The running processes of Chromium, and of playwright's driver."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            is_dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:  # it has ended
            continue
        if not is_dead and (MARK in command or b"playwright/driver" in command or b"crashpad" in command):
            found.add(int(folder.name))
    return found


def profiles() -> set[Path]:
    """The temporary profiles of Chromium."""
    import tempfile

    return set(Path(tempfile.gettempdir()).glob("playwright*"))


def eventually(check: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Whether `check` comes true in time."""
    end = time.monotonic() + seconds
    while not (holds := check()) and time.monotonic() < end:
        time.sleep(0.1)
    return holds


def page(body: str, **headers: str) -> list[bytes]:
    """Responses of a `LocalServer` route: one HTML page."""
    from local_server import http

    return [http(body=body.encode(), **{"content_type": "text/html; charset=utf-8", **headers})]


def slowly(answer: bytes, seconds: float) -> Callable[..., Any]:
    """A handler of a `LocalServer` that answers after a while."""

    async def handle(_: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(answer)
        await writer.drain()

    return handle
