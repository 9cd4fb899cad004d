from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import closing
from copy import deepcopy
from typing import Any

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load import dumps
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_jina_components import JinaEmbeddings, JinaRerank
from langchain_parts import KEY, Seen
from local_server import LocalServer, http
from pydantic import ValidationError
from running_service import Served

from jina_components import Document as Ours
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.types import Ranking, ScoredDocument

MODEL = "static-minilm-v1-maxsim"
QUERY = "What is the capital of France?"
DOCUMENTS = [
    Document("Bread is baked in an oven.", metadata={"source": {"page": 1}}, id="bread"),
    Document("Paris is the capital of France.", metadata={"source": {"page": 2}}, id="paris"),
    Document("Tōkyō ist die Hauptstadt Japans. 🗼", metadata={"source": {"page": 3}}, id="tokyo"),
    Document("France has many cities.", metadata={}, id="france"),
]


@pytest.fixture(params=["here", "there"])
def compressor(request: pytest.FixtureRequest, jina: Served) -> Iterator[JinaRerank]:
    made = (
        JinaRerank(model=MODEL)
        if request.param == "here"
        else JinaRerank(jina_api_key=KEY, model=MODEL, base_url=jina.url)
    )
    with closing(made):
        yield made


class TestCompressor:
    """What LangChain's document compressors promise."""

    def test_best_first_and_no_more_than_top_n(self, compressor: JinaRerank) -> None:
        assert isinstance(compressor, BaseDocumentCompressor)
        found = compressor.compress_documents(DOCUMENTS, QUERY)
        scores = [document.metadata["relevance_score"] for document in found]
        assert found[0].page_content == DOCUMENTS[1].page_content
        assert scores == sorted(scores, reverse=True)
        assert len(found) == compressor.top_n == 3

    def test_a_subset_with_ids_and_metadata(self, compressor: JinaRerank) -> None:
        for document in compressor.compress_documents(DOCUMENTS, QUERY):
            [given] = [each for each in DOCUMENTS if each.id == document.id]
            assert document.page_content == given.page_content
            assert document.metadata == given.metadata | {"relevance_score": document.metadata["relevance_score"]}
            assert type(document.metadata["relevance_score"]) is float

    def test_what_was_given_stays(self, compressor: JinaRerank) -> None:
        given = deepcopy(DOCUMENTS)
        found = compressor.compress_documents(given, QUERY)
        found[0].metadata["source"]["page"] = 99
        assert given == DOCUMENTS

    def test_nothing_of_nothing(self, compressor: JinaRerank) -> None:
        assert compressor.compress_documents([], QUERY) == []
        assert compressor.rerank([], QUERY) == []

    def test_all_of_them(self, compressor: JinaRerank) -> None:
        compressor.top_n = None
        assert len(compressor.compress_documents(DOCUMENTS, QUERY)) == len(DOCUMENTS)
        compressor.top_n = 1
        assert [document.id for document in compressor.compress_documents(DOCUMENTS, QUERY)] == ["paris"]

    def test_documents_alike_are_all_kept(self, compressor: JinaRerank) -> None:
        assert [each["index"] for each in compressor.rerank([DOCUMENTS[1]] * 3, QUERY)] == [0, 1, 2]

    async def test_async_gives_the_same(self, compressor: JinaRerank) -> None:
        wanted = compressor.compress_documents(DOCUMENTS, QUERY)  # within a running loop, as in a notebook
        several = await asyncio.gather(*(compressor.acompress_documents(DOCUMENTS, QUERY) for _ in range(3)))
        assert [[document.id for document in each] for each in several] == [[document.id for document in wanted]] * 3
        assert await compressor.arerank(DOCUMENTS, QUERY) == compressor.rerank(DOCUMENTS, QUERY)

    def test_in_a_compression_retriever(self, compressor: JinaRerank) -> None:
        store = InMemoryVectorStore.from_documents(DOCUMENTS, JinaEmbeddings(model_name="static-minilm-v1"))
        retriever = ContextualCompressionRetriever(base_compressor=compressor, base_retriever=store.as_retriever())
        found = retriever.invoke(QUERY)
        assert (found[0].id, len(found)) == ("paris", 3)
        assert asyncio.run(retriever.ainvoke(QUERY)) == found

    def test_is_seen_by_callbacks(self, compressor: JinaRerank) -> None:
        seen = Seen()
        compressor.compress_documents(DOCUMENTS, QUERY, callbacks=[seen])
        asyncio.run(compressor.acompress_documents(DOCUMENTS, QUERY, callbacks=[seen]))
        assert seen.events == [("chain starts", "JinaRerank"), ("chain ends", "JinaRerank")] * 2
        with pytest.raises(InputError, match="empty"):
            compressor.compress_documents(DOCUMENTS, " ", callbacks=[seen])
        assert seen.events[-1] == ("chain fails: InputError", "JinaRerank")

    def test_pickles(self, compressor: JinaRerank) -> None:
        with closing(pickle.loads(pickle.dumps(compressor))) as copied:
            assert copied.rerank(DOCUMENTS, QUERY) == compressor.rerank(DOCUMENTS, QUERY)


