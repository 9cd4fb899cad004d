"""LlamaIndex's retriever over ours."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K
from llama_index.core.schema import IndexNode, NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters

from jina_components.errors import ConfigError
from jina_components.filters import FilterLike
from jina_components.protocols import SupportsRetrieve
from llama_index_jina_components.nodes import hit_to_node, to_filter


class JinaRetriever(BaseRetriever):
    """LlamaIndex's retriever over a `Retriever`: by meaning, by words, or both, reranked where it has a reranker.

    Nodes have the offsets and the source that chunks of ours carry among their metadata. The retriever embeds queries
    itself, so a vector in the `QueryBundle` is not used.

    Args:
        retriever: Anything with `retrieve`, and its twin `aretrieve`.
        similarity_top_k: How many nodes at most.
        filters: What their metadata must say: LlamaIndex's `MetadataFilters`, or a filter of ours.
        callback_manager, object_map, objects, verbose: As `BaseRetriever` has them.
        **options: Further arguments of `retrieve`, such as `mode`, `rerank`, `min_score` and `diversity`.

    Raises:
        ConfigError: no retriever.
        InputError: a filter that has no counterpart.

    Example:
        >>> ours = Retriever(Embedder(), reranker=Reranker())
        >>> nodes = JinaRetriever(ours, similarity_top_k=5, mode="hybrid").retrieve("When is high tide?")
    """

    def __init__(
        self,
        retriever: SupportsRetrieve,
        *,
        similarity_top_k: int = DEFAULT_SIMILARITY_TOP_K,
        filters: MetadataFilters | FilterLike | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> None:
        if isinstance(retriever, type) or not isinstance(retriever, SupportsRetrieve):
            raise ConfigError(f"retriever must have retrieve, got {retriever!r}.")
        self._retriever: Any = retriever
        self._options = {"top_k": similarity_top_k, "filter": to_filter(filters), **options}
        super().__init__(callback_manager, object_map, objects, verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [hit_to_node(hit) for hit in self._retriever.retrieve(query_bundle.query_str, **self._options)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [hit_to_node(hit) for hit in await self._retriever.aretrieve(query_bundle.query_str, **self._options)]
