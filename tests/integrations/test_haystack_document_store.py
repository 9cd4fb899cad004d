"""Haystack's own tests of document stores, and what only ours has."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from importlib import import_module

import pytest
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy, FilterPolicy
from haystack.errors import FilterError
from haystack_jina_components import (
    JinaBM25Retriever,
    JinaDocumentStore,
    JinaEmbeddingRetriever,
)

from jina_components import FaissStore, Retriever
from jina_components.errors import ConfigError, InputError
from jina_components.testing import FakeEmbedder, MemoryStore


class _Tested:
    """Embeddings come back as far as float32 keeps them."""

    @staticmethod
    def assert_documents_are_equal(received, expected):
        assert [_without(each) for each in received] == [_without(each) for each in expected]
        for got, given in zip(received, expected, strict=True):
            wanted = given.embedding and pytest.approx(given.embedding, rel=1e-5, abs=1e-6)
            assert got.embedding == wanted

    @pytest.fixture(params=["faiss", "memory"])
    def document_store(self, request, tmp_path):
        store = FaissStore(tmp_path / "index") if request.param == "faiss" else MemoryStore()
        made = JinaDocumentStore(store, embedding_dimension=768)
        yield made
        made.close()


def _without(document):
    return {**document.to_dict(flatten=False), "embedding": None}


def _suites(module, *names):
    """Those of Haystack's that this release has."""
    try:
        found = import_module(f"haystack.testing.{module}")
    except ImportError:  # before 2.28
        return []
    return [getattr(found, name) for name in names if hasattr(found, name)]


class TestHaystacks(
    _Tested,
    *_suites(
        "document_store", "DocumentStoreBaseTests", "DeleteAllTest", "DeleteByFilterTest", "UpdateByFilterTest",
        "CountDocumentsByFilterTest",
    ),
):  # fmt: skip
    def test_write_documents(self, document_store):
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestHaystacksAsync(
    _Tested,
    *_suites(
        "document_store_async", "CountDocumentsAsyncTest", "CountDocumentsByFilterAsyncTest", "DeleteAllAsyncTest",
        "DeleteByFilterAsyncTest", "DeleteDocumentsAsyncTest", "FilterDocumentsAsyncTest", "UpdateByFilterAsyncTest",
        "WriteDocumentsAsyncTest",
    ),
):  # fmt: skip
    async def test_write_documents_async(self, document_store):
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        self.assert_documents_are_equal(await document_store.filter_documents_async(), [document])


@pytest.fixture
def store():
    made = JinaDocumentStore()
    yield made
    made.close()


def embedded(**meta):
    """Documents of three texts, with vectors of words."""
    texts = ["rain falls in Bergen", "bread is baked in ovens", "the sea is calm"]
    vectors = FakeEmbedder().embed_documents(texts).tolist()
    return [Document(content=text, meta=meta, embedding=vector) for text, vector in zip(texts, vectors, strict=True)]


def query(text):
    return FakeEmbedder().embed_query(text).tolist()


def test_a_document_comes_back_whole(store):
    documents = [
        Document(content="größe 数", meta={"a": {"b": [1, None, "x"]}, "é": True}, embedding=[3.0, 4.0]),
        Document(content=None, meta={"file_path": "a.png"}, embedding=[0.0, 1.0]),
        Document(content="", embedding=[1.0, 0.0]),
        Document(content="bytes", blob=ByteStream(b"\x00\xff", {"of": 1}, "image/png"), embedding=[1.0, 0.0]),
        Document(content="sparse", sparse_embedding=SparseEmbedding([1, 7], [0.5, 2.0])),
    ]
    assert store.write_documents(documents) == 5
    _Tested.assert_documents_are_equal(store.filter_documents(), documents)


def test_metadata_is_that_of_the_store_for_whoever_else_uses_it(store):
    store.write_documents(embedded(lang="en"))
    assert [document.metadata for document in store._store.scan()] == [{"lang": "en"}] * 3
    retriever = Retriever(FakeEmbedder(), store=store._store)
    assert retriever.retrieve("calm sea", filter={"lang": "en"})[0].document.text == "the sea is calm"


def test_the_nearest_documents_come_first_with_their_cosine(store):
    store.write_documents(embedded())
    found = JinaEmbeddingRetriever(store, top_k=2).run(query("calm sea"))["documents"]
    assert len(found) == 2
    assert found[0].content == "the sea is calm"
    assert found[0].score == pytest.approx(float(FakeEmbedder().embed_query("the sea is calm") @ query("calm sea")))
    assert found[0].score > found[1].score


def test_vectors_of_any_length_are_compared_by_cosine(store):
    store.write_documents(
        [Document(content="long", embedding=[30.0, 40.0]), Document(content="short", embedding=[1, 0])]
    )
    found = JinaEmbeddingRetriever(store).run([0.3, 0.4])["documents"]
    assert [(each.content, round(each.score, 5)) for each in found] == [("long", 1.0), ("short", 0.6)]


