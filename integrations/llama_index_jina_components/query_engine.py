"""A DeepSearchAgent of ours as a query engine of LlamaIndex."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import aclosing, closing
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE, AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.bridge.pydantic import Field
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from jina_components.types import Citation, DeepSearchStep, Document
from llama_index_jina_components.agent import DeepSearchFields, facts, place


class JinaDeepSearchQueryEngine(DeepSearchFields, BaseQueryEngine):
    """A query engine that searches, reads and reasons before it answers, and cites its sources.

    `source_nodes` are the citations, the n-th for the mark `[^n]`: text is the quote, verbatim; `start_char_idx` and
    `end_char_idx` tell where it stands in the source, if the agent runs here; the metadata have `source`, and where
    known `title`, `published_time`, `start`, `end` and `page`. `metadata` of the response has the `steps` of the search
    as sentences, and all that is known of the answer: `answered`, `usage`, `visited_urls`, `warnings` and so on.

    With `streaming`, a query is begun by the one who takes its text. Steps are in the response's `metadata["steps"]` as
    they are taken; the answer comes in one piece at the end, and then source nodes and the rest are there.

    Args:
        agent: A `DeepSearchAgent` or a `RemoteDeepSearch`; by default, with a key or `base_url`, that of a server.
        model: Name of the agent on a server.
        options: How to search; None for the agent's own.
        streaming: Whether responses are streams.
        callback_manager: As LlamaIndex's query engines take it.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`. `timeout` is from one step to the
            next.

    Raises:
        ConfigError: neither an agent nor a server, or both.

    Example:
        >>> engine = JinaDeepSearchQueryEngine(agent=DeepSearchAgent(retriever, reranker=Reranker()))
        >>> response = engine.query("When did the Holm Bridge open?")
        >>> response.source_nodes[0].text
        'The Holm Bridge over the Ness opened in 1952.'
    """

    streaming: bool = Field(default=False, description="Whether responses are streams.")
    callback_manager: CallbackManager = Field(default_factory=lambda: CallbackManager([]), exclude=True)

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaDeepSearchQueryEngine"

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self.callback_manager.event(CBEventType.QUERY, {EventPayload.QUERY_STR: query_bundle.query_str}) as event:
            found = _Found()
            texts = self._texts(query_bundle, found)
            response: RESPONSE_TYPE
            if self.streaming:
                response = StreamingResponse(texts, found.nodes, found.metadata)
            else:
                response = Response("".join(texts), found.nodes, found.metadata)
            event.on_end({EventPayload.RESPONSE: response})
            return response

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with self.callback_manager.event(CBEventType.QUERY, {EventPayload.QUERY_STR: query_bundle.query_str}) as event:
            found = _Found()
            texts = self._atexts(query_bundle, found)
            response: RESPONSE_TYPE
            if self.streaming:
                response = AsyncStreamingResponse(texts, found.nodes, found.metadata)
            else:
                response = Response("".join([text async for text in texts]), found.nodes, found.metadata)
            event.on_end({EventPayload.RESPONSE: response})
            return response

    def _texts(self, query: QueryBundle, found: _Found) -> Generator[str, None, None]:
        with closing(self._component.stream(query.query_str, options=self.options)) as steps:
            for step in steps:
                yield from found.texts(step)

    async def _atexts(self, query: QueryBundle, found: _Found) -> AsyncGenerator[str, None]:
        async with aclosing(self._component.astream(query.query_str, options=self.options)) as steps:
            async for step in steps:
                for text in found.texts(step):
                    yield text


class _Found:
    """What has been found: lists that a response has from its beginning, and that grow with the search."""

    def __init__(self) -> None:
        self.nodes: list[NodeWithScore] = []
        self.metadata: dict[str, Any] = {"steps": []}

    def texts(self, step: DeepSearchStep) -> Iterable[str]:
        """Of a step the texts of the answer, after it is taken down."""
        if step.answer is None:
            self.metadata["steps"].append(step.told)
            return ()
        self.nodes += map(_node, step.answer.citations)
        self.metadata |= facts(step.answer)
        return (step.answer.text,)


def _node(citation: Citation) -> NodeWithScore:
    told = {"source": citation.source, "title": citation.title, "published_time": citation.published_time}
    where = place(citation)
    metadata = {name: value for name, value in told.items() if value} | where
    node = TextNode(
        id_=Document(citation.quote, metadata={"source": citation.source, **where}).id,
        text=citation.quote,
        metadata=metadata,
        start_char_idx=where.get("start"),
        end_char_idx=where.get("end"),
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=citation.document_id or citation.source)},
    )
    return NodeWithScore(node=node, score=citation.score)
