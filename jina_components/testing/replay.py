"""Reading the web from a file: what was fetched once is recorded in a WARC file (ISO 28500) and served from it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from jina_components.errors import (
    ConfigError,
    ContentTooLargeError,
    MissingDependencyError,
    ReadError,
    WebError,
)
from jina_components.net import Fetched, FetchOptions, SupportsFetch, URLGuard
from jina_components.net.exchange import accepted, joined

if TYPE_CHECKING:
    from warcio.archiveiterator import ArchiveIterator

_EVERYWHERE = URLGuard(allow_networks=("0.0.0.0/0", "::/0"))
_KINDS = ("response", "resource")
_MAX_REDIRECTS = 10
_DROPPED = frozenset({"content-encoding", "content-length", "set-cookie", "transfer-encoding"})


class WarcFetcher:
    """Serves what a WARC file holds in the place of a `Fetcher`; of several records of a URL the last.

    Nothing is fetched. Redirects in the file are followed. The file may be compressed, record by record, as WARC
    files are; it is read once for its table of contents and then where a page lies. Needs `warcio`.

    Args:
        path: The file.
        max_bytes: Limit of a body.

    Raises:
        ConfigError: the limit is not positive; later: the file is no WARC file.
        ReadError: later: the file cannot be read.
        MissingDependencyError: later: warcio is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 50_000_000) -> None:
        if max_bytes < 1:
            raise ConfigError(f"max_bytes must be positive, got {max_bytes}.")
        self.path = Path(path)
        self.max_bytes = max_bytes
        self._offsets: dict[str, int] | None = None

    def __repr__(self) -> str:
        return f"WarcFetcher({str(self.path)!r})"

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002 (a Fetcher's signature)
        options: FetchOptions = FetchOptions(),  # noqa: B008 (immutable)
    ) -> Fetched:
        """The response recorded for `url`; of `options`, `max_bytes` and `accept_errors` matter.

        Raises:
            WebError: the file has no record of the URL, or of what it redirects to; else as `Fetcher.fetch`.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            url = _EVERYWHERE.check(url)
            fetched = await asyncio.to_thread(self._recorded, url, options.max_bytes or self.max_bytes)
            location = fetched.headers.get("location")
            if not (300 <= fetched.status_code < 400 and location):
                return accepted(fetched, errors=options.accept_errors)
            url = joined(url, location)
        raise WebError(f"{url}: more than {_MAX_REDIRECTS} redirects in {self.path}.", url)

    def urls(self) -> list[str]:
        """The URLs that the file holds, in the order of their first record."""
        return list(self._index())

    def _index(self) -> dict[str, int]:
        if self._offsets is None:
            offsets = {}
            with self._records(0) as records:
                for record in records:
                    if record.format == "warc" and record.rec_type in _KINDS:
                        target = record.rec_headers.get_header("WARC-Target-URI") or ""
                        offsets[_normal(target)] = records.get_record_offset()
            if not offsets:
                raise ConfigError(f"{self.path} is not a sound WARC file: it has no records of responses.")
            self._offsets = offsets
        return self._offsets

    def _recorded(self, url: str, max_bytes: int) -> Fetched:
        offset = self._index().get(url)
        if offset is None:
            raise WebError(f"{url} is not recorded in {self.path}; record it with a WarcRecorder.", url)
        with self._records(offset) as records:
            record = next(iter(records))
            content = record.content_stream().read(max_bytes + 1)
            told = record.http_headers
            status = int(told.get_statuscode()) if told else 200
        if len(content) > max_bytes:
            raise ContentTooLargeError(f"{url}: the recorded response exceeds {max_bytes:,} bytes.", url)
        declared = record.rec_headers.get_header("Content-Type") or ""
        headers = _by_name(told.headers) if told else {"content-type": declared}
        return Fetched(url, status, headers, content)

    @contextmanager
    def _records(self, offset: int) -> Iterator[ArchiveIterator]:
        """The records from `offset` on; errors of the file and of warcio are mapped here."""
        try:
            from warcio.archiveiterator import ArchiveIterator
            from warcio.exceptions import ArchiveLoadFailed
        except ImportError as error:
            raise _missing() from error
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                yield ArchiveIterator(file)
        except OSError as error:
            raise ReadError(f"{self.path} cannot be read ({error}).", str(self.path)) from error
        except (ArchiveLoadFailed, ValueError, StopIteration) as error:
            raise ConfigError(f"{self.path} is not a sound WARC file ({error}); record it again.") from error


class WarcRecorder:
    """Fetches through another fetcher and appends each response to a WARC file, for a `WarcFetcher` to serve.

    What is recorded is the response as a page is read from it: unpacked, without cookies, under the final URL; a URL
    that redirected gets a record of one redirect. Requests and their headers are not recorded. Needs `warcio`.

    Args:
        path: The file; a name that ends in `.gz` makes it a compressed one.
        fetcher: What fetches.

    Raises:
        MissingDependencyError: later: warcio is not installed.
        ReadError: later: the file cannot be written.

    Example:
        >>> async def record(urls: list[str]) -> None:
        ...     recorder = WarcRecorder("pages.warc.gz", fetcher=Fetcher())
        ...     for url in urls:
        ...         await recorder.fetch(url)
    """

    def __init__(self, path: str | os.PathLike[str], *, fetcher: SupportsFetch) -> None:
        self.path = Path(path)
        self._fetcher = fetcher
        self._lock = threading.Lock()

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        options: FetchOptions = FetchOptions(),  # noqa: B008 (immutable)
    ) -> Fetched:
        """As the fetcher's own; pages of an error status are recorded too."""
        fetched = await self._fetcher.fetch(url, headers=headers, options=replace(options, accept_errors=True))
        await asyncio.to_thread(self._record, _normal(url), fetched)
        return accepted(fetched, errors=options.accept_errors)

    def _record(self, asked: str, fetched: Fetched) -> None:
        kept = [(name, value) for name, value in fetched.headers.items() if name not in _DROPPED]
        try:
            with self._lock, self.path.open("ab") as file:
                if asked != fetched.url:
                    _write(file, self._is_packed, asked, 302, [("location", fetched.url)], b"")
                _write(file, self._is_packed, fetched.url, fetched.status_code, kept, fetched.content)
        except OSError as error:
            raise ReadError(f"{self.path} cannot be written ({error}).", str(self.path)) from error

    @property
    def _is_packed(self) -> bool:
        return self.path.suffix == ".gz"


def _write(
    file: BinaryIO, is_packed: bool, url: str, status: int, headers: list[tuple[str, str]], content: bytes
) -> None:
    try:
        from warcio.statusandheaders import StatusAndHeaders
        from warcio.warcwriter import WARCWriter
    except ImportError as error:
        raise _missing() from error
    writer = WARCWriter(file, gzip=is_packed)
    told = StatusAndHeaders(
        f"{status} Recorded", [*headers, ("content-length", str(len(content)))], protocol="HTTP/1.1"
    )
    record = writer.create_warc_record(
        url, "response", payload=BytesIO(content), http_headers=told, length=len(content)
    )
    writer.write_record(record)
    record.raw_stream.close()  # a temporary file, if warcio needed one


def _normal(url: str) -> str:
    try:
        return _EVERYWHERE.check(url)
    except WebError:
        return url  # such as the `urn:` of a record of metadata: nobody can ask for it


def _by_name(headers: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


def _missing() -> MissingDependencyError:
    return MissingDependencyError("WARC files need warcio: pip install warcio")
