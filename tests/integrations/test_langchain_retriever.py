from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_jina_components import JinaRetriever
from langchain_parts import Seen
from langchain_tests.integration_tests import RetrieversIntegrationTests
from pydantic import ValidationError

from jina_components import Document, Embedder, FaissStore, Field, Reranker, Retriever
from jina_components.errors import ConfigError, InputError, UnknownNameError
from jina_components.types import Ranking

DOCUMENTS = [
    Document("Paris is the capital of France.", "paris", {"lang": "en", "year": 2020, "at": {"page": 1}}),
    Document("Berlin ist die Hauptstadt Deutschlands.", "berlin", {"lang": "de", "year": 2021}),
    Document("Bread is baked of flour.", "bread", {"lang": "en", "year": 2022}),
    Document("東京は日本の首都です。", "tokyo", {"lang": "ja", "year": 2023}),
]
QUERY = "capital of France"


def filled(**parts: Any) -> Retriever:
    retriever = Retriever(Embedder("static-minilm-v1"), **parts)
    retriever.add(DOCUMENTS)
    return retriever


@pytest.fixture(scope="module")
def ours() -> Iterator[Retriever]:
    with filled() as retriever:
        yield retriever


class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _filled(self, ours: Retriever) -> None:
        self.ours = ours

    @property
    def retriever_constructor(self) -> type[JinaRetriever]:
        return JinaRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": self.ours}

    @property
    def retriever_query_example(self) -> str:
        return QUERY


def test_documents_come_as_they_went_with_scores(ours: Retriever) -> None:
    found = JinaRetriever(retriever=ours).invoke(QUERY)
    wanted = ours.retrieve(QUERY, top_k=4)
    for document, hit in zip(found, wanted, strict=True):
        assert (document.id, document.page_content) == (hit.document.id, hit.document.text)
        assert document.metadata == {**hit.document.metadata, "relevance_score": hit.score}
    assert found[0].id == "paris"


def test_what_is_given_with_a_call_counts_for_it(ours: Retriever) -> None:
    retriever = JinaRetriever(retriever=ours, k=2, filter={"lang": "en"}, search_kwargs={"mode": "dense"})
    assert {document.id for document in retriever.invoke(QUERY)} == {"paris", "bread"}
    assert [document.id for document in retriever.invoke(QUERY, k=1)] == ["paris"]
    assert [document.id for document in retriever.invoke(QUERY, filter=Field("year") > 2022)] == ["tokyo"]
    assert [document.id for document in retriever.invoke("Hauptstadt", mode="lexical", filter=None)] == ["berlin"]
    assert retriever.invoke(QUERY, min_score=0.99) == []
    assert [document.id for document in retriever.bind(k=1).invoke(QUERY)] == ["paris"]


async def test_async_gives_the_same(ours: Retriever) -> None:
    retriever = JinaRetriever(retriever=ours, search_kwargs={"diversity": 0.3})
    wanted = retriever.invoke(QUERY)  # within a running loop, as in a notebook
    assert await asyncio.gather(*(retriever.ainvoke(QUERY) for _ in range(5))) == [wanted] * 5
    assert await retriever.abatch([QUERY, "bread"], k=1) == retriever.batch([QUERY, "bread"], k=1)


async def test_async_goes_to_the_twin() -> None:
    class Only:
        def retrieve(self, query: str, **options: Any) -> Ranking:
            raise AssertionError

        async def aretrieve(self, query: str, **options: Any) -> Ranking:
            assert options == {"top_k": 4, "filter": None}
            return Ranking()

    assert await JinaRetriever(retriever=Only()).ainvoke(QUERY) == []


def test_reranks_where_it_has_a_reranker() -> None:
    with filled(reranker=Reranker("static-minilm-v1-maxsim")) as ours:
        retriever = JinaRetriever(retriever=ours)
        best, plain = retriever.invoke(QUERY)[0], retriever.invoke(QUERY, rerank=False)[0]
    assert best.id == plain.id == "paris"
    assert best.metadata["relevance_score"] != plain.metadata["relevance_score"]


def test_the_retriever_keeps_its_documents(ours: Retriever) -> None:
    retriever = JinaRetriever(retriever=ours, k=1)
    retriever.invoke(QUERY)[0].metadata["at"]["page"] = 99
    assert retriever.invoke(QUERY)[0].metadata["at"] == {"page": 1}


def test_is_seen_by_callbacks(ours: Retriever) -> None:
    seen = Seen()
    retriever = JinaRetriever(retriever=ours, tags=["notes"], metadata={"of": "mine"})
    retriever.invoke(QUERY, {"callbacks": [seen]})
    asyncio.run(retriever.ainvoke(QUERY, {"callbacks": [seen], "run_name": "mine"}))
    assert seen.events == [
        ("retriever starts", "JinaRetriever"), ("retriever ends", "JinaRetriever"),
        ("retriever starts", "mine"), ("retriever ends", "mine"),
    ]  # fmt: skip
    assert seen.tags == ["notes", "notes"]
    assert seen.metadata["ls_retriever_name"] == "jina"
    assert seen.metadata["of"] == "mine"
    with pytest.raises(InputError):
        retriever.invoke(" ", {"callbacks": [seen]})
    assert seen.events[-1] == ("retriever fails: InputError", "JinaRetriever")


def test_in_a_chain(ours: Retriever) -> None:
    prompt = ChatPromptTemplate.from_template("{context}\n{question}")
    retriever = JinaRetriever(retriever=ours, k=1)
    chain = (
        {"context": retriever | (lambda found: found[0].page_content), "question": RunnablePassthrough()}
        | prompt
        | RunnableLambda(lambda value: value.to_messages()[0])
        | StrOutputParser()
    )
    assert chain.invoke(QUERY) == f"Paris is the capital of France.\n{QUERY}"


def test_of_an_index_on_disk(tmp_path: Path) -> None:
    embedder = Embedder("static-minilm-v1")
    with Retriever(embedder, store=FaissStore(tmp_path / "notes")) as ours:
        ours.add(DOCUMENTS)
    with Retriever.open(tmp_path / "notes", embedder) as opened:
        assert JinaRetriever(retriever=opened, k=1).invoke(QUERY)[0].id == "paris"


def test_mistakes_are_told(ours: Retriever) -> None:
    with pytest.raises(ValidationError, match="instance of SupportsRetrieve"):
        JinaRetriever(retriever=3)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="top_k"):
        JinaRetriever(retriever=ours, top_k=3)  # type: ignore[call-arg]
    retriever = JinaRetriever(retriever=ours)
    with pytest.raises(TypeError, match="nonsense"):
        retriever.invoke(QUERY, nonsense=1)
    with pytest.raises(InputError, match="top_k"):
        retriever.invoke(QUERY, k=0)
    with pytest.raises(UnknownNameError, match="mode"):
        retriever.invoke(QUERY, mode="sparse")
    with pytest.raises(ConfigError, match="reranker"):
        retriever.invoke(QUERY, rerank=True)
    with pytest.raises(InputError, match="holds no documents"):
        JinaRetriever(retriever=Retriever(Embedder("static-minilm-v1"))).invoke(QUERY)
    assert "not_implemented" in dumps(retriever)
