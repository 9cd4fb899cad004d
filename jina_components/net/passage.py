"""What one job of a browser may do through the `GuardingProxy`, and what became of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import httpx

from jina_components.errors import BlockedURLError, WebError
from jina_components.net.guard import DEFAULT_PORTS
from jina_components.types import shorten

# A hostile page has thousands of requests refused, whose URLs are tens of thousands of characters long.
_MAX_KEPT = 1000
_KEPT_CHARS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageLimits:
    """Limits of one job.

    Attributes:
        connections: Connections opened, one for each plain HTTP request.
        hosts: Distinct host names.
        max_bytes: Bytes in both directions.
    """

    connections: int = 3300
    hosts: int = 200
    max_bytes: int = 500_000_000


class Passage:
    """One job's way through the proxy: its password, its limits, and the errors it met.

    Attributes:
        username, password: What the job's connections authenticate with; made up for it.
        limits: What it may use.
        upstream: URL of a further proxy to go through, or empty.
        errors: What was refused or failed, by URL of a plain request and by `host:port` of a tunnel.
    """

    def __init__(self, *, limits: PassageLimits, upstream: str = "") -> None:
        self.username = secrets.token_hex(8)
        self.password = secrets.token_hex(16)
        self.limits = limits
        self.upstream = upstream
        self.errors: dict[str, WebError] = {}
        self._shut = ""
        self._connections = 0
        self._bytes = 0
        self._hosts: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def blocked(self) -> tuple[BlockedURLError, ...]:
        """What the guard refused, each once."""
        return tuple(error for error in self.errors.values() if isinstance(error, BlockedURLError))

    def error_of(self, url: str) -> WebError | None:
        """Why `url` could not be reached, or None if nothing is known against it."""
        target = url.partition("#")[0] if url.startswith("http:") else _authority(url)
        return self.errors.get(target[:_KEPT_CHARS])

    def record(self, target: str, error: WebError) -> None:
        """Keep the first error of `target`; past a thousand targets nothing more is kept."""
        if len(self.errors) < _MAX_KEPT:
            # A new one: the traceback of the other would hold all that the connection has read.
            kept = type(error)(shorten(error.message, 500), error.url[:_KEPT_CHARS])
            self.errors.setdefault(target[:_KEPT_CHARS], kept)

    def enter(self, task: asyncio.Task[None]) -> None:
        """Bind a connection's task to this job, which ends it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def admit(self, host: str) -> None:
        """Count a connection to `host`.

        Raises:
            WebError: the job is over a limit, or at its end.
        """
        if not self._shut:
            self._connections += 1
            self._hosts.add(host)
        if self._connections > self.limits.connections:
            self.shut(f"it opens more than {self.limits.connections:,} connections")
        if len(self._hosts) > self.limits.hosts:
            self.shut(f"it asks for more than {self.limits.hosts:,} hosts")
        if self._shut:
            raise WebError(f"{shorten(host)} is not asked: {self._shut}.")

    def count(self, size: int) -> None:
        """Count `size` bytes; past the limit, all connections end."""
        self._bytes += size
        if self._bytes > self.limits.max_bytes:
            self.shut(f"it moves more than {self.limits.max_bytes:,} bytes")

    def shut(self, reason: str) -> None:
        """End all connections and let no other begin; the first reason is the one that is told."""
        if not self._shut:
            self._shut = reason
        for task in self._tasks:
            task.cancel()

    @property
    def reason(self) -> str:
        """Why it was shut, or empty while it is open."""
        return self._shut


def _authority(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return ""
    host = parsed.raw_host.decode("ascii")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parsed.port or DEFAULT_PORTS.get(parsed.scheme, 0)}"
