"""An on-disk cache of responses, and of what else was made of a URL."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError
from jina_components.net.cache_file import CacheFile, Row
from jina_components.net.exchange import Fetched

_FILE_SUFFIXES = frozenset({".sqlite", ".sqlite3", ".db"})
_FILE_NAME = "responses.sqlite"
_HTTP = "http"
_UNCACHEABLE = frozenset({"no-store", "private"})
_ORIGIN = re.compile(r"\A[^:/?#]*://[^/?#]*")
_ROUTES = ("/", "!")
_FASTEST = 1
_DIGEST_BYTES = 20
_MAX_ENTRY_BYTES = 900_000_000  # SQLite takes values of up to 10^9 bytes


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What was kept.

    Attributes:
        header: What was said about the body.
        body: The bytes.
        age: Seconds since it was stored.
    """

    header: Mapping[str, Any] = field(hash=False)
    body: bytes = field(repr=False)
    age: float


class ResponseCache:
    """Responses to GET requests, and entries of other kinds, in an SQLite file.

    An entry younger than `tolerance` is served; up to `retention` it is kept in case a fetch fails. Threads and
    processes may share the file, which must lie on a local disk. SQLite's write-ahead log keeps it whole when a process
    is killed at any point, and a digest of each entry tells when the disk has damaged it: it is then gone, not wrong.

    The key of an entry is its URL, with scheme and host in lower case and the fragment only if it reads as a route
    (`#/`, `#!`), and all that shapes the answer. Jina's Reader lower-cases all of the URL, which takes `/a` and `/A`
    for one page; we do not.

    Args:
        path: A file (.sqlite, .sqlite3, .db), or a directory to hold one; made when first used.
        tolerance: Age in seconds up to which an entry is served, whatever lifetime the server gave it.
        retention: Seconds after which an entry is removed.
        max_bytes: Total size of the entries above which the oldest are removed.

    Raises:
        ConfigError: a limit is negative; later: the file cannot be read or written, or is of another kind.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tolerance: float = 3600.0,
        retention: float = 7 * 86_400.0,
        max_bytes: int = 1_000_000_000,
    ) -> None:
        if min(tolerance, retention, max_bytes) < 0:
            raise ConfigError(
                f"tolerance, retention and max_bytes must not be negative: {tolerance}, {retention}, {max_bytes}."
            )
        given = Path(path)
        self.path = given if given.suffix in _FILE_SUFFIXES else given / _FILE_NAME
        self.tolerance = tolerance
        self.retention = retention
        self.max_bytes = max_bytes
        self._file = CacheFile(self.path)

    def __repr__(self) -> str:
        return f"ResponseCache({str(self.path)!r}, tolerance={self.tolerance})"

    def __reduce__(self) -> tuple[Callable[..., ResponseCache], tuple[str, float, float, int]]:
        return _made, (str(self.path), self.tolerance, self.retention, self.max_bytes)

    def get(self, url: str, vary: Mapping[str, str], *, tolerance: float | None = None) -> Fetched | None:
        """The response stored for `url` and `vary`, or None when there is none young and whole.

        Args:
            url: The URL as requested.
            vary: All else that shapes the answer, such as the request headers.
            tolerance: Age in seconds up to which it will do; None for the cache's.
        """
        entry = self.load(_HTTP, url, vary, tolerance=tolerance)
        if entry is None:
            return None
        told = entry.header
        return Fetched(told["url"], told["status_code"], told["headers"], entry.body, from_cache=True, age=entry.age)

    def put(self, url: str, vary: Mapping[str, str], fetched: Fetched) -> None:
        """Store `fetched`, unless its status is not 200 or the server forbids it (RFC 9111, section 5.2.2).

        A response with `Set-Cookie` is meant for one reader and is not stored either.
        """
        if fetched.status_code == 200 and "set-cookie" not in fetched.headers and may_store(fetched.headers):
            header = {"url": fetched.url, "status_code": fetched.status_code, "headers": dict(fetched.headers)}
            self.save(_HTTP, url, vary, header, fetched.content)

    def load(
        self, kind: str, url: str, vary: Mapping[str, str], *, tolerance: float | None = None
    ) -> CacheEntry | None:
        """Like `get`, for an entry of any kind.

        Args:
            kind: What it is, such as `snapshot`: kinds do not meet.
            url: The URL it was made of.
            vary: All else that shapes it.
            tolerance: Age in seconds up to which it will do; None for the cache's.
        """
        accepted = min(self.retention, self.tolerance if tolerance is None else tolerance)
        if accepted == 0:
            return None
        key, now = _key(kind, url, vary), time.time()
        row = self._file.read(key, since=now - accepted)
        if row is None or row.stored_at > now:
            return None
        body = _unpacked(row)
        if body is None or _digest(row.header, body) != row.digest:
            self._file.remove(key)
            return None
        return CacheEntry(json.loads(row.header), body, now - row.stored_at)

    def save(self, kind: str, url: str, vary: Mapping[str, str], header: Mapping[str, Any], body: bytes) -> None:
        """Store an entry of any kind in place of the one before; one larger than `max_bytes` is not kept.

        Args:
            kind: What it is.
            url: The URL it was made of.
            vary: All else that shapes it.
            header: What to say about the body, as JSON.
            body: The bytes; kept compressed where that makes them smaller.
        """
        text, packed = json.dumps(header), zlib.compress(body, _FASTEST)
        shrinks = len(packed) < len(body)
        kept = packed if shrinks else body
        row = Row(time.time(), text, len(body) if shrinks else None, _digest(text, body), kept)
        if row.size <= min(self.max_bytes, _MAX_ENTRY_BYTES):
            self._file.write(
                _key(kind, url, vary), row, expired=row.stored_at - self.retention, max_bytes=self.max_bytes
            )

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        self._file.close()


def _made(path: str, tolerance: float, retention: float, max_bytes: int) -> ResponseCache:
    return ResponseCache(path, tolerance=tolerance, retention=retention, max_bytes=max_bytes)


def _key(kind: str, url: str, vary: Mapping[str, str]) -> bytes:
    text = json.dumps([kind, _canonical(url), sorted(vary.items())])
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _canonical(url: str) -> str:
    """`url` in the form in which equal pages have equal ones."""
    whole, _, fragment = url.partition("#")
    kept = f"#{fragment}" if fragment.startswith(_ROUTES) else ""
    return _ORIGIN.sub(lambda origin: origin[0].lower(), whole, count=1) + kept


def may_store(headers: Mapping[str, str]) -> bool:
    """Whether the server lets what has these headers, with names in lower case, be kept for others."""
    directives = {part.partition("=")[0].strip() for part in headers.get("cache-control", "").lower().split(",")}
    return headers.get("vary", "").strip() != "*" and not directives & _UNCACHEABLE


def _unpacked(row: Row) -> bytes | None:
    if row.unpacked_bytes is None:
        return row.body
    try:
        return zlib.decompressobj().decompress(row.body, row.unpacked_bytes + 1)
    except zlib.error:
        return None  # damaged, as its digest would tell


def _digest(header: str, body: bytes) -> bytes:
    digest = hashlib.blake2b(header.encode(), digest_size=_DIGEST_BYTES)
    digest.update(b"\0")
    digest.update(body)
    return digest.digest()