def test_takes_the_place_of_the_class_of_langchain_community(jina: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its documentation uses it, but for the address."""
    monkeypatch.setenv("JINA_API_KEY", KEY)
    assert JinaRerank().model == "jina-reranker-v1-base-en"
    compressor = JinaRerank(base_url=jina.url, model_name="jina-reranker-v1-base-en")
    assert (compressor.model, compressor.top_n) == ("jina-reranker-v1-base-en", 3)
    assert (compressor.user_agent, compressor.jina_api_key is None) == ("langchain", False)
    texts: list[str | Document | dict[str, str]] = ["Bread.", DOCUMENTS[1], {"text": "Rain is due."}]
    results = compressor.rerank(texts, QUERY, model="jina-reranker-v1-base-en", top_n=2, max_chunks_per_doc=1)
    assert [(set(each), type(each["index"])) for each in results] == [({"index", "relevance_score"}, int)] * 2
    assert results[0]["index"] == 1
    assert len(compressor.rerank(texts, QUERY)) == len(compressor.rerank(texts, QUERY, top_n=None)) == 3
    compressor.close()


def test_here_and_on_a_server_give_the_same(jina: Served) -> None:
    with closing(JinaRerank(base_url=jina.url, model="small-reranker-v1")) as there:
        here = JinaRerank()
        assert here.model == there.model
        wanted = here.rerank(DOCUMENTS, QUERY)
        for one, same in zip(there.rerank(DOCUMENTS, QUERY), wanted, strict=True):
            assert one["index"] == same["index"]
            assert one["relevance_score"] == pytest.approx(same["relevance_score"], abs=1e-4)


def test_another_model_of_the_same_server(jina: Served) -> None:
    with closing(JinaRerank(base_url=jina.url)) as compressor:
        there = compressor.rerank(DOCUMENTS, QUERY, model=MODEL)
        assert there == compressor.rerank(DOCUMENTS, QUERY, model=MODEL) != compressor.rerank(DOCUMENTS, QUERY)
    here = JinaRerank().rerank(DOCUMENTS, QUERY, model=MODEL)
    assert [each["index"] for each in here] == [each["index"] for each in there]


def test_the_server_is_told_who_asks(server: LocalServer) -> None:
    answer = http(200, json.dumps({"results": [{"index": 0, "relevance_score": 1.0}]}).encode())
    server.routes["/v1/rerank"] = [answer] * 2
    for settings in ({}, {"user_agent": "notes/1.0"}):
        with closing(JinaRerank(jina_api_key=KEY, base_url=server.url(""), **settings)) as compressor:
            compressor.rerank(["a"], "b")
    assert [request.headers["user-agent"] for request in server.received] == ["langchain", "notes/1.0"]
    assert {request.headers["authorization"] for request in server.received} == {f"Bearer {KEY}"}


class Backwards:
    """Takes the last for the best."""

    def rerank(
        self, query: str, documents: Sequence[Any], *, top_n: int | None = None, truncate: bool = False
    ) -> Ranking:
        places = list(range(len(documents)))[::-1][:top_n]
        return Ranking(tuple(ScoredDocument(Ours(documents[at]), float(at), at) for at in places))

    async def arerank(self, query: str, documents: Sequence[Any], *, top_n: int | None = None) -> Ranking:
        return self.rerank(query, documents, top_n=top_n)


def test_a_reranker_of_anyone() -> None:
    compressor = JinaRerank(reranker=Backwards(), top_n=2)
    assert [document.id for document in compressor.compress_documents(DOCUMENTS, QUERY)] == ["france", "tokyo"]
    assert compressor.model == "Backwards"
    with pytest.raises(ConfigError, match="leave out model='other'"):
        compressor.rerank(DOCUMENTS, QUERY, model="other")
    for settings in ({"jina_api_key": KEY}, {"model": "a"}, {"user_agent": "b"}, {"timeout": 3}):
        with pytest.raises(ConfigError, match=f"either reranker or settings of one; got {next(iter(settings))} too"):
            JinaRerank(reranker=Backwards(), **settings)


def test_what_cannot_be_ranked() -> None:
    compressor = JinaRerank(model=MODEL, top_n=None)
    blank = Document(" ", id="blank")
    assert "blank" not in [document.id for document in compressor.compress_documents([blank, *DOCUMENTS], QUERY)]
    with pytest.raises(InputError, match=r"documents\[1\] must have 'text' or 'image'") as caught:
        compressor.rerank(["a", {"title": "b"}], QUERY)
    assert caught.value.index == 1
    with pytest.raises(InputError, match="must be a list, got str"):
        compressor.rerank("abc", QUERY)
    assert compressor.rerank([{"image": "a.png"}, "a cat"], "cat")[0]["index"] == 1  # which this model does not see
    with pytest.raises(ValidationError, match=r"reranker\n.*instance of SupportsRerank"):
        JinaRerank(reranker=3)  # type: ignore[arg-type]


def test_the_key_is_nowhere_to_be_seen(server: LocalServer) -> None:
    server.routes["/v1/rerank"] = [http(401, b'{"detail": "Unauthorized"}')]
    compressor = JinaRerank(jina_api_key=KEY, base_url=server.url(""), max_retries=0)
    with closing(compressor), pytest.raises(WebError, match="401") as caught:
        compressor.rerank(["a"], "b")
    with pytest.raises(ValidationError, match="session") as refused:
        JinaRerank(jina_api_key=KEY, session="a")  # type: ignore[call-arg]
    shown = [repr(compressor), dumps(compressor), str(caught.value), str(refused.value), compressor.model_dump_json()]
    assert not any(KEY in each for each in shown)


def test_traces_show_it_beneath_the_retriever() -> None:
    seen = Seen()
    retriever = ContextualCompressionRetriever(
        base_compressor=JinaRerank(model=MODEL), base_retriever=RunnableLambda(lambda _: DOCUMENTS)
    )
    retriever.invoke(QUERY, {"callbacks": [seen]})
    assert [name for event, name in seen.events if event.endswith("starts")] == [
        "ContextualCompressionRetriever",
        "RunnableLambda",
        "JinaRerank",
    ]


async def test_cancelling_stops_it() -> None:
    class Slow(Backwards):
        async def arerank(self, query: str, documents: Sequence[Any], *, top_n: int | None = None) -> Ranking:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    started = asyncio.Event()
    task = asyncio.create_task(JinaRerank(reranker=Slow()).acompress_documents(DOCUMENTS, QUERY))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
