"""JinaRetriever: our retriever as one of LlamaIndex."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from llama_index_jina_components import JinaRetriever
from llama_index_jina_components.nodes import node_to_document

from jina_components import Document, Embedder, Reranker, Retriever, Segmenter
from jina_components.errors import ConfigError, InputError
from jina_components.filters import Field
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.types import Page

DOCUMENTS = [
    Document("Paris is the capital of France.", "paris", {"lang": "en", "year": 2020}),
    Document("Berlin ist die Hauptstadt Deutschlands.", "berlin", {"lang": "de", "year": 2021}),
    Document("Bread is baked for forty minutes.", "bread", {"lang": "en", "year": 2022}),
]


@pytest.fixture(scope="module")
def ours(bundled_embedder):
    with Retriever(bundled_embedder, reranker=Reranker("static-minilm-v1-maxsim")) as retriever:
        retriever.add(DOCUMENTS)
        yield retriever


def found(nodes):
    return [each.node.node_id for each in nodes]


def test_hits_and_scores_are_those_of_the_retriever(ours):
    retriever = JinaRetriever(ours, similarity_top_k=2)
    nodes = retriever.retrieve("capital of France")
    expected = ours.retrieve("capital of France", top_k=2)
    assert isinstance(retriever, BaseRetriever)
    assert found(nodes) == [hit.document.id for hit in expected]
    assert [each.score for each in nodes] == [hit.score for hit in expected]
    assert nodes[0].node.metadata == {"lang": "en", "year": 2020}


async def test_async_gives_the_same(ours):
    retriever = JinaRetriever(ours)
    several = await asyncio.gather(*(retriever.aretrieve(QueryBundle("bread")) for _ in range(3)))
    assert [found(nodes) for nodes in several] == [found(retriever.retrieve("bread"))] * 3


@pytest.mark.parametrize(
    "filters",
    [
        MetadataFilters(filters=[MetadataFilter(key="year", value=2021, operator=FilterOperator.GTE)]),
        {"year": {"$gte": 2021}},
        Field("year") >= 2021,
    ],
)
def test_filters_of_either_kind(ours, filters):
    nodes = JinaRetriever(ours, similarity_top_k=5, filters=filters).retrieve("capital of France")
    assert set(found(nodes)) == {"berlin", "bread"}


def test_options_are_those_of_retrieve(ours):
    plain = JinaRetriever(ours, mode="lexical", rerank=False, similarity_top_k=5)
    assert found(plain.retrieve("bread")) == ["bread"]
    assert JinaRetriever(ours, min_score=1.0, rerank=True).retrieve("bread") == []
    with pytest.raises(TypeError, match="nonsense"):
        JinaRetriever(ours, nonsense=1).retrieve("bread")


def test_chunks_have_their_offsets_and_their_source():
    page = Page(
        "https://example.org/sea", title="Sea", content="# Sea\n\nThe sea is calm.\n\n# Bread\n\nBread is baked."
    )
    with Retriever(Embedder("static-minilm-v1")) as ours:
        ours.add(Segmenter(max_chunk_length=30).segment_page(page))
        node = JinaRetriever(ours).retrieve("bread")[0].node
    assert page.content[node.start_char_idx : node.end_char_idx] == node.text
    assert node.ref_doc_id == page.url
    assert node.metadata["heading"] == "Bread"
    assert node.get_content(MetadataMode.LLM).count("start:") == 0


def test_nodes_that_were_put_in_come_out_as_they_were(bundled_embedder):
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    node = TextNode(
        text="Ein Boot 🚤", metadata={"tags": [], "n": None}, start_char_idx=3, end_char_idx=11,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="harbour")},
    )  # fmt: skip
    with Retriever(bundled_embedder) as ours:
        ours.add([node_to_document(node)])
        assert JinaRetriever(ours).retrieve("Boot")[0].node == node


def test_in_a_query_engine_and_a_fusion(ours):
    engine = RetrieverQueryEngine.from_args(JinaRetriever(ours, similarity_top_k=1), llm=MockLLM())
    response = engine.query("How long is bread baked?")
    assert found(response.source_nodes) == ["bread"]
    assert "forty minutes" in str(response)
    fusion = QueryFusionRetriever(
        [JinaRetriever(ours, mode="dense"), JinaRetriever(ours, mode="lexical")],
        llm=MockLLM(), num_queries=1, use_async=False, similarity_top_k=1,
    )  # fmt: skip
    assert found(fusion.retrieve("bread")) == ["bread"]


def test_callbacks_hear_of_it(ours):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    JinaRetriever(ours, callback_manager=CallbackManager([debug])).retrieve("bread")
    assert len(debug.get_event_pairs(CBEventType.RETRIEVE)) == 1


def test_wrong_input_is_refused(ours):
    for wrong in (None, "retriever", Retriever):
        with pytest.raises(ConfigError, match="retriever must have retrieve"):
            JinaRetriever(wrong)
    with pytest.raises(InputError):
        JinaRetriever(ours).retrieve(" ")
    text_match = MetadataFilter(key="lang", value="e", operator=FilterOperator.TEXT_MATCH)
    with pytest.raises(InputError, match="text_match"):
        JinaRetriever(ours, filters=MetadataFilters(filters=[text_match]))


def test_it_pickles_where_the_retriever_lasts(ours, tmp_path):
    with Retriever(Embedder("static-minilm-v1"), store=FaissStore(tmp_path / "index")) as lasting:
        lasting.add(DOCUMENTS)
        again = pickle.loads(pickle.dumps(JinaRetriever(lasting, similarity_top_k=1, filters={"lang": "en"})))
        assert found(again.retrieve("bread")) == ["bread"]
        again._retriever.close()
    with pytest.raises(InputError, match="memory"):
        pickle.dumps(JinaRetriever(ours))
