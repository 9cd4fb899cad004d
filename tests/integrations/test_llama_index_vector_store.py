"""JinaVectorStore: our stores as a vector store of LlamaIndex."""

from __future__ import annotations

import asyncio
import json
import pickle

import fsspec
import numpy as np
import pytest
from llama_index.core.schema import (
    Document,
    ImageNode,
    IndexNode,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryMode
from llama_index_jina_components import JinaVectorStore
from llama_index_jina_components.nodes import to_filter

from jina_components import Retriever
from jina_components.errors import ConfigError, IndexFilesError, InputError
from jina_components.filters import matches
from jina_components.protocols import Store
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import MemoryStore

METADATA = [
    {"lang": "en", "year": 2020, "tags": ["sea", "moon"], "day": "2024-05-01"},
    {"lang": "de", "year": 2021.5, "tags": [], "author.name": "Noor"},
    {"lang": "ja", "year": None, "day": "2024-06-01T12:00:00Z"},
    {"lang": "", "tags": ["sea"]},
]
TEXTS = ["The moon pulls the sea.", "Brot wird gebacken.", "海は静か。", "The sea is calm 🌊."]


def unit(*components):
    return (np.array(components) / np.linalg.norm(components)).tolist()


VECTORS = [unit(1, 0, 0), unit(0, 1, 0), unit(1, 1, 0), unit(10, 1, 0)]


def make_nodes():
    return [
        TextNode(
            id_=f"node-{place}", text=text, metadata=metadata, embedding=vector,
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"source-{place // 2}")},
        )
        for place, (text, metadata, vector) in enumerate(zip(TEXTS, METADATA, VECTORS, strict=True))
    ]  # fmt: skip


@pytest.fixture(params=["memory", "disk", "fake"])
def vector_store(request, tmp_path):
    stores = {"memory": lambda: None, "disk": lambda: FaissStore(tmp_path / "store"), "fake": MemoryStore}
    made = JinaVectorStore(stores[request.param]())
    assert made.add(make_nodes()) == ["node-0", "node-1", "node-2", "node-3"]
    yield made
    made.client.close()


@pytest.fixture
def filled():
    made = JinaVectorStore()
    made.add(make_nodes())
    yield made
    made.close()


def ids(nodes):
    return [node.node_id for node in nodes]


def asked(vector_store, **query):
    return vector_store.query(VectorStoreQuery(**{"query_embedding": VECTORS[0], "similarity_top_k": 4, **query}))


def where(key, operator, value=None):
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=FilterOperator(operator), value=value)])


def test_it_is_a_vector_store_of_llama_index(filled):
    assert isinstance(filled, BasePydanticVectorStore)
    assert isinstance(filled.client, Store)
    assert filled.stores_text
    assert filled.is_embedding_query
    assert JinaVectorStore.class_name() == "JinaVectorStore"


def test_the_nearest_come_first_as_they_were(vector_store):
    result = asked(vector_store, similarity_top_k=2)
    assert result.ids == ids(result.nodes) == ["node-0", "node-3"]
    assert result.similarities == pytest.approx([1.0, 10 / 101**0.5], abs=1e-6)
    assert [node.model_copy(update={"embedding": None}) for node in make_nodes()][:1] == list(result.nodes)[:1]


async def test_async_gives_the_same(vector_store):
    query = VectorStoreQuery(query_embedding=VECTORS[1], query_str="sea", similarity_top_k=3, mode="hybrid")
    results = await asyncio.gather(*(vector_store.aquery(query) for _ in range(3)))
    assert [result.ids for result in results] == [vector_store.query(query).ids] * 3
    more = TextNode(id_="more", text="More.", embedding=VECTORS[1])
    assert await vector_store.async_add([more]) == ["more"]
    assert ids(await vector_store.aget_nodes(["more"])) == ["more"]
    await vector_store.adelete_nodes(["more"])
    await vector_store.adelete("source-0")
    assert ids(await vector_store.aget_nodes()) == ["node-2", "node-3"]
    await vector_store.aclear()
    assert vector_store.get_nodes() == []


def test_a_node_of_the_same_id_is_replaced(vector_store):
    first, second = (TextNode(id_="node-0", text=text, embedding=VECTORS[1]) for text in ("first", "second"))
    assert vector_store.add([first, second]) == ["node-0", "node-0"]
    assert [node.text for node in vector_store.get_nodes(["node-0"])] == ["second"]
    assert len(vector_store.get_nodes()) == 4
    assert vector_store.add([]) == []