def test_documents_without_embedding_are_found_by_words_alone(store):
    store.write_documents([Document(content="north", embedding=[-1.0, 0.0]), Document(content="north wind")])
    assert [each.content for each in JinaEmbeddingRetriever(store).run([1.0, 0.0])["documents"]] == ["north"]
    assert {each.content for each in JinaBM25Retriever(store).run("north")["documents"]} == {"north", "north wind"}
    assert [each.embedding for each in store.filter_documents()] == [[-1.0, 0.0], None]


def test_without_any_embedding_words_find_and_vectors_say_that_there_are_none(store):
    store.write_documents([Document(content="rain in Bergen"), Document(content="bread")])
    assert [each.content for each in JinaBM25Retriever(store).run("rain")["documents"]] == ["rain in Bergen"]
    with pytest.raises(ConfigError, match="no vectors"):
        JinaEmbeddingRetriever(store).run([1.0, 0.0])


def test_embeddings_of_another_width_are_refused_by_their_place(store):
    with pytest.raises(InputError, match=r"documents\[1\].* 3, not 2"):
        store.write_documents([Document(content="a", embedding=[1, 0]), Document(content="b", embedding=[1, 0, 0])])
    assert store.count_documents() == 0
    store.write_documents([Document(content="a", embedding=[1, 0])])
    with pytest.raises(InputError, match="width"):
        store.write_documents([Document(content="b", embedding=[1, 0, 0])])
    with pytest.raises(InputError, match="width"):
        JinaEmbeddingRetriever(store).run([1.0, 0.0, 0.0])


def test_ids_that_come_twice_in_one_call(store):
    twice = [Document(id="1", content="first"), Document(id="1", content="second")]
    with pytest.raises(DuplicateDocumentError, match="'1'"):
        store.write_documents(twice)
    assert store.write_documents(twice, DuplicatePolicy.SKIP) == 1
    assert [each.content for each in store.filter_documents()] == ["first"]
    assert store.write_documents(twice, DuplicatePolicy.OVERWRITE) == 2
    assert [each.content for each in store.filter_documents()] == ["second"]


def test_metadata_that_is_not_json_is_refused(store):
    with pytest.raises(InputError, match="JSON"):
        store.write_documents([Document(content="a", meta={"set": {1}})])


def test_filters_of_the_constructor_are_replaced_or_merged(store):
    store.write_documents(
        [*embedded(lang="en"), Document(content="the sea", meta={"lang": "de", "name": "x"}, embedding=query("sea"))]
    )
    english = {"field": "meta.lang", "operator": "==", "value": "en"}
    german = {"field": "meta.lang", "operator": "==", "value": "de"}
    replacing = JinaBM25Retriever(store, filters=english)
    assert [each.content for each in replacing.run("sea")["documents"]] == ["the sea is calm"]
    assert [each.content for each in replacing.run("sea", filters=german)["documents"]] == ["the sea"]
    named = {"field": "meta.name", "operator": "==", "value": "x"}
    merging = JinaBM25Retriever(store, filters=english, filter_policy=FilterPolicy.MERGE)
    assert merging.run("sea", filters=named)["documents"] == []
    assert [each.content for each in replacing.run("sea", filters=named)["documents"]] == ["the sea"]
    assert JinaEmbeddingRetriever(store, filters=english, top_k=1).run(query("sea"))["documents"][0].meta == {
        "lang": "en"
    }


@pytest.mark.parametrize("top_k", [0, -1, True, "3"])
def test_limits_that_make_no_sense_are_refused(store, top_k):
    with pytest.raises(InputError, match="top_k"):
        JinaBM25Retriever(store, top_k=top_k)
    with pytest.raises(InputError, match="top_k"):
        JinaEmbeddingRetriever(store).run([1.0], top_k=top_k)


def test_only_our_document_store_will_do():
    with pytest.raises(ConfigError, match="InMemoryDocumentStore"):
        JinaBM25Retriever(InMemoryDocumentStore())
    with pytest.raises(ConfigError, match="FaissStore"):
        JinaDocumentStore("index")


class _Slow(MemoryStore):
    """Lets other writers in while one looks for duplicates."""

    def keys_of(self, ids):
        found = super().keys_of(ids)
        time.sleep(0.01)
        return found


async def test_many_writers_at_once_write_each_document_once():
    store = JinaDocumentStore(_Slow())
    documents = [Document(id=str(number), content=f"text {number}") for number in range(40)]
    written = await asyncio.gather(*(store.write_documents_async(documents, DuplicatePolicy.SKIP) for _ in range(6)))
    assert sum(written) == 40
    assert await store.count_documents_async() == 40
    found = await JinaBM25Retriever(store, top_k=1).run_async("17")
    assert found["documents"][0].id == "17"


