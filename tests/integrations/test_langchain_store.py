from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_jina_components import GivenVectors, LangChainStore

from jina_components import Document, Retriever
from jina_components.errors import ConfigError
from jina_components.filters import Field
from jina_components.protocols import Store
from jina_components.testing import FakeEmbedder, check_store

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

    from jina_components.types import FloatArray


class CountingEmbedder(FakeEmbedder):
    """Knows what it has embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def embed_documents(self, texts: Sequence[str], **options: Any) -> FloatArray:
        self.texts += texts
        return super().embed_documents(texts, **options)


def _in_memory() -> InMemoryVectorStore:
    return InMemoryVectorStore(GivenVectors())


def test_in_memory_vector_store_fits() -> None:
    check_store(lambda: LangChainStore(_in_memory()))


def _chroma(client: ClientAPI, name: str) -> VectorStore:
    from langchain_chroma import Chroma

    return Chroma(name, embedding_function=GivenVectors(), client=client)


@pytest.mark.slow
def test_chroma_fits(tmp_path: Path) -> None:
    import chromadb

    names: dict[Store, str] = {}

    def make(name: str) -> Store:
        store = LangChainStore(_chroma(client, name), path=tmp_path / name)
        names[store] = name
        return store

    with chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False)) as client:
        check_store(lambda: make(f"c{uuid.uuid4().hex}"), reopen=lambda store: make(names[store]))


def test_chroma_on_disk_lasts_with_its_companion(tmp_path: Path) -> None:
    import chromadb

    documents, vectors = [Document("one", "a", {"n": [1]}), Document("two", "b")], np.eye(2, dtype=np.float32)
    for opening in range(2):
        settings = chromadb.Settings(anonymized_telemetry=False)
        with (
            chromadb.PersistentClient(tmp_path / "chroma", settings) as client,
            LangChainStore(_chroma(client, "notes"), path=tmp_path / "companion.sqlite3") as store,
        ):
            if not opening:
                store.put(documents, vectors)
            hits = store.search_dense(vectors, 1)
            assert [store.get([key]) for ((key, _),) in hits] == [[document] for document in documents]
            assert list(store.scan()) == documents


def test_retriever_embeds_once_and_filters() -> None:
    embedder = CountingEmbedder()
    vector_store = InMemoryVectorStore(GivenVectors(embedder))
    documents = [
        Document("Paris is the capital of France.", "paris", {"lang": "en", "year": [1999, 2024], "at": {"page": 3}}),
        Document("Berlin ist die Hauptstadt.", "berlin", {"lang": "de", "$odd": 1}),
        Document("Paris is the capital of France.", "again", {"lang": "en"}),
    ]
    with Retriever(embedder, store=LangChainStore(vector_store)) as retriever:
        retriever.add(documents)
        assert [embedder.texts.count(document.text) for document in documents[1:]] == [1, 2]
        ranking = retriever.retrieve("Paris is the capital of France.", top_k=3, filter={"at.page": {"$lt": 5}})
        assert [hit.document for hit in ranking] == documents[:1]
        assert [hit.document.id for hit in retriever.retrieve("Hauptstadt", filter={"lang": "de"})] == ["berlin"]
        natively = vector_store.similarity_search(
            documents[1].text, k=1, filter=lambda one: one.metadata["lang"] == "de"
        )
        assert natively[0].page_content == documents[1].text
        assert natively[0].metadata["jina_components_id"] == "berlin"
        retriever.delete(["paris", "berlin"])
        assert [one["text"] for one in vector_store.store.values()] == [documents[2].text]


def test_same_text_keeps_its_own_vector() -> None:
    store = LangChainStore(_in_memory())
    vectors = np.eye(3, dtype=np.float32)
    store.put([Document("same", name) for name in "abc"], vectors)
    for name, vector in zip("abc", vectors, strict=True):
        ((key, score),) = store.search_dense(vector[None], 1)[0]
        assert store.get([key]) == [Document("same", name)]
        assert score == pytest.approx(1)
    assert store.count(filter=Field("x").exists()) == 0
    store.close()


def test_given_vectors_embed_other_texts_by_the_embedder_alone() -> None:
    embedder = FakeEmbedder()
    given = GivenVectors(embedder)
    assert given.embed_query("text") == pytest.approx(list(embedder.embed_query("text")))
    with given.handing_over(["a", "b"], np.eye(2, dtype=np.float32)):
        assert given.embed_documents(["other"])[0] == pytest.approx(list(embedder.embed_documents(["other"])[0]))
        assert given.embed_documents(["a"]) == [[1, 0]]
        assert given.embed_documents(["b"]) == [[0, 1]]
    for refused in (GivenVectors().embed_query, lambda text: GivenVectors().embed_documents([text])):
        with pytest.raises(ConfigError, match=r"GivenVectors\(embedder\)"):
            refused("text")
    with pytest.raises(ConfigError, match="embed_query and embed_documents"):
        GivenVectors("embedder")  # type: ignore[arg-type]


class Changing(InMemoryVectorStore):
    """Embeds other texts than it was given."""

    def add_documents(self, documents: list[LangChainDocument], ids: list[str] | None = None, **_: Any) -> list[str]:
        changed = [LangChainDocument(one.page_content.upper(), metadata=one.metadata) for one in documents]
        return super().add_documents(changed, ids)


def test_vector_store_that_would_embed_again_is_refused() -> None:
    with LangChainStore(Changing(GivenVectors(FakeEmbedder()))) as store:
        with pytest.raises(ConfigError, match="did not ask for the vectors of 1 of 1 texts"):
            store.put([Document("text")], np.eye(1, 8, dtype=np.float32))
        assert store.count() == 0
    with pytest.raises(ConfigError, match="DeterministicFakeEmbedding, and it would embed every text again"):
        LangChainStore(InMemoryVectorStore(DeterministicFakeEmbedding(size=8)))


class Meagre(VectorStore):
    """What the base class asks for, and no more."""

    @property
    def embeddings(self) -> GivenVectors:
        return GivenVectors()

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[LangChainDocument]:
        return []

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Meagre:
        return cls()


def test_vector_store_that_lacks_something_is_refused() -> None:
    with pytest.raises(ConfigError, match="Meagre has no delete, which LangChainStore needs"):
        LangChainStore(Meagre())
    with pytest.raises(ConfigError, match="must be a LangChain VectorStore, got str"):
        LangChainStore("chroma")  # type: ignore[arg-type]
