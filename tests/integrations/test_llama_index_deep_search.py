from __future__ import annotations

import asyncio
import base64
import json
import pickle
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import llama_index.core.instrumentation as instrument
import pytest
from deep_search.scripted_mind import Mind, answer, search
from llama_index.core.base.llms.types import (
    AudioBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.base.llms.types import (
    ChatMessage as LlamaMessage,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index_jina_components import JinaDeepSearch
from llama_index_jina_components.conversation import conversation
from pydantic import BaseModel, PrivateAttr, ValidationError
from running_service import Served

from jina_components import ChatMessage, DeepSearchAgent, Document, Embedder, Image, Reranker, Retriever
from jina_components.core.background import iterate_sync
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.remote import Remote, RemoteDeepSearch
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import FakeChat, FakeJSONChat
from jina_components.types import Answer, DeepSearchStep, Usage

QUESTION = "When did the Holm Bridge open?"
BRIDGE = "The Holm Bridge over the Ness opened in 1952."
TEXTS = {
    "bridge": f"{BRIDGE} It is 3 km long.",
    "tides": "The highest tides in the world are in the Bay of Fundy. They reach 16 metres.",
    "bread": "Bread is made of flour, water and salt. It is baked for forty minutes.",
}
ASKED = [LlamaMessage(content=QUESTION)]
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"rest"


class Opening(BaseModel):
    """When a bridge opened."""

    year: int


class Echo:
    """An agent that answers with the question, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.entered = threading.Event()
        self.closed = threading.Event()

    async def astream(self, question: Any, *, options: Any = None) -> AsyncGenerator[DeepSearchStep, None]:
        self.asked.append((question, options))
        try:
            yield DeepSearchStep("think", "Hm.")
            yield DeepSearchStep("search", question[-1].content)
            self.entered.set()
            if question[-1].content == "Wait":
                await asyncio.sleep(60)
            yield DeepSearchStep("done", "", answer=Answer("", question[-1].content, True, usage=Usage(5, 2)))
        finally:
            self.closed.set()

    def stream(self, question: Any, *, options: Any = None) -> Iterator[DeepSearchStep]:
        return iterate_sync(self.astream(question, options=options))


@pytest.fixture(scope="module")
def retriever(bundled_embedder: Embedder) -> Retriever:
    retriever = Retriever(bundled_embedder)
    retriever.add([Document(text, name, {"title": name.title()}) for name, text in TEXTS.items()])
    return retriever


@pytest.fixture(scope="module")
def agent(retriever: Retriever) -> DeepSearchAgent:
    """One that works by rules."""
    return DeepSearchAgent(retriever, reranker=Reranker())


@pytest.fixture(scope="module")
def llm(agent: DeepSearchAgent) -> JinaDeepSearch:
    return JinaDeepSearch(agent=agent)


def test_chat(llm: JinaDeepSearch, agent: DeepSearchAgent) -> None:
    response = llm.chat(ASKED)
    thinking, text = response.message.blocks
    assert response.message.role is MessageRole.ASSISTANT
    assert response.message.content == text.text == f"{BRIDGE}[^1]"
    assert f"Searching for: {QUESTION}" in thinking.content
    assert response.delta is None
    [citation] = response.additional_kwargs["citations"]
    assert isinstance(citation, CitationBlock)
    assert (citation.cited_content.text, citation.source, citation.title) == (BRIDGE, "bridge", "Bridge")
    place = citation.additional_location_info
    assert TEXTS["bridge"][place["start"] : place["end"]] == BRIDGE
    assert response.additional_kwargs["total_tokens"] == agent.run(QUESTION).usage.total_tokens > 0
    assert response.raw["answered"] is True
    assert response.raw["visited_urls"][0] == "bridge"
    json.dumps(response.raw)
    json.loads(response.model_dump_json())


def test_complete(llm: JinaDeepSearch) -> None:
    response = llm.complete(QUESTION)
    assert response.text == f"{BRIDGE}[^1]"
    assert response.additional_kwargs["citations"][0].source == "bridge"
    assert response.raw["usage"]["prompt_tokens"] == response.additional_kwargs["prompt_tokens"]
    wrapped = llm.model_copy(update={"completion_to_prompt": lambda _: QUESTION})
    assert wrapped.complete("?").text == response.text
    with pytest.raises(InputError):
        wrapped.complete("?", formatted=True)
    unknown = llm.complete("Who invented the telephone?")
    assert unknown.raw["answered"] is False
    assert unknown.additional_kwargs["citations"] == []


def test_streams_tell_the_steps_and_then_the_answer(llm: JinaDeepSearch) -> None:
    *steps, last = llm.stream_chat(ASKED)
    assert {step.delta for step in steps} == {""}
    thoughts = "".join(step.additional_kwargs["thinking_delta"] for step in steps)
    assert steps[-1].message.blocks == [ThinkingBlock(content=thoughts), TextBlock(text="")]
    assert last.delta == last.message.content == f"{BRIDGE}[^1]"
    whole = llm.chat(ASKED)
    assert last.message == whole.message
    assert _timeless(last.raw) == _timeless(whole.raw)
    *steps, last = llm.stream_complete(QUESTION)
    assert {(step.text, step.delta) for step in steps} == {("", "")}
    assert steps[0].additional_kwargs["thinking_delta"] == f"{thoughts.splitlines()[0]}\n"
    assert last.text == last.delta == whole.message.content


async def test_the_twins_say_the_same(llm: JinaDeepSearch) -> None:
    chatted = llm.chat(ASKED)  # inside a running loop, as in notebooks
    assert (await llm.achat(ASKED)).message == chatted.message
    assert (await llm.acomplete(QUESTION)).text == llm.complete(QUESTION).text
    streamed = [response async for response in await llm.astream_chat(ASKED)]
    assert [each.message for each in streamed] == [each.message for each in llm.stream_chat(ASKED)]
    completed = [response async for response in await llm.astream_complete(QUESTION)]
    assert [each.text for each in completed] == [each.text for each in llm.stream_complete(QUESTION)]


def _timeless(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "spent": None}


def test_messages(tmp_path: Path) -> None:
    picture, paper = tmp_path / "a.png", tmp_path / "a.txt"
    picture.write_bytes(PIXEL)
    paper.write_text("Hello")
    given = [
        LlamaMessage(role="developer", content="Be brief."),
        LlamaMessage(role="user", content="First?"),
        LlamaMessage(
            role="model",
            blocks=[
                ThinkingBlock(content="Hm."),
                TextBlock(text="Yes.[^1]"),
                CitationBlock(cited_content="Yes", source="s", title="t", additional_location_info={}),
            ],
        ),
        LlamaMessage(
            role="user",
            blocks=[
                TextBlock(text="What is"),
                ImageBlock(image=PIXEL),
                ImageBlock(path=picture),
                ImageBlock(url="https://example.com/cat.png"),
                TextBlock(text="this?"),
                DocumentBlock(data=b"Hello", document_mimetype="text/plain", title="a ü.txt"),
                DocumentBlock(path=str(paper)),
            ],
        ),
    ]
    system, first, said, seen = conversation(given)
    assert (system, first) == (ChatMessage("system", "Be brief."), ChatMessage("user", "First?"))
    assert said == ChatMessage("assistant", "Yes.[^1]")
    assert (seen.role, seen.content) == ("user", "What is\nthis?")
    assert seen.images == (Image(PIXEL), Image(picture), Image("https://example.com/cat.png"))
    data = base64.b64encode(b"Hello").decode()
    assert seen.files == (f"data:text/plain;name=a%20%C3%BC.txt;base64,{data}", str(paper))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (LlamaMessage(role="tool", content="7"), "of tool"),
        (LlamaMessage(role="user", blocks=[AudioBlock(audio=b"RIFF", format="wav")]), "has audio"),
        (LlamaMessage(role="user", blocks=[DocumentBlock(url="https://example.com/a.pdf")]), "JinaReader"),
        (LlamaMessage(role="user", blocks=[ImageBlock()]), "without data"),
        (LlamaMessage(role="user", blocks=[ImageBlock(image=b"")]), "without data"),
    ],
)
def test_messages_that_no_search_takes(llm: JinaDeepSearch, message: LlamaMessage, told: str) -> None:
    with pytest.raises(InputError, match=told) as raised:
        llm.chat([*ASKED, message])
    assert raised.value.index == 1


def test_documents_are_searched(llm: JinaDeepSearch) -> None:
    paper = DocumentBlock(data=b"The Elm Tower was built in 1871.", document_mimetype="text/plain", title="elm.txt")
    response = llm.chat([LlamaMessage(blocks=[TextBlock(text="When was the Elm Tower built?"), paper])])
    assert "1871" in response.message.content
    assert response.additional_kwargs["citations"][0].source == "elm.txt"


def test_wrong_input(llm: JinaDeepSearch) -> None:
    with pytest.raises(InputError):
        llm.chat([])
    with pytest.raises(InputError):
        llm.complete("")
    with pytest.raises(InputError, match="user"):
        llm.chat([LlamaMessage(role="assistant", content="Hello.")])
    with pytest.raises(ConfigError, match="temperature"):
        llm.complete(QUESTION, temperature=1)
    with pytest.raises(ConfigError, match="reasoning_effort"):
        llm.complete(QUESTION, reasoning_effort="huge")
    with pytest.raises(InputError):
        list(llm.stream_chat([]))


def test_options_of_calls() -> None:
    echo = Echo()
    options = DeepSearchOptions(reasoning_effort="low", budget=Budget(tokens=7))
    JinaDeepSearch(agent=echo).complete("Hi")
    JinaDeepSearch(agent=echo).complete("Hi", language="de")
    JinaDeepSearch(agent=echo, options=options).complete("Hi")
    JinaDeepSearch(agent=echo, options=options).complete("Hi", language="de")
    assert [given for _, given in echo.asked] == [
        None, DeepSearchOptions(language="de"), options,
        DeepSearchOptions(reasoning_effort="low", budget=Budget(tokens=7), language="de"),
    ]  # fmt: skip


async def test_cancelling_ends_the_search() -> None:
    waiting = [LlamaMessage(content="Wait")]
    for begin in (
        lambda llm: llm.achat(waiting),
        lambda llm: llm.acomplete("Wait"),
        lambda llm: _taken(llm.astream_chat(waiting)),
        lambda llm: _taken(llm.astream_complete("Wait")),
    ):
        echo = Echo()
        task = asyncio.create_task(begin(JinaDeepSearch(agent=echo)))
        await asyncio.to_thread(echo.entered.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(echo.closed.wait, 30)


async def _taken(stream: Any) -> list[Any]:
    return [response async for response in await stream]


async def test_leaving_a_stream_ends_the_search() -> None:
    echo = Echo()
    responses = JinaDeepSearch(agent=echo).stream_chat([LlamaMessage(content="Wait")])
    next(responses)
    responses.close()
    del responses
    assert await asyncio.to_thread(echo.closed.wait, 30)
    echo = Echo()
    streamed = await JinaDeepSearch(agent=echo).astream_complete("Wait")
    await anext(streamed)
    await streamed.aclose()
    del streamed
    assert await asyncio.to_thread(echo.closed.wait, 30)


def test_threads_share_a_model(llm: JinaDeepSearch) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: llm.complete(QUESTION).text, range(4)))
    assert set(found) == {f"{BRIDGE}[^1]"}


class Seen(BaseEventHandler):
    """Keeps the names of events."""

    _names: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Seen"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        event.model_dump()
        self._names.append(event.class_name())


@pytest.fixture
def seen() -> Iterator[list[str]]:
    """Names of the events that are sent."""
    dispatcher, handler = instrument.get_dispatcher(), Seen()
    before = list(dispatcher.event_handlers)
    dispatcher.add_event_handler(handler)
    yield handler._names
    dispatcher.event_handlers = before


async def test_calls_are_told(seen: list[str]) -> None:
    llm = JinaDeepSearch(agent=Echo())
    chat = ["LLMChatStartEvent", "LLMChatEndEvent"]
    streamed = [chat[0], *["LLMChatInProgressEvent"] * 3, chat[1]]
    completion = ["LLMCompletionStartEvent", "LLMCompletionEndEvent"]
    for call, told in (
        (lambda: llm.achat(ASKED), chat),
        (lambda: llm.acomplete("Hi"), completion),
        (lambda: _taken(llm.astream_chat(ASKED)), streamed),
        (lambda: asyncio.to_thread(lambda: list(llm.stream_chat(ASKED))), streamed),
        (lambda: llm.apredict(PromptTemplate("{q}"), q="Hi"), ["LLMPredictStartEvent", *chat, "LLMPredictEndEvent"]),
    ):
        seen.clear()
        await call()
        assert seen == told


def test_tokens_are_counted() -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = JinaDeepSearch(agent=Echo(), callback_manager=CallbackManager([counter]))
    llm.chat(ASKED)
    llm.complete("Hi")
    list(llm.stream_chat(ASKED))
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (15, 6)


def test_in_a_chat_engine(llm: JinaDeepSearch) -> None:
    engine = SimpleChatEngine.from_defaults(
        llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=9000, tokenizer_fn=str.split)
    )
    assert str(engine.chat(QUESTION)) == f"{BRIDGE}[^1]"
    assert "Bay of Fundy" in str(engine.chat("How high are the tides in the Bay of Fundy?"))


@pytest.fixture
def thinking(retriever: Retriever) -> JinaDeepSearch:
    """Its agent has a chat model, which fills forms."""
    mind = Mind(
        decide=[search("bridge"), answer(BRIDGE)],
        conclude=[{"answered": True, "answer": BRIDGE}],
        value=[{"year": 1952}],
    )

    def reply(_: Any) -> str:
        return json.dumps(mind({"messages": [], "response_format": {"json_schema": {"schema": chat.schemas[-1]}}}))

    chat = FakeJSONChat(reply)
    return JinaDeepSearch(agent=DeepSearchAgent(retriever, chat=chat))


PROMPT = PromptTemplate("When did the {name} open?")


def test_structured(thinking: JinaDeepSearch, seen: list[str]) -> None:
    assert thinking.structured_predict(Opening, PROMPT, name="Holm Bridge") == Opening(year=1952)
    names = ["LLMStructuredPredictStartEvent", "LLMChatStartEvent", "LLMChatEndEvent", "LLMStructuredPredictEndEvent"]
    assert seen == names


async def test_structured_async(thinking: JinaDeepSearch) -> None:
    assert await thinking.astructured_predict(Opening, PROMPT, name="Holm Bridge") == Opening(year=1952)


def test_structured_stream(thinking: JinaDeepSearch) -> None:
    assert list(thinking.stream_structured_predict(Opening, PROMPT, name="Holm Bridge")) == [Opening(year=1952)]


async def test_structured_stream_async(thinking: JinaDeepSearch) -> None:
    stream = await thinking.astream_structured_predict(Opening, PROMPT, {"language": "en"}, name="Holm Bridge")
    assert [each async for each in stream] == [Opening(year=1952)]


def test_as_structured_llm(thinking: JinaDeepSearch) -> None:
    response = thinking.as_structured_llm(Opening).chat(ASKED)
    assert response.raw == Opening(year=1952)


def test_structured_without_what_it_takes(llm: JinaDeepSearch, retriever: Retriever) -> None:
    with pytest.raises(ConfigError, match="chat model"):
        llm.structured_predict(Opening, PROMPT, name="Holm Bridge")
    failing = JinaDeepSearch(agent=DeepSearchAgent(retriever, chat=FakeChat(lambda _: "No JSON.")))
    with pytest.raises(ValidationError):
        failing.structured_predict(Opening, PROMPT, name="Holm Bridge")


def test_on_a_server(service: Served) -> None:
    llm = JinaDeepSearch(base_url=service.url)
    response = llm.chat(ASKED)
    assert "1952" in response.message.content
    [citation, *_] = response.additional_kwargs["citations"]
    assert citation.source == service.site.url("/bridge")
    assert citation.additional_location_info == {}
    thinking = response.message.blocks[0].content
    assert f"Searching for: {QUESTION}\n" in thinking
    assert response.raw["usage"]["prompt_tokens"] > 0
    *_, last = llm.stream_complete(QUESTION)
    assert last.text == response.message.content
    llm.close()


async def test_on_a_server_async(service: Served) -> None:
    llm = JinaDeepSearch(agent=RemoteDeepSearch(Remote(service.url)))
    *_, last = [response async for response in await llm.astream_chat(ASKED)]
    assert "1952" in last.delta
    await llm.agent.aclose()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(WebError):
        JinaDeepSearch(base_url="http://127.0.0.1:9", max_retries=0).complete("Hi?")


def test_round_trips(tmp_path: Path, bundled_embedder: Embedder, service: Served) -> None:
    lasting = Retriever(bundled_embedder, store=FaissStore(tmp_path / "index"))
    lasting.add([TEXTS["bridge"]])
    lasting.close()
    options = DeepSearchOptions(reasoning_effort="low", only_hostnames=("example.com",), budget=Budget(tokens=9))
    made: list[Callable[[], JinaDeepSearch]] = [
        lambda: JinaDeepSearch(agent=DeepSearchAgent(lasting, reranker=Reranker()), system_prompt="Be brief."),
        lambda: JinaDeepSearch(base_url=service.url, model="jina-deepsearch-v2", options=options, timeout=9),
    ]
    for make in made:
        llm = make()
        written = llm.to_dict()
        again = JinaDeepSearch.from_dict(json.loads(json.dumps(written)))
        pickled = pickle.loads(pickle.dumps(llm))
        assert again.to_dict() == pickled.to_dict() == written
        assert written["class_name"] == "JinaDeepSearch"
        assert again.options == pickled.options == llm.options
        assert again.metadata == llm.metadata
        if llm.agent is not None:
            assert again.complete(QUESTION).text == pickled.complete(QUESTION).text == llm.complete(QUESTION).text
            for each in (again, pickled, llm):
                each.agent._parts.sources[0].close()


def test_keys_are_never_written() -> None:
    llm = JinaDeepSearch(api_key="jina_secret")
    assert "jina_secret" not in f"{llm!r} {llm.to_dict()} {llm.metadata}"
    assert pickle.loads(pickle.dumps(llm)).remote.api_key == "jina_secret"


def test_what_cannot_be_written_down_is_given_again(agent: DeepSearchAgent) -> None:
    for each in (agent, Echo()):  # the documents of the one are in memory
        llm = JinaDeepSearch(agent=each, system_prompt="Be brief.")
        written = json.loads(llm.to_json())
        with pytest.raises(
            ConfigError, match=rf"{type(each).__name__} .* given again: from_dict\(data, agent=\.\.\.\)"
        ):
            JinaDeepSearch.from_dict(written)
        again = JinaDeepSearch.from_dict(written, agent=each)
        assert (again.agent, again.system_prompt) == (each, llm.system_prompt)


def test_wrong_settings(agent: DeepSearchAgent) -> None:
    with pytest.raises(ConfigError, match="agent=DeepSearchAgent"):
        JinaDeepSearch()
    with pytest.raises(ConfigError, match="takes either agent"):
        JinaDeepSearch(agent=agent, base_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="SupportsDeepSearch"):
        JinaDeepSearch(agent=7)
