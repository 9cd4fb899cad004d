"""Documents in the order of their relevance to a query, in Haystack."""

from dataclasses import replace
from typing import Any, ClassVar

from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY, JinaComponent, asynchronously, named
from haystack_jina_components.documents import check_documents
from haystack_jina_components.embedding import at_path, published, usage_of
from jina_components.core.inputs import check_count
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.protocols import SupportsRerank
from jina_components.reranker import Reranker
from jina_components.types import Ranking

_REMOTE = "jina-reranker-v1-base-en"


@component
class JinaRanker(JinaComponent):
    """Orders documents by their relevance to a query.

    Takes the place of jina-haystack's class of this name. With a key or a `base_url` a server ranks, else the model
    runs here.

    Args:
        model: The model; None for `jina-reranker-v1-base-en` on Jina's hosts, else the bundled one.
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        top_k: How many documents to give out at most; None for all.
        score_threshold: Leave out documents whose score is below.
        base_url: The root of a server of `jina-components serve`, or the whole URL of a rerank API; None, where there
            is a key, for Jina's.
        reranker: A component of ours, or another with its methods, in place of a model's name.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: a reranker and settings of a server, or a setting that makes no sense.
        InputError: `top_k` is not positive.

    Example:
        >>> documents = [Document(content="Paris"), Document(content="Berlin")]
        >>> JinaRanker().run("City in Germany", documents)["documents"][0].content
        'Berlin'
    """

    part: ClassVar[str] = "reranker"

    def __init__(
        self,
        model: str | None = None,
        api_key: Secret | None = JINA_API_KEY,
        top_k: int | None = None,
        score_threshold: float | None = None,
        *,
        base_url: str | None = None,
        reranker: SupportsRerank | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        if top_k is not None:
            check_count(top_k, what="top_k")
        if reranker is not None and (isinstance(reranker, type) or not isinstance(reranker, SupportsRerank)):
            raise ConfigError(f"reranker must have rerank, such as a Reranker, got {reranker!r}.")
        self.model = model
        self.api_key = api_key
        self.top_k = top_k
        self.score_threshold = score_threshold
        self.base_url = base_url
        self.reranker = reranker
        self.timeout = timeout
        self.max_retries = max_retries
        server = self._remote()
        if reranker is not None:
            self._component = reranker
            return
        # Kept, and so written down: what is read where there is no key runs the same model, and not another.
        self.model = chosen = model or named(server, remote=_REMOTE, here=DEFAULT_RERANKER)
        endpoint = None if server is None else at_path(server.endpoint("models"), base_url, "rerank")
        self._component = Reranker(chosen, endpoint=endpoint)

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    def run(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, Any]:
        """Rank documents.

        Args:
            query: What is sought.
            documents: The documents.
            top_k: How many to give out at most; None for the constructor's.
            score_threshold: Leave out documents whose score is below; None for the constructor's.

        Returns:
            `documents`, best first, with their scores, and `meta` with the model, the usage, and under `failures` why
            documents that could not be ranked, such as those without text, are not among them.

        Raises:
            InputError: an empty query, or `top_k` is not positive.
            TypeError: no list of documents.
        """
        texts, top_n = self._wanted(documents, top_k)
        found = self._component.rerank(query, texts, top_n=top_n) if texts else Ranking()
        return self._result(documents, found, score_threshold)

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    async def run_async(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        texts, top_n = self._wanted(documents, top_k)
        found = await asynchronously(self._component, "rerank", query, texts, top_n=top_n) if texts else Ranking()
        return self._result(documents, found, score_threshold)

    def _get_telemetry_data(self) -> dict[str, Any]:
        """What Haystack sends of it, where its telemetry is on: the model, if it is a published one."""
        return published(self._name)

    @property
    def _name(self) -> str:
        return self.model or str(getattr(self._component, "name", type(self._component).__name__))

    def _wanted(self, documents: list[Document], top_k: int | None) -> tuple[list[str], int | None]:
        check_documents(documents, self)
        top_n = self.top_k if top_k is None else top_k
        if top_n is not None:
            check_count(top_n, what="top_k")
        return [each.content or "" for each in documents], top_n

    def _result(self, documents: list[Document], found: Ranking, score_threshold: float | None) -> dict[str, Any]:
        least = self.score_threshold if score_threshold is None else score_threshold
        failures = {documents[failure.index].id: str(failure.error) for failure in found.failures}
        return {
            "documents": [
                replace(documents[hit.index], score=float(hit.score))
                for hit in found
                if hit.index is not None and (least is None or hit.score >= least)
            ],
            "meta": {**usage_of(self._name, found), **({"failures": failures} if failures else {})},
        }
