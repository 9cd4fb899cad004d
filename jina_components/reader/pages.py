"""What was loaded, made into a `Page`: by the reader of its format, and by the language models it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from jina_components.errors import BackendError, ConfigError, ExtractionError, JinaComponentsError
from jina_components.protocols import ChatModel, Conversion, FinishReason, SupportsConvert, SupportsExtract
from jina_components.read_options import ReadOptions
from jina_components.reader.formats import READERS
from jina_components.reader.html import NO_MAIN_CONTENT, open_html
from jina_components.reader.loading import Loaded
from jina_components.reader.parsing import ParsedHtml, parse_source
from jina_components.reader.pdf import read_pdf
from jina_components.reader.sources import Format, Source, format_of, unpacked
from jina_components.types import Page, Usage

if TYPE_CHECKING:
    from jina_components.net.options import SupportsFetch
    from jina_components.reader.chat_models import Extraction

P = ParamSpec("P")
T = TypeVar("T")

_CONVERTED = ("content", "readerlm", "screenshot", "pageshot")
_CUT: dict[FinishReason, tuple[str, ...]] = {
    "stop": (),
    "length": ("The Markdown reached its longest length: what follows was not converted.",),
    "repetition": ("The model began to repeat itself and was stopped: what follows was not converted.",),
}


class PageMaker:
    """Makes pages for a `Reader`.

    Args:
        html_converter: Writes the content of HTML pages.
        captioner: Describes images.
        extractor: Extracts JSON: from the Markdown if it is a chat model, else from the HTML.
        fetcher: Fetches the images to describe; None for one that reaches public addresses only.

    Raises:
        ConfigError: one of these is no such model.
    """

    def __init__(
        self,
        *,
        html_converter: SupportsConvert | None,
        captioner: ChatModel | None,
        extractor: ChatModel | SupportsExtract | None,
        fetcher: SupportsFetch | None,
    ) -> None:
        _check(html_converter, "html_converter", SupportsConvert, "aconvert(html), such as a ReaderLM has")
        _check(captioner, "captioner", ChatModel, "achat(messages), such as an OpenAIChat has")
        _check(extractor, "extractor", (ChatModel, SupportsExtract), "achat(messages), such as an OpenAIChat has")
        self._html_converter = html_converter
        self._captioner = captioner
        self._extractor = extractor
        self._fetcher = fetcher

    def check(self, options: ReadOptions) -> None:
        """Raise a ConfigError if `options` ask for a model that is not there."""
        wanted = (
            (options.format == "readerlm", self._html_converter, "format='readerlm'", "html_converter"),
            (options.captions, self._captioner, "captions", "captioner"),
            (options.extracts, self._extractor, "extraction", "extractor"),
        )
        for asked, model, what, name in wanted:
            if asked and model is None:
                raise ConfigError(f"{what} needs a model: pass it to the Reader as {name}=.")

    async def make(self, loaded: Loaded, options: ReadOptions) -> Page:
        """The page that was loaded.

        Raises:
            ExtractionError: no readable document is in it.
            JinaComponentsError: what a model raises, with the page's name before it.
        """
        source, kind, parsed = await _in_thread(loaded.source, _recognized, loaded)
        if parsed is not None:
            # What went wrong on the way may be why there is nothing to read, too.
            parsed = replace(parsed, warnings=(*loaded.warnings, *parsed.warnings))
            page = await self._of_html(source, parsed, options)
        else:
            read = partial(read_pdf, page=loaded.page) if kind == "pdf" else READERS[kind]
            page = await _in_thread(source, read, source, options)
            page = replace(page, warnings=(*loaded.warnings, *page.warnings))
        page = replace(page, screenshot=loaded.screenshot or page.screenshot)
        if not options.extracts:
            return page
        try:
            extraction = await self._extracted(parsed.text if parsed else page.content, page.content, options)
        except JinaComponentsError as error:
            raise _naming(source, "gives nothing that was to be extracted", error) from error
        return replace(page, extracted=extraction.value, usage=page.usage + extraction.usage)

    async def _of_html(self, source: Source, parsed: ParsedHtml, options: ReadOptions) -> Page:
        if not options.captions:
            page = await _in_thread(source, lambda: open_html(source, parsed, options).written(options))
        else:
            page = await self._captioned(source, parsed, options)
        if self._html_converter is None or options.format not in _CONVERTED:
            return page
        try:
            return _converted(page, await self._html_converter.aconvert(parsed.text))
        except JinaComponentsError as error:
            raise _naming(source, "cannot be converted", error) from error

    async def _captioned(self, source: Source, parsed: ParsedHtml, options: ReadOptions) -> Page:
        from jina_components.reader.chat_models import caption_images

        assert self._captioner is not None  # noqa: S101 (`check` saw to it)
        document = await _in_thread(source, open_html, source, parsed, options)
        captions = await caption_images(
            document.uncaptioned(), self._captioner, fetcher=self._fetcher, language=document.claims.language
        )
        document.caption(captions.texts)
        page = await _in_thread(source, document.written, options)
        return replace(page, usage=captions.usage, warnings=(*page.warnings, *captions.warnings))

    async def _extracted(self, html: str, content: str, options: ReadOptions) -> Extraction:
        from jina_components.reader.chat_models import extract, extract_from_html

        asked, schema = options.instruction, options.json_schema
        if isinstance(self._extractor, ChatModel):
            return await extract(self._extractor, content, instruction=asked, json_schema=schema)
        assert self._extractor is not None  # noqa: S101 (likewise)
        return await extract_from_html(self._extractor, html, instruction=asked, json_schema=schema)


def unexpected(name: str, error: Exception) -> ExtractionError | BackendError:
    """An error of ours for one that nobody foresaw; that memory ran out says nothing of the document."""
    message = f"{name or 'The given data'} cannot be read: {type(error).__name__}: {error}"
    mapped = BackendError(message) if isinstance(error, MemoryError) else ExtractionError(message, name)
    mapped.__cause__ = error
    return mapped


async def _in_thread(source: Source, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives; an error of its own that nobody foresaw, which says what was being read."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except JinaComponentsError:
        raise
    except Exception as error:
        raise unexpected(source.name, error) from error


def _recognized(loaded: Loaded) -> tuple[Source, Format, ParsedHtml | None]:
    source = unpacked(loaded.source)
    kind = format_of(source)
    return source, kind, (loaded.parsed or parse_source(source)) if kind == "html" else None


def _converted(page: Page, conversion: Conversion) -> Page:
    spent = conversion.usage
    cost = {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "finish_reason": conversion.finish_reason,
    }
    return replace(
        page,
        content=conversion.text,
        metadata={**page.metadata, "conversion": cost},
        usage=page.usage + Usage(spent.prompt_tokens),  # those of the text are counted as its tokens
        warnings=(*(text for text in page.warnings if text != NO_MAIN_CONTENT), *_CUT[conversion.finish_reason]),
    )


def _naming(source: Source, what: str, error: JinaComponentsError) -> JinaComponentsError:
    """The same error with the page's name; of the base class if its own cannot be copied."""
    message = f"{source.label} {what}: {error}"
    try:
        named = copy(error)
    except TypeError:
        return JinaComponentsError(message)
    named.message, named.args = message, (message, *error.args[1:])
    return named


def _check(model: object, name: str, protocol: type | tuple[type, ...], methods: str) -> None:
    if model is not None and (isinstance(model, type) or not isinstance(model, protocol)):
        raise ConfigError(f"{name} must have a method {methods}, got {model!r}.")
