"""Our classes together in LlamaIndex: an index and its query engine, a pipeline with a cache, and both again later."""

from __future__ import annotations

import asyncio
import json
import pickle

import pytest
from embedding_server import serve_models
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.llms import MockLLM
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index_jina_components import JinaEmbedding, JinaNodeParser, JinaRerank, JinaRetriever, JinaVectorStore

from jina_components import Embedder, Retriever, Segmenter
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import FakeEmbedder

TEXTS = {
    "sea": "# Tides\n\nThe moon pulls the water of the sea, which rises twice a day.\n\n"
           "## Records\n\nIn the Bay of Fundy the tides are 16 metres high.",
    "bridge": "The Holm Bridge over the Ness opened in 1952. It is 3 km long. Ann Lee, an engineer, designed it.",
    "bread": "Bread is made of flour, water, salt and yeast. It is baked for forty minutes.",
}  # fmt: skip


@pytest.fixture
def documents():
    return [Document(text=text, id_=name, metadata={"topic": name}) for name, text in TEXTS.items()]


@pytest.fixture(scope="module")
def embedding():
    return JinaEmbedding("static-minilm-v1")


@pytest.fixture
def vector_store():
    made = JinaVectorStore()
    yield made
    made.close()


@pytest.fixture
def make_index(documents, embedding, vector_store):
    def make(**settings):
        return VectorStoreIndex.from_documents(
            documents,
            storage_context=StorageContext.from_defaults(vector_store=vector_store),
            embed_model=embedding,
            transformations=[JinaNodeParser(60)],
            **settings,
        )

    return make


@pytest.fixture(scope="module")
def reranker():
    return JinaRerank(2, "static-minilm-v1-maxsim")


def sources(response):
    return [each.node.ref_doc_id for each in response.source_nodes]


class TestIndex:
    def test_a_question_is_answered_from_the_best_chunks(self, make_index, reranker):
        engine = make_index().as_query_engine(MockLLM(), similarity_top_k=4, node_postprocessors=[reranker])
        response = engine.query("How long is bread baked?")
        assert sources(response)[0] == "bread"
        assert "baked for forty minutes" in str(response)
        best = response.source_nodes[0]
        assert TEXTS["bread"][best.node.start_char_idx : best.node.end_char_idx] == best.node.text
        assert best.score >= response.source_nodes[1].score

    async def test_asynchronously_too(self, documents, embedding, vector_store, reranker):
        index = VectorStoreIndex.from_vector_store(vector_store, embedding)
        await index.ainsert_nodes(await JinaNodeParser(60).aget_nodes_from_documents(documents))
        engine = index.as_query_engine(MockLLM(), similarity_top_k=4, node_postprocessors=[reranker])
        asked = ["How long is bread baked?", "Who designed the Holm Bridge?", "Where are the tides 16 metres high?"]
        responses = await asyncio.gather(*map(engine.aquery, asked))
        assert [sources(response)[0] for response in responses] == ["bread", "bridge", "sea"]
        assert responses[2].source_nodes[0].metadata["heading"] == "Tides > Records"

    @pytest.mark.parametrize("mode", ["default", "hybrid", "text_search", "mmr"])
    async def test_every_mode_of_its_retriever(self, make_index, mode):
        retriever = make_index().as_retriever(vector_store_query_mode=mode, similarity_top_k=2)
        nodes = retriever.retrieve("bread baked minutes")
        assert nodes[0].node.ref_doc_id == "bread"
        assert [each.node_id for each in await retriever.aretrieve("bread baked minutes")] == [n.node_id for n in nodes]

    # Its own, in releases that we support.
    @pytest.mark.filterwarnings("ignore:Call to deprecated method get_doc_id:DeprecationWarning")
    def test_filters_and_documents_that_come_and_go(self, make_index, vector_store):
        index = make_index()
        only = MetadataFilters(filters=[MetadataFilter(key="topic", value="sea")])
        nodes = index.as_retriever(filters=only, similarity_top_k=9).retrieve("bread")
        assert {each.node.ref_doc_id for each in nodes} == {"sea"}
        index.delete_ref_doc("sea")
        assert {node.ref_doc_id for node in vector_store.get_nodes()} == {"bridge", "bread"}
        index.insert(Document(text="Cheese is made of milk.", id_="cheese"))
        assert index.as_retriever(similarity_top_k=1).retrieve("milk")[0].node.ref_doc_id == "cheese"

    def test_it_is_persisted_and_loaded(self, make_index, embedding, tmp_path):
        index = make_index()
        before = index.as_retriever().retrieve("tides")
        index.storage_context.persist(str(tmp_path / "storage"))
        vector_store = JinaVectorStore.from_persist_dir(str(tmp_path / "storage"))
        storage = StorageContext.from_defaults(vector_store=vector_store, persist_dir=str(tmp_path / "storage"))
        again = load_index_from_storage(storage, embed_model=embedding)
        assert again.as_retriever().retrieve("tides") == before
        vector_store.client.close()

    def test_a_store_on_disk_needs_no_persisting(self, documents, embedding, tmp_path):
        with FaissStore(tmp_path / "store") as store:
            VectorStoreIndex.from_documents(
                documents,
                storage_context=StorageContext.from_defaults(vector_store=JinaVectorStore(store)),
                embed_model=embedding,
            )
        with FaissStore(tmp_path / "store", must_exist=True) as store:
            index = VectorStoreIndex.from_vector_store(JinaVectorStore(store), embedding)
            assert index.as_retriever(similarity_top_k=1).retrieve("bread")[0].node.ref_doc_id == "bread"


