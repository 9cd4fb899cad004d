"""RemoteReader: pages, as a server reads them."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence, Sized
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.inputs import as_list
from jina_components.core.many import as_done
from jina_components.core.progress import progress_bar
from jina_components.errors import InputError, JinaComponentsError, ReadError
from jina_components.net import Fetcher
from jina_components.read_options import ReadOptions
from jina_components.remote.address import Remote
from jina_components.remote.component import RemoteComponent
from jina_components.remote.fields import Fields
from jina_components.remote.pages import page_of, picture_of
from jina_components.remote.reading import read_body
from jina_components.types import Page, Reading, SourceFailure

_URL = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_MAX_FILE_BYTES = 70_000_000  # which are 100 MB in base64, the most that a body has
_PDF, _HTML = "application/pdf", "text/html"
_TYPES = {".pdf": _PDF, ".html": _HTML, ".htm": _HTML}


class RemoteReader(RemoteComponent):
    """Reads pages as a `Reader` does, on a server: Jina's Reader, or one of `jina-components serve`.

    Files of this machine, by their paths, and bytes are sent to the server; it tells by their bytes what they are.

    What differs from a `Reader`: `Page.metadata` has what a page says of itself under `meta`; there are no
    `page_offsets`; what was extracted takes the place of the content, in JSON. Tokens are those that the server counts.

    Args:
        remote: The server. Its `timeout` bounds each page, whatever `ReadOptions.timeout` says.
        options: How to read, where a call says nothing else.

    Raises:
        ConfigError: the server cannot be told an option.

    Example:
        >>> reader = RemoteReader(Remote("http://localhost:8000"))
        >>> reader.read("https://example.com").title  # doctest: +SKIP
        'Example Domain'
    """

    product = "reader"

    def __init__(self, remote: Remote, *, options: ReadOptions = ReadOptions()) -> None:  # noqa: B008 (immutable)
        super().__init__(remote)
        self._options = options
        self._pictures = Fetcher()
        self._body(options)

    @property
    def options(self) -> ReadOptions:
        """How it reads where a call says nothing else."""
        return self._options

    def read(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        options: ReadOptions | None = None,
        base_url: str = "",
        content_type: str = "",
    ) -> Page:
        """The page that a source holds.

        Args:
            source: A URL, if a str that begins with http:// or https://; else the path of a file, or the content
                itself as bytes, which are sent to the server.
            options: How to read it; by default as the constructor was told.
            base_url: What relative links of a file or of bytes are resolved against.
            content_type: What the bytes are; the server is told of `text/html` and `application/pdf` alone.

        Raises:
            InputError: the source is of another type, or the server refuses it.
            ConfigError: the server cannot be told an option.
            ReadError: the file is missing, no regular file, not permitted or over 70 MB.
            BudgetExceededError: it has more tokens than `token_budget`.
            BlockedURLError, RobotsDeniedError, ContentTooLargeError: so the server says of the URL.
            HTTPStatusError: the page has an error status, or the server could not read it.
            WebError: the server cannot be reached, or answers out of form.
        """
        return run_sync(self.aread(source, options=options, base_url=base_url, content_type=content_type))

    async def aread(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        options: ReadOptions | None = None,
        base_url: str = "",
        content_type: str = "",
    ) -> Page:
        """Like `read`, for event loops, which it does not block."""
        how = self._options if options is None else options
        body = self._body(how)
        body |= await asyncio.to_thread(_source, source, base_url, content_type)
        answer = Fields(await self._post("", body), self._api.base_url)
        if "data" not in answer:
            raise answer.wrong("data", "a page")
        data = answer.fields("data")
        page = page_of(data, how, of_jina=self._of_jina)
        if not isinstance(source, bytes) and not _is_url(source):
            page = replace(page, url=os.fsdecode(source), title=page.title or Path(source).name)
        if not how.pictures:
            return page
        picture = picture_of(data)
        if isinstance(picture, str):
            picture = (await self._pictures.fetch(picture)).content if picture else b""
        return replace(page, screenshot=picture)

    def read_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> Iterator[tuple[int, Page | SourceFailure]]:
        """The pages of any number of sources, as they come; `Remote.concurrency` of them at a time.

        Args:
            sources: URLs, and paths of files (a directory is none); any iterable, asked for more as pages are taken.
            options: How to read them.
            show_progress: Whether to show a progress bar.

        Yields:
            The source's place among `sources`, and its page or why it could not be read.

        Raises:
            InputError: an item is neither str nor a path; `.index` names it.
        """
        return iterate_sync(self.aread_many(sources, options=options, show_progress=show_progress))

    async def aread_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> AsyncGenerator[tuple[int, Page | SourceFailure], None]:
        """Like `read_many`, for `async for`."""
        if isinstance(sources, str | bytes):
            raise InputError(f"sources must be many, got one {type(sources).__name__}: pass [{sources!r}].")
        outcomes = as_done(
            _numbered(sources), lambda source: self._attempt(source, options), concurrency=self._remote.concurrency
        )
        total = len(sources) if isinstance(sources, Sized) else None
        with progress_bar("Reading", unit="source", total=total, show=show_progress) as bar:
            async with aclosing(outcomes):
                async for index, outcome in outcomes:
                    bar.update()
                    yield index, outcome

    def read_all(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> Reading:
        """The pages of many sources, in order; sources that fail do not keep the others from being read.

        Raises:
            InputError: not a list, or an item that is neither str nor a path; `.index` names it.
        """
        return run_sync(self.aread_all(sources, options=options, show_progress=show_progress))

    async def aread_all(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> Reading:
        """Like `read_all`, for event loops, which it does not block."""
        listed = as_list(sources, what="sources")
        async with aclosing(self.aread_many(listed, options=options, show_progress=show_progress)) as outcomes:
            found = {index: outcome async for index, outcome in outcomes}
        in_order = [found[index] for index in range(len(listed))]
        return Reading(
            tuple(each for each in in_order if isinstance(each, Page)),
            tuple(each for each in in_order if isinstance(each, SourceFailure)),
        )

    async def aclose(self) -> None:
        """Like `close`, for event loops."""
        await super().aclose()
        await self._pictures.aclose()

    def _body(self, options: ReadOptions) -> dict[str, Any]:
        if not isinstance(options, ReadOptions):
            raise InputError(f"options must be ReadOptions, got {type(options).__name__}.")
        return read_body(options, of_jina=self._of_jina)

    async def _attempt(self, source: str | os.PathLike[str], options: ReadOptions | None) -> Page | SourceFailure:
        try:
            return await self.aread(source, options=options)
        except JinaComponentsError as error:
            return SourceFailure(os.fsdecode(source), error)


def _numbered(sources: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[int, str | os.PathLike[str]]]:
    for index, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike):
            raise InputError(f"sources[{index}] must be str or a path, got {type(source).__name__}.", index)
        yield index, source


def _is_url(source: object) -> bool:
    return isinstance(source, str) and _URL.match(source) is not None


def _source(source: object, base_url: str, content_type: str) -> dict[str, str]:
    """What is to be read, as fields of the wire."""
    if isinstance(source, str) and _URL.match(source):
        return {"url": source}
    kind = content_type.partition(";")[0].strip().lower()
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | os.PathLike) and not (isinstance(source, str) and _SCHEME.match(source)):
        data, kind = _file(source), kind or _TYPES.get(Path(source).suffix.lower(), "")
    else:
        raise InputError(f"source must be an http or https URL, a path or bytes, got {source!r:.100}.")
    return _sent(data, kind) | ({"url": base_url} if base_url else {})


def _sent(data: bytes, kind: str) -> dict[str, str]:
    if kind == _HTML:
        with suppress(UnicodeDecodeError):  # the server finds out in what it is written
            return {"html": data.decode()}
    return {"pdf" if kind == _PDF else "file": base64.b64encode(data).decode()}


def _file(source: str | os.PathLike[str]) -> bytes:
    path, name = Path(source), os.fsdecode(source)
    try:
        if path.is_file():  # a pipe or a device may never end
            with path.open("rb") as file:
                data = file.read(_MAX_FILE_BYTES + 1)
            if len(data) > _MAX_FILE_BYTES:
                raise ReadError(f"{name} has more than {_MAX_FILE_BYTES:,} bytes, the most that is sent.", name)
            return data
    except (OSError, ValueError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{name} cannot be read: {error}.", name) from error
    raise ReadError(f"{name} is no file; check the path, or begin a URL with http:// or https://.", name)
