"""Retriever: documents that match a query, by meaning and by words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from jina_components.core.component import Component
from jina_components.core.inputs import as_documents, as_list, check_count, check_query, check_texts
from jina_components.errors import ConfigError, InputError
from jina_components.filters import FilterLike, as_filter
from jina_components.protocols import (
    Hits,
    Key,
    Store,
    SupportsEmbed,
    SupportsMultiVector,
    SupportsRerank,
    SupportsSegment,
)
from jina_components.retriever.copying import copy_store
from jina_components.retriever.encoding import Encoder
from jina_components.retriever.fusion import Fusion
from jina_components.retriever.parents import Parents
from jina_components.retriever.pipeline import Pipeline
from jina_components.retriever.request import Mode, Request
from jina_components.types import Document, Ranking

if TYPE_CHECKING:
    from jina_components.types import FloatArray


@runtime_checkable
class SupportsSaveTo(Protocol):
    """A store that writes a copy of itself into a directory."""

    def save_to(self, directory: str | os.PathLike[str]) -> None:
        """Replace the index there in one step."""
        ...


@runtime_checkable
class _StoresDocuments(Protocol):
    """What tells a store from something else: the methods of one, and no property, which may look at files."""

    def search_dense(self, vectors: FloatArray, k: int) -> list[Hits]: ...
    def search_lexical(self, queries: Sequence[str], k: int) -> list[Hits]: ...
    def get(self, keys: Sequence[Key]) -> list[Document | None]: ...
    def get_note(self, name: str) -> str | None: ...


class Retriever(Component):
    """Finds documents by meaning (dense vectors), by words (BM25) and by late interaction, as one ranking.

    Without a store all is in memory. `Retriever.open(directory, embedder)` works on an index on disk, and
    `Retriever(embedder, store=FaissStore(directory))` makes one where there is none: every change lasts when the call
    returns. Thread-safe. Pickles as its arguments, which one in memory cannot.

    Args:
        embedder: Anything with `embed_query` and `embed_documents`; None searches by words.
        store: Where the documents are; None for memory. It is closed with the retriever.
        reranker: Judges the best candidates again.
        multi_vector: Makes a vector a token, for a store that ranks by late interaction.
        segmenter: Cuts long candidates where `late_chunking` is asked for.
        fusion: How several rankings become one.
        candidates: How many documents each ranking contributes.
        rerank_top: How many candidates the reranker reads.

    Raises:
        ConfigError: a part lacks the methods it needs.
        InputError: a number that is not positive.

    Example:
        >>> retriever = Retriever(Embedder())
        >>> retriever.add(["Paris is the capital of France.", Document("Rain is due.", metadata={"lang": "en"})])
        >>> retriever.retrieve("french capital", top_k=1)[0].document.text
        'Paris is the capital of France.'
    """

    def __init__(
        self,
        embedder: SupportsEmbed | None = None,
        *,
        store: Store | None = None,
        reranker: SupportsRerank | None = None,
        multi_vector: SupportsMultiVector | None = None,
        segmenter: SupportsSegment | None = None,
        fusion: Fusion = Fusion(),  # noqa: B008 (frozen)
        candidates: int = 100,
        rerank_top: int = 50,
    ) -> None:
        parts: tuple[tuple[str, object, Any, str], ...] = (
            ("embedder", embedder, SupportsEmbed, "embed_query and embed_documents"),
            ("store", store, _StoresDocuments, "the methods of protocols.Store"),
            ("reranker", reranker, SupportsRerank, "rerank"),
            ("multi_vector", multi_vector, SupportsMultiVector, "embed_multi_vector"),
            ("segmenter", segmenter, SupportsSegment, "segment"),
            ("fusion", fusion, Fusion, "the type Fusion"),
        )
        for name, part, kind, wanted in parts:
            # A class has the methods too.
            if part is not None and (isinstance(part, type) or not isinstance(part, kind)):
                raise ConfigError(f"{name} must have {wanted}, got {part!r}.")
        for name, value in (("candidates", candidates), ("rerank_top", rerank_top)):
            check_count(value, what=name)
        self._is_in_memory = store is None
        self._store = _memory() if store is None else store
        self._embedder = embedder
        self._encoder = Encoder(embedder, multi_vector)
        self._pipeline = Pipeline(
            self._store, self._encoder, embedder, reranker, segmenter, fusion, candidates, rerank_top
        )

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        embedder: SupportsEmbed | None = None,
        *,
        reranker: SupportsRerank | None = None,
        multi_vector: SupportsMultiVector | None = None,
        segmenter: SupportsSegment | None = None,
        fusion: Fusion = Fusion(),  # noqa: B008 (frozen)
        candidates: int = 100,
        rerank_top: int = 50,
    ) -> Retriever:
        """The retriever of an index on disk; without an embedder it searches by words, and takes no documents.

        Raises:
            IndexFilesError: no index there, or a damaged one.
            IndexMismatchError: it was made with another embedder.
        """
        from jina_components.retriever.stores.faiss import FaissStore

        retriever = cls(
            embedder,
            store=FaissStore(directory, must_exist=True),
            reranker=reranker,
            multi_vector=multi_vector,
            segmenter=segmenter,
            fusion=fusion,
            candidates=candidates,
            rerank_top=rerank_top,
        )
        retriever._encoder.check(retriever._store, retriever._encoder.kinds)
        return retriever

    @property
    def store(self) -> Store:
        """Where the documents are; has what is particular to its kind, such as `verify` and `compact`."""
        return self._store

    def __len__(self) -> int:
        return self._store.count()

    def __bool__(self) -> bool:
        return True  # one without documents is a retriever too

    def __contains__(self, document_id: object) -> bool:
        return isinstance(document_id, str) and self._store.keys_of([document_id]) != [None]

    def documents(self, *, filter: FilterLike | None = None) -> list[Document]:
        """The documents held, or those that match `filter`, in the order they were added where the store keeps one."""
        return list(self._store.scan(filter=as_filter(filter)))

    def count(self, *, filter: FilterLike | None = None) -> int:
        """How many documents match."""
        return self._store.count(filter=as_filter(filter))

    def add(self, documents: Sequence[str | Document], *, show_progress: bool = False) -> list[str]:
        """Add documents; one whose id is there already replaces it.

        Nothing changes unless all of them can be embedded.

        Returns:
            Their ids, in order.

        Raises:
            InputError: no list, or an item that is blank or over the embedder's context; `.index` names it.
            IndexMismatchError: the store's vectors are another embedder's.
            IndexFilesError: the store cannot be written to.
        """
        items = as_documents(documents, what="documents")
        if not items:
            return []
        positions = {document.id: position for position, document in enumerate(items)}
        unique = [items[position] for position in positions.values()]
        self._encoder.check(self._store)
        vectors, token_vectors = self._encoder.documents(unique, list(positions.values()), show_progress=show_progress)
        self._encoder.claim(self._store)
        self._store.put(unique, vectors, token_vectors)
        return [document.id for document in items]

    async def aadd(self, documents: Sequence[str | Document], *, show_progress: bool = False) -> list[str]:
        """`add` without blocking the event loop; once cancelled, all of it happens or nothing."""
        return await asyncio.to_thread(self.add, documents, show_progress=show_progress)

    def embed_again(self, ids: Sequence[str], *, show_progress: bool = False) -> int:
        """Embed documents of the store anew, such as `FaissStore.repair` names as `lost_vectors`.

        They count as added anew.

        Returns:
            How many were there; unknown ids are no error.

        Raises:
            InputError: `ids` is no list of strings.
            IndexMismatchError: the store's vectors are another embedder's.
            IndexFilesError: the store cannot be written to.
        """
        keys = [key for key in self._store.keys_of(_names(ids)) if key is not None]
        documents = [document for document in self._store.get(keys) if document is not None]
        return len(self.add(documents, show_progress=show_progress))

    def delete(self, ids: Sequence[str] | None = None, *, filter: FilterLike | None = None) -> int:
        """Delete documents by id, or all that match a filter (an empty one matches every document).

        Returns:
            How many were there; unknown ids are no error.

        Raises:
            InputError: neither or both are given, or `ids` is no list of strings.
        """
        if (ids is None) == (filter is None):
            raise InputError("delete takes either ids or filter.")
        if ids is None:
            return self._store.delete(filter=as_filter(filter))
        return self._store.delete(_names(ids))

    async def adelete(self, ids: Sequence[str] | None = None, *, filter: FilterLike | None = None) -> int:
        """`delete` without blocking the event loop."""
        return await asyncio.to_thread(self.delete, ids, filter=filter)

    def retrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        filter: FilterLike | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
        parents: Parents | None = None,
        late_chunking: bool = False,
    ) -> Ranking:
        """The best documents for a query; each hit's `why` has what every stage said of it.

        The stages, in this order: the rankings of the store, fusion of several, late chunking, reranking, `min_score`,
        parents, diversity. A hit's score is that of the last stage that ordered it, see `mode`, `rerank`, `diversity`.

        Args:
            query: What is sought.
            top_k: How many at most.
            filter: What the metadata of documents must say: typed (`Field("year") >= 2020`) or plain
                (`{"lang": ["en", "de"]}`), see `jina_components.filters`.
            mode: `dense` ranks by cosine (-1 to 1), `lexical` by BM25 (from 0), `multi_vector` by MaxSim (up to the
                number of the query's tokens); `hybrid` fuses them (0 to 1, see `Fusion`: 1 is the best of every
                ranking, which says nothing of how good that is). None takes what there is, fused if it is several.
            rerank: Whether the reranker judges the candidates again, on its own scale; None: if there is one. What it
                could not rank is in `Ranking.failures`.
            min_score: Leave out hits below, on the scale of reranking, or without it of the mode.
            diversity: From 0 to 1: how much being unlike the hits before counts beside the score (maximal marginal
                relevance). The scores are then those of that trade, from -1 to 1.
            parents: Give the text that chunks were cut from instead of the chunks.
            late_chunking: Give of long documents the passage nearest to the query, found with the embedder's late
                chunking, with its `start` and `end`; what is reranked then is the passage.

        Raises:
            InputError: an empty query, a bad limit or filter, or a retriever without documents.
            UnknownNameError: unknown mode.
            ConfigError: what is asked for needs a part that this retriever, its store or its embedder lacks; or no
                single ranking is named and a model is of no use to this store.
            IndexMismatchError: the store's vectors are another embedder's.
        """
        check_query(query)
        request = Request(
            top_k, as_filter(filter), mode, rerank, min_score, diversity, parents, late_chunking=late_chunking
        )
        return self._pipeline.run([query], request)[0]

    async def aretrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        filter: FilterLike | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
        parents: Parents | None = None,
        late_chunking: bool = False,
    ) -> Ranking:
        """`retrieve` without blocking the event loop."""
        check_query(query)
        request = Request(
            top_k, as_filter(filter), mode, rerank, min_score, diversity, parents, late_chunking=late_chunking
        )
        return (await asyncio.to_thread(self._pipeline.run, [query], request))[0]

    def retrieve_many(
        self,
        queries: Sequence[str],
        *,
        top_k: int = 10,
        filter: FilterLike | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
        parents: Parents | None = None,
        late_chunking: bool = False,
    ) -> list[Ranking]:
        """`retrieve` of many queries, in one pass through the store; one ranking each, in their order."""
        check_texts(queries, what="queries")
        request = Request(
            top_k, as_filter(filter), mode, rerank, min_score, diversity, parents, late_chunking=late_chunking
        )
        return self._pipeline.run(queries, request)

    async def aretrieve_many(
        self,
        queries: Sequence[str],
        *,
        top_k: int = 10,
        filter: FilterLike | None = None,
        mode: Mode | None = None,
        rerank: bool | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
        parents: Parents | None = None,
        late_chunking: bool = False,
    ) -> list[Ranking]:
        """`retrieve_many` without blocking the event loop."""
        check_texts(queries, what="queries")
        request = Request(
            top_k, as_filter(filter), mode, rerank, min_score, diversity, parents, late_chunking=late_chunking
        )
        return await asyncio.to_thread(self._pipeline.run, queries, request)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write a whole copy into a directory, which `open` reads; an index that was there is replaced in one step.

        Raises:
            IndexFilesError: the directory holds something else, or the disk failed or is full.
            ConfigError: the store cannot give its vectors back.
        """
        if isinstance(self._store, SupportsSaveTo):
            self._store.save_to(directory)
            return
        with Retriever(self._embedder) as copied:
            self.copy_to(copied.store)
            copied.save(directory)

    def copy_to(self, store: Store, *, show_progress: bool = False) -> int:
        """Copy all documents and their vectors into another store, without embedding again: to a cluster, or back.

        Goes a thousand documents at a time. Interrupted, it can be run again; what the other store holds besides stays.

        Returns:
            How many there were.

        Raises:
            ConfigError: this store cannot give its vectors back.
            IndexMismatchError: the other store holds vectors of another embedder.
        """
        return copy_store(self._store, store, show_progress=show_progress)

    def close(self) -> None:
        """Close the store; what was in memory is gone, and one on disk is opened again by the next call."""
        self._store.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._is_in_memory:
            raise InputError(
                "A retriever in memory does not pickle: save() it, and open() the directory there, "
                "or give it a store that lasts."
            )
        return super().__reduce__()

    def __repr__(self) -> str:
        return f"Retriever({self._embedder!r}, store={self._store!r})"


def _names(ids: Sequence[str]) -> Sequence[str]:
    """Ids, checked."""
    names = as_list(ids, what="ids")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise InputError(f"ids[{index}] must be a str, got {type(name).__name__}.", index)
    return names


def _memory() -> Store:
    from jina_components.retriever.stores.faiss import FaissStore

    return FaissStore()
