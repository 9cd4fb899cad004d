"""JinaRerank, and what is wrong with the class whose place it takes."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle

import pytest
from embedding_server import serve_models
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index.postprocessor.jinaai_rerank import JinaRerank as Predecessor
from llama_index_jina_components import JinaRerank
from local_server import http
from pydantic import Field

from jina_components import Document, Reranker
from jina_components.errors import ConfigError, HTTPStatusError
from jina_components.types import Ranking, ScoredDocument

TEXTS = ["Bread is baked.", "Paris is the capital of France.", "The sea is calm.", "Frankreichs Hauptstadt: Paris 🗼"]
QUERY = "What is the capital of France?"


@pytest.fixture
def nodes():
    return [NodeWithScore(node=TextNode(text=text), score=number / 10) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def here():
    return JinaRerank(model="static-minilm-v1-maxsim")


class Judge:
    """Likes long documents, and says what it was given."""

    name = "long-first"

    def __init__(self):
        self.asked = []

    def rerank(self, query, documents, *, top_n=None, truncate=False):
        self.asked.append((query, list(documents)))
        order = sorted(range(len(documents)), key=lambda index: -len(str(documents[index])))[:top_n]
        hits = [
            ScoredDocument(Document(str(documents[index])), float(len(str(documents[index]))), index) for index in order
        ]
        return Ranking(tuple(hits))

    async def arerank(self, query, documents, *, top_n=None, truncate=False):
        return self.rerank(query, documents, top_n=top_n)


def test_scores_are_those_of_the_reranker(here, nodes):
    ranked = here.postprocess_nodes(nodes, query_str=QUERY)
    expected = Reranker("static-minilm-v1-maxsim").rerank(QUERY, TEXTS, top_n=2)
    assert [(each.node.text, each.score) for each in ranked] == [(hit.document.text, hit.score) for hit in expected]
    assert isinstance(here, BaseNodePostprocessor)
    assert JinaRerank().model == Reranker().name


async def test_async_gives_the_same(here, nodes):
    assert await here.apostprocess_nodes(nodes, QueryBundle(QUERY)) == here.postprocess_nodes(nodes, QueryBundle(QUERY))


def test_nodes_are_left_as_they_are(here, nodes):
    before = [each.model_copy(deep=True) for each in nodes]
    ranked = here.postprocess_nodes(nodes, query_str=QUERY)
    assert nodes == before
    assert ranked[0].node is nodes[TEXTS.index(ranked[0].node.text)].node


def test_what_is_judged_is_what_would_be_embedded():
    judge = Judge()
    node = TextNode(text="Tides.", metadata={"title": "Sea", "secret": "x"}, excluded_embed_metadata_keys=["secret"])
    JinaRerank(reranker=judge).postprocess_nodes([NodeWithScore(node=node)], query_str="tides")
    assert judge.asked == [("tides", ["title: Sea\n\nTides."])]


def test_an_image_is_judged_by_what_it_shows():
    judge = Judge()
    nodes = [
        NodeWithScore(node=ImageNode(image_path="a.png")),
        NodeWithScore(node=ImageNode(image_path="b.png", text="A boat")),
    ]
    JinaRerank(reranker=judge).postprocess_nodes(nodes, query_str="boat")
    assert [str(document) for document in judge.asked[0][1]] == ["Image('a.png')", "A boat"]


def test_a_node_that_cannot_be_ranked_is_left_out(here, nodes):
    ranked = here.postprocess_nodes([NodeWithScore(node=TextNode(text=" "), score=9.0), nodes[1]], query_str=QUERY)
    assert [each.node.text for each in ranked] == [TEXTS[1]]


def test_no_nodes_and_no_query(here, nodes):
    assert here.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(ValueError, match="query"):
        here.postprocess_nodes(nodes)


# As the predecessor's documentation has it.
def test_drop_in_for_the_predecessor(server, nodes):
    serve_models(server)
    reranker = JinaRerank(api_key="secret", top_n=3, base_url=server.url("/v1"))
    assert reranker.api_url == server.url("/v1/rerank")
    assert len(reranker.postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))) == 3
    (request,) = server.received
    assert request.headers["authorization"] == "Bearer secret"
    assert json.loads(request.body)["model"] == "small-reranker-v1"  # which every server of ours has
    reranker.close()
    positional = JinaRerank(1, "jina-reranker-v2-base-multilingual", "https://api.jina.ai/v1", "secret")
    assert positional.api_url == Predecessor(api_key="x").api_url
    assert JinaRerank(api_key="secret").model == "jina-reranker-v1-base-en"
    assert (positional.top_n, positional.api_key.get_secret_value()) == (1, "secret")
    old = list(inspect.signature(Predecessor.__init__).parameters)
    assert list(inspect.signature(JinaRerank.__init__).parameters)[: len(old)] == old


class TestBugsOfThePredecessor:
    def test_the_key_was_written_down_and_the_url_lost(self):
        before = Predecessor(api_key="secret", base_url="http://localhost:1").to_dict()
        assert before["api_key"] == "secret"
        with pytest.raises(TypeError, match="api_url"):
            Predecessor.from_dict(before)
        written = JinaRerank(api_key="secret", base_url="http://localhost:1").to_dict()
        assert "secret" not in str(written)
        assert JinaRerank.from_dict(written).api_url == "http://localhost:1/v1/rerank"

    async def test_an_end_without_nodes_was_not_told(self, here):
        assert [type(event) for event in heard(lambda: here.postprocess_nodes([], query_str=QUERY))] == [
            ReRankStartEvent, ReRankEndEvent,
        ]  # fmt: skip

    def test_an_error_of_the_server_was_a_missing_detail(self, server, nodes):
        server.routes["/v1/rerank"] = [http(402, b'{"error": "no money"}')]
        reranker = JinaRerank(base_url=server.url(""), api_key="secret")
        with pytest.raises(HTTPStatusError, match="402"):
            reranker.postprocess_nodes(nodes, query_str=QUERY)
        reranker.close()

    async def test_asking_asynchronously_took_a_thread(self, server, nodes):
        assert "_apostprocess_nodes" not in vars(Predecessor)
        serve_models(server)
        reranker = JinaRerank(base_url=server.url(""))
        ranked = await asyncio.gather(*(reranker.apostprocess_nodes(nodes, query_str=QUERY) for _ in range(3)))
        assert ranked[0] == ranked[1] == ranked[2]
        reranker.close()


class Listener(BaseEventHandler):
    events: list = Field(default_factory=list)

    def handle(self, event, **kwargs):
        self.events.append(event)


def heard(run):
    listener, root = Listener(), get_dispatcher()
    root.add_event_handler(listener)
    try:
        run()
    finally:
        root.event_handlers.remove(listener)
    return listener.events


def test_events_of_the_instrumentation_and_the_callbacks(nodes):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    reranker = JinaRerank(1, "static-minilm-v1-maxsim", callback_manager=CallbackManager([debug]))
    begun, ended = heard(lambda: reranker.postprocess_nodes(nodes, query_str=QUERY))
    assert (begun.top_n, begun.model_name, len(begun.nodes), begun.query.query_str) == (
        1, "static-minilm-v1-maxsim", 4, QUERY,
    )  # fmt: skip
    assert len(ended.nodes) == 1
    ((start, end),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload[EventPayload.TOP_K] == 1
    assert end.payload[EventPayload.NODES] == ended.nodes


@pytest.mark.parametrize("settings", [{"api_key": "secret"}, {"base_url": "http://x"}, {"model": "m"}])
def test_a_reranker_and_settings_of_one_exclude_each_other(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        JinaRerank(reranker=Judge(), **settings)


@pytest.mark.parametrize(
    "made",
    [
        lambda: JinaRerank(3, "static-minilm-v1-maxsim"),
        lambda: JinaRerank(api_key="secret", timeout=3, max_retries=0),
        lambda: JinaRerank(4, reranker=Reranker("static-minilm-v1-maxsim", max_document_length=100)),
    ],
)
def test_nothing_is_lost_when_it_is_written_down(made):
    reranker = made()
    again = JinaRerank.from_dict(json.loads(json.dumps(reranker.to_dict())))
    assert again.to_dict() == reranker.to_dict()
    assert again.top_n == reranker.top_n
    pickled = pickle.loads(pickle.dumps(reranker))
    assert pickled.to_dict() == reranker.to_dict()
    assert pickled.api_key == reranker.api_key
    assert pickled._component._arguments == reranker._component._arguments


def test_a_service_of_ours(service, nodes):
    reranker = JinaRerank(model="static-minilm-v1-maxsim", base_url=service.url, top_n=1)
    assert reranker.postprocess_nodes(nodes, query_str=QUERY)[0].node.text == TEXTS[1]
    reranker.close()
