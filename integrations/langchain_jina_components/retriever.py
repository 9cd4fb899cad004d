"""LangChain's retriever over ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from jina_components.protocols import SupportsRetrieve
from langchain_jina_components.documents import to_langchain_scored


class JinaRetriever(BaseRetriever):
    """LangChain's retriever over a `Retriever`: by meaning, by words, or both, reranked where it has a reranker.

    Each document has its score as `relevance_score` among the metadata. Whatever `invoke` is given beside the query
    counts for that call: `retriever.invoke("tides", k=2, filter={"lang": "en"})`.

    Attributes:
        retriever: Anything with `retrieve` and its twin `aretrieve`.
        k: How many documents at most.
        filter: What their metadata must say: `Field("year") >= 2020` or `{"year": {"$gte": 2020}}`.
        search_kwargs: Further arguments of `retrieve`, such as `mode`, `rerank`, `min_score` and `diversity`.

    Example:
        >>> ours = Retriever(Embedder(), reranker=Reranker())
        >>> retriever = JinaRetriever(retriever=ours, k=5, search_kwargs={"mode": "hybrid"})
        >>> documents = retriever.invoke("When is high tide?")
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    retriever: SupportsRetrieve
    k: int = 4
    filter: Any = None
    search_kwargs: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 (nothing runs beneath)
        **kwargs: Any,
    ) -> list[Document]:
        return [to_langchain_scored(hit) for hit in self.retriever.retrieve(query, **self._options(kwargs))]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **kwargs: Any,
    ) -> list[Document]:
        ours: Any = self.retriever
        return [to_langchain_scored(hit) for hit in await ours.aretrieve(query, **self._options(kwargs))]

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        options = {"k": self.k, "filter": self.filter, **self.search_kwargs, **given}
        return {"top_k": options.pop("k"), **options}
