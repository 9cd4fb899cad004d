from __future__ import annotations

import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index_jina_components import LlamaIndexStore
from qdrant_client import QdrantClient

from jina_components import Document, Retriever
from jina_components.errors import ConfigError
from jina_components.protocols import Store
from jina_components.testing import FakeEmbedder, check_store


def test_simple_vector_store_fits() -> None:
    check_store(lambda: LlamaIndexStore(SimpleVectorStore()))


@pytest.mark.slow
def test_qdrant_fits(tmp_path: Path) -> None:
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    client = QdrantClient(":memory:")
    names: dict[Store, str] = {}

    def make(name: str) -> Store:
        store = LlamaIndexStore(QdrantVectorStore(name, client=client), path=tmp_path / f"{name}.sqlite3")
        names[store] = name
        return store

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect in the local Qdrant", UserWarning)
        check_store(lambda: make(uuid.uuid4().hex), reopen=lambda store: make(names[store]))
    client.close()


def test_retriever_filters_and_the_vector_store_can_be_asked_itself() -> None:
    embedder, vector_store = FakeEmbedder(), SimpleVectorStore()
    documents = [
        Document("Paris is the capital of France.", "paris", {"lang": "en", "year": [1999, 2024]}),
        Document("Berlin ist die Hauptstadt.", "berlin", {"lang": "de", "doc_id": "of its own"}),
    ]
    with Retriever(embedder, store=LlamaIndexStore(vector_store)) as retriever:
        retriever.add(documents)
        hits = list(retriever.retrieve(documents[0].text, filter={"year": {"$lt": 2000}}))
        assert [hit.document for hit in hits] == documents[:1]
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        german = MetadataFilters(filters=[MetadataFilter(key="lang", value="de", operator=FilterOperator.EQ)])
        query = VectorStoreQuery(
            query_embedding=embedder.embed_query("text").tolist(), similarity_top_k=5, filters=german
        )
        (name,) = vector_store.query(query).ids or []
        assert vector_store.data.metadata_dict[name]["jina_components_id"] == "berlin"
        retriever.delete(["berlin"])
        assert len(vector_store.data.embedding_dict) == 1


class Meagre(BasePydanticVectorStore):
    """What the base class asks for, and no more: deletes by source, and names nodes only as nodes."""

    stores_text: bool = True
    nodes: dict[str, BaseNode]

    @property
    def client(self) -> None:
        return None

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        self.nodes |= {node.node_id: node for node in nodes}
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        for name in [name for name, node in self.nodes.items() if node.ref_doc_id == ref_doc_id]:
            del self.nodes[name]

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        nearest = sorted(self.nodes.values(), key=lambda node: -np.dot(node.get_embedding(), query.query_embedding))
        return VectorStoreQueryResult(nodes=nearest[: query.similarity_top_k])


def test_vector_store_of_the_least_methods_fits() -> None:
    vector_store = Meagre(nodes={})
    with LlamaIndexStore(vector_store) as store:
        store.put([Document("one", "a"), Document("two", "b")], np.eye(2, 4, dtype=np.float32))
        store.put([Document("three", "a")], np.eye(1, 4, 2, dtype=np.float32))
        ((key, score), _) = store.search_dense(np.eye(1, 4, 2, dtype=np.float32), 2)[0]
        assert store.get([key]) == [Document("three", "a")]
        assert score == pytest.approx(1)
        assert store.delete(["b"]) == 1
        assert [node.get_content() for node in vector_store.nodes.values()] == ["three"]


def test_vector_store_that_lacks_something_is_refused() -> None:
    with pytest.raises(ConfigError, match="Meagre is asked by words and not by vectors"):
        LlamaIndexStore(Meagre(nodes={}, is_embedding_query=False))
    with pytest.raises(ConfigError, match="must be a LlamaIndex BasePydanticVectorStore, got str"):
        LlamaIndexStore("chroma")  # type: ignore[arg-type]
