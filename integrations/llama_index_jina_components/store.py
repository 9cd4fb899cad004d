"""A store over any LlamaIndex vector store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery

from jina_components.errors import ConfigError
from jina_components.retriever.stores.wrapped import WrappedStore, plain_metadata, plain_text
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray


class LlamaIndexStore(WrappedStore):
    """A `Store` over a LlamaIndex vector store, which finds the nearest vectors; see `WrappedStore` for how.

    It needs of the vector store: `add` of nodes with vectors, for `put`; `delete_nodes` by ids or else `delete` of all
    nodes of a source, for `delete` and for a `put` that replaces (each node is its own source); and `query` by a
    vector, whose result names nodes by their ids, for searches. Everything else is answered by the companion, `path`,
    which has to last where the vector store does. Ranks by `dense` alone. Its `MetadataFilters` are not used: they
    differ from store to store, and in lists, nulls, dates and missing fields from what a filter means here.

    The vector store gets texts and metadata too, for who asks it directly (`plain_metadata`). It must rank by cosine,
    inner product or Euclidean distance, and be for this store alone.

    Args:
        vector_store: An empty one, or the one that was filled together with the same companion.
        path: File of the companion, which one process has open at a time; None for memory.

    Raises:
        ConfigError: no vector store of LlamaIndex, or one that is not asked by vectors.

    Example:
        >>> store = LlamaIndexStore(SimpleVectorStore())
        >>> retriever = Retriever(embedder, store=store)
    """

    def __init__(self, vector_store: BasePydanticVectorStore, *, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(_Engine(vector_store), path=path)


class _Engine:
    """A `VectorEngine`."""

    def __init__(self, vector_store: BasePydanticVectorStore) -> None:
        if not isinstance(vector_store, BasePydanticVectorStore):
            raise ConfigError(
                f"vector_store must be a LlamaIndex BasePydanticVectorStore, got {type(vector_store).__name__}."
            )
        self._vector_store = vector_store
        if not vector_store.is_embedding_query:
            raise ConfigError(f"{self.name} is asked by words and not by vectors, which LlamaIndexStore needs.")

    @property
    def name(self) -> str:
        """The vector store's class."""
        return type(self._vector_store).__name__

    def add(self, keys: Sequence[str], documents: Sequence[Document], vectors: FloatArray) -> None:
        """Add nodes under the keys as ids."""
        nodes = [
            TextNode(
                id_=key,
                text=plain_text(document.text),
                metadata=plain_metadata(document, key),
                embedding=vector.tolist(),
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=key)},
            )
            for key, document, vector in zip(keys, documents, vectors, strict=True)
        ]
        self._vector_store.add(nodes)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove those of the keys that it has."""
        if type(self._vector_store).delete_nodes is not BasePydanticVectorStore.delete_nodes:
            self._vector_store.delete_nodes(list(keys))
            return
        for key in keys:
            self._vector_store.delete(key)

    def nearest(self, vector: FloatArray, k: int) -> list[str | None]:
        """Keys of the nearest nodes."""
        found = self._vector_store.query(VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=k))
        if found.ids is not None:
            return list(found.ids)
        return [node.node_id for node in found.nodes or ()]
