"""Pages, read by a Reader of ours, as LlamaIndex's documents."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, ClassVar

from llama_index.core.bridge.pydantic import Field, PlainSerializer
from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document

from jina_components.core.background import iterate_sync, run_sync
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.remote import RemoteReader
from jina_components.search_options import SearchOptions
from jina_components.types import Page, Reading, SourceFailure
from jina_components.types.codec import encode
from llama_index_jina_components.remote import RemoteFields, Written

logger = logging.getLogger(__name__)

Source = str | os.PathLike[str]

_METADATA = ("title", "description", "published_time", "language", "extracted")
# What says nothing of the content, on which embedding models would spend their attention.
_NOT_EMBEDDED = ("source", "published_time", "language")
_NOT_FOR_LLMS = ("language",)


# Where keys may be in options, as in the header Authorization.
_SECRETS = ("cookies", "headers", "proxy")


def _public(options: ReadOptions | SearchOptions | None) -> dict[str, Any] | None:
    if options is None:
        return None
    written = {name: value for name, value in encode(options).items() if name not in _SECRETS}
    if isinstance(options, SearchOptions) and options.read_options is not None:
        written["read_options"] = _public(options.read_options)
    return written


WrittenOptions = PlainSerializer(_public)
"""For fields of options: `to_dict` leaves out their cookies, headers and proxy, which may be secret."""


class JinaReader(RemoteFields, BasePydanticReader):
    """Reads web pages, PDFs, office documents and whatever else a `Reader` reads as clean Markdown, one document each.

    A document's id is where it was read from, so that a docstore knows it again. Metadata: `source`, and where the
    source tells them `title`, `description`, `published_time`, `language`; and `extracted`, where the options ask for
    it. Warnings of a page are logged. It also reads files of a folder:
    `SimpleDirectoryReader(folder, file_extractor={".docx": JinaReader()})`.

    Args:
        reader: A `Reader` or a `RemoteReader`; by default one that reads here or, with a key or
            `base_url`, on a server.
        options: How to read; None for the reader's own. `to_dict` leaves out its cookies, headers and proxy.
        raise_on_error: Whether a source that cannot be read is an error; else it is logged and left out.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`.

    Raises:
        ConfigError: a reader and settings of a server, or a limit makes no sense.

    Example:
        >>> documents = JinaReader().load_data(["https://example.com", "report.pdf"])
        >>> documents[0].metadata["title"]
        'Example Domain'
    """

    part: ClassVar[str] = "reader"
    by_environment: ClassVar[bool] = False

    reader: Annotated[Reader | RemoteReader | None, Written] = Field(default=None, description="Reads the sources.")
    options: Annotated[ReadOptions | None, WrittenOptions] = Field(default=None, description="How to read.")
    raise_on_error: bool = Field(default=True, description="Whether a source that cannot be read is an error.")
    is_remote: bool = Field(default=True, description="Whether the data is not of this machine alone.")

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaReader"

    def load_data(
        self,
        sources: Source | Sequence[Source],
        extra_info: Mapping[str, Any] | None = None,
        *,
        show_progress: bool = False,
    ) -> list[Document]:
        """The documents of all sources, in their order.

        Args:
            sources: URLs, paths of files, and folders, whose readable files are read at any depth; or one of these.
            extra_info: Further metadata of each document.
            show_progress: Whether to show a progress bar.

        Raises:
            InputError: a source is neither str nor a path.
            JinaComponentsError: what `Reader.read` raises for the first source that failed; notes name the others.
        """
        return run_sync(self.aload_data(sources, extra_info, show_progress=show_progress))

    async def aload_data(
        self,
        sources: Source | Sequence[Source],
        extra_info: Mapping[str, Any] | None = None,
        *,
        show_progress: bool = False,
    ) -> list[Document]:
        """Like `load_data`, for event loops, which it does not block."""
        reading = await self._component.aread_all(_listed(sources), options=self.options, show_progress=show_progress)
        self._tell(reading)
        return [page_document(page, extra_info) for page in reading.pages]

    def lazy_load_data(
        self, sources: Source | Iterable[Source], extra_info: Mapping[str, Any] | None = None
    ) -> Iterator[Document]:
        """The documents as they come, several sources being read at a time. Ending the loop early ends the reading."""
        return iterate_sync(self._documents(sources, extra_info))

    async def alazy_load_data(  # type: ignore[override]
        self, sources: Source | Iterable[Source], extra_info: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Document, None]:
        """Like `lazy_load_data`: `async for document in await reader.alazy_load_data(sources)`."""
        return self._documents(sources, extra_info)

    async def _documents(
        self, sources: Source | Iterable[Source], extra_info: Mapping[str, Any] | None
    ) -> AsyncGenerator[Document, None]:
        async with aclosing(self._component.aread_many(_listed(sources), options=self.options)) as outcomes:
            async for _, outcome in outcomes:
                if isinstance(outcome, SourceFailure):
                    self._tell(Reading((), (outcome,)))
                else:
                    yield page_document(outcome, extra_info)

    def _make(self) -> Reader | RemoteReader:
        return Reader() if self.remote is None else RemoteReader(self.remote)

    def _tell(self, reading: Reading) -> None:
        """Raise the first failure, with notes about the others, or log them all."""
        first, *others = reading.failures or (None,)
        if first is None:
            return
        if not self.raise_on_error:
            for failure in reading.failures:
                logger.warning("%s is left out: %s", failure.source, failure.error)
            return
        for failure in others:
            first.error.add_note(f"{failure.source} failed too: {failure.error}")
        raise first.error


def page_document(page: Page, extra_info: Mapping[str, Any] | None = None) -> Document:
    """A page as a document of LlamaIndex, with further metadata."""
    for warning in page.warnings:
        logger.warning("%s: %s", page.url, warning)
    told = {name: value for name in _METADATA if (value := getattr(page, name))}
    return Document(
        id_=page.url,
        text=page.content,
        metadata={"source": page.url, **told, **(extra_info or {})},
        excluded_embed_metadata_keys=list(_NOT_EMBEDDED),
        excluded_llm_metadata_keys=list(_NOT_FOR_LLMS),
    )


def _listed(sources: Source | Iterable[Source]) -> Iterable[Source]:
    return [sources] if isinstance(sources, str | os.PathLike) else sources
