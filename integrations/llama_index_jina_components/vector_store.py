"""LlamaIndex's vector store over our stores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import fsspec  # type: ignore[import-untyped]
import numpy as np
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from llama_index.core.bridge.pydantic import Field
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.simple import DEFAULT_VECTOR_STORE, NAMESPACE_SEP
from llama_index.core.vector_stores.types import (
    DEFAULT_PERSIST_DIR,
    DEFAULT_PERSIST_FNAME,
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from pydantic import SkipValidation

from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError, InputError
from jina_components.filters import And, Filter
from jina_components.protocols import Hits, RankingKind, Store
from jina_components.retriever import Fusion, Retriever
from jina_components.retriever.diversity import most_marginal
from jina_components.retriever.retriever import SupportsSaveTo
from jina_components.retriever.stores.faiss import FaissStore
from llama_index_jina_components.nodes import document_to_node, node_to_document, to_filter
from llama_index_jina_components.remote import ComponentFields, Written

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_EVERYTHING = And(())


class JinaVectorStore(ComponentFields, BasePydanticVectorStore):
    """LlamaIndex's vector store over a `Store`: in this process, on disk, or on a cluster.

    It holds the nodes themselves, so that an index needs no other storage. Vectors are kept at unit length.

    Modes of queries: `default` ranks by cosine, `sparse` and `text_search` by BM25 (which takes `query_str`), `hybrid`
    by both, fused (`alpha` weighs the vectors; by default as `Fusion` does), and `mmr` trades the cosine for being
    unlike the nodes before (`mmr_threshold`: 1 is the cosine alone; by default 0.5).

    Args:
        store: The store; None for one in memory. It is left open.
        candidates: How many nodes each ranking contributes to `hybrid` and `mmr`.

    Raises:
        ConfigError: what is given is no store.

    Example:
        >>> vector_store = JinaVectorStore(FaissStore("storage"))
        >>> index = VectorStoreIndex.from_documents(
        ...     documents, storage_context=StorageContext.from_defaults(vector_store=vector_store)
        ... )
    """

    part: ClassVar[str] = "store"

    # Not looked at by pydantic, which would ask a property that opens files.
    store: Annotated[SkipValidation[Store | None], Written] = Field(default=None, frozen=True)
    candidates: int = Field(default=100, gt=0)
    stores_text: bool = True
    is_embedding_query: bool = True

    def __init__(self, store: Store | None = None, *, candidates: int = 100, **settings: Any) -> None:
        if store is not None and not isinstance(store, Mapping):
            Retriever(store=store)  # refuses what is none
        super().__init__(store=store, candidates=candidates, **settings)

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is written down."""
        return "JinaVectorStore"

    @classmethod
    def from_persist_dir(
        cls,
        persist_dir: str = DEFAULT_PERSIST_DIR,
        namespace: str = DEFAULT_VECTOR_STORE,
        fs: fsspec.AbstractFileSystem | None = None,
    ) -> Self:
        """What `StorageContext.persist` has written; further changes go there.

        Raises:
            ConfigError: a file system other than the local one.
            IndexFilesError: nothing is there; raised by the first use.
        """
        path = os.path.join(persist_dir, f"{namespace}{NAMESPACE_SEP}{DEFAULT_PERSIST_FNAME}")  # noqa: PTH118 (as LlamaIndex)
        return cls.from_persist_path(path, fs)

    @classmethod
    def from_persist_path(cls, persist_path: str, fs: fsspec.AbstractFileSystem | None = None) -> Self:
        """What `persist` has written; further changes go there. Raises as `from_persist_dir`."""
        _check_local(fs)
        return cls(FaissStore(persist_path, must_exist=True))

    def persist(self, persist_path: str, fs: fsspec.AbstractFileSystem | None = None) -> None:
        """Write a copy into a directory; of a store that lasts by itself, on a cluster, nothing.

        Raises:
            ConfigError: a file system other than the local one.
            IndexFilesError: the directory holds something else, or the disk failed or is full.
        """
        _check_local(fs)
        if isinstance(self._component, SupportsSaveTo):
            self._component.save_to(persist_path)

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The settings, without the nodes.

        Raises:
            ConfigError: the nodes are in memory alone, or the store cannot be written down.
        """
        ours = self._component
        if isinstance(ours, FaissStore) and ours.directory is None and ours.count():
            raise ConfigError("The nodes of this JinaVectorStore are in memory: persist() it, or give it a FaissStore.")
        return super().to_dict(**kwargs)

    @property
    def client(self) -> Store:
        """The store."""
        return self._component

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Add nodes with their vectors; one whose id is there already replaces it.

        Returns:
            Their ids, in order.

        Raises:
            InputError: a vector of another width than those held, or metadata that are not JSON.
            IndexFilesError: the store cannot be written to.
        """
        unique = {node.node_id: node for node in nodes}.values()
        if unique:
            vectors = _rows([node.get_embedding() for node in unique])
            self._component.put([node_to_document(node) for node in unique], vectors)
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """`add` without blocking the event loop; once cancelled, all of it happens or nothing."""
        return await asyncio.to_thread(self.add, nodes)

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Delete the nodes of a document."""
        self._component.delete(filter=to_filter(None, source_ids=[ref_doc_id]))

    async def adelete(self, ref_doc_id: str, **_: Any) -> None:
        """`delete` without blocking the event loop."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **_: Any,
    ) -> None:
        """Delete nodes of these ids that match.

        Raises:
            InputError: neither is given; `clear` deletes all.
        """
        chosen = to_filter(filters, node_ids=node_ids)
        if chosen is None:
            raise InputError("delete_nodes takes node_ids or filters; clear() deletes all nodes.")
        self._component.delete(filter=chosen)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **_: Any,
    ) -> None:
        """`delete_nodes` without blocking the event loop."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    def clear(self) -> None:
        """Delete all nodes."""
        self._component.delete(filter=_EVERYTHING)

    async def aclear(self) -> None:
        """`clear` without blocking the event loop."""
        await asyncio.to_thread(self.clear)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Nodes of these ids that match, without vectors; in the order they were added where the store keeps one."""
        chosen = to_filter(filters, node_ids=node_ids)
        return [document_to_node(document) for document in self._component.scan(filter=chosen)]

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """`get_nodes` without blocking the event loop."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The best nodes, best first, with their scores.

        Args:
            query: What is sought; nothing for `node_ids` and `doc_ids`, as an index has it, allows all nodes.
            **kwargs: `mmr_threshold`, which goes before that of the query.

        Raises:
            InputError: a mode that this store does not have, a filter without a counterpart, or a query without the
                vector or the text that its mode takes.
            ConfigError: the store does not rank by what the mode takes.
        """
        if unknown := kwargs.keys() - {"mmr_threshold"}:
            raise InputError(f"JinaVectorStore takes no {', '.join(sorted(unknown))} in a query.")
        mode = VectorStoreQueryMode(query.mode)
        if (search := _MODES.get(mode.value)) is None:
            raise InputError(f"JinaVectorStore has no mode {mode.value!r}; it has {', '.join(_MODES)}.")
        allowed = to_filter(query.filters, node_ids=query.node_ids or None, source_ids=query.doc_ids or None)
        asked = replace(query, mode=mode, mmr_threshold=kwargs.get("mmr_threshold", query.mmr_threshold))
        hits = search(self._component, asked, allowed, max(self.candidates, query.similarity_top_k))
        documents = self._component.get([key for key, _ in hits])
        held = [(document, score) for document, (_, score) in zip(documents, hits, strict=True) if document is not None]
        return VectorStoreQueryResult(
            nodes=[document_to_node(document) for document, _ in held],
            similarities=[float(score) for _, score in held],
            ids=[document.id for document, _ in held],
        )

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`query` without blocking the event loop."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    def _make(self) -> FaissStore:
        return FaissStore()


