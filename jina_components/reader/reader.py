"""Reader: files, bytes and URLs into clean Markdown pages."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import as_list
from jina_components.errors import ConfigError, ExtractionError, InputError, JinaComponentsError
from jina_components.protocols import Conversion, FinishReason, SupportsConvert
from jina_components.reader.charset import decode
from jina_components.reader.files import expand, local_path, read_file
from jina_components.reader.html import NESTED_TOO_DEEP, NO_MAIN_CONTENT, read_html
from jina_components.reader.pdf import read_pdf
from jina_components.reader.sources import Format, Source, format_of
from jina_components.reader.text import read_text
from jina_components.types import Page, Reading, SourceFailure

if TYPE_CHECKING:
    from jina_components.net import Fetcher

_READERS: dict[Format, Callable[[Source], Page]] = {"html": read_html, "pdf": read_pdf, "text": read_text}
_URL = re.compile(r"https?://", re.IGNORECASE)
# What only the own extraction's text deserves.
_OF_OWN_TEXT = (NO_MAIN_CONTENT, NESTED_TOO_DEEP)
_CUT: dict[FinishReason, tuple[str, ...]] = {
    "stop": (),
    "length": ("The Markdown reached its longest length: what follows was not converted.",),
    "repetition": ("The model began to repeat itself and was stopped: what follows was not converted.",),
}


class Reader(Component):
    """Reads HTML, PDF, Markdown and plain text, wherever they are, into clean Markdown pages.

    The declared content type decides what a source is, then its first bytes, then its suffix. Words are
    never changed, so that a quotation from the content stands in the source; unless an `html_converter` writes them.

    Thread-safe. Pickles as its settings.

    Args:
        fetcher: Fetches URLs; by default one that reaches public addresses only.
        max_file_bytes: Largest file, and largest response of the default fetcher.
        concurrency: Sources that `read_all` reads at the same time.
        html_converter: Writes the content of HTML pages, such as a `ReaderLM`, in place of the own extraction, from
            which title, links, images and all else still come. `metadata["conversion"]` tells its tokens.
            Pages over the model's context fail, unless it is a `ReaderLM(truncate=True)`.

    Raises:
        ConfigError: a limit is not positive, or `html_converter` converts nothing.

    Example:
        >>> page = Reader().read(b"<title>Rain</title><p>It rains <b>today</b>.</p>")
        >>> page.title, page.content
        ('Rain', 'It rains today.')
    """

    def __init__(
        self,
        *,
        fetcher: Fetcher | None = None,
        max_file_bytes: int = 100_000_000,
        concurrency: int = 8,
        html_converter: SupportsConvert | None = None,
    ) -> None:
        if min(max_file_bytes, concurrency) < 1:
            raise ConfigError(
                f"max_file_bytes and concurrency must be positive, got {max_file_bytes} and {concurrency}."
            )
        if html_converter is not None and (
            isinstance(html_converter, type) or not isinstance(html_converter, SupportsConvert)
        ):
            raise ConfigError(
                f"html_converter must have a method aconvert(html), such as a ReaderLM has, got {html_converter!r}."
            )
        self._fetcher = fetcher
        self._own_fetcher: Fetcher | None = None
        self._max_file_bytes = max_file_bytes
        self._concurrency = concurrency
        self._html_converter = html_converter
        self._lock = threading.Lock()

    def read(self, source: str | os.PathLike[str] | bytes, *, base_url: str = "", content_type: str = "") -> Page:
        """The page that a source holds.

        Args:
            source: A URL, if a str that begins with http:// or https://; else the path of a file; or the
                content itself as bytes.
            base_url: What relative links are resolved against; by default the URL the content came from.
            content_type: What the content is, in the form of the HTTP header (`text/html; charset=utf-8`);
                by default what the server declares.

        Raises:
            InputError: the source is of another type, or a URL of another scheme.
            ReadError: the file is missing, no regular file, not permitted or too large.
            WebError: the URL is refused or cannot be fetched.
            ExtractionError: no readable document is in it: it is empty, broken, encrypted or binary, or its
                extraction fails.
            JinaComponentsError: what the `html_converter` raises, its message with the page's name before it.
        """
        return run_sync(self.aread(source, base_url=base_url, content_type=content_type))

    async def aread(
        self, source: str | os.PathLike[str] | bytes, *, base_url: str = "", content_type: str = ""
    ) -> Page:
        """Like `read`, for event loops, which it does not block."""
        if isinstance(source, bytes):
            loaded = Source(base_url, source, base_url, content_type)
        elif isinstance(source, str) and _URL.match(source):
            fetched = await self._web().fetch(source)
            declared = content_type or fetched.headers.get("content-type", "")
            loaded = Source(fetched.url, fetched.content, base_url or fetched.url, declared)
        else:
            path = local_path(source)
            data = await asyncio.to_thread(read_file, path, max_bytes=self._max_file_bytes)
            loaded = Source(path, data, base_url, content_type)
        page = await asyncio.to_thread(_extract, loaded)
        if self._html_converter is None or format_of(loaded) != "html":
            return page
        decoded = decode(loaded.data, declared=(page.metadata["encoding"],))
        try:
            return _converted(page, await self._html_converter.aconvert(decoded.text))
        except JinaComponentsError as error:
            raise _naming(loaded.name, error) from error

    def read_all(self, sources: Sequence[str | os.PathLike[str]], *, show_progress: bool = False) -> Reading:
        """The pages of many sources, in order; sources that fail do not keep the others from being read.

        Args:
            sources: URLs, paths of files, and directories, whose files with a readable suffix (.html .htm
                .xhtml .pdf .md .markdown .txt .rst .text) are read at any depth, in order of their names,
                without hidden ones.
            show_progress: Whether to show a progress bar.

        Returns:
            The pages, and for each source that failed the error that `read` would raise.

        Raises:
            InputError: not a list, or an item that is neither str nor a path; `.index` names it.
        """
        return run_sync(self.aread_all(sources, show_progress=show_progress))

    async def aread_all(self, sources: Sequence[str | os.PathLike[str]], *, show_progress: bool = False) -> Reading:
        """Like `read_all`, for event loops, which it does not block."""
        from tqdm.auto import tqdm

        for index, source in enumerate(as_list(sources, what="sources")):
            if not isinstance(source, str | os.PathLike):
                raise InputError(f"sources[{index}] must be str or a path, got {type(source).__name__}.", index)
        found = await asyncio.to_thread(expand, sources)
        results: list[Page | SourceFailure | None] = [None] * len(found)
        waiting = iter(enumerate(found))
        with tqdm(total=len(found), desc="Reading", unit="source", disable=not show_progress) as bar:

            async def work() -> None:
                for index, source in waiting:
                    results[index] = await self._attempt(source)
                    bar.update()

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(found))):
                    group.create_task(work())
        return Reading(
            tuple(result for result in results if isinstance(result, Page)),
            tuple(result for result in results if isinstance(result, SourceFailure)),
        )

    def close(self) -> None:
        """Close the connections of the default fetcher; the next call opens new ones."""
        if self._own_fetcher is not None:
            run_sync(self._own_fetcher.aclose())

    async def _attempt(self, source: str | os.PathLike[str] | SourceFailure) -> Page | SourceFailure:
        if isinstance(source, SourceFailure):
            return source
        try:
            return await self.aread(source)
        except JinaComponentsError as error:
            return SourceFailure(os.fsdecode(source), error)
        except Exception as error:  # noqa: BLE001 (returned: no memory, or a fetcher of the caller)
            return SourceFailure(os.fsdecode(source), _unexpected(os.fsdecode(source), error))

    def _web(self) -> Fetcher:
        if self._fetcher is not None:
            return self._fetcher
        from jina_components.net import Fetcher

        with self._lock:
            if self._own_fetcher is None:
                self._own_fetcher = Fetcher(max_bytes=self._max_file_bytes)
            return self._own_fetcher


def _extract(source: Source) -> Page:
    try:
        return _READERS[format_of(source)](source)
    except JinaComponentsError:
        raise
    except Exception as error:
        raise _unexpected(source.name, error) from error


def _converted(page: Page, conversion: Conversion) -> Page:
    cost = {**asdict(conversion.usage), "finish_reason": conversion.finish_reason}
    return replace(
        page,
        content=conversion.text,
        metadata={**page.metadata, "conversion": cost},
        warnings=(*(text for text in page.warnings if text not in _OF_OWN_TEXT), *_CUT[conversion.finish_reason]),
    )


def _naming(name: str, error: JinaComponentsError) -> JinaComponentsError:
    """The same error with the page's name; of the base class if its own cannot be copied."""
    message = f"{name or 'The given data'} cannot be converted: {error}"
    try:
        named = copy(error)
    except TypeError:
        return JinaComponentsError(message)
    named.message, named.args = message, (message, *error.args[1:])
    return named


def _unexpected(name: str, error: Exception) -> ExtractionError:
    mapped = ExtractionError(f"{name or 'The given data'} cannot be read: {type(error).__name__}: {error}", name)
    mapped.__cause__ = error
    return mapped
