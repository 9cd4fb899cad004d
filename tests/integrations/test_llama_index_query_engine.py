from __future__ import annotations

import asyncio
import json
import pickle
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import llama_index.core.instrumentation as instrument
import pytest
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.chat_engine import CondenseQuestionChatEngine
from llama_index.core.evaluation import FaithfulnessEvaluator
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen.types import BaseQuestionGenerator, SubQuestion
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import QueryBundle
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool
from llama_index_jina_components import JinaDeepSearchQueryEngine
from pydantic import PrivateAttr
from running_service import Served

from jina_components import DeepSearchAgent, Document, Embedder, Reranker, Retriever
from jina_components.core.background import iterate_sync
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.types import Answer, Citation, DeepSearchStep

QUESTION = "When did the Holm Bridge open?"
BRIDGE = "The Holm Bridge over the Ness opened in 1952."
TEXTS = {
    "bridge": f"{BRIDGE} It is 3 km long.",
    "tides": "The highest tides in the world are in the Bay of Fundy. They reach 16 metres.",
    "bread": "Bread is made of flour, water and salt. It is baked for forty minutes.",
}


class Told:
    """An agent that answers with what it was told; `Wait` it does not end."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer("", "Yes.", True)
        self.asked: list[Any] = []
        self.entered = threading.Event()
        self.closed = threading.Event()

    async def astream(self, question: Any, *, options: Any = None) -> AsyncGenerator[DeepSearchStep, None]:
        self.asked.append((question, options))
        try:
            yield DeepSearchStep("search", question)
            self.entered.set()
            if question == "Wait":
                await asyncio.sleep(60)
            yield DeepSearchStep("done", "", answer=self.answer)
        finally:
            self.closed.set()

    def stream(self, question: Any, *, options: Any = None) -> Iterator[DeepSearchStep]:
        return iterate_sync(self.astream(question, options=options))


@pytest.fixture(scope="module")
def agent(bundled_embedder: Embedder) -> DeepSearchAgent:
    """One that works by rules."""
    retriever = Retriever(bundled_embedder)
    retriever.add([Document(text, name, {"title": name.title()}) for name, text in TEXTS.items()])
    return DeepSearchAgent(retriever, reranker=Reranker())


@pytest.fixture(scope="module")
def engine(agent: DeepSearchAgent) -> JinaDeepSearchQueryEngine:
    return JinaDeepSearchQueryEngine(agent=agent)


def test_answers_with_its_sources(engine: JinaDeepSearchQueryEngine) -> None:
    response = engine.query(QUESTION)
    assert isinstance(engine, BaseQueryEngine)
    assert isinstance(response, Response)
    assert str(response) == f"{BRIDGE}[^1]"
    [found] = response.source_nodes
    assert (found.text, found.score) == (BRIDGE, 1.0)
    node = found.node
    assert node.metadata == {"source": "bridge", "title": "Bridge", "start": 0, "end": len(BRIDGE)}
    assert TEXTS["bridge"][node.start_char_idx : node.end_char_idx] == BRIDGE
    assert node.ref_doc_id == "bridge"
    assert BRIDGE in response.get_formatted_sources()
    told = response.metadata
    assert told["answered"] is True
    assert told["usage"]["prompt_tokens"] > 0
    assert f"Searching for: {QUESTION}" in told["steps"]
    json.dumps(told)
    again = engine.query(QueryBundle(QUESTION))
    assert (again.response, again.source_nodes) == (response.response, response.source_nodes)


def test_without_an_answer(engine: JinaDeepSearchQueryEngine) -> None:
    response = engine.query("Who invented the telephone?")
    assert response.metadata["answered"] is False
    assert response.source_nodes == []
    assert str(response)


async def test_the_twins_say_the_same(engine: JinaDeepSearchQueryEngine) -> None:
    response = engine.query(QUESTION)  # inside a running loop, as in notebooks
    other = await engine.aquery(QUESTION)
    assert (other.response, other.source_nodes) == (response.response, response.source_nodes)
    assert other.metadata["steps"] == response.metadata["steps"]
    streaming = engine.model_copy(update={"streaming": True})
    for streamed in (streaming.query(QUESTION), await (await streaming.aquery(QUESTION)).get_response()):
        whole = streamed.get_response() if isinstance(streamed, StreamingResponse) else streamed
        assert (whole.response, whole.source_nodes) == (response.response, response.source_nodes)
        assert whole.metadata["steps"] == response.metadata["steps"]


async def test_streams_fill_as_they_are_taken() -> None:
    citation = Citation("Yes", "https://example.com", 3, 6, "d", page=2, published_time="2026-05-01", score=0.5)
    engine = JinaDeepSearchQueryEngine(agent=Told(Answer("", "Yes.[^1]", True, (citation,))), streaming=True)
    response = engine.query("Is it?")
    assert (response.source_nodes, response.metadata) == ([], {"steps": []})
    assert "".join(response.response_gen) == "Yes.[^1]"
    [found] = response.source_nodes
    assert (found.score, found.metadata["page"], found.metadata["published_time"]) == (0.5, 2, "2026-05-01")
    assert response.metadata["steps"] == ["Searching for: Is it?"]
    response = await engine.aquery("Is it?")
    assert isinstance(response, AsyncStreamingResponse)
    assert [text async for text in response.async_response_gen()] == ["Yes.[^1]"]
    assert response.source_nodes == [found]
    response = engine.query("Is it?")
    response.print_response_stream()
    assert response.source_nodes == [found]


def test_quotes_of_unknown_places_are_told_apart() -> None:
    citations = tuple(Citation(quote, "https://example.com", 0, 0, "") for quote in ("Yes", "No"))
    engine = JinaDeepSearchQueryEngine(agent=Told(Answer("", "Both.[^1][^2]", True, citations)))
    first, second = engine.query("Is it?").source_nodes
    assert first.metadata == second.metadata == {"source": "https://example.com"}
    assert first.node_id != second.node_id
    assert first.node.start_char_idx is None
    assert first.node.ref_doc_id == "https://example.com"


async def test_cancelling_ends_the_search() -> None:
    told = Told()
    task = asyncio.create_task(JinaDeepSearchQueryEngine(agent=told).aquery("Wait"))
    await asyncio.to_thread(told.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(told.closed.wait, 30)


async def test_leaving_a_stream_ends_the_search() -> None:
    told = Told()
    response = await JinaDeepSearchQueryEngine(agent=told, streaming=True).aquery("Wait")
    task = asyncio.create_task(anext(response.response_gen))
    await asyncio.to_thread(told.entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(told.closed.wait, 30)


def test_errors_go_through(engine: JinaDeepSearchQueryEngine) -> None:
    with pytest.raises(InputError):
        engine.query("")
    with pytest.raises(InputError):
        str(engine.model_copy(update={"streaming": True}).query("?!"))
    with pytest.raises(WebError):
        JinaDeepSearchQueryEngine(base_url="http://127.0.0.1:9", max_retries=0).query("Hi?")


class Seen(BaseEventHandler):
    """Keeps the names of events."""

    _names: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Seen"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self._names.append(event.class_name())


async def test_queries_are_told() -> None:
    dispatcher, seen, debug = instrument.get_dispatcher(), Seen(), LlamaDebugHandler(print_trace_on_end=False)
    engine = JinaDeepSearchQueryEngine(agent=Told(), callback_manager=CallbackManager([debug]))
    before = list(dispatcher.event_handlers)
    dispatcher.add_event_handler(seen)
    try:
        engine.query("Is it?")
        await engine.aquery("Is it?")
    finally:
        dispatcher.event_handlers = before
    assert seen._names == ["QueryStartEvent", "QueryEndEvent"] * 2
    pairs = debug.get_event_pairs(CBEventType.QUERY)
    assert [pair[0].payload["query_str"] for pair in pairs] == ["Is it?", "Is it?"]
    assert [str(pair[1].payload["response"]) for pair in pairs] == ["Yes.", "Yes."]


async def test_as_a_tool(engine: JinaDeepSearchQueryEngine) -> None:
    tool = QueryEngineTool.from_defaults(engine, name="deep_search", description="Answers with citations.")
    assert str(await tool.acall(input=QUESTION)) == f"{BRIDGE}[^1]"
    assert tool.call(QUESTION).raw_output.source_nodes[0].text == BRIDGE


class Twice(BaseQuestionGenerator):
    """Asks two questions in place of one."""

    def generate(self, tools: Any, query: QueryBundle) -> list[SubQuestion]:
        return [
            SubQuestion(sub_question=QUESTION, tool_name="deep_search"),
            SubQuestion(sub_question="Where are the highest tides in the world?", tool_name="deep_search"),
        ]

    async def agenerate(self, tools: Any, query: QueryBundle) -> list[SubQuestion]:
        return self.generate(tools, query)

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None: ...


@pytest.mark.parametrize("use_async", [True, False])
def test_of_sub_questions(engine: JinaDeepSearchQueryEngine, use_async: bool) -> None:
    tool = QueryEngineTool.from_defaults(engine, name="deep_search", description="Answers with citations.")
    whole = SubQuestionQueryEngine.from_defaults(
        [tool], llm=MockLLM(), question_gen=Twice(), use_async=use_async, verbose=False,
        response_synthesizer=get_response_synthesizer(llm=MockLLM(), response_mode="compact"),  # type: ignore[arg-type]
    )  # fmt: skip
    texts = [node.text for node in whole.query("Both?").source_nodes]
    assert BRIDGE in " ".join(texts)
    assert "Bay of Fundy" in " ".join(texts)


class Choosing(MockLLM):
    """Chooses the second."""

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
        return super().complete(prompt).model_copy(update={"text": '[{"choice": 2, "reason": "It cites."}]'})


def test_of_a_router(engine: JinaDeepSearchQueryEngine) -> None:
    other = JinaDeepSearchQueryEngine(agent=Told())
    tools = [
        QueryEngineTool.from_defaults(other, name="other", description="Says yes."),
        QueryEngineTool.from_defaults(engine, name="deep_search", description="Answers with citations."),
    ]
    llm = Choosing()
    router = RouterQueryEngine.from_defaults(tools, llm=llm, selector=LLMSingleSelector.from_defaults(llm=llm))
    response = router.query(QUESTION)
    assert str(response) == f"{BRIDGE}[^1]"
    assert response.source_nodes[0].text == BRIDGE


def test_of_a_chat_engine(engine: JinaDeepSearchQueryEngine) -> None:
    chat = CondenseQuestionChatEngine.from_defaults(
        engine, llm=MockLLM(), memory=ChatMemoryBuffer.from_defaults(token_limit=9000, tokenizer_fn=str.split)
    )
    response = chat.chat(QUESTION)
    assert str(response) == f"{BRIDGE}[^1]"
    assert response.source_nodes[0].text == BRIDGE


def test_its_responses_are_evaluated(engine: JinaDeepSearchQueryEngine) -> None:
    judged = FaithfulnessEvaluator(llm=MockLLM()).evaluate_response(QUESTION, engine.query(QUESTION))
    assert judged.contexts == [BRIDGE]


async def test_on_a_server(service: Served) -> None:
    engine = JinaDeepSearchQueryEngine(base_url=service.url, options=DeepSearchOptions(reasoning_effort="low"))
    response = engine.query(QUESTION)
    assert "1952" in str(response)
    assert response.source_nodes[0].metadata["source"] == service.site.url("/bridge")
    assert f"Searching for: {QUESTION}" in response.metadata["steps"]
    other = await engine.aquery(QUESTION)
    assert other.response == response.response
    assert [each.node_id for each in other.source_nodes] == [each.node_id for each in response.source_nodes]
    await engine._component.aclose()


def test_round_trips(tmp_path: Path, bundled_embedder: Embedder) -> None:
    lasting = Retriever(bundled_embedder, store=FaissStore(tmp_path / "index"))
    lasting.add([TEXTS["bridge"]])
    lasting.close()
    options = DeepSearchOptions(reasoning_effort="low", budget=Budget(tokens=9))
    made: list[Callable[[], JinaDeepSearchQueryEngine]] = [
        lambda: JinaDeepSearchQueryEngine(agent=DeepSearchAgent(lasting, reranker=Reranker())),
        lambda: JinaDeepSearchQueryEngine(base_url="http://127.0.0.1:1", options=options, streaming=True),
    ]
    for make in made:
        engine = make()
        written = engine.to_dict()
        again = JinaDeepSearchQueryEngine.from_dict(json.loads(json.dumps(written)))
        pickled = pickle.loads(pickle.dumps(engine))
        assert again.to_dict() == pickled.to_dict() == written
        assert again.options == pickled.options == engine.options
        if engine.agent is not None:
            found = {str(each.query(QUESTION)) for each in (engine, again, pickled)}
            assert found == {f"{BRIDGE}[^1]"}
            for each in (again, pickled, engine):
                each.agent._parts.sources[0].close()


def test_wrong_settings(agent: DeepSearchAgent) -> None:
    with pytest.raises(ConfigError, match="agent=DeepSearchAgent"):
        JinaDeepSearchQueryEngine()
    with pytest.raises(ConfigError, match="takes either agent"):
        JinaDeepSearchQueryEngine(agent=agent, api_key="k")
    with pytest.raises(ConfigError, match="takes either agent"):
        JinaDeepSearchQueryEngine(agent=agent, model="jina-deepsearch-v2")
