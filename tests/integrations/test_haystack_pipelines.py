"""Pipelines of Haystack that index and query, written down and read again."""

from __future__ import annotations

import asyncio
import inspect
import sys

import haystack
import haystack_jina_components
import pytest
from haystack import Document, Pipeline, telemetry
from haystack.components.builders import PromptBuilder
from haystack.components.writers import DocumentWriter
from haystack.core.errors import DeserializationError
from haystack.document_stores.types import DuplicatePolicy
from haystack_jina_components import (
    JinaDocumentConverter,
    JinaDocumentEmbedder,
    JinaDocumentSplitter,
    JinaDocumentStore,
    JinaDocumentWriter,
    JinaEmbeddingRetriever,
    JinaFetcher,
    JinaRanker,
    JinaReaderConnector,
    JinaRetriever,
    JinaTextClassifier,
    JinaTextEmbedder,
)
from running_service import PAGES

from jina_components import Embedder, FaissStore, Reranker, Retriever

MODEL = "static-minilm-v1"
QUESTION = "How high are the tides in the Bay of Fundy?"
TEMPLATE = "{% for document in documents %}{{ document.content }}\n{% endfor %}{{ question }}"
ALLOWED = {"allowed_modules": ["haystack_jina_components"]}
if ALLOWED.keys() - inspect.signature(Pipeline.loads).parameters.keys():  # before 3.0
    ALLOWED = {}
AsyncPipeline = getattr(haystack, "AsyncPipeline", Pipeline)  # which is one of the two as of 3.0


def close(pipeline):
    for name in pipeline.graph.nodes:
        component = pipeline.get_component(name)
        for each in (component, getattr(component, "document_store", None), getattr(component, "retriever", None)):
            if hasattr(each, "close"):
                each.close()


def of_parts(directory, url):
    """Fetch, split, embed, write; embed, retrieve, rank, prompt."""
    store = JinaDocumentStore(FaissStore(directory))
    indexing = Pipeline()
    indexing.add_component("fetcher", JinaFetcher(base_url=url))
    indexing.add_component("splitter", JinaDocumentSplitter(max_chunk_length=100))
    indexing.add_component("embedder", JinaDocumentEmbedder(model=MODEL, progress_bar=False))
    indexing.add_component("writer", DocumentWriter(store, DuplicatePolicy.OVERWRITE))
    for sender, receiver in (
        ("fetcher.documents", "splitter"),
        ("splitter", "embedder"),
        ("embedder.documents", "writer"),
    ):
        indexing.connect(sender, receiver)
    querying = Pipeline()
    querying.add_component("embedder", JinaTextEmbedder(model=MODEL, base_url=url))
    querying.add_component("retriever", JinaEmbeddingRetriever(store, top_k=5))
    querying.add_component("ranker", JinaRanker(top_k=1))
    querying.add_component("prompt", PromptBuilder(TEMPLATE, required_variables="*"))
    for sender, receiver in (
        ("embedder.embedding", "retriever.query_embedding"), ("retriever", "ranker.documents"),
        ("ranker.documents", "prompt.documents"),
    ):  # fmt: skip
        querying.connect(sender, receiver)
    return indexing, querying


def of_a_retriever(directory, url):
    """The same with a `Retriever`, which embeds and ranks by itself."""
    retriever = Retriever(Embedder(MODEL), store=FaissStore(directory), reranker=Reranker())
    indexing = Pipeline()
    indexing.add_component("fetcher", JinaFetcher(base_url=url))
    indexing.add_component("splitter", JinaDocumentSplitter(max_chunk_length=100))
    indexing.add_component("writer", JinaDocumentWriter(retriever, progress_bar=False))
    indexing.connect("fetcher.documents", "splitter")
    indexing.connect("splitter", "writer")
    querying = Pipeline()
    querying.add_component("retriever", JinaRetriever(retriever, top_k=1))
    querying.add_component("prompt", PromptBuilder(TEMPLATE, required_variables="*"))
    querying.connect("retriever", "prompt.documents")
    return indexing, querying


ASKED = {
    of_parts: {"embedder": {"text": QUESTION}, "ranker": {"query": QUESTION}, "prompt": {"question": QUESTION}},
    of_a_retriever: {"retriever": {"query": QUESTION}, "prompt": {"question": QUESTION}},
}