def test_a_document_store_on_disk_is_written_down_and_read(tmp_path):
    store = JinaDocumentStore(FaissStore(tmp_path / "index"), embedding_dimension=32, return_embedding=False)
    store.write_documents(embedded())
    data = json.loads(json.dumps(store.to_dict()))
    again = JinaDocumentStore.from_dict(data)
    assert again.to_dict() == data
    assert [each.content for each in again.filter_documents()] == [each.content for each in embedded()]
    assert {each.embedding for each in again.filter_documents()} == {None}
    store.close()
    again.close()


def test_of_a_document_store_in_memory_the_settings_are_written_down(store):
    store.write_documents(embedded())
    again = JinaDocumentStore.from_dict(json.loads(json.dumps(store.to_dict())))
    assert again.to_dict() == store.to_dict()
    assert (again.count_documents(), store.count_documents()) == (0, 3)
    again.close()


@pytest.mark.parametrize(("given", "message"), [(MemoryStore(), "MemoryStore"), (FaissStore(), "directory")])
def test_what_cannot_be_written_down_says_why(given, message):
    with pytest.raises((ConfigError, InputError), match=message):
        JinaDocumentStore(given).to_dict()
    given.close()


def test_haystacks_writer_and_a_joiner_make_a_hybrid_pipeline_that_reads_back(tmp_path):
    store = JinaDocumentStore(FaissStore(tmp_path / "index"))
    indexing = Pipeline()
    indexing.add_component("writer", DocumentWriter(store, DuplicatePolicy.OVERWRITE))
    assert indexing.run({"documents": embedded()})["writer"] == {"documents_written": 3}

    hybrid = Pipeline()
    hybrid.add_component("dense", JinaEmbeddingRetriever(store, top_k=2, filter_policy=FilterPolicy.MERGE))
    hybrid.add_component("words", JinaBM25Retriever(store, top_k=2))
    hybrid.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    hybrid.connect("dense", "joiner")
    hybrid.connect("words", "joiner")
    asked = {"dense": {"query_embedding": query("calm sea")}, "words": {"query": "calm sea"}}
    first = hybrid.run(asked)["joiner"]["documents"]
    assert first[0].content == "the sea is calm"

    allowed = {"allowed_modules": ["haystack_jina_components"]}
    if allowed.keys() - inspect.signature(Pipeline.loads).parameters.keys():  # before 3.0
        allowed = {}
    for pipeline, question in ((indexing, {"documents": embedded()}), (hybrid, asked)):
        again = Pipeline.loads(pipeline.dumps(), **allowed)
        assert again.dumps() == pipeline.dumps()
        assert again.run(question) == pipeline.run(question)
        for component in ("writer", "dense", "words"):
            if component in again.graph.nodes:
                again.get_component(component).document_store.close()
    store.close()


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"field": "content", "operator": "==", "value": "a"}, "meta.content"),
        ({"field": "meta.a", "operator": "~", "value": 1}, "'~'"),
        ({"field": 3, "operator": "==", "value": 1}, "int"),
        ({"field": "meta", "operator": "==", "value": 1}, "field"),
        ({"field": "meta.a", "operator": "==", "value": [1]}, "list"),
        ({"field": "meta.a", "operator": "<", "value": True}, "no order"),
        ({"operator": "AND", "conditions": {"field": "meta.a"}}, "list"),
        ({"operator": "XOR", "conditions": []}, "XOR"),
        ({"operator": "AND", "conditions": ["a"]}, "dict"),
    ],
)
def test_filters_that_are_none_say_why(store, filters, message):
    with pytest.raises(FilterError, match=message):
        store.filter_documents(filters)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"field": "meta.at", "operator": "==", "value": "2024-05-01T00:00:00+00:00"}, {"day"}),
        ({"field": "meta.at", "operator": "in", "value": ["2024-05-01", None]}, {"day", "none"}),
        ({"field": "meta.at", "operator": "<=", "value": "2024-05-01T12:00:00"}, {"day"}),
        ({"field": "at", "operator": "==", "value": "later"}, {"word"}),
        ({"field": "meta.of.who", "operator": "==", "value": "Ann"}, {"none"}),
        ({"operator": "NOT", "conditions": [{"field": "meta.at", "operator": "!=", "value": "later"}]}, {"word"}),
        ({"operator": "AND", "conditions": []}, {"day", "word", "none"}),
        ({"operator": "OR", "conditions": []}, set()),
    ],
)
def test_dates_missing_fields_and_paths(store, filters, found):
    metas = {"day": {"at": "2024-05-01"}, "word": {"at": "later"}, "none": {"of": {"who": "Ann"}}}
    store.write_documents([Document(id=name, content=name, meta=meta) for name, meta in metas.items()])
    assert {each.id for each in store.filter_documents(filters)} == found
