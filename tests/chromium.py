"""Real Chromium for tests, and the processes that run on this machine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local_server import LOOPBACK

from jina_components.reader.browser import Browser


def running_browser(**settings: Any) -> Iterator[Browser]:
    """A browser that may reach this machine's loopback, for a fixture to yield from."""
    browser = Browser(**{"guard": LOOPBACK, **settings})
    yield browser
    browser.close()


class Watch:
    """The processes that a browser of this test starts: told by a temporary folder of their own, and by their group."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._groups: set[int] = set()

    def alive(self) -> set[int]:
        """The processes that run now."""
        found, others = set(), {}
        for each in Path("/proc").glob("[0-9]*"):
            try:
                told = (each / "environ").read_bytes() + (each / "cmdline").read_bytes()
                state, _, group = (each / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:  # it has ended, or is another user's
                continue
            if state == "Z" or int(each.name) == os.getpid():
                continue
            if str(self.folder).encode() in told:
                found.add(int(each.name))
                if int(group) != os.getpgrp():
                    self._groups.add(int(group))
            else:
                others[int(each.name)] = int(group)
        return found | {pid for pid, group in others.items() if group in self._groups}

    def left(self) -> list[Path]:
        """What is left in the temporary folder."""
        return [each for each in self.folder.glob("*") if "playwright" in each.name or "chrom" in each.name.lower()]


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