def _dense(store: Store, query: VectorStoreQuery, allowed: Filter | None, _depth: int) -> Hits:
    return store.search_dense(_vector(query), query.similarity_top_k, allowed)[0]


def _lexical(store: Store, query: VectorStoreQuery, allowed: Filter | None, _depth: int) -> Hits:
    return store.search_lexical([_text(query)], query.sparse_top_k or query.similarity_top_k, allowed)[0]


def _hybrid(store: Store, query: VectorStoreQuery, allowed: Filter | None, depth: int) -> Hits:
    rankings: dict[RankingKind, Hits] = {
        "dense": store.search_dense(_vector(query), depth, allowed)[0],
        "lexical": store.search_lexical([_text(query)], query.sparse_top_k or depth, allowed)[0],
    }
    fusion = Fusion()
    if query.alpha is not None:
        fusion = Fusion("relative_score", weights={"dense": query.alpha, "lexical": 1 - query.alpha})
    return fusion.fuse(rankings, depth=depth)[: query.hybrid_top_k or query.similarity_top_k]


def _marginal(store: Store, query: VectorStoreQuery, allowed: Filter | None, depth: int) -> Hits:
    found = store.search_dense(_vector(query), depth, allowed)[0]
    cosines = np.array([score for _, score in found], np.float32)
    vectors = store.get_vectors([key for key, _ in found])
    threshold = 0.5 if query.mmr_threshold is None else query.mmr_threshold
    picked = most_marginal(cosines, vectors, query.similarity_top_k, diversity=1 - threshold)
    return [(found[place][0], score) for place, score in picked]


_MODES: Mapping[str, Callable[[Store, VectorStoreQuery, Filter | None, int], Hits]] = {
    "default": _dense,
    "sparse": _lexical,
    "text_search": _lexical,
    "hybrid": _hybrid,
    "mmr": _marginal,
}


def _vector(query: VectorStoreQuery) -> FloatArray:
    if query.query_embedding is None:
        raise InputError(f"A query by mode {query.mode.value!r} takes query_embedding.")
    return _rows([query.query_embedding])


def _text(query: VectorStoreQuery) -> str:
    if not query.query_str:
        raise InputError(f"A query by mode {query.mode.value!r} takes query_str.")
    return query.query_str


def _rows(embeddings: Sequence[Sequence[float]]) -> FloatArray:
    widths = {len(embedding) for embedding in embeddings}
    if len(widths) != 1:
        raise InputError(f"Vectors must be of one width, got {sorted(widths)}.")
    return normalize(np.array(embeddings, np.float32))


def _check_local(fs: fsspec.AbstractFileSystem | None) -> None:
    if fs is not None and not isinstance(fs, LocalFileSystem):
        raise ConfigError(f"A store is written to the local file system, not to a {type(fs).__name__}.")