def test_deleting(vector_store):
    vector_store.delete("source-0")
    assert ids(vector_store.get_nodes()) == ["node-2", "node-3"]
    vector_store.delete("source-0")
    vector_store.delete_nodes(filters=where("lang", "==", "ja"))
    vector_store.delete_nodes([])
    assert ids(vector_store.get_nodes()) == ["node-3"]
    vector_store.delete_nodes(["node-3", "nobody"])
    assert vector_store.get_nodes() == []
    with pytest.raises(InputError, match="clear"):
        vector_store.delete_nodes()


def test_getting_nodes(vector_store):
    assert ids(vector_store.get_nodes(["node-3", "node-1"])) == ["node-1", "node-3"]
    assert ids(vector_store.get_nodes(["node-3", "node-1"], where("lang", "==", "de"))) == ["node-1"]
    assert vector_store.get_nodes([]) == []


def test_an_empty_store_finds_nothing():
    empty = JinaVectorStore()
    assert asked(empty).nodes == []
    assert asked(empty, mode="hybrid", query_str="sea").ids == []
    assert asked(empty, mode="mmr").similarities == []
    empty.close()


class TestModes:
    @pytest.mark.parametrize("mode", ["sparse", "text_search"])
    def test_by_words(self, filled, mode):
        result = asked(filled, query_embedding=None, query_str="calm sea", mode=VectorStoreQueryMode(mode))
        assert result.ids == ["node-3", "node-0"]
        assert result.similarities == sorted(result.similarities, reverse=True)

    def test_both_fused(self, filled):
        result = asked(filled, query_str="calm sea", mode=VectorStoreQueryMode.HYBRID)
        assert result.ids[0] == "node-3"
        limited = asked(filled, query_str="calm sea", mode=VectorStoreQueryMode.HYBRID, hybrid_top_k=2)
        assert limited.ids == result.ids[:2]

    @pytest.mark.parametrize(("alpha", "first"), [(1.0, "node-0"), (0.0, "node-3")])
    def test_alpha_weighs_the_vectors(self, filled, alpha, first):
        assert asked(filled, query_str="calm sea", mode=VectorStoreQueryMode.HYBRID, alpha=alpha).ids[0] == first
        with pytest.raises(ConfigError):
            asked(filled, query_str="calm sea", mode=VectorStoreQueryMode.HYBRID, alpha=1.5)

    # Not compared with LlamaIndex's own store, which looks at the last pick alone.
    @pytest.mark.parametrize("threshold", [1.0, 0.7, 0.5, 0.2])
    def test_mmr_trades_the_cosine_for_being_unlike_all_before(self, filled, threshold):
        query = VectorStoreQuery(query_embedding=unit(5, 2, 1), similarity_top_k=3, mode=VectorStoreQueryMode.MMR)
        vectors = np.array(VECTORS)
        picked: list[int] = []
        while len(picked) < 3:
            likeness = (vectors @ vectors[picked].T).max(axis=1) if picked else np.zeros(4)
            values = threshold * (vectors @ query.query_embedding) - (1 - threshold) * likeness
            values[picked] = -np.inf
            picked.append(int(values.argmax()))
        found = filled.query(query, mmr_threshold=threshold)
        assert found.ids == [f"node-{place}" for place in picked]
        query.mmr_threshold = threshold
        assert filled.query(query).ids == found.ids

    @pytest.mark.parametrize("mode", ["svm", "logistic_regression", "linear_regression", "semantic_hybrid"])
    def test_others_are_refused(self, filled, mode):
        with pytest.raises(InputError, match=mode):
            asked(filled, mode=VectorStoreQueryMode(mode))

    def test_what_a_mode_takes(self, filled):
        with pytest.raises(InputError, match="query_embedding"):
            asked(filled, query_embedding=None)
        with pytest.raises(InputError, match="query_str"):
            asked(filled, mode=VectorStoreQueryMode.HYBRID)
        with pytest.raises(InputError, match="nonsense"):
            filled.query(VectorStoreQuery(query_embedding=VECTORS[0]), nonsense=1)


CASES = [
    ("lang", "==", "en", [0]),
    ("lang", "!=", "en", [1, 2, 3]),
    ("year", ">", 2020, [1]),
    ("year", ">=", 2020, [0, 1]),
    ("year", "<", 2021, [0]),
    ("year", "<=", 2021.5, [0, 1]),
    ("lang", "in", ["en", "ja"], [0, 2]),
    ("lang", "nin", ["en", "ja"], [1, 3]),
    ("tags", "any", ["moon", "sun"], [0]),
    ("tags", "all", ["moon", "sea"], [0]),
    ("tags", "contains", "sea", [0, 3]),
    ("tags", "is_empty", None, [1, 2]),
    ("year", "is_empty", None, [2, 3]),
    ("lang", "is_empty", None, [3]),
    ("author.name", "==", "Noor", [1]),
    ("day", ">", "2024-05-02", [2]),
    ("day", "<=", "2024-05-01", [0]),
]