class TestPipeline:
    def test_the_second_run_is_that_of_the_cache(self, server, documents, tmp_path):
        serve_models(server)

        def make(**settings):
            embedding = JinaEmbedding("m", base_url=server.url(""), **settings)
            return IngestionPipeline(transformations=[JinaNodeParser(60), embedding]), embedding

        pipeline, embedding = make(api_key="one")
        first = pipeline.run(documents=documents)
        assert len(server.received) == 1
        assert pipeline.run(documents=documents) == first
        pipeline.persist(str(tmp_path / "pipeline"))
        later, _ = make(api_key="two")
        later.load(str(tmp_path / "pipeline"))
        assert later.run(documents=documents) == first
        assert len(server.received) == 1
        other, wider = make(dimensions=64)
        other.load(str(tmp_path / "pipeline"))
        assert len(other.run(documents=documents)[0].embedding) == 64
        embedding.close()
        wider.close()

    async def test_asynchronously_too(self, documents, embedding):
        pipeline = IngestionPipeline(transformations=[JinaNodeParser(60), embedding])
        nodes = await pipeline.arun(documents=documents)
        assert await pipeline.arun(documents=documents) == nodes == pipeline.run(documents=documents)
        assert all(len(node.embedding) == 256 for node in nodes)

    def test_what_cannot_be_written_down_is_not_taken_for_another(self, documents):
        narrow, wide = (JinaEmbedding(embedder=FakeEmbedder(dimensions=width)) for width in (8, 16))
        cache = IngestionCache()
        for embedding in (narrow, wide, narrow, pickle.loads(pickle.dumps(wide))):
            nodes = IngestionPipeline(transformations=[embedding], cache=cache).run(documents=documents, in_place=False)
            assert len(nodes[0].embedding) == len(embedding.get_query_embedding("tides"))
        assert len(cache.cache.get_all(cache.collection)) == 2

    @pytest.mark.parametrize("run", ["run", "arun"])
    async def test_documents_that_changed_are_replaced(self, documents, embedding, vector_store, run):
        pipeline = IngestionPipeline(
            transformations=[JinaNodeParser(60), embedding],
            vector_store=vector_store,
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        )

        async def put(given):
            done = getattr(pipeline, run)(documents=given)
            return {node.ref_doc_id for node in (await done if run == "arun" else done)}

        assert await put(documents) == set(TEXTS)
        before = {node.node_id for node in vector_store.get_nodes()}
        assert await put(documents) == set()
        assert {node.node_id for node in vector_store.get_nodes()} == before
        changed = Document(text="Bread is sold on Mondays.", id_="bread", metadata={"topic": "bread"})
        assert await put([changed, documents[0]]) == {"bread"}
        assert {node.ref_doc_id for node in vector_store.get_nodes()} == {"sea", "bread"}
        assert "Bread is sold on Mondays." in [node.text for node in vector_store.get_nodes()]

    def test_in_several_processes(self, documents):
        pipeline = IngestionPipeline(transformations=[JinaNodeParser(60), JinaEmbedding("static-minilm-v1")])
        nodes = pipeline.run(documents=documents, num_workers=2)
        assert {node.ref_doc_id for node in nodes} == set(TEXTS)
        assert all(len(node.embedding) == 256 for node in nodes)


MADE = {
    "embedding": lambda: JinaEmbedding(embedder=Embedder("static-minilm-v1", dimensions=64), task="separation"),
    "remote embedding": lambda: JinaEmbedding("m", 3, api_key="secret", timeout=5, num_workers=2),
    "reranker": lambda: JinaRerank(3, "static-minilm-v1-maxsim"),
    "node parser": lambda: JinaNodeParser(segmenter=Segmenter(max_chunk_length=40, overlap=5)),
    "vector store": lambda: JinaVectorStore(FaissStore("never-made", storage="int8"), candidates=7),
}


class TestWritingDown:
    @pytest.mark.parametrize("kind", MADE)
    def test_again_from_a_dict_json_and_a_pickle(self, kind):
        made = MADE[kind]()
        written = json.dumps(made.to_dict(), sort_keys=True)
        for again in (
            type(made).from_dict(json.loads(written)),
            type(made).from_json(made.to_json()),
            pickle.loads(pickle.dumps(made)),
            type(made).from_dict(type(made).from_dict(made.to_dict()).to_dict()),
        ):
            assert json.dumps(again.to_dict(), sort_keys=True) == written
            assert again._component.to_dict() == made._component.to_dict() if kind != "remote embedding" else True

    @pytest.mark.parametrize("kind", ["embedding", "remote embedding", "node parser"])
    def test_the_hash_is_that_of_the_settings(self, kind, documents):
        assert get_transformation_hash(documents, MADE[kind]()) == get_transformation_hash(documents, MADE[kind]())

    def test_a_cache_takes_what_it_has_given(self, documents, embedding):
        cache = IngestionCache()
        nodes = JinaNodeParser(60)(documents)
        cache.put("key", embedding(nodes))
        assert cache.get("key") == nodes

    def test_every_class_has_a_name_of_its_own(self):
        classes = (JinaEmbedding, JinaRerank, JinaNodeParser, JinaVectorStore)
        assert [each.class_name() for each in classes] == [each.__name__ for each in classes]


def test_our_retriever_in_their_engine_over_their_chunks(documents, bundled_embedder):
    from llama_index.core.query_engine import RetrieverQueryEngine
    from llama_index_jina_components.nodes import node_to_document

    with Retriever(bundled_embedder) as ours:
        ours.add([node_to_document(node) for node in JinaNodeParser(60)(documents)])
        engine = RetrieverQueryEngine.from_args(JinaRetriever(ours, mode="hybrid"), llm=MockLLM())
        assert sources(engine.query("Who designed the bridge?"))[0] == "bridge"
