"""LangChain's vector store over our retriever and its stores."""
# mypy: disable-error-code=override
# LangChain leaves open what a store takes beside; here it is said.

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeAlias, cast

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from jina_components import Retriever
from jina_components.core.vectors import normalize
from jina_components.errors import InputError
from jina_components.filters import FilterLike, as_filter
from jina_components.protocols import Store, SupportsEmbed
from jina_components.retriever.diversity import most_marginal
from jina_components.types import Document as OurDocument
from jina_components.types import Ranking
from langchain_jina_components.documents import from_langchain, to_langchain
from langchain_jina_components.embeddings import as_embeddings

Hits: TypeAlias = list[tuple[OurDocument, float]]


class JinaVectorStore(VectorStore):
    """LangChain's `VectorStore` over a `Store`: in memory, on disk (`FaissStore`), or on a cluster.

    Scores are cosines, -1 to 1, higher is better. `filter` is `Field("year") >= 2020` or `{"year": {"$gte": 2020}}`.
    Metadata are JSON. A document without an id has one made of its text and metadata, and one whose id is there
    already replaces it, so that adding the same again changes nothing.

    For search by words too, or reranking, give its `retriever` to a `JinaRetriever`.

    Args:
        embedding: LangChain's embeddings, or an embedder of ours.
        store: Where the documents are; None for memory.

    Attributes:
        retriever: The `Retriever` of the store, which `close()` closes.

    Raises:
        ConfigError: the embedding or the store lacks the methods of one.

    Example:
        >>> store = JinaVectorStore.from_texts(["Paris is in France."], Embedder(), store=FaissStore("notes"))
        >>> store.similarity_search("french capital", k=1)[0].page_content
        'Paris is in France.'
    """

    def __init__(self, embedding: Embeddings | SupportsEmbed, *, store: Store | None = None) -> None:
        embedder = cast("SupportsEmbed", embedding)  # which LangChain's are too
        self.retriever = Retriever(embedder, store=store)
        self._embeddings = as_embeddings(embedder)

    @property
    def embeddings(self) -> Embeddings:
        """What embeds documents and queries."""
        return self._embeddings

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts with their metadata, as `add_documents` does."""
        return self.add_documents(_made(texts, metadatas), ids=ids, **kwargs)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """`add_texts` without blocking the event loop."""
        return await self.aadd_documents(_made(texts, metadatas), ids=ids, **kwargs)

    def add_documents(
        self,
        documents: list[Document],
        *,
        ids: list[str] | None = None,
        show_progress: bool = False,
        batch_size: int | None = None,  # noqa: ARG002 (which LangChain's `index` sends)
    ) -> list[str]:
        """Add documents, or replace those of the same ids; all of them, or none.

        Args:
            documents: The documents.
            ids: Their ids, instead of those they have.
            show_progress: Draw a bar on stderr.
            batch_size: Of no meaning: the embedder makes its batches.

        Returns:
            Their ids.

        Raises:
            InputError: another number of ids, a blank text, or metadata that are not JSON; `.index` names it.
            IndexMismatchError, IndexFilesError: as `Retriever.add`.
        """
        return self.retriever.add(_ours(documents, ids), show_progress=show_progress)

    async def aadd_documents(
        self,
        documents: list[Document],
        *,
        ids: list[str] | None = None,
        show_progress: bool = False,
        batch_size: int | None = None,  # noqa: ARG002
    ) -> list[str]:
        """`add_documents` without blocking the event loop; once cancelled, all of it happens or nothing."""
        return await self.retriever.aadd(_ours(documents, ids), show_progress=show_progress)

    def delete(self, ids: list[str] | None = None, *, filter: FilterLike | None = None) -> bool:
        """Delete documents by id, or those that match a filter; with neither, all of them. Unknown ids are no error."""
        self.retriever.delete(ids, filter=_all_or(ids, filter))
        return True

    async def adelete(self, ids: list[str] | None = None, *, filter: FilterLike | None = None) -> bool:
        """`delete` without blocking the event loop."""
        await self.retriever.adelete(ids, filter=_all_or(ids, filter))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of those ids that are there, in their order."""
        store = self.retriever.store
        keys = [key for key in store.keys_of(ids) if key is not None]
        return [to_langchain(document) for document in store.get(keys) if document is not None]

    def similarity_search(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[Document]:
        """The nearest documents, best first; further arguments are those of `Retriever.retrieve`."""
        return _documents(self._near(query, k, filter, **kwargs))

    async def asimilarity_search(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[Document]:
        """`similarity_search` without blocking the event loop."""
        return _documents(await self._anear(query, k, filter, **kwargs))

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The nearest documents with their cosines."""
        return _pairs(self._near(query, k, filter, **kwargs))

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """`similarity_search_with_score` without blocking the event loop."""
        return _pairs(await self._anear(query, k, filter, **kwargs))

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: FilterLike | None = None
    ) -> list[Document]:
        """The documents nearest to a vector."""
        return _documents(self._near_vector(embedding, k, filter))

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, filter: FilterLike | None = None
    ) -> list[tuple[Document, float]]:
        """The documents nearest to a vector, with their cosines."""
        return _pairs(self._near_vector(embedding, k, filter))

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,
    ) -> list[Document]:
        """Documents that are near to a query, and unlike each other.

        Args:
            query: What is sought.
            k: How many at most.
            fetch_k: Of how many of the nearest.
            lambda_mult: From 0, as different as can be, to 1, as near as can be.
            filter: What the metadata must say.
        """
        return _documents(self._diverse(self._near(query, fetch_k, filter), k, lambda_mult))

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,
    ) -> list[Document]:
        """`max_marginal_relevance_search` without blocking the event loop."""
        near = await self._anear(query, fetch_k, filter)
        return _documents(await asyncio.to_thread(self._diverse, near, k, lambda_mult))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,
    ) -> list[Document]:
        """`max_marginal_relevance_search` for a vector."""
        return _documents(self._diverse(self._near_vector(embedding, fetch_k, filter), k, lambda_mult))

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | SupportsEmbed,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A vector store with these texts; further arguments are those of the constructor."""
        made = cls(embedding, **kwargs)
        made.add_texts(texts, metadatas, ids=ids)
        return made

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | SupportsEmbed,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """`from_texts` without blocking the event loop."""
        made = cls(embedding, **kwargs)
        await made.aadd_texts(texts, metadatas, ids=ids)
        return made

    def close(self) -> None:
        """Close the store; what was in memory is gone."""
        self.retriever.close()

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def _near(self, query: str, k: int, filter: FilterLike | None, **options: Any) -> Hits:
        try:
            return _hits(self.retriever.retrieve(query, top_k=k, filter=filter, **{"mode": "dense", **options}))
        except InputError:
            if self.retriever.count():
                raise
            return []  # to LangChain a store without documents is no mistake

    async def _anear(self, query: str, k: int, filter: FilterLike | None, **options: Any) -> Hits:
        try:
            return _hits(await self.retriever.aretrieve(query, top_k=k, filter=filter, **{"mode": "dense", **options}))
        except InputError:
            if await asyncio.to_thread(self.retriever.count):
                raise
            return []

    def _near_vector(self, vector: Sequence[float], k: int, filter: FilterLike | None) -> Hits:
        store = self.retriever.store
        hits = store.search_dense(normalize(np.array([vector], np.float32)), k, as_filter(filter))[0]
        found = zip(store.get([key for key, _ in hits]), hits, strict=True)
        return [(document, score) for document, (_, score) in found if document is not None]

    def _diverse(self, hits: Hits, k: int, lambda_mult: float) -> Hits:
        """Those of the hits that maximal marginal relevance picks."""
        store = self.retriever.store
        keys = store.keys_of([document.id for document, _ in hits])
        held = [(key, hit) for key, hit in zip(keys, hits, strict=True) if key is not None]
        relevance = np.array([score for _, (_, score) in held], np.float32)
        vectors = store.get_vectors([key for key, _ in held])
        return [held[place][1] for place, _ in most_marginal(relevance, vectors, k, diversity=1 - lambda_mult)]


def _made(texts: Iterable[str], metadatas: Sequence[dict[str, Any]] | None) -> list[Document]:
    given = list(texts)
    if metadatas is not None and len(metadatas) != len(given):
        raise InputError(f"There are {len(metadatas)} metadatas for {len(given)} texts.")
    pairs = zip(given, metadatas or [{}] * len(given), strict=True)
    return [Document(text, metadata=metadata) for text, metadata in pairs]


def _ours(documents: Sequence[Document], ids: Sequence[str] | None) -> list[OurDocument]:
    if ids is not None and len(ids) != len(documents):
        raise InputError(f"There are {len(ids)} ids for {len(documents)} documents.")
    return [from_langchain(document, id=ids[place] if ids else None) for place, document in enumerate(documents)]


def _all_or(ids: Sequence[str] | None, filter: FilterLike | None) -> FilterLike | None:
    """The filter of what is to be deleted; one that matches every document where nothing else is said."""
    return {} if ids is None and filter is None else filter


def _hits(ranking: Ranking) -> Hits:
    return [(hit.document, hit.score) for hit in ranking]


def _documents(hits: Hits) -> list[Document]:
    return [to_langchain(document) for document, _ in hits]


def _pairs(hits: Hits) -> list[tuple[Document, float]]:
    return [(to_langchain(document), score) for document, score in hits]
