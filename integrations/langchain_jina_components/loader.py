"""LangChain's document loader over our reader."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from pydantic import Field, SkipValidation

from jina_components.core.background import iterate_sync, run_sync
from jina_components.protocols import SupportsReadMany
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.remote import Remote, RemoteReader
from jina_components.types import Page
from langchain_jina_components.remote import RemoteByArgument

Source: TypeAlias = str | os.PathLike[str]

logger = logging.getLogger(__name__)

_METADATA = ("title", "description", "language", "published_time", "extracted")


class JinaReaderLoader(RemoteByArgument, BaseLoader):
    """LangChain's document loader over a `Reader`: pages, PDFs and office documents as Markdown, one document each.

    Several sources are read at a time. `load` gives the documents in the order of the sources, those of a folder by
    path; `lazy_load` as they come, and memory holds as many as are read at the same time.

    Metadata: `source`, and where the page tells them `title`, `description`, `language` and `published_time`, and
    `extracted` where the options ask for it. A page's warnings are logged.

    Attributes:
        sources: URLs, paths of files and of folders, or a single one. Any iterable will do; one that is used up by
            going through it, such as a generator, is good for loading once.
        reader: A `Reader` or `RemoteReader`; None for one of the settings.
        options: How to read; None for the reader's own.
        continue_on_failure: Whether sources that cannot be read are logged and left out; else the first one raises.
        show_progress: Whether to show a progress bar.

    Raises:
        ConfigError: a reader and settings of one are given.

    Example:
        >>> loader = JinaReaderLoader(["https://example.com", "report.pdf"])
        >>> for document in loader.lazy_load():
        ...     print(document.metadata["source"], len(document.page_content))
    """

    part: ClassVar[str] = "reader"

    sources: SkipValidation[Source | Iterable[Source]]
    reader: SupportsReadMany | None = Field(default=None, frozen=True)
    options: ReadOptions | None = None
    continue_on_failure: bool = False
    show_progress: bool = False

    def __init__(self, sources: Source | Iterable[Source], **settings: Any) -> None:
        super().__init__(**{"sources": sources, **settings})

    def load(self) -> list[Document]:
        """All documents, in the order of the sources.

        Raises:
            JinaComponentsError: as `lazy_load`.
        """
        return run_sync(self.aload())

    async def aload(self) -> list[Document]:
        """Like `load`, for event loops, which it does not block."""
        async with aclosing(self._placed()) as placed:
            found = [each async for each in placed]
        return [document for _, document in sorted(found, key=_order)]

    def lazy_load(self) -> Iterator[Document]:
        """The documents, as they come. Ending the loop early ends the reading.

        Raises:
            InputError: a source is neither str nor a path; `.index` names it.
            JinaComponentsError: of the first source that cannot be read, what `Reader.read` raises.
        """
        return iterate_sync(self._documents())

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Like `lazy_load`, for event loops, which it does not block."""
        async with aclosing(self._documents()) as documents:
            async for document in documents:
                yield document

    async def _documents(self) -> AsyncGenerator[Document, None]:
        async with aclosing(self._placed()) as placed:
            async for _, document in placed:
                yield document

    async def _placed(self) -> AsyncGenerator[tuple[int, Document], None]:
        """Each document with the place of its source."""
        sources = [self.sources] if isinstance(self.sources, str | os.PathLike) else self.sources
        found = self._component.aread_many(sources, options=self.options, show_progress=self.show_progress)
        async with aclosing(found):
            async for place, outcome in found:
                if isinstance(outcome, Page):
                    yield place, _document(outcome)
                elif self.continue_on_failure:
                    logger.warning("Left out, due to continue_on_failure: %s: %s", outcome.source, outcome.error)
                else:
                    raise outcome.error

    def _make(self, remote: Remote | None) -> Reader | RemoteReader:
        return Reader() if remote is None else RemoteReader(remote)


def _order(placed: tuple[int, Document]) -> tuple[int, Path]:
    """By place; of a folder, whose files share it, by path."""
    return placed[0], Path(placed[1].metadata["source"])


def _document(page: Page) -> Document:
    for warning in page.warnings:
        logger.warning("%s: %s", page.url, warning)
    told = {name: deepcopy(value) for name in _METADATA if (value := getattr(page, name)) not in ("", None)}
    return Document(page.content, metadata={"source": page.url, **told})
