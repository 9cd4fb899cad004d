"""The stages of bulk indexing: sources into chunks, chunks into vectors. Each travels to where it runs as settings."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.core.background import run_sync
from jina_components.embedder import Embedder
from jina_components.errors import BackendError, InputError, JinaComponentsError, WebError
from jina_components.protocols import SupportsEmbed, SupportsMultiVector, SupportsRead
from jina_components.read_options import ReadOptions
from jina_components.reader.pages import unexpected
from jina_components.retriever.encoding import Encoder
from jina_components.segmenter import Segmenter
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_TOGETHER = 8  # sources that are read at the same time
# What may be the fault of one text; all other errors are of the settings, and end a run.
_OF_A_TEXT = (InputError, BackendError, WebError)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Chunked:
    """A chunk on its way into a store.

    Attributes:
        document: The chunk.
        vector: Its unit vector, once it is embedded, where there is an embedder.
        token_vectors: Those of its tokens, shape [tokens, dimensions], where there is a multi-vector model.
    """

    document: Document
    vector: FloatArray | None = None
    token_vectors: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SourceChunks:
    """What has become of a source so far.

    Attributes:
        source: As it was named: an absolute path or a URL.
        url: What its chunks carry as `source`: the path, or the URL after redirects.
        version: A digest of size and time of change of a file; empty for a URL, whose content only reading it tells.
        held: Ids of the chunks that the store has of it; once it is read, of those that are still chunks of it.
        chunks: Its other chunks, of different ids: those to embed.
        tokens: How many were embedded, where the embedder counts them; those of a batch are with its first source.
        error: Why it could not be read or embedded.
    """

    source: str
    url: str = ""
    version: str = ""
    held: frozenset[str] = frozenset()
    chunks: tuple[Chunked, ...] = ()
    tokens: int = 0
    error: JinaComponentsError | None = None

    def __repr__(self) -> str:
        return f"SourceChunks({self.source!r}, {len(self.chunks)} chunks, error={self.error!r})"


def version_of(source: str) -> str:
    """What changes when a file does; empty for a URL, or what cannot be looked at."""
    try:
        info = None if "://" in source else Path(source).stat()
    except OSError:
        return ""
    return "" if info is None else hashlib.blake2b(f"{info.st_size} {info.st_mtime_ns}".encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class ReadStage:
    """Reads sources and cuts them into chunks; a source that fails carries its error.

    Attributes:
        reader: Reads them.
        segmenter: Cuts them.
        options: How to read; None as the reader was told.
    """

    reader: SupportsRead
    segmenter: Segmenter
    options: ReadOptions | None = None

    def __call__(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        """The same with their chunks, in order."""
        return run_sync(self._read_all(sources))

    async def _read_all(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        free = asyncio.Semaphore(_TOGETHER)

        async def read(named: SourceChunks) -> SourceChunks:
            async with free:
                return await self._read(named.source, named.held)

        return await asyncio.gather(*map(read, sources))

    async def _read(self, source: str, held: frozenset[str]) -> SourceChunks:
        version = version_of(source)  # before it is read: a change in between shows at the next run
        try:
            page = await self.reader.aread(source, options=self.options)
            documents = await asyncio.to_thread(self.segmenter.segment_page, page)
        except JinaComponentsError as error:
            return SourceChunks(source, error=error)
        except Exception as error:  # noqa: BLE001 (returned: no memory, or a reader of the caller)
            return SourceChunks(source, error=unexpected(source, error))
        unique = {document.id: document for document in documents}
        new = tuple(Chunked(document) for name, document in unique.items() if name not in held)
        return SourceChunks(source, page.url, version, held & unique.keys(), new)


@dataclass(frozen=True, slots=True)
class EmbedStage:
    """Gives chunks their vectors; a source of which a chunk cannot be embedded carries the error.

    Attributes:
        embedder: Makes a vector a chunk, or None; its model stays loaded from one call to the next.
        multi_vector: Makes a vector a token, or None; likewise.
    """

    embedder: SupportsEmbed | None
    multi_vector: SupportsMultiVector | None = None

    def __call__(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        """The same with vectors, in order."""
        try:
            return self._together(sources)
        except _OF_A_TEXT:
            return [self._alone(source) for source in sources]

    def _alone(self, source: SourceChunks) -> SourceChunks:
        try:
            return self._together([source])[0]
        except _OF_A_TEXT as error:
            return SourceChunks(source.source, error=error)

    def _together(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        documents = [chunk.document for source in sources for chunk in source.chunks]
        if not documents:
            return list(sources)
        counting = None if self.embedder is None else _Counting(self.embedder)
        encoder = Encoder(counting, self.multi_vector)
        vectors, matrices = encoder.documents(documents, range(len(documents)), show_progress=False)
        nothing = [None] * len(documents)
        embedded = map(Chunked, documents, nothing if vectors is None else vectors, matrices or nothing)
        tokens = [counting.tokens if counting else 0] + [0] * (len(sources) - 1)
        return [
            replace(source, chunks=tuple(islice(embedded, len(source.chunks))), tokens=count)
            for source, count in zip(sources, tokens, strict=True)
        ]


class _Counting:
    """An embedder of documents that counts their tokens, where it is one that tells."""

    def __init__(self, embedder: SupportsEmbed) -> None:
        self._embedder = embedder
        self.tokens = 0

    def embed_query(self, text: str) -> FloatArray:
        return self._embedder.embed_query(text)

    def embed_documents(self, texts: Sequence[str]) -> FloatArray:
        if not isinstance(self._embedder, Embedder):
            return self._embedder.embed_documents(texts)
        embeddings = self._embedder.embed(texts, task="retrieval.passage")
        self.tokens += embeddings.usage.prompt_tokens
        return embeddings.vectors


@dataclass(frozen=True, slots=True)
class Stages:
    """Both, one after the other, in one process."""

    read: ReadStage
    embed: EmbedStage

    def __call__(self, sources: Sequence[SourceChunks]) -> list[SourceChunks]:
        """The same with their chunks and vectors, in order."""
        return self.embed(self.read(sources))