class TestFilters:
    @pytest.mark.parametrize(("key", "operator", "value", "expected"), CASES)
    def test_each_operator(self, filled, key, operator, value, expected):
        found = ids(filled.get_nodes(filters=where(key, operator, value)))
        assert found == [f"node-{place}" for place in expected]
        assert sorted(asked(filled, filters=where(key, operator, value)).ids) == found

    # LlamaIndex's own store compares neither dates nor None, and has no dots in names.
    @pytest.mark.parametrize(("key", "operator", "value", "expected"), [case for case in CASES if case[0] != "day"])
    def test_each_operator_means_what_it_does_in_llama_index(self, key, operator, value, expected):
        simple = SimpleVectorStore()
        simple.add(make_nodes())
        found = asked(simple, filters=where(key, operator, value)).ids
        assert sorted(found) == [f"node-{place}" for place in expected]

    def test_every_operator_is_known_or_refused(self, filled):
        known = {operator for _, operator, _, _ in CASES}
        for operator in FilterOperator:
            if operator.value not in known:
                with pytest.raises(InputError, match=operator.value):
                    filled.get_nodes(filters=where("lang", operator.value, "e"))

    @pytest.mark.parametrize(("condition", "expected"), [("and", [0]), ("or", [0, 1]), ("not", [2, 3]), (None, [0])])
    def test_each_condition(self, filled, condition, expected):
        filters = MetadataFilters(
            filters=[
                MetadataFilter(key="year", value=2022, operator=FilterOperator.LT),
                MetadataFilter(key="lang", value="en"),
            ],
            condition=condition and FilterCondition(condition),
        )
        assert ids(filled.get_nodes(filters=filters)) == [f"node-{place}" for place in expected]

    def test_nesting(self, filled):
        either = MetadataFilters(
            filters=[MetadataFilter(key="lang", value="en"), MetadataFilter(key="lang", value="de")],
            condition=FilterCondition.OR,
        )
        neither = MetadataFilters(filters=[either], condition=FilterCondition.NOT)
        both = MetadataFilters(filters=[neither, MetadataFilter(key="tags", value="sea")])
        assert ids(filled.get_nodes(filters=both)) == ["node-3"]

    def test_none_of_them_is_no_condition(self, filled):
        assert len(filled.get_nodes(filters=MetadataFilters(filters=[]))) == 4
        assert to_filter(None) is None
        assert matches({}, to_filter(MetadataFilters(filters=[])))

    def test_a_key_is_the_name_of_one_field(self):
        assert not matches({"author": {"name": "Noor"}}, to_filter(where("author.name", "==", "Noor")))
        assert matches({"$price": 3}, to_filter(where("$price", "==", 3)))

    @pytest.mark.parametrize(
        ("operator", "value"), [("==", ["en"]), ("in", "en"), (">", "tall"), (">", None), ("all", 3)]
    )
    def test_values_that_no_operator_takes(self, operator, value):
        with pytest.raises(InputError):
            to_filter(where("lang", operator, value))

    def test_nodes_and_sources(self, filled):
        assert asked(filled, node_ids=["node-1", "node-2"]).ids == ["node-2", "node-1"]
        assert asked(filled, doc_ids=["source-1"], filters=where("lang", "==", "ja")).ids == ["node-2"]
        assert len(asked(filled, node_ids=[], doc_ids=[]).ids) == 4


def test_nodes_of_every_kind_come_back_as_they_were(filled):
    nodes = [
        ImageNode(id_="image", image="aGVsbG8=", text="A boat", embedding=VECTORS[0]),
        IndexNode(id_="index", index_id="other", text="See there.", embedding=VECTORS[0]),
        Document(id_="document", text="All of it.", metadata={"deep": {"er": [1, {"a": None}]}}, embedding=VECTORS[0]),
        TextNode(id_="bare", text="", embedding=VECTORS[0]),
        TextNode(id_="full", text="Ünïcødé\n 漢字 \U0001f6a4", start_char_idx=3, end_char_idx=9, embedding=VECTORS[0],
                 excluded_llm_metadata_keys=["x"], metadata={"x": 1}, text_template="{content}!"),
    ]  # fmt: skip
    filled.add(nodes)
    found = {node.node_id: node for node in filled.get_nodes([node.node_id for node in nodes])}
    for node in nodes:
        again = found[node.node_id]
        assert again.get_content() == node.get_content()
        assert again.metadata == node.metadata
        assert again.hash == node.hash or isinstance(node, Document)
    assert found["image"].image == "aGVsbG8="
    assert found["index"].index_id == "other"
    assert found["image"].get_type() == ObjectType.IMAGE
    assert found["full"] == nodes[-1].model_copy(update={"embedding": None})


