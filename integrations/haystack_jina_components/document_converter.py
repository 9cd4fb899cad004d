"""Files and bytes into documents, in Haystack."""

from pathlib import Path
from typing import Any

from haystack import Document, component
from haystack.components.converters.utils import normalize_metadata
from haystack.dataclasses import ByteStream
from haystack.utils import Secret

from haystack_jina_components.documents import page_document
from haystack_jina_components.fetcher import ReadsPages
from jina_components.core.background import run_sync
from jina_components.core.inputs import as_list
from jina_components.errors import JinaComponentsError
from jina_components.protocols import SupportsRead

_WEB = ("http://", "https://")


@component
class JinaDocumentConverter(ReadsPages):
    """Turns files, bytes and URLs into documents of clean Markdown: HTML, PDF, Office, EPUB and more.

    With a key or a `base_url` they are sent to a server, else a `Reader` reads them here.

    Args:
        api_key: Key of the server.
        store_full_path: Whether `file_path` in `meta` is the whole path of a file, or its name.
        raise_on_failure: Whether a source that cannot be read is an error; else it is left out, and a warning logged,
            as Haystack's converters do.
        read_options: How to read, by the names of `ReadOptions`: `{"images": "none"}`.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        reader: A `Reader` of ours, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a reader and settings of a server, or a setting that makes no sense.

    Example:
        >>> JinaDocumentConverter().run(["report.pdf"])["documents"][0].meta["file_path"]
        'report.pdf'
    """

    def __init__(
        self,
        api_key: Secret | None = None,
        store_full_path: bool = False,
        raise_on_failure: bool = False,
        read_options: dict[str, Any] | None = None,
        *,
        base_url: str | None = None,
        reader: SupportsRead | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.store_full_path = store_full_path
        self.raise_on_failure = raise_on_failure
        self.read_options = read_options
        self.base_url = base_url
        self.reader = reader
        self.timeout = timeout
        self.max_retries = max_retries
        self._open()

    @component.output_types(documents=list[Document])
    def run(
        self,
        sources: list[str | Path | ByteStream],
        meta: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Convert sources.

        Args:
            sources: Paths of files, URLs, and bytes, whose `mime_type` says what they are, and whose `meta` goes along.
            meta: What to put into the `meta` of all documents, or of each.

        Returns:
            `documents`, one of each source that could be read.

        Raises:
            ValueError: other than one `meta` for each source, or no list of sources.
            JinaComponentsError: a source cannot be read, and those are not to be left out.
        """
        return run_sync(self._convert(sources, meta))

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        sources: list[str | Path | ByteStream],
        meta: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return await self._convert(sources, meta)

    async def _convert(
        self, sources: list[str | Path | ByteStream], meta: dict[str, Any] | list[dict[str, Any]] | None
    ) -> dict[str, Any]:
        documents = []
        metas = normalize_metadata(meta, len(as_list(sources, what="sources")))
        for source, given in zip(sources, metas, strict=True):
            try:
                documents.append(await self._document(source, given))
            except JinaComponentsError as error:
                self._failed(f"{source!r:.200}", error)
        return {"documents": documents}

    async def _document(self, source: str | Path | ByteStream, meta: dict[str, Any]) -> Document:
        if isinstance(source, ByteStream):
            told = {"content_type": source.mime_type or "", "base_url": str(source.meta.get("url", ""))}
            known = {name: value for name, value in told.items() if value}
            page = await self._component.aread(source.data, options=self._options, **known)
            return page_document(page, {**source.meta, **meta})
        page = await self._component.aread(source, options=self._options)
        return page_document(page, {**self._place(source), **meta})

    def _place(self, source: str | Path) -> dict[str, Any]:
        """Where a file is; of a URL, the page tells that itself."""
        if isinstance(source, str) and source.lower().startswith(_WEB):
            return {}
        return {"file_path": str(source) if self.store_full_path else Path(source).name}