@pytest.mark.parametrize("make", ASKED)
def test_pipelines_index_and_query_and_do_the_same_when_they_are_read(make, tmp_path, service):
    indexing, querying = make(tmp_path / "index", service.url)
    pages = {"fetcher": {"urls": [service.site.url(path) for path in PAGES]}}
    written = indexing.run(pages)["writer"]["documents_written"]
    assert written > 3
    prompt = querying.run(ASKED[make])["prompt"]["prompt"]
    assert "16 metres" in prompt
    assert prompt.endswith(QUESTION)
    texts = indexing.dumps(), querying.dumps()
    settings = [each.to_dict()["components"] for each in (indexing, querying)]
    close(indexing)
    close(querying)

    indexing, querying = (AsyncPipeline.loads(text, **ALLOWED) for text in texts)
    assert [each.to_dict()["components"] for each in (indexing, querying)] == settings
    assert querying.run(ASKED[make])["prompt"]["prompt"] == prompt
    assert asyncio.run(indexing.run_async(pages))["writer"]["documents_written"] == written
    assert asyncio.run(querying.run_async(ASKED[make]))["prompt"]["prompt"] == prompt
    close(indexing)
    close(querying)


def test_a_pipeline_is_read_where_nothing_of_ours_is_imported(tmp_path, monkeypatch):
    (tmp_path / "tides.md").write_text("# Tides\n\nIn the Bay of Fundy they are 16 metres high.")
    indexing = Pipeline()
    indexing.add_component("converter", JinaDocumentConverter())
    indexing.add_component(
        "writer", JinaDocumentWriter(Retriever(Embedder(MODEL), store=FaissStore(tmp_path / "index")))
    )
    indexing.connect("converter", "writer")
    text = indexing.dumps()
    for known in (sys.modules, haystack.component.registry):
        for name in [name for name in known if name.startswith("haystack_jina_components")]:
            monkeypatch.delitem(known, name)
    read = Pipeline.loads(text, **ALLOWED)
    assert type(read.get_component("converter")) is not JinaDocumentConverter  # but one that was imported again
    assert read.run({"converter": {"sources": [str(tmp_path / "tides.md")]}})["writer"] == {"documents_written": 1}
    with Retriever.open(tmp_path / "index", Embedder(MODEL)) as retriever:
        assert len(retriever) == 1
    close(read)
    close(indexing)


@pytest.mark.skipif(not ALLOWED, reason="Haystack asks as of 3.0")
def test_haystack_asks_before_it_makes_our_components_from_a_text():
    pipeline = Pipeline()
    pipeline.add_component("splitter", JinaDocumentSplitter())
    with pytest.raises(DeserializationError, match="haystack_jina_components"):
        Pipeline.loads(pipeline.dumps())


def test_a_pipeline_in_a_running_loop():
    def made(kind):
        pipeline = kind()
        pipeline.add_component("splitter", JinaDocumentSplitter(max_chunk_length=20))
        pipeline.add_component("embedder", JinaDocumentEmbedder(model=MODEL, progress_bar=False))
        pipeline.connect("splitter", "embedder")
        return pipeline

    async def run():
        asked = {"splitter": {"documents": [Document(content="It rains. We stay inside. The sea is calm.")]}}
        return made(Pipeline).run(asked), await made(AsyncPipeline).run_async(asked)

    here, asynchronous = asyncio.run(run())
    assert here == asynchronous
    assert len(here["embedder"]["documents"]) == 3


COMPONENTS = [
    each for name in haystack_jina_components.__all__ if hasattr(each := getattr(haystack_jina_components, name), "run")
]


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_component_keeps_the_contract(kind):
    assert kind.__module__.startswith("haystack_jina_components.")
    assert haystack.component.registry[f"{kind.__module__}.{kind.__name__}"] is kind
    assert inspect.iscoroutinefunction(kind.run_async)
    assert inspect.signature(kind.run).parameters.keys() == inspect.signature(kind.run_async).parameters.keys()
    for method in ("to_dict", "from_dict", "_get_telemetry_data", "close", "close_async"):
        assert callable(getattr(kind, method))
    parameters = inspect.signature(kind.__init__).parameters
    documented = inspect.getdoc(kind)
    assert [name for name in parameters if name != "self" and f"{name}:" not in documented] == []


@pytest.mark.skipif(not hasattr(Pipeline, "close_async"), reason="pipelines close as of 3.0")
async def test_a_pipeline_closes_what_it_opened_in_a_running_loop(tmp_path, service):
    for pipeline in of_parts(tmp_path / "index", service.url):
        await pipeline.warm_up_async()
        await pipeline.close_async()
    indexing, _ = of_parts(tmp_path / "index", service.url)
    found = await indexing.run_async({"fetcher": {"urls": [service.site.url("/bread")]}})
    assert found["writer"]["documents_written"] > 1
    await indexing.close_async()
    classifier = JinaTextClassifier(["a", "b"], MODEL, base_url=service.url)
    assert (await classifier.run_async("a"))["label"] == "a"
    await classifier.close_async()
    connector = JinaReaderConnector("read", base_url=service.url)
    assert (await connector.run_async(service.site.url("/bread")))["documents"]
    await connector.close_async()


def test_nothing_is_told_to_anybody():
    assert telemetry._telemetry.telemetry is None
