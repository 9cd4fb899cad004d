"""LangChain's document compressor over our reranker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableLambda
from pydantic import AliasChoices, Field, PrivateAttr

from jina_components import Image, Reranker
from jina_components.errors import ConfigError, InputError
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.protocols import SupportsRerank
from jina_components.remote import Remote
from jina_components.types import Ranking
from langchain_jina_components.documents import SCORE
from langchain_jina_components.remote import RemoteFields, named

Candidate: TypeAlias = str | Document | Mapping[str, Any]
"""What can be ranked: a text, a document, or `{"text": …}`; for models that see also `{"image": …}`."""


class JinaRerank(RemoteFields, BaseDocumentCompressor):
    """LangChain's document compressor over a `Reranker`, which runs here or on a server.

    Takes the place of `JinaRerank` of `langchain_community`: the same arguments but `session`, and the same methods.
    A document that cannot be ranked, such as one without text, is left out, as `Reranker` says.

    Attributes:
        reranker: Anything with `rerank`, and its twin `arerank`; None for a `Reranker` of the settings.
        top_n: How many documents to keep; None for all.
        model: The model, also as `model_name`; by default `jina-reranker-v1-base-en` on Jina's hosts, else the bundled
            one.
        user_agent: As which application a server is asked.

    Raises:
        ConfigError: a reranker and settings of one are given, or one makes no sense.

    Example:
        >>> compressor = JinaRerank(base_url="http://localhost:8000", model="jina-reranker-v3", top_n=5)
        >>> retriever = ContextualCompressionRetriever(base_compressor=compressor, base_retriever=retriever)
    """

    part: ClassVar[str] = "reranker"
    made_of: ClassVar[tuple[str, ...]] = ("model", "user_agent")

    reranker: SupportsRerank | None = Field(default=None, frozen=True)
    top_n: int | None = 3
    model: str = Field(
        default_factory=named("reranker", remote="jina-reranker-v1-base-en", here=DEFAULT_RERANKER),
        validation_alias=AliasChoices("model", "model_name"),
        frozen=True,
    )
    user_agent: str = Field(default="langchain", frozen=True)
    _others: dict[str, Reranker] = PrivateAttr(default_factory=dict)

    def rerank(
        self,
        documents: Sequence[Candidate],
        query: str,
        *,
        model: str | None = None,
        top_n: int | None = -1,
        max_chunks_per_doc: int | None = None,  # noqa: ARG002 (which never meant anything)
    ) -> list[dict[str, Any]]:
        """Where the best documents stand, and their scores: `[{"index": 2, "relevance_score": 0.9}, …]`, best first.

        Args:
            documents: What is to be ranked.
            query: What is asked.
            model: Another model, of the same server.
            top_n: How many; None for all, and by default the compressor's.
            max_chunks_per_doc: Of no meaning: all of a document counts.

        Raises:
            ConfigError: another model than that of the reranker given.
            InputError, UnknownNameError, WebError, BackendError: as `Reranker.rerank`.
        """
        return _listed(self._by(model).rerank(query, _candidates(documents), top_n=self._number(top_n)))

    async def arerank(
        self,
        documents: Sequence[Candidate],
        query: str,
        *,
        model: str | None = None,
        top_n: int | None = -1,
        max_chunks_per_doc: int | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """`rerank` without blocking the event loop."""
        return _listed(await self._by(model).arerank(query, _candidates(documents), top_n=self._number(top_n)))

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Copies of the best documents, best first, with a `relevance_score` among their metadata.

        Traced as a run of its own. Raises what `rerank` raises.
        """
        asked = {"documents": documents, "query": query}
        return self._compression.invoke(asked, {"callbacks": callbacks})

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """`compress_documents` without blocking the event loop."""
        asked = {"documents": documents, "query": query}
        return await self._compression.ainvoke(asked, {"callbacks": callbacks})

    def close(self) -> None:
        """Give memory and connections of rerankers that were made here back; the next call opens them again."""
        super().close()
        for other in self._others.values():
            other.close()

    @property
    def _compression(self) -> RunnableLambda[dict[str, Any], list[Document]]:
        def compress(asked: dict[str, Any]) -> list[Document]:
            return _scored(asked["documents"], self.rerank(**asked))

        async def acompress(asked: dict[str, Any]) -> list[Document]:
            return _scored(asked["documents"], await self.arerank(**asked))

        return RunnableLambda(compress, acompress, name=type(self).__name__)

    def _number(self, top_n: int | None) -> int | None:
        return top_n if top_n is None or top_n > 0 else self.top_n

    def _by(self, model: str | None) -> Any:
        if model in (None, self.model):
            return self._component
        if self.reranker is not None:
            raise ConfigError(f"JinaRerank was given {self.reranker!r}: leave out model={model!r}.")
        return self._others.setdefault(str(model), self._reranker(str(model), self.remote))

    def _make(self, remote: Remote | None) -> Reranker:
        return self._reranker(self.model, remote)

    def _reranker(self, model: str, remote: Remote | None) -> Reranker:
        return Reranker(
            model, endpoint=replace(remote.endpoint("models"), user_agent=self.user_agent) if remote else None
        )


def _candidates(documents: Sequence[Candidate]) -> Sequence[str | Image]:
    if isinstance(documents, str):
        return documents  # which the reranker refuses
    return [_candidate(document, index) for index, document in enumerate(documents)]


def _candidate(document: Candidate, index: int) -> str | Image:
    if isinstance(document, Document):
        return document.page_content
    if not isinstance(document, Mapping):
        return document
    if "image" in document:
        return Image(document["image"])
    if "text" in document:
        return str(document["text"])
    raise InputError(f"documents[{index}] must have 'text' or 'image', got {sorted(document)}.", index)


def _listed(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"index": hit.index, SCORE: hit.score} for hit in ranking]


def _scored(documents: Sequence[Document], ranked: Sequence[Mapping[str, Any]]) -> list[Document]:
    chosen = [(documents[each["index"]], each[SCORE]) for each in ranked]
    return [
        document.model_copy(update={"metadata": {**deepcopy(document.metadata), SCORE: score}})
        for document, score in chosen
    ]