@pytest.mark.parametrize("wrong", [3, "store", FaissStore])
def test_what_is_no_store_is_refused(wrong):
    with pytest.raises(ConfigError, match="store must have"):
        JinaVectorStore(wrong)


def test_wrong_nodes_are_refused(filled):
    with pytest.raises(ValueError, match="embedding not set"):
        filled.add([TextNode(text="No vector.")])
    with pytest.raises(InputError, match="width"):
        filled.add([TextNode(text="a", embedding=[1.0]), TextNode(text="b", embedding=[1.0, 0.0])])
    with pytest.raises(InputError):
        filled.add([TextNode(text="Another width.", embedding=[1.0, 0.0])])
    with pytest.raises(InputError):
        filled.add([TextNode(text="No number.", embedding=[float("nan"), 0.0, 0.0])])
    assert len(filled.get_nodes()) == 4


def test_many_nodes_at_once():
    vectors = np.random.default_rng(0).normal(size=(3000, 16))
    nodes = [TextNode(text=f"boat {place}", embedding=row.tolist()) for place, row in enumerate(vectors)]
    with FaissStore() as store:
        vector_store = JinaVectorStore(store)
        vector_store.add(nodes)
        assert asked(vector_store, query_embedding=vectors[1234].tolist(), similarity_top_k=1).ids == [nodes[1234].id_]


def test_a_store_that_a_retriever_has_filled(bundled_embedder):
    with Retriever(bundled_embedder) as ours:
        ours.add(["The sea is calm.", "Bread is baked."])
        vector_store = JinaVectorStore(ours.store)
        result = asked(vector_store, query_embedding=bundled_embedder.embed_query("quiet sea").tolist())
        assert [node.text for node in result.nodes] == ["The sea is calm.", "Bread is baked."]
        assert result.nodes[0].node_id in ours


class TestPersisting:
    @pytest.mark.parametrize("vector_store", ["memory", "disk"], indirect=True)
    def test_a_copy_is_read_again(self, vector_store, tmp_path):
        vector_store.persist(str(tmp_path / "storage" / "default__vector_store.json"))
        again = JinaVectorStore.from_persist_dir(str(tmp_path / "storage"))
        assert again.get_nodes() == vector_store.get_nodes()
        assert asked(again).ids == asked(vector_store).ids
        vector_store.persist(str(tmp_path / "storage" / "default__vector_store.json"), fs=fsspec.filesystem("file"))
        again.client.close()

    def test_nothing_is_there(self, tmp_path):
        nowhere = JinaVectorStore.from_persist_path(str(tmp_path / "nowhere"))
        with pytest.raises(IndexFilesError):
            nowhere.get_nodes()
        nowhere.client.close()

    def test_only_the_local_file_system(self, filled, tmp_path):
        remote = fsspec.filesystem("memory")
        with pytest.raises(ConfigError, match="MemoryFileSystem"):
            filled.persist(str(tmp_path / "x"), fs=remote)
        with pytest.raises(ConfigError, match="MemoryFileSystem"):
            JinaVectorStore.from_persist_dir(str(tmp_path), fs=remote)

    def test_a_store_that_lasts_by_itself_needs_no_copy(self, tmp_path):
        JinaVectorStore(MemoryStore()).persist(str(tmp_path / "x"))
        assert not (tmp_path / "x").exists()


class TestWritingDown:
    def test_nothing_is_lost(self, tmp_path):
        with FaissStore(tmp_path / "store") as store:
            vector_store = JinaVectorStore(store, candidates=50)
            vector_store.add(make_nodes())
            written = json.loads(json.dumps(vector_store.to_dict()))
            for again in (JinaVectorStore.from_dict(written), pickle.loads(pickle.dumps(vector_store))):
                assert again.to_dict() == vector_store.to_dict()
                assert again.get_nodes() == vector_store.get_nodes()
                again.client.close()

    def test_nodes_in_memory_are_not_left_out(self, filled):
        with pytest.raises(ConfigError, match="memory"):
            filled.to_dict()
        with pytest.raises(InputError, match="memory"):
            pickle.dumps(filled)
        assert len(filled.get_nodes()) == 4
        assert JinaVectorStore.from_dict(JinaVectorStore().to_dict()).get_nodes() == []
