"""A store of ours as a `DocumentStore` of Haystack."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from haystack_jina_components.documents import BESIDES, from_haystack, to_haystack
from haystack_jina_components.filters import to_filter
from jina_components.core.component import Component
from jina_components.errors import ConfigError, InputError
from jina_components.filters import And, Condition, Not
from jina_components.protocols import Hits, Store
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.types import Document as OurDocument

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# Of documents that were written without a vector, and so are found by words alone.
_WITHOUT = Condition((BESIDES, "embedded"), "exists")
_NOTE = "haystack.has_documents_without_embedding"


class JinaDocumentStore:
    """Haystack's `DocumentStore` over a store of ours: FAISS and BM25 on disk, Milvus, Qdrant or PostgreSQL.

    Documents come with the embeddings that a document embedder has made, or without, and are found by
    `JinaEmbeddingRetriever` and `JinaBM25Retriever`. Embeddings are compared by cosine, and given back up to the
    precision of float32. Metadata is JSON. Filters mean what `haystack_jina_components.filters` says.

    A `JinaRetriever` over the same store finds them too, with an embedder that makes vectors of the same space.

    Args:
        store: Where the documents are, such as `FaissStore(directory)`; None for memory, which is written down without
            them: whatever reads it back has an empty store of its own. It is closed with this.
        embedding_dimension: Width of the embeddings; None for that of the first. Name it where documents without an
            embedding may be written before any that has one: without it, the store is then one of words alone.
        return_embedding: Whether `filter_documents` gives embeddings back, where the store can.

    Raises:
        ConfigError: no store.

    Example:
        >>> store = JinaDocumentStore(FaissStore("index"))
        >>> store.write_documents(JinaDocumentEmbedder().run([Document(content="It rains.")])["documents"])
        1
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        embedding_dimension: int | None = None,
        return_embedding: bool = True,
    ) -> None:
        if store is not None and (isinstance(store, type) or not hasattr(store, "search_dense")):
            raise ConfigError(f"store must have the methods of protocols.Store, such as a FaissStore, got {store!r}.")
        self.store = store
        self.embedding_dimension = embedding_dimension
        self.return_embedding = return_embedding
        self._store: Store = FaissStore() if store is None else store
        self._writing = threading.Lock()  # between looking for duplicates and writing

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values; documents stay where the store has them.

        Raises:
            ConfigError: the store is none of ours, or holds a secret.
            InputError: a store was given that is in memory.
        """
        if self.store is not None and not isinstance(self.store, Component):
            raise ConfigError(f"{type(self.store).__name__} is no component of ours, and cannot be written down.")
        store = None if self.store is None else self.store.to_dict()
        return default_to_dict(
            self, store=store, embedding_dimension=self.embedding_dimension, return_embedding=self.return_embedding
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The document store that `to_dict` has written."""
        settings = dict(data.get("init_parameters", {}))
        if settings.get("store") is not None:
            settings["store"] = Component.from_dict(settings["store"])
        return default_from_dict(cls, {**data, "init_parameters": settings})

    def count_documents(self) -> int:
        """How many documents there are."""
        return self._store.count()

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """How many documents match."""
        return self._store.count(filter=to_filter(filters))

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """The documents that match, in the order they were written where the store keeps one.

        Raises:
            FilterError: no filter that can be used.
        """
        if not self.return_embedding:
            return [to_haystack(document) for document in self._store.scan(filter=to_filter(filters))]
        return [
            to_haystack(document, embedding=_restored(document, vector))
            for document, vector in self._with_vectors(filters)
        ]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Write documents: all of them, or none that is refused.

        Args:
            documents: The documents, with embeddings or without.
            policy: What becomes of one whose id is there already; `NONE` is `FAIL`.

        Returns:
            How many were written.

        Raises:
            ValueError: no list of documents.
            DuplicateDocumentError: an id is there, or comes twice, and the policy is `FAIL`.
            InputError: an embedding of another width than those held, or metadata that is not JSON.
        """
        if not isinstance(documents, list) or not all(isinstance(each, Document) for each in documents):
            raise ValueError("write_documents takes a list of Haystack's Documents.")
        with self._writing:
            chosen = documents if policy is DuplicatePolicy.OVERWRITE else self._new(documents, policy)
            unique = list({each.id: each for each in chosen}.values())
            if unique:
                self._put(unique)
        return len(chosen)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents by id; unknown ids are no error."""
        self._store.delete(document_ids)

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete the documents that match, of which an empty filter has all; how many there were."""
        wanted = to_filter(filters)
        return self._store.delete(filter=And(()) if wanted is None else wanted)

    def delete_all_documents(self) -> None:
        """Delete every document."""
        self._store.delete(filter=And(()))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set fields of `meta` of the documents that match; how many there were."""
        with self._writing:
            found = self._with_vectors(filters)
            changed = [replace(document, metadata={**document.metadata, **meta}) for document, _ in found]
            vectors = np.array([vector for _, vector in found], np.float32)
            if found:
                self._store.put(changed, vectors if vectors.shape[1] else None)
        return len(found)

    def close(self) -> None:
        """Give memory and connections back; the next call opens them again. A store in memory is gone."""
        self._store.close()

    async def count_documents_async(self) -> int:
        """`count_documents` without blocking the event loop."""
        return await asyncio.to_thread(self.count_documents)

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """`count_documents_by_filter` without blocking the event loop."""
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """`filter_documents` without blocking the event loop."""
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """`write_documents` without blocking the event loop; once cancelled, all of it happens or nothing."""
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """`delete_documents` without blocking the event loop."""
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """`delete_by_filter` without blocking the event loop."""
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def delete_all_documents_async(self) -> None:
        """`delete_all_documents` without blocking the event loop."""
        await asyncio.to_thread(self.delete_all_documents)

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """`update_by_filter` without blocking the event loop."""
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def close_async(self) -> None:
        """`close` without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def nearest(self, embedding: Sequence[float], filters: dict[str, Any] | None, top_k: int) -> list[Document]:
        """The documents whose embeddings are nearest, with their cosines; for retrievers.

        Raises:
            FilterError: no filter that can be used.
            InputError: an embedding of another width than those held.
            ConfigError: the documents have no embeddings.
        """
        wanted = to_filter(filters)
        if self._store.get_note(_NOTE):
            wanted = Not(_WITHOUT) if wanted is None else And((wanted, Not(_WITHOUT)))
        query, _ = _unit(embedding)
        return self._found(self._store.search_dense(query[None], top_k, wanted)[0])

    def matching(self, query: str, filters: dict[str, Any] | None, top_k: int) -> list[Document]:
        """The documents that share words with the query, with their BM25 scores; for retrievers.

        Raises:
            FilterError: no filter that can be used.
        """
        return self._found(self._store.search_lexical([query], top_k, to_filter(filters))[0])

    def _found(self, hits: Hits) -> list[Document]:
        held = self._store.get([key for key, _ in hits])
        return [
            to_haystack(document, score=float(score))
            for document, (_, score) in zip(held, hits, strict=True)
            if document is not None
        ]

    def _with_vectors(self, filters: dict[str, Any] | None) -> list[tuple[OurDocument, FloatArray]]:
        found = list(self._store.scan(filter=to_filter(filters)))
        keys = self._store.keys_of([document.id for document in found])
        held = [(document, key) for document, key in zip(found, keys, strict=True) if key is not None]
        vectors = self._store.get_vectors([key for _, key in held])
        return [(document, vector) for (document, _), vector in zip(held, vectors, strict=True)]

    def _new(self, documents: list[Document], policy: DuplicatePolicy) -> list[Document]:
        """Those that are not there, each id once.

        Raises:
            DuplicateDocumentError: there is another one, and it is not to be skipped.
        """
        keys = self._store.keys_of([each.id for each in documents])
        held = {each.id for each, key in zip(documents, keys, strict=True) if key is not None}
        new: dict[str, Document] = {}
        for each in documents:
            if each.id not in held and each.id not in new:
                new[each.id] = each
            elif policy is not DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"The id {each.id!r} is there already: skip or overwrite by the policy.")
        return list(new.values())

    def _put(self, documents: list[Document]) -> None:
        width = self._width(documents)
        kept, rows = [], np.zeros((len(documents), width), np.float32)
        for index, each in enumerate(documents):
            besides: dict[str, Any] = {}
            if each.embedding:
                if len(each.embedding) != width:
                    got = len(each.embedding)
                    raise InputError(f"documents[{index}] has an embedding of the width {got}, not {width}.", index)
                rows[index], norm = _unit(each.embedding)
                besides = {} if norm is None else {"norm": norm}
            elif width:
                besides = {"embedded": False}
            kept.append(from_haystack(each, **besides))
        if width and not all(each.embedding for each in documents):
            self._store.set_note(_NOTE, "yes")
        self._store.put(kept, rows if width else None)

    def _width(self, documents: list[Document]) -> int:
        """Of the embeddings; 0 where there are none, and so none are to be made up for documents without."""
        given = self.embedding_dimension or next((len(each.embedding) for each in documents if each.embedding), 0)
        return given or int(self._store.get_vectors([]).shape[1])


def _unit(embedding: Sequence[float]) -> tuple[FloatArray, float | None]:
    """The vector of unit length, and its own length where that is another."""
    vector = np.asarray(embedding, np.float64)
    norm = float(np.linalg.norm(vector))
    if norm == 0 or abs(norm - 1) < 1e-6:
        return vector.astype(np.float32), None
    return (vector / norm).astype(np.float32), norm


def _restored(document: OurDocument, vector: FloatArray) -> list[float] | None:
    """The embedding that was written; None where there was none."""
    besides = document.metadata.get(BESIDES, {})
    if not len(vector) or "embedded" in besides:
        return None
    return [value * besides.get("norm", 1.0) for value in vector.tolist()]
