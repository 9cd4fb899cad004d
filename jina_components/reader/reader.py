"""Reader: files, bytes and URLs into clean Markdown pages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence, Sized
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import as_list
from jina_components.core.many import as_done
from jina_components.core.progress import progress_bar
from jina_components.errors import ConfigError, ExtractionError, InputError, JinaComponentsError
from jina_components.protocols import ChatModel, SupportsConvert, SupportsExtract
from jina_components.read_options import ContentFormat, ReadOptions
from jina_components.reader.finishing import finish
from jina_components.reader.loading import Loaded, Loader
from jina_components.reader.many import Key, named_sources
from jina_components.reader.pages import PageMaker, unexpected
from jina_components.reader.pdf import close_pdf_workers
from jina_components.types import Page, Reading, SourceFailure

if TYPE_CHECKING:
    from jina_components.net.options import SupportsFetch
    from jina_components.reader.browser import Browser


class Reader(Component):
    """Reads whatever is behind a URL, in a file or in bytes into clean Markdown.

    HTML, PDF, DOCX, PPTX, XLSX, EPUB, RSS and Atom, sitemaps, XML, JSON, CSV, Markdown and plain text. The declared
    content type decides what a source is, then its first bytes, then its suffix. Pages that scripts build are rendered
    in Chromium, with the extra `browser`.

    Thread-safe. Pickles as its settings. `close()`, or a `with` block, ends its connections and processes.

    Args:
        options: How to read, where a call says nothing else.
        fetcher: Fetches URLs; by default one that reaches public addresses only and caches nothing.
        browser: Renders pages; by default one behind the same guard as the fetcher.
        max_file_bytes: Largest file, and largest response of the default fetcher.
        concurrency: Sources that `read_many` and `read_all` read at the same time.
        html_converter: Writes the content of HTML pages, such as a `ReaderLM` or a `ChatConverter`, in place of the
            own extraction, from which title, links, images and all else still come. `metadata["conversion"]` tells
            its tokens. Pages over the model's context fail, unless it is a `ReaderLM(truncate=True)`.
        captioner: Model that describes images, for `ReadOptions.captions`.
        extractor: Chat model or `ReaderLM` that extracts what `ReadOptions.instruction` and `json_schema` ask for.
        tokenizer: Counts the tokens of contents, as that of a `Segmenter`.

    Raises:
        ConfigError: a limit is not positive, or `html_converter` converts nothing.
        UnknownNameError: no tokenizer of this name.

    Example:
        >>> page = Reader().read(b"<title>Rain</title><p>It rains <b>today</b>.</p>")
        >>> page.title, page.content
        ('Rain', 'It rains **today**.')
    """

    def __init__(
        self,
        *,
        options: ReadOptions = ReadOptions(),  # noqa: B008 (immutable)
        fetcher: SupportsFetch | None = None,
        browser: Browser | None = None,
        max_file_bytes: int = 100_000_000,
        concurrency: int = 8,
        html_converter: SupportsConvert | None = None,
        captioner: ChatModel | None = None,
        extractor: ChatModel | SupportsExtract | None = None,
        tokenizer: str | os.PathLike[str] = "bundled",
    ) -> None:
        if min(max_file_bytes, concurrency) < 1:
            raise ConfigError(
                f"max_file_bytes and concurrency must be positive, got {max_file_bytes} and {concurrency}."
            )
        from jina_components.models.tokenizers import resolve_tokenizer

        resolve_tokenizer(tokenizer)
        self._options = options
        self._tokenizer = tokenizer
        self._concurrency = concurrency
        self._loader = Loader(fetcher=fetcher, browser=browser, max_file_bytes=max_file_bytes)
        self._pages = PageMaker(
            html_converter=html_converter, captioner=captioner, extractor=extractor, fetcher=fetcher
        )

    @property
    def options(self) -> ReadOptions:
        """How it reads where a call says nothing else."""
        return self._options

    def check(self, options: ReadOptions) -> None:
        """Refuse options that need a model which the reader was not given; loads nothing.

        Raises:
            ConfigError: they do.
        """
        self._pages.check(options)

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
            source: A URL, if a str that begins with http:// or https://; else the path of a file; or the
                content itself as bytes.
            options: How to read it; by default as the constructor was told.
            base_url: What relative links are resolved against; by default the URL the content came from.
            content_type: What the content is, in the form of the HTTP header (`text/html; charset=utf-8`);
                by default what the server declares.

        Raises:
            InputError: the source is of another type, or a URL of another scheme.
            ConfigError: the options need a model that the reader was not given.
            ReadError: the file is missing, no regular file, not permitted or too large.
            WebError: the URL is refused or cannot be fetched.
            MissingDependencyError: the source or the options need an extra that is not installed.
            ExtractionError: no readable document is in it: it is empty, broken, encrypted or binary, or its
                extraction fails.
            BudgetExceededError: it has more tokens than `token_budget`.
            ChatError: a model did not answer in form.
            JinaComponentsError: what the `html_converter` raises, its message with the page's name before it.
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
        how = self._how(options)
        return await self._made(await self._loader.load(source, how, base_url=base_url, content_type=content_type), how)

    def read_formats(
        self,
        source: str | os.PathLike[str] | bytes,
        formats: Sequence[ContentFormat],
        *,
        options: ReadOptions | None = None,
        base_url: str = "",
        content_type: str = "",
    ) -> tuple[Page, ...]:
        """The page in each of several formats, loaded only once, but for a second kind of picture.

        Args:
            source: As `read` takes it.
            formats: What `ReadOptions.format` can be.
            options: How to read it; their `format` does not count.
            base_url: As `read` takes it.
            content_type: Likewise.

        Raises:
            JinaComponentsError: as `read`.
        """
        return run_sync(
            self.aread_formats(source, formats, options=options, base_url=base_url, content_type=content_type)
        )

    async def aread_formats(
        self,
        source: str | os.PathLike[str] | bytes,
        formats: Sequence[ContentFormat],
        *,
        options: ReadOptions | None = None,
        base_url: str = "",
        content_type: str = "",
    ) -> tuple[Page, ...]:
        """Like `read_formats`, for event loops, which it does not block."""
        given = self._how(options)
        each = [replace(given, format=kind) for kind in as_list(formats, what="formats")]
        loaded: dict[str, Loaded] = {}
        for how in [how for how in each if how.pictures] or each[:1]:
            if how.format not in loaded:
                loaded[how.format] = await self._loader.load(source, how, base_url=base_url, content_type=content_type)
        pages = []
        for how in each:
            of_format = loaded.get(how.format) or next(iter(loaded.values()))
            if len(each) > 1:
                of_format = replace(of_format, parsed=None)  # it would be used up by the first format
            pages.append(await self._made(of_format, self._how(how)))
        return tuple(pages)

    def stream(self, url: str, *, options: ReadOptions | None = None) -> Iterator[Page]:
        """Ever better versions of a page while it loads in the browser; the last one is what `read` gives.

        Raises:
            InputError: not an http(s) URL. And what `read` raises.
        """
        return iterate_sync(self.astream(url, options=options))

    async def astream(self, url: str, *, options: ReadOptions | None = None) -> AsyncGenerator[Page, None]:
        """Like `stream`, for `async for`."""
        how = self._how(options)
        async for loaded in self._loader.stream(url, how):
            try:
                yield await self._made(loaded, how)
            except ExtractionError:
                if loaded.is_final:
                    raise  # of an early version, there is only nothing to show yet

    def read_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> Iterator[tuple[int, Page | SourceFailure]]:
        """The pages of any number of sources, as they come; memory holds `concurrency` of them.

        Args:
            sources: As `read_all` takes them, but any iterable, which is asked for more as pages are taken.
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
        async for (index, _), outcome in self._each(sources, options, show_progress=show_progress):
            yield index, outcome

    def read_all(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> Reading:
        """The pages of many sources, in order; sources that fail do not keep the others from being read.

        Args:
            sources: URLs, paths of files, and directories, whose files with a readable suffix are read at any depth,
                in order of their names, without hidden ones.
            options: How to read them.
            show_progress: Whether to show a progress bar.

        Returns:
            The pages, and for each source that failed the error that `read` would raise.

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
        for index, source in enumerate(as_list(sources, what="sources")):
            if not isinstance(source, str | os.PathLike):
                raise InputError(f"sources[{index}] must be str or a path, got {type(source).__name__}.", index)
        outcomes = sorted([each async for each in self._each(sources, options, show_progress=show_progress)])
        return Reading(
            tuple(result for _, result in outcomes if isinstance(result, Page)),
            tuple(result for _, result in outcomes if isinstance(result, SourceFailure)),
        )

    def close(self) -> None:
        """End the connections and processes of its own, and idle ones that read PDFs; the next call opens new ones."""
        run_sync(self.aclose())

    async def aclose(self) -> None:
        """Like `close`, for event loops."""
        await self._loader.aclose()
        await asyncio.to_thread(close_pdf_workers)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._arguments[1].items())
        return f"Reader({given})"

    def _how(self, options: ReadOptions | None) -> ReadOptions:
        how = self._options if options is None else options
        if not isinstance(how, ReadOptions):
            raise InputError(
                f"options must be ReadOptions, got {type(how).__name__}: pass ReadOptions(links='text', …)."
            )
        self._pages.check(how)
        return how

    async def _each(
        self, sources: Iterable[str | os.PathLike[str]], options: ReadOptions | None, *, show_progress: bool
    ) -> AsyncGenerator[tuple[Key, Page | SourceFailure], None]:
        how = self._how(options)
        outcomes = as_done(
            named_sources(sources), lambda source: self._attempt(source, how), concurrency=self._concurrency
        )
        total = len(sources) if isinstance(sources, Sized) else None
        with progress_bar("Reading", unit="source", total=total, show=show_progress) as bar:
            async with aclosing(outcomes):
                async for key, outcome in outcomes:
                    bar.total = None if bar.total is None else max(bar.total, key[1] + 1)  # a folder holds many
                    bar.update()
                    yield key, outcome

    async def _attempt(self, source: str | os.PathLike[str] | SourceFailure, how: ReadOptions) -> Page | SourceFailure:
        if isinstance(source, SourceFailure):
            return source
        name = os.fsdecode(source)
        try:
            return await self.aread(source, options=how)
        except JinaComponentsError as error:
            return SourceFailure(name, error)
        except Exception as error:  # noqa: BLE001 (returned: no memory, or a fetcher of the caller)
            return SourceFailure(name, unexpected(name, error))

    async def _made(self, loaded: Loaded, how: ReadOptions) -> Page:
        page = await self._pages.make(loaded, how)
        return await asyncio.to_thread(finish, page, how, self._tokenizer)
