"""LlamaIndex's node postprocessor over our reranker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

from llama_index.core.bridge.pydantic import Field, SecretStr
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, QueryBundle

from jina_components import Image, Reranker
from jina_components.errors import InputError
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.protocols import SupportsRerank
from jina_components.types import Ranking
from llama_index_jina_components.nodes import to_image
from llama_index_jina_components.remote import RemoteFields, Written, named

dispatcher = get_dispatcher(__name__)


class JinaRerank(RemoteFields, BaseNodePostprocessor):
    """LlamaIndex's node postprocessor over a `Reranker`, which runs here or on a server.

    Takes the place of `JinaRerank` of `llama-index-postprocessor-jinaai-rerank`: the same arguments. A node is ranked
    by the text that would be embedded, metadata included, and an `ImageNode` without text by its image, which takes a
    model that sees. A node that cannot be ranked is left out, as `Reranker` says. Nodes come back as they are, with
    new scores.

    Args:
        top_n: How many nodes to keep.
        model: The model; by default `jina-reranker-v1-base-en` on Jina's hosts, else the bundled one.
        base_url: The root of the server; by default, where there is a key, Jina's hosts.
        api_key: Key of the server; by default `JINAAI_API_KEY` or `JINA_API_KEY` of the environment.
        reranker: Anything with `rerank`, and its twin `arerank`; None for a `Reranker` of the settings.
        callback_manager: Hears of every call.
        **settings: `timeout` and `max_retries` as in `RemoteFields`.

    Raises:
        ConfigError: a reranker and settings of one are given, or one makes no sense.

    Example:
        >>> reranker = JinaRerank(top_n=3, model="jina-reranker-v3", base_url="http://localhost:8000")
        >>> query_engine = index.as_query_engine(similarity_top_k=20, node_postprocessors=[reranker])
    """

    part: ClassVar[str] = "reranker"
    made_of: ClassVar[tuple[str, ...]] = ("model",)

    reranker: Annotated[SupportsRerank | None, Written] = Field(default=None, frozen=True)
    model: str = Field(
        default_factory=named("reranker", remote="jina-reranker-v1-base-en", here=DEFAULT_RERANKER), frozen=True
    )
    top_n: int = Field(default=2, gt=0)

    def __init__(
        self,
        top_n: int = 2,
        model: str | None = None,
        base_url: str | None = None,
        api_key: str | SecretStr | None = None,
        *,
        reranker: SupportsRerank | None = None,
        callback_manager: CallbackManager | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            top_n=top_n,
            model=model,
            base_url=base_url,
            api_key=api_key,
            reranker=reranker,
            callback_manager=callback_manager,
            **settings,
        )

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is written down."""
        return "JinaRerank"

    @property
    def api_url(self) -> str | None:
        """Where nodes are ranked; None for here."""
        return f"{self.remote.endpoint('models').base_url}/rerank" if self.remote else None

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _checked(query_bundle)
        with self._told(nodes, query) as ranked:
            ranked += _scored(nodes, self._component.rerank(query.query_str, _contents(nodes), top_n=self.top_n))
        return ranked

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _checked(query_bundle)
        with self._told(nodes, query) as ranked:
            ranking = await self._component.arerank(query.query_str, _contents(nodes), top_n=self.top_n)
            ranked += _scored(nodes, ranking)
        return ranked

    @contextmanager
    def _told(self, nodes: list[NodeWithScore], query: QueryBundle) -> Iterator[list[NodeWithScore]]:
        """Tell who listens what begins and, once the block has filled the list, what came of it."""
        dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=self.top_n, model_name=self.model))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        ranked: list[NodeWithScore] = []
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield ranked
            event.on_end(payload={EventPayload.NODES: ranked})
        dispatcher.event(ReRankEndEvent(nodes=ranked))

    def _make(self) -> Reranker:
        return Reranker(self.model, endpoint=self.remote.endpoint("models") if self.remote else None)


def _checked(query: QueryBundle | None) -> QueryBundle:
    if query is None:
        raise InputError("Reranking needs the query: pass query_bundle or query_str.")
    return query


def _contents(nodes: Sequence[NodeWithScore]) -> list[str | Image]:
    return [
        to_image(each.node)
        if isinstance(each.node, ImageNode) and not each.node.text
        else each.node.get_content(metadata_mode=MetadataMode.EMBED)
        for each in nodes
    ]


def _scored(nodes: Sequence[NodeWithScore], ranking: Ranking) -> list[NodeWithScore]:
    return [NodeWithScore(node=nodes[hit.index].node, score=hit.score) for hit in ranking if hit.index is not None]
