"""URLs into documents, in Haystack."""

import re
from contextlib import aclosing
from typing import Any, ClassVar

from haystack import Document, component, logging
from haystack.dataclasses import ByteStream
from haystack.utils import Secret

from haystack_jina_components.component import JinaComponent
from haystack_jina_components.documents import page_document
from jina_components.core.background import run_sync
from jina_components.core.inputs import as_list
from jina_components.errors import ConfigError, InputError, JinaComponentsError
from jina_components.protocols import SupportsRead, SupportsReadMany
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.remote import RemoteReader
from jina_components.types import Page, SourceFailure

logger = logging.getLogger(__name__)

_URL = re.compile(r"https?://", re.IGNORECASE)


def check_url(url: object, what: str) -> str:
    """The URL; refuses everything else, since a reader takes the paths of files too.

    Raises:
        InputError: it is none of http or https.
    """
    if not isinstance(url, str) or not _URL.match(url):
        raise InputError(f"{what} must be a URL of http or https, got {url!r:.200}.")
    return url


class ReadsPages(JinaComponent):
    """What our components that read have in common: a reader, and what becomes of sources that cannot be read."""

    part: ClassVar[str] = "reader"
    verb: ClassVar[str] = "aread"
    """What it asks of a reader."""

    reader: SupportsRead | SupportsReadMany | None
    read_options: dict[str, Any] | None
    raise_on_failure: bool

    def _open(self) -> None:
        if isinstance(self.reader, type) or not (self.reader is None or hasattr(self.reader, self.verb)):
            raise ConfigError(f"reader must have the method {self.verb} of a Reader, got {self.reader!r}.")
        self._options = None if self.read_options is None else ReadOptions(**self.read_options)
        server = self._remote()
        if self.reader is not None:
            self._component = self.reader
        else:
            self._component = Reader() if server is None else RemoteReader(server)

    def _failed(self, source: str, error: JinaComponentsError) -> None:
        if self.raise_on_failure:
            raise error
        logger.warning("Could not read {source}. Skipping it. Error: {error}", source=source, error=str(error))


@component
class JinaFetcher(ReadsPages):
    """Reads the pages behind URLs as clean Markdown.

    With a key or a `base_url` a server reads, else a `Reader` here, whose guard lets public addresses alone be asked.
    `JinaDocumentConverter` takes files, and bytes that another fetcher has.

    Args:
        api_key: Key of the server.
        raise_on_failure: Whether a page that cannot be read is an error; else it is left out, and a warning logged.
        read_options: How to read, by the names of `ReadOptions`: `{"links": "text", "engine": "browser"}`.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        reader: A `Reader` of ours, or another with its `aread_many`.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a reader and settings of a server, or a setting that makes no sense.

    Example:
        >>> JinaFetcher().run(["https://example.com"])["documents"][0].meta["title"]
        'Example Domain'
    """

    verb: ClassVar[str] = "aread_many"

    def __init__(
        self,
        api_key: Secret | None = None,
        raise_on_failure: bool = True,
        read_options: dict[str, Any] | None = None,
        *,
        base_url: str | None = None,
        reader: SupportsReadMany | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.raise_on_failure = raise_on_failure
        self.read_options = read_options
        self.base_url = base_url
        self.reader = reader
        self.timeout = timeout
        self.max_retries = max_retries
        self._open()

    @component.output_types(documents=list[Document], streams=list[ByteStream])
    def run(self, urls: list[str]) -> dict[str, Any]:
        """Read pages.

        Args:
            urls: Their URLs.

        Returns:
            `documents`, the pages in the order of the URLs, with title, URL and what else they say of themselves in
            `meta`; and `streams`, the same as bytes of Markdown, for converters.

        Raises:
            InputError: no list, or an item that is no URL; `.index` names it.
            JinaComponentsError: a page cannot be read, unless those are to be left out.
        """
        return run_sync(self._read(urls))

    @component.output_types(documents=list[Document], streams=list[ByteStream])
    async def run_async(self, urls: list[str]) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return await self._read(urls)

    async def _read(self, urls: list[str]) -> dict[str, Any]:
        given = [check_url(url, f"urls[{index}]") for index, url in enumerate(as_list(urls, what="urls"))]
        pages: dict[int, Page] = {}
        async with aclosing(self._component.aread_many(given, options=self._options)) as outcomes:
            async for place, outcome in outcomes:
                if isinstance(outcome, SourceFailure):
                    self._failed(given[place], outcome.error)
                else:
                    pages[place] = outcome
        documents = [page_document(pages[place]) for place in sorted(pages)]
        streams = [
            ByteStream.from_string(each.content or "", mime_type="text/markdown", meta=each.meta) for each in documents
        ]
        return {"documents": documents, "streams": streams}
