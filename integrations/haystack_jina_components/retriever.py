"""A `Retriever` of ours in Haystack: what finds its documents, and what fills it."""

from typing import Any, ClassVar

from haystack import Document, component
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from haystack_jina_components.component import JinaComponent, asynchronously
from haystack_jina_components.documents import check_documents, from_haystack, scored
from haystack_jina_components.filters import to_filter
from jina_components.core.inputs import check_count
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsRetrieve
from jina_components.retriever import Retriever


@component
class JinaRetriever(JinaComponent):
    """Finds documents for a query by a `Retriever`, which embeds, fuses rankings and reranks by itself.

    `JinaDocumentWriter` fills it. To be written down, the retriever needs a store that lasts, such as a `FaissStore`
    with a directory: of one in memory the documents would be lost, and that is an error.

    Args:
        retriever: The retriever.
        filters: What `meta` of documents must say; means what `haystack_jina_components.filters` says.
        top_k: How many documents at most.
        filter_policy: Whether filters given to `run` take the place of `filters`, or are merged with them.
        options: Further arguments of `Retriever.retrieve` by their names: `mode`, `rerank`, `min_score`, `diversity`.

    Raises:
        ConfigError: no retriever.
        InputError: `top_k` is not positive.

    Example:
        >>> retriever = Retriever(Embedder(), store=FaissStore("index"), reranker=Reranker())
        >>> JinaDocumentWriter(retriever).run([Document(content="It rains in Bergen.")])
        {'documents_written': 1}
        >>> JinaRetriever(retriever).run("Where does it rain?")["documents"][0].content
        'It rains in Bergen.'
    """

    part: ClassVar[str] = "retriever"

    def __init__(
        self,
        retriever: SupportsRetrieve,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        *,
        filter_policy: FilterPolicy | str = FilterPolicy.REPLACE,
        options: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(retriever, type) or not isinstance(retriever, SupportsRetrieve):
            raise ConfigError(f"retriever must have retrieve, such as a Retriever, got {retriever!r}.")
        check_count(top_k, what="top_k")
        self.retriever = self._component = retriever
        self.filters = filters
        self.top_k = top_k
        self.filter_policy = FilterPolicy(filter_policy)
        self.options = options or {}

    @component.output_types(documents=list[Document])
    def run(self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None) -> dict[str, Any]:
        """Find documents.

        Args:
            query: What is sought.
            filters: What `meta` of documents must say.
            top_k: How many documents at most; None for the constructor's.

        Returns:
            `documents`, best first, with the score of the last stage that ordered them.

        Raises:
            FilterError: no filter that can be used.
            InputError: an empty query, a limit that is not positive, or a retriever without documents.
        """
        found = self.retriever.retrieve(query, **self._how(filters, top_k))
        return {"documents": [scored(hit) for hit in found]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        found = await asynchronously(self.retriever, "retrieve", query, **self._how(filters, top_k))
        return {"documents": [scored(hit) for hit in found]}

    def _how(self, filters: dict[str, Any] | None, top_k: int | None) -> dict[str, Any]:
        chosen = to_filter(apply_filter_policy(self.filter_policy, self.filters, filters))
        return {**self.options, "top_k": self.top_k if top_k is None else top_k, "filter": chosen}


@component
class JinaDocumentWriter(JinaComponent):
    """Adds documents to a `Retriever`, which embeds them; one whose id is there already is replaced.

    Args:
        retriever: The retriever.
        progress_bar: Whether to draw a bar on stderr.

    Raises:
        ConfigError: no `Retriever`.

    Example:
        >>> JinaDocumentWriter(Retriever(Embedder())).run([Document(content="It rains in Bergen.")])
        {'documents_written': 1}
    """

    part: ClassVar[str] = "retriever"

    def __init__(self, retriever: Retriever, *, progress_bar: bool = True) -> None:
        if not isinstance(retriever, Retriever):
            raise ConfigError(f"retriever must be a Retriever, got {retriever!r}.")
        self.retriever = self._component = retriever
        self.progress_bar = progress_bar

    @component.output_types(documents_written=int)
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Add documents.

        Args:
            documents: The documents.

        Returns:
            `documents_written`, how many they are.

        Raises:
            TypeError: no list of documents.
            InputError: a document without text, or one over the embedder's context; `.index` names it.
            IndexMismatchError: what is there was made by another embedder.
        """
        check_documents(documents, self)
        added = self.retriever.add([from_haystack(each) for each in documents], show_progress=self.progress_bar)
        return {"documents_written": len(added)}

    @component.output_types(documents_written=int)
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        check_documents(documents, self)
        given = [from_haystack(each) for each in documents]
        return {"documents_written": len(await self.retriever.aadd(given, show_progress=self.progress_bar))}
