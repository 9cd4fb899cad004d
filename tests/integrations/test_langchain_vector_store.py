from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from langchain_jina_components import JinaEmbeddings, JinaRetriever, JinaTextSplitter, JinaVectorStore
from langchain_parts import Seen
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from jina_components import DeepSearchAgent, Embedder, FaissStore, Field, MilvusStore, QdrantStore, Reranker
from jina_components.errors import ConfigError, IndexMismatchError, InputError
from jina_components.protocols import Store
from jina_components.testing import FakeEmbedder

TEXTS = ["Paris is the capital of France.", "Berlin ist die Hauptstadt.", "Bread is baked.", "東京は首都です。 🗼"]
METADATA = [{"lang": "en", "year": 2020}, {"lang": "de", "year": 2021}, {"lang": "en", "year": 2022}, {"lang": "ja"}]
IDS = ["paris", "berlin", "bread", "tokyo"]
QUERY = "the capital of France"


class TestInMemory(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:
        store = JinaVectorStore(self.get_embeddings())
        yield store
        store.close()


class TestOnDisk(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:
        store = JinaVectorStore(self.get_embeddings(), store=FaissStore(tmp_path / "notes"))
        yield store
        store.close()


@pytest.fixture
def store() -> Iterator[JinaVectorStore]:
    made = JinaVectorStore.from_texts(TEXTS, Embedder("static-minilm-v1"), METADATA, ids=IDS)
    yield made
    made.close()


def ids_of(documents: Sequence[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_made_of_texts_and_documents(store: JinaVectorStore) -> None:
    assert ids_of(store.similarity_search(QUERY, k=1)) == ["paris"]
    given = [Document(text, metadata=told) for text, told in zip(TEXTS, METADATA, strict=True)]
    given[0].id = "paris"
    made = JinaVectorStore.from_documents(given, JinaEmbeddings(model_name="static-minilm-v1"))
    again = asyncio.run(JinaVectorStore.afrom_documents(given, Embedder("static-minilm-v1")))
    wanted = made.similarity_search(QUERY, k=4)
    assert wanted == again.similarity_search(QUERY, k=4)
    assert [(document.page_content, document.metadata) for document in wanted] == [
        (document.page_content, document.metadata) for document in store.similarity_search(QUERY, k=4)
    ]
    assert wanted[0].id == "paris"
    assert all(document.id for document in wanted)
    assert given[1].id is None


def test_takes_embeddings_of_langchain_and_embedders_of_ours() -> None:
    theirs = DeterministicFakeEmbedding(size=6)
    assert JinaVectorStore(theirs).embeddings is theirs
    ours = JinaVectorStore(FakeEmbedder(dimensions=6)).embeddings
    assert isinstance(ours, Embeddings)
    assert len(ours.embed_query("a")) == 6
    with pytest.raises(ConfigError, match="embed_query and embed_documents"):
        JinaVectorStore(3)  # type: ignore[arg-type]


def test_adding_again_replaces_and_changes_nothing_else(store: JinaVectorStore) -> None:
    assert store.add_texts(["Paris is a city."], [{"lang": "fr"}], ids=["paris"]) == ["paris"]
    assert store.get_by_ids(["paris"]) == [Document("Paris is a city.", id="paris", metadata={"lang": "fr"})]
    same = [store.add_texts(["New."], [{"n": 1}]) for _ in range(2)]
    assert same[0] == same[1]
    assert len(store.retriever) == 5
    assert store.add_texts([]) == store.add_documents([]) == []


def test_all_of_them_or_none(store: JinaVectorStore) -> None:
    for wrong in (
        lambda: store.add_texts(["a", "b"], ids=["1"]),
        lambda: store.add_texts(["a", "b"], [{}]),
        lambda: store.add_documents([Document("a")], ids=["1", "2"]),
        lambda: store.add_texts(["a", " "]),
        lambda: store.add_texts(["a"], [{"at": object()}]),
        lambda: JinaVectorStore.from_texts(["a", "b"], FakeEmbedder(), ids=["1"]),
    ):
        with pytest.raises(InputError):
            wrong()
    assert len(store.retriever) == 4


def test_deletes(store: JinaVectorStore) -> None:
    assert store.delete(["paris", "unknown"]) is True
    assert ids_of(store.get_by_ids(["paris", "bread", "unknown", "berlin"])) == ["bread", "berlin"]
    assert store.delete(filter=Field("lang") == "de") is True
    assert len(store.retriever) == 2
    assert store.delete([]) is True
    assert len(store.retriever) == 2
    assert asyncio.run(store.adelete()) is True
    assert (len(store.retriever), store.similarity_search(QUERY)) == (0, [])


def test_filters(store: JinaVectorStore) -> None:
    search = store.similarity_search
    assert set(ids_of(search(QUERY, filter={"lang": ["en", "de"]}))) == {"paris", "bread", "berlin"}
    assert set(ids_of(search(QUERY, filter=Field("year") > 2020))) == {"berlin", "bread"}
    assert search(QUERY, filter={"lang": "fr"}) == []
    vector = store.embeddings.embed_query(QUERY)
    assert ids_of(store.similarity_search_by_vector(vector, filter={"lang": "de"})) == ["berlin"]
    assert ids_of(store.max_marginal_relevance_search(QUERY, filter={"lang": "de"})) == ["berlin"]


def test_scores_are_cosines(store: JinaVectorStore) -> None:
    embeddings = store.embeddings
    wanted = np.array(embeddings.embed_documents(TEXTS)) @ np.array(embeddings.embed_query(QUERY))
    found = store.similarity_search_with_score(QUERY, k=4)
    assert {document.id: score for document, score in found} == pytest.approx(
        dict(zip(IDS, wanted, strict=True)), abs=1e-5
    )
    by_vector = store.similarity_search_with_score_by_vector(embeddings.embed_query(QUERY), k=4)
    assert [(document, pytest.approx(score, abs=1e-5)) for document, score in by_vector] == found
    scaled = store.similarity_search_by_vector([7 * value for value in embeddings.embed_query(QUERY)], k=4)
    assert scaled == [document for document, _ in found]


def test_relevance_is_within_0_and_1() -> None:
    store = JinaVectorStore.from_texts([str(number) for number in range(50)], DeterministicFakeEmbedding(size=6))
    found = store.similarity_search_with_relevance_scores("7", k=50)  # warns, which is an error, of any other
    assert (found[0][0].page_content, found[0][1]) == ("7", pytest.approx(1))
    assert found[-1][1] == 0
    assert len(store.similarity_search_with_relevance_scores("7", k=50, score_threshold=0.99)) == 1


class Alike(DeterministicFakeEmbedding):
    """Vectors that have something in common; unlikeness below a right angle is worth nothing to ours."""

    def embed_query(self, text: str) -> list[float]:
        return [abs(value) for value in super().embed_query(text)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def test_maximal_marginal_relevance_is_that_of_langchain() -> None:
    embeddings = Alike(size=6)
    texts = [str(number) for number in range(40)]
    store = JinaVectorStore.from_texts(texts, embeddings, ids=texts)
    query = np.array(embeddings.embed_query("a"))
    for lambda_mult in (0.3, 0.5, 1.0):
        fetched = ids_of(store.similarity_search("a", k=20))
        vectors = embeddings.embed_documents([str(each) for each in fetched])
        wanted = [fetched[at] for at in maximal_marginal_relevance(query, vectors, lambda_mult, k=5)]
        found = store.max_marginal_relevance_search("a", k=5, fetch_k=20, lambda_mult=lambda_mult)
        assert ids_of(found) == wanted
        vector = embeddings.embed_query("a")
        assert store.max_marginal_relevance_search_by_vector(vector, 5, 20, lambda_mult) == found
        assert asyncio.run(store.amax_marginal_relevance_search("a", 5, 20, lambda_mult)) == found
    assert JinaVectorStore(embeddings).max_marginal_relevance_search("a") == []


async def test_async_gives_the_same(store: JinaVectorStore) -> None:
    vector = store.embeddings.embed_query(QUERY)
    assert await store.asimilarity_search(QUERY) == store.similarity_search(QUERY)
    assert await store.asimilarity_search_with_score(QUERY) == store.similarity_search_with_score(QUERY)
    assert await store.asimilarity_search_by_vector(vector) == store.similarity_search_by_vector(vector)
    assert await store.asearch(QUERY, "mmr") == store.search(QUERY, "mmr")
    assert await store.aget_by_ids(IDS) == store.get_by_ids(IDS)
    several = await asyncio.gather(*(store.aadd_texts([f"text {number}"]) for number in range(10)))
    assert len(store.retriever) == 14
    assert ids_of(await store.aget_by_ids([each[0] for each in several])) == [each[0] for each in several]


@pytest.mark.parametrize(
    ("search_type", "search_kwargs", "number"),
    [
        ("similarity", {"k": 2}, 2),
        ("mmr", {"k": 3, "fetch_k": 4, "lambda_mult": 0.2}, 3),
        ("similarity_score_threshold", {"score_threshold": 0.5}, 1),
        ("similarity", {"filter": {"lang": "en"}}, 2),
        ("similarity", {"mode": "lexical"}, 1),
        ("similarity", {"min_score": 0.5}, 1),
    ],
)
def test_as_a_retriever(store: JinaVectorStore, search_type: str, search_kwargs: dict[str, Any], number: int) -> None:
    seen = Seen()
    retriever = store.as_retriever(search_type=search_type, search_kwargs=search_kwargs)
    found = retriever.invoke("capital France", {"callbacks": [seen]})
    assert (found[0].id, len(found)) == ("paris", number)
    assert asyncio.run(retriever.ainvoke("capital France")) == found
    assert {"JinaVectorStore", "JinaEmbeddings"} <= set(seen.tags)


def test_by_words_too_in_a_retriever_of_ours(store: JinaVectorStore) -> None:
    retriever = JinaRetriever(retriever=store.retriever, k=1, search_kwargs={"mode": "hybrid"})
    assert ids_of(retriever.invoke("Hauptstadt")) == ["berlin"]


def test_what_is_found_may_be_changed(store: JinaVectorStore) -> None:
    for found in (store.similarity_search(QUERY, k=1), store.get_by_ids(["paris"])):
        found[0].metadata["lang"] = "?"
    assert store.get_by_ids(["paris"])[0].metadata == METADATA[0]


def test_lasts_on_disk_and_knows_its_embedder(tmp_path: Path) -> None:
    embedder = Embedder("static-minilm-v1")
    made = JinaVectorStore.from_texts(TEXTS, embedder, METADATA, ids=IDS, store=FaissStore(tmp_path / "notes"))
    made.close()
    opened = JinaVectorStore(JinaEmbeddings(model_name="static-minilm-v1"), store=FaissStore(tmp_path / "notes"))
    assert ids_of(opened.similarity_search(QUERY, k=1)) == ["paris"]
    opened.close()
    other = JinaVectorStore(FakeEmbedder(), store=FaissStore(tmp_path / "notes"))
    with pytest.raises(IndexMismatchError):
        other.similarity_search(QUERY)
    with pytest.raises(IndexMismatchError):
        other.max_marginal_relevance_search(QUERY)
    with pytest.raises(IndexMismatchError):
        other.add_texts(["a"])
    other.close()


def test_indexing_of_langchain_keeps_it_in_step(store: JinaVectorStore) -> None:
    records = InMemoryRecordManager("notes")
    records.create_schema()
    documents = [Document(f"note {number}", metadata={"source": "notes"}) for number in range(3)]
    options: dict[str, Any] = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    assert index(documents, records, store, **options)["num_added"] == 3
    assert index(documents[:2], records, store, **options)["num_deleted"] == 1
    assert index(documents[:2], records, store, **options)["num_skipped"] == 2
    assert len(store.retriever) == 6


def test_mistakes_are_told(store: JinaVectorStore) -> None:
    with pytest.raises(InputError, match="empty"):
        store.similarity_search(" ")
    with pytest.raises(InputError, match="top_k"):
        store.similarity_search(QUERY, k=0)
    with pytest.raises(InputError, match="width|dimensions"):
        store.similarity_search_by_vector([1.0, 2.0])
    with pytest.raises(TypeError, match="nonsense"):
        store.similarity_search(QUERY, nonsense=1)
    with pytest.raises(InputError, match="filter"):
        store.similarity_search(QUERY, filter=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="search_type"):
        store.search(QUERY, "hybrid")


def test_two_threads_at_once(store: JinaVectorStore) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(10):
                store.add_texts([f"{name} {number}"], ids=[f"{name}{number}"])
                assert store.similarity_search(f"{name} {number}", k=1)
        except BaseException as failure:  # noqa: BLE001 (raised in the test)
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(store.retriever) == 24


def test_many_texts_with_progress(capsys: pytest.CaptureFixture[str]) -> None:
    store = JinaVectorStore(Embedder("static-minilm-v1"))
    texts = [f"text number {number}" for number in range(3000)]
    store.add_documents([Document(text) for text in texts], show_progress=True)
    assert "Indexing" in capsys.readouterr().err
    assert store.similarity_search(texts[2345], k=1)[0].page_content == texts[2345]


@pytest.mark.parametrize("kind", [MilvusStore, QdrantStore])
def test_in_databases(kind: Callable[..., Store], tmp_path: Path) -> None:
    ours = kind(str(tmp_path / "notes.db"), collection="notes")
    store = JinaVectorStore.from_texts(TEXTS, Embedder("static-minilm-v1"), METADATA, ids=IDS, store=ours)
    assert ids_of(store.similarity_search(QUERY, k=1, filter={"lang": "en"})) == ["paris"]
    assert ids_of(store.max_marginal_relevance_search(QUERY, k=1)) == ["paris"]
    assert ids_of(store.get_by_ids(["bread", "unknown"])) == ["bread"]
    store.close()


def test_citations_count_from_where_a_splitter_says_that_a_chunk_begins() -> None:
    text = "Paris is old. Bread is baked. The Holm Bridge opened in 1952. It is 3 km long."
    chunks = JinaTextSplitter(chunk_size=64, add_start_index=True).create_documents([text], [{"source": "notes"}])
    assert len(chunks) > 1
    store = JinaVectorStore.from_documents(chunks, Embedder())
    answer = DeepSearchAgent(store.retriever, reranker=Reranker()).run("When did the Holm Bridge open?")
    assert answer.citations
    for citation in answer.citations:
        assert text[citation.start : citation.end] == citation.quote
    assert all(document.metadata.keys() == {"source", "start_index"} for document in store.similarity_search("Bread"))
    store.close()
