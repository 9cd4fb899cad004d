"""Haystack's retrievers over a `JinaDocumentStore`."""

import asyncio
from typing import Any

from haystack import Document, component
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from haystack_jina_components.component import JinaComponent
from haystack_jina_components.document_store import JinaDocumentStore
from jina_components.core.inputs import check_count
from jina_components.errors import ConfigError


class StoreRetriever(JinaComponent):
    """What our two retrievers over a document store share."""

    def __init__(
        self,
        document_store: JinaDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        *,
        filter_policy: FilterPolicy | str = FilterPolicy.REPLACE,
    ) -> None:
        if not isinstance(document_store, JinaDocumentStore):
            raise ConfigError(f"document_store must be a JinaDocumentStore, got {type(document_store).__name__}.")
        check_count(top_k, what="top_k")
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.filter_policy = FilterPolicy(filter_policy)

    def close(self) -> None:
        """Close the document store; the next call opens it again."""
        self.document_store.close()

    async def close_async(self) -> None:
        """`close` without blocking the event loop."""
        await self.document_store.close_async()

    def _get_telemetry_data(self) -> dict[str, Any]:
        """What Haystack sends of it, where its telemetry is on."""
        return {"document_store": type(self.document_store).__name__}

    def _how(self, filters: dict[str, Any] | None, top_k: int | None) -> tuple[dict[str, Any] | None, int]:
        chosen = self.top_k if top_k is None else top_k
        check_count(chosen, what="top_k")
        return apply_filter_policy(self.filter_policy, self.filters, filters), chosen


@component
class JinaEmbeddingRetriever(StoreRetriever):
    """Finds the documents of a `JinaDocumentStore` whose embeddings are nearest to that of a query.

    Args:
        document_store: The document store.
        filters: What `meta` of documents must say.
        top_k: How many documents at most.
        filter_policy: Whether filters given to `run` take the place of `filters`, or are merged with them.

    Raises:
        ConfigError: another document store.
        InputError: `top_k` is not positive.

    Example:
        >>> embedding = JinaTextEmbedder().run("Where does it rain?")["embedding"]
        >>> JinaEmbeddingRetriever(store, top_k=3).run(embedding)["documents"]
    """

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """Find documents.

        Args:
            query_embedding: Embedding of the query.
            filters: What `meta` of documents must say.
            top_k: How many documents at most; None for the constructor's.

        Returns:
            `documents`, best first, with their cosine as the score.

        Raises:
            FilterError: no filter that can be used.
            InputError: an embedding of another width than those of the documents.
        """
        return {"documents": self.document_store.nearest(query_embedding, *self._how(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return await asyncio.to_thread(self.run, query_embedding, filters, top_k)


@component
class JinaBM25Retriever(StoreRetriever):
    """Finds the documents of a `JinaDocumentStore` that share words with a query.

    Args:
        document_store: The document store.
        filters: What `meta` of documents must say.
        top_k: How many documents at most.
        filter_policy: Whether filters given to `run` take the place of `filters`, or are merged with them.

    Raises:
        ConfigError: another document store.
        InputError: `top_k` is not positive.

    Example:
        >>> JinaBM25Retriever(store, top_k=3).run("rain in Bergen")["documents"]
    """

    @component.output_types(documents=list[Document])
    def run(self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None) -> dict[str, Any]:
        """Find documents.

        Args:
            query: What is sought.
            filters: What `meta` of documents must say.
            top_k: How many documents at most; None for the constructor's.

        Returns:
            `documents`, best first, with their BM25 as the score.

        Raises:
            FilterError: no filter that can be used.
        """
        return {"documents": self.document_store.matching(query, *self._how(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return await asyncio.to_thread(self.run, query, filters, top_k)
