"""An on-disk cache of responses."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from jina_components.errors import ConfigError
from jina_components.net.exchange import Fetched

_ENTRY, _PARTIAL = ".response", ".partial"
_UNCACHEABLE = frozenset({"no-store", "private"})
_ABANDONED_SECONDS = 3600


class ResponseCache:
    """Responses to GET requests, kept as files of a digest, a JSON line and the raw body.

    Entries are written to a temporary file and renamed, and the digest covers all the rest: a process killed
    at any point, or a damaged disk, costs an entry and never gives a wrong one. Several processes may share
    a directory.

    Args:
        directory: Where the entries lie; made when first written to.
        tolerance: Age in seconds up to which an entry is served, whatever lifetime the server gave it.
        max_bytes: Total size on disk above which the oldest entries are removed.

    Raises:
        ConfigError: a limit is negative; later: the directory cannot be read or written.
    """

    def __init__(self, directory: str | os.PathLike[str], *, tolerance: float, max_bytes: int = 1_000_000_000) -> None:
        if tolerance < 0 or max_bytes < 0:
            raise ConfigError(f"tolerance and max_bytes must not be negative: {tolerance}, {max_bytes}.")
        self.directory = Path(directory)
        self.tolerance = tolerance
        self.max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"ResponseCache({str(self.directory)!r}, tolerance={self.tolerance})"

    def get(self, url: str, vary: Mapping[str, str]) -> Fetched | None:
        """The response stored for `url` and `vary`, or None when there is none young and whole.

        Args:
            url: The URL as requested.
            vary: All else that shapes the answer, such as the request headers.
        """
        path = self._path(url, vary)
        with self._disk_errors():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            entry = _decode(data)
            if entry is None:
                path.unlink(missing_ok=True)
                return None
        stored_at, fetched = entry
        return fetched if 0 <= time.time() - stored_at < self.tolerance else None

    def put(self, url: str, vary: Mapping[str, str], fetched: Fetched) -> None:
        """Store `fetched`, unless its status is not 200 or the server forbids it (RFC 9111, section 5.2.2).

        A response with `Set-Cookie` is meant for one reader and is not stored either.
        """
        data = _encode(fetched)
        if len(data) > self.max_bytes or not _may_store(fetched):
            return
        with self._disk_errors():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._write(self._path(url, vary), data)
            self._evict()

    def _path(self, url: str, vary: Mapping[str, str]) -> Path:
        key = json.dumps([url, sorted(vary.items())])
        return self.directory / (hashlib.blake2b(key.encode(), digest_size=20).hexdigest() + _ENTRY)

    def _write(self, path: Path, data: bytes) -> None:
        descriptor, partial = tempfile.mkstemp(dir=self.directory, suffix=_PARTIAL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def _evict(self) -> None:
        now, entries, total = time.time(), [], 0
        for file in self.directory.iterdir():
            if file.suffix not in (_ENTRY, _PARTIAL):
                continue
            with suppress(FileNotFoundError):  # another process removed or renamed it
                stat = file.stat()
                if file.suffix == _ENTRY:
                    entries.append((stat.st_mtime_ns, file, stat.st_size))
                    total += stat.st_size
                elif now - stat.st_mtime > _ABANDONED_SECONDS:
                    file.unlink()
        for _, file, size in sorted(entries):
            if total <= self.max_bytes:
                break
            file.unlink(missing_ok=True)
            total -= size

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"The response cache in {self.directory} cannot be used ({error}); "
                "free space, choose another directory or go without a cache."
            ) from error


def _may_store(fetched: Fetched) -> bool:
    control = fetched.headers.get("cache-control", "").lower()
    directives = {part.partition("=")[0].strip() for part in control.split(",")}
    return (
        fetched.status_code == 200
        and "set-cookie" not in fetched.headers
        and fetched.headers.get("vary", "").strip() != "*"
        and not directives & _UNCACHEABLE
    )


def _encode(fetched: Fetched) -> bytes:
    header = {
        "url": fetched.url,
        "status_code": fetched.status_code,
        "headers": dict(fetched.headers),
        "stored_at": time.time(),
    }
    body = json.dumps(header).encode() + b"\n" + fetched.content
    return _digest(body) + b"\n" + body


def _decode(data: bytes) -> tuple[float, Fetched] | None:
    """Time stored and response, or None when the entry is damaged."""
    digest, _, body = data.partition(b"\n")
    if digest != _digest(body):
        return None
    line, _, content = body.partition(b"\n")
    header = json.loads(line)
    return header["stored_at"], Fetched(
        header["url"], header["status_code"], header["headers"], content, from_cache=True
    )


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=20).hexdigest().encode()
