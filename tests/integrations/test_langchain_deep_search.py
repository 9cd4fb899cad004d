from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from typing import Any, TypedDict

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_jina_components import ChatJinaDeepSearch
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel, ValidationError
from running_service import Served

from jina_components import ChatMessage, DeepSearchAgent, Document, Embedder, Reader, Reranker, Retriever
from jina_components.core.background import iterate_sync
from jina_components.deep_search import Budget, DeepSearchOptions
from jina_components.errors import ConfigError, InputError
from jina_components.remote import RemoteDeepSearch
from jina_components.testing import FakeJSONChat
from jina_components.types import Answer, AnsweredSentence, Citation, DeepSearchStep, Usage

pytestmark = pytest.mark.filterwarnings("ignore:The function `loads?` is in beta")

QUESTION = "When did the Holm Bridge open?"
TEXTS = {
    "bridge": "The Holm Bridge over the Ness opened in 1952. It is 3 km long. Ann Lee, an engineer, designed it.",
    "tides": "The tides of the Bay of Fundy are the highest in the world: they reach 16 metres. The moon makes them.",
    "bread": "Bread is made of flour, water and salt. It is baked for forty minutes.",
}


@pytest.fixture(scope="module")
def agent(bundled_embedder: Embedder) -> DeepSearchAgent:
    """One that works by rules, over a few texts."""
    retriever = Retriever(bundled_embedder)
    retriever.add(
        [
            Document(text, name, {"source": f"https://example.com/{name}", "title": name.title()})
            for name, text in TEXTS.items()
        ]
    )
    return DeepSearchAgent(retriever, reranker=Reranker(), reader=Reader())


class Obliging(FakeJSONChat):
    """A chat model that fills any form, and answers at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: json.dumps(_filled(self.schemas[-1])))


def _filled(schema: Any) -> Any:
    """A value of a schema."""
    kinds = {"string": "Why did the sea blush?", "integer": 1, "number": 1.0, "boolean": True, "array": []}
    if "enum" in schema:
        return "answer" if "answer" in schema["enum"] else schema["enum"][0]
    if "properties" in schema:
        return {name: _filled(form) for name, form in schema["properties"].items()}
    kind = schema.get("type", "string")
    return {} if kind == "object" else kinds[kind[0] if isinstance(kind, list) else kind]


def _obliging() -> DeepSearchAgent:
    retriever = Retriever(Embedder("static-minilm-v1"))
    retriever.add([TEXTS["tides"]])
    return DeepSearchAgent(retriever, chat=Obliging())


class Standard:
    """What the standard tests have in common."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatJinaDeepSearch

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Without a temperature, which a search does not have."""
        return {"max_tokens": 100_000, "timeout": 60, "stop": [], "max_retries": 2}


class TestUnit(Standard, ChatModelUnitTests):
    """LangChain's: of one on a server."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"jina_api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"JINA_API_KEY": "a-key"}, {}, {"jina_api_key": "a-key", "model": "jina-deepsearch-v1"}

    @pytest.mark.xfail(
        reason="allows the classes of LangChain's own packages alone", raises=(ValueError, AssertionError)
    )
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestHere(Standard, ChatModelIntegrationTests):
    """LangChain's: of an agent here. It calls no tools; what of the standard tests fetches files has no network."""

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Those of a server left out too."""
        return {"max_tokens": 100_000, "stop": []}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"agent": _obliging()}

    @property
    def supports_json_mode(self) -> bool:
        return False  # the standard test tells the form in words, which a scripted chat model does not read

    @property
    def model_override_value(self) -> str:
        return "jina-deepsearch-v2"


class TestServed(Standard, ChatModelIntegrationTests):
    """LangChain's: of a service, whose agent has no chat model and so writes no JSON."""

    url = ""

    @pytest.fixture(autouse=True)
    def _find(self, service: Served) -> None:
        self.url = service.url

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": self.url}

    @pytest.fixture
    def model(self, request: Any) -> Iterator[BaseChatModel]:
        more = getattr(request, "param", None) or {}
        params = {**self.standard_chat_model_params, **self.chat_model_params, **more}
        model = ChatJinaDeepSearch(**params)
        yield model
        model.close()

    @property
    def has_structured_output(self) -> bool:
        return False

    @property
    def model_override_value(self) -> str:
        return "jina-deepsearch-v2"


def test_an_answer_cites(agent: DeepSearchAgent) -> None:
    message = ChatJinaDeepSearch(agent=agent).invoke(QUESTION)
    assert message.text == "The Holm Bridge over the Ness opened in 1952.[^1]"
    thoughts, said = message.content_blocks
    assert thoughts["type"] == "reasoning"
    assert f"Searching for: {QUESTION}\n" in thoughts["reasoning"]
    [citation] = said["annotations"]
    assert citation == {
        "type": "citation",
        "url": "https://example.com/bridge",
        "title": "Bridge",
        "cited_text": "The Holm Bridge over the Ness opened in 1952.",
        "start_index": 0,
        "end_index": len(message.text),
    }
    told = message.response_metadata
    assert (told["answered"], told["ended"], told["model_name"]) == (True, "answered", "jina-deepsearch-v1")
    assert TEXTS["bridge"][told["citations"][0]["start"] : told["citations"][0]["end"]] == citation["cited_text"]
    assert "https://example.com/bridge" in told["visited_urls"]
    assert message.usage_metadata["input_tokens"] > 0
    json.dumps(message.model_dump())
    assert loads(dumps(message), allowed_objects="messages") == message


def test_without_an_answer(agent: DeepSearchAgent) -> None:
    message = ChatJinaDeepSearch(agent=agent).invoke("Who painted the Mona Lisa?")
    assert message.response_metadata["answered"] is False
    assert message.content_blocks[1]["annotations"] == []


@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_steps_are_streamed_and_all_ways_agree(agent: DeepSearchAgent, version: str) -> None:
    model = ChatJinaDeepSearch(agent=agent, output_version=version)
    chunks = list(model.stream(QUESTION))
    assert [block["type"] for chunk in chunks for block in chunk.content_blocks][-2:] == ["reasoning", "text"]
    assert len(chunks) > 5
    assert chunks[-1].chunk_position == "last"
    whole = sum(chunks[1:], chunks[0])
    blocks = _blocks(whole)
    assert blocks == _blocks(sum([chunk async for chunk in model.astream(QUESTION)], AIMessageChunk([])))
    assert blocks == _blocks(model.invoke(QUESTION)) == _blocks(await model.ainvoke(QUESTION))
    assert whole.usage_metadata == model.invoke(QUESTION).usage_metadata


def _blocks(message: AIMessage) -> list[Any]:
    assert message.content_blocks[1]["annotations"]
    return [{name: value for name, value in block.items() if name != "id"} for block in message.content_blocks]


def test_in_a_chain(agent: DeepSearchAgent) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "When did the {what} open?")])
    chain = prompt | ChatJinaDeepSearch(agent=agent) | StrOutputParser()
    assert chain.invoke({"what": "Holm Bridge"}) == "The Holm Bridge over the Ness opened in 1952.[^1]"
    assert "".join(chain.stream({"what": "Holm Bridge"})) == "The Holm Bridge over the Ness opened in 1952.[^1]"


def test_batches_in_threads(agent: DeepSearchAgent) -> None:
    found = ChatJinaDeepSearch(agent=agent).batch([QUESTION, "How high are the tides in the Bay of Fundy?"] * 2)
    assert ["1952" in message.text for message in found] == [True, False] * 2
    assert "16 metres" in found[3].text


async def test_within_a_running_loop(agent: DeepSearchAgent) -> None:
    assert "1952" in ChatJinaDeepSearch(agent=agent).invoke(QUESTION).text


class Watching(BaseCallbackHandler):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.tokens = 0
        self.ended = 0

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.tokens += 1

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ended += 1


def test_callbacks_watch(agent: DeepSearchAgent) -> None:
    watching = Watching()
    model = ChatJinaDeepSearch(agent=agent, streaming=True, callbacks=[watching])
    assert "1952" in model.invoke(QUESTION).text
    assert watching.tokens > 5
    assert watching.ended == 1


class Recording:
    """An agent that takes its time, and knows what became of it."""

    def __init__(self, answer: Answer | None = None, *, steps: int = 1_000_000) -> None:
        self.asked: list[tuple[Sequence[ChatMessage], DeepSearchOptions | None]] = []
        self.ended = asyncio.Event()
        self.taken = 0
        self._answer = answer
        self._steps = steps

    def stream(self, question: Any, *, options: Any = None) -> Generator[DeepSearchStep, None, None]:
        yield from iterate_sync(self.astream(question, options=options))

    async def astream(self, question: Any, *, options: Any = None) -> AsyncGenerator[DeepSearchStep, None]:
        self.asked.append((question, options))
        try:
            for number in range(self._steps):
                self.taken += 1
                yield DeepSearchStep("search", f"number {number}")
                await asyncio.sleep(0)
            yield DeepSearchStep("done", "", answer=self._answer)
        finally:
            self.ended.set()


ANSWER = Answer(
    "?",
    "Tides rise.[^1] They fall.[^1][^2] [unverified]",
    answered=True,
    citations=(
        Citation("tides rise", "https://a.example", 5, 15, "a", "A", page=3),
        Citation("they fall", "notes", 0, 9, "notes"),
        Citation("apart", "https://b.example", 0, 5, "b"),
    ),
    sentences=(AnsweredSentence(0, 15, True, (1,)), AnsweredSentence(16, 34, True, (1, 2))),
    usage=Usage(7, 3),
    warnings=("Something failed.",),
)


def _answering(**settings: Any) -> tuple[ChatJinaDeepSearch, Recording]:
    recording = Recording(ANSWER, steps=1)
    return ChatJinaDeepSearch(agent=recording, **settings), recording


def test_where_an_answer_cites() -> None:
    model, _ = _answering()
    message = model.invoke("?")
    [annotations] = [block["annotations"] for block in message.content_blocks if block["type"] == "text"]
    assert [
        (one["url"], one["title"], message.text[slice(one.get("start_index"), one.get("end_index"))])
        for one in annotations
    ] == [
        ("https://a.example", "A", "Tides rise.[^1]"),
        ("https://a.example", "A", "They fall.[^1][^2]"),
        ("notes", "notes", "They fall.[^1][^2]"),
        ("https://b.example", "https://b.example", message.text),
    ]
    assert message.response_metadata["citations"][0]["page"] == 3
    assert message.response_metadata["warnings"] == ["Something failed."]
    assert message.usage_metadata == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def test_stop_cuts_the_answer_and_its_citations() -> None:
    model, _ = _answering(stop=["rise", "They"])
    message = model.invoke("?", stop=["They"])
    assert message.text == "Tides rise.[^1] "
    assert [one.get("end_index") for one in message.content_blocks[1]["annotations"]] == [15, None]
    assert model.invoke("?").text == "Tides "


async def test_breaking_off_a_stream_ends_the_search() -> None:
    recording = Recording()
    model = ChatJinaDeepSearch(agent=recording)
    async for _ in model.astream("?"):
        break
    await asyncio.wait_for(recording.ended.wait(), 30)
    taken = recording.taken
    await asyncio.sleep(0.05)
    assert recording.taken == taken

    recording = Recording()
    for _ in ChatJinaDeepSearch(agent=recording).stream("?"):
        break
    assert recording.ended.is_set()


async def test_cancelling_ends_the_search() -> None:
    recording = Recording()
    task = asyncio.create_task(ChatJinaDeepSearch(agent=recording).ainvoke("?"))
    while not recording.taken:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(recording.ended.wait(), 30)


def test_options_here_and_in_calls() -> None:
    model, recording = _answering(reasoning_effort="low", only_hostnames=["example.com"], max_tokens=5)
    model.invoke("?")
    model.bind(team_size=2).invoke("?", reasoning_effort="high", budget=Budget(steps=3), max_tokens=None)
    own, other = _answering()
    own.invoke("?")
    hosts = {"only_hostnames": ("example.com",)}
    assert [options for _, options in recording.asked + other.asked] == [
        DeepSearchOptions(reasoning_effort="low", budget=Budget(tokens=5), **hosts),
        DeepSearchOptions(reasoning_effort="high", budget=Budget(steps=3), team_size=2, **hosts),
        None,  # the agent's own
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "nothing to search with"),
        ({"agent": Recording(), "base_url": "http://localhost:1"}, "takes either agent or settings"),
        ({"agent": Recording(), "team_size": 0}, "team_size must be"),
        ({"agent": Recording(), "max_tokens": 0}, "budget.tokens must be"),
        ({"agent": Recording(), "model_kwargs": {"temprature": 0}}, "has no temprature"),
        ({"agent": Recording(), "temperature": 0}, "Extra inputs"),
        ({"agent": Recording(), "reasoning_effort": "none"}, "reasoning_effort"),
        ({"agent": object()}, "instance of SupportsDeepSearch"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match=told):
        ChatJinaDeepSearch(**settings)


def test_wrong_options_and_questions(agent: DeepSearchAgent) -> None:
    model = ChatJinaDeepSearch(agent=agent)
    with pytest.raises(ConfigError, match="has no temperature"):
        model.invoke("?", temperature=1)
    with pytest.raises(InputError, match="no words"):
        model.invoke("?!")
    with pytest.raises(InputError, match="last"):
        model.invoke([HumanMessage("Hello"), AIMessage("Hello!")])
    with pytest.raises(NotImplementedError):
        model.bind_tools([])
    with pytest.raises(ConfigError, match="schema needs a chat model"):
        model.with_structured_output({"title": "Year", "type": "object", "properties": {}}).invoke(QUESTION)


def test_a_key_in_the_environment_counts_for_nothing_beside_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", "jina_secret")
    model, recording = _answering()
    assert model.invoke("?").text == ANSWER.text
    assert recording.asked


class Opening(BaseModel):
    """When something opened."""

    setup: str
    year: int


def test_structured_output() -> None:
    model = ChatJinaDeepSearch(agent=_obliging())
    found = model.with_structured_output(Opening).invoke(QUESTION)
    assert found == Opening(setup="Why did the sea blush?", year=1)
    raw = model.with_structured_output(Opening.model_json_schema(), include_raw=True).invoke(QUESTION)
    assert (raw["parsed"], raw["parsing_error"]) == (found.model_dump(), None)
    assert json.loads(raw["raw"].text) == found.model_dump()
    assert (
        model.with_structured_output(Opening, method="json_mode", include_raw=True).invoke(QUESTION)["parsed"] is None
    )


class OpeningDict(TypedDict):
    """When something opened."""

    setup: str
    year: int


_PROPERTIES = {"setup": {"type": "string"}, "year": {"type": "integer"}}
_SCHEMA = {"type": "object", "properties": _PROPERTIES, "required": ["setup", "year"]}


@pytest.mark.parametrize(
    "form",
    [
        OpeningDict,
        _SCHEMA,
        {"name": "opening", "schema": _SCHEMA, "strict": True},
        {"name": "opening", "description": "When it opened.", "parameters": _SCHEMA},
        {"type": "function", "function": {"name": "opening", "parameters": _SCHEMA}},
    ],
)
async def test_forms_of_schemas(form: Any) -> None:
    asked = ChatJinaDeepSearch(agent=_obliging()).with_structured_output(form)
    assert await asked.ainvoke(QUESTION) == {"setup": "Why did the sea blush?", "year": 1}


def test_files_are_read(agent: DeepSearchAgent) -> None:
    file = {
        "type": "text-plain",
        "text": "Zorblax was born in 1931 in Kell.",
        "mime_type": "text/plain",
        "title": "z.txt",
    }
    message = ChatJinaDeepSearch(agent=agent).invoke([HumanMessage(["When was Zorblax born?", file])])
    assert "1931" in message.text
    assert message.content_blocks[1]["annotations"][0]["url"] == "z.txt"


def test_no_key_is_shown_or_written() -> None:
    model = ChatJinaDeepSearch(api_key="jina_secret", base_url="http://localhost:1", reasoning_effort="low")
    written = dumps(model)
    assert "jina_secret" not in f"{written} {model!r} {model} {model._identifying_params} {model.model_dump_json()}"
    again = _loaded(written, "jina_secret")
    assert again.model_dump() == model.model_dump()
    assert again.jina_api_key.get_secret_value() == "jina_secret"
    assert pickle.loads(pickle.dumps(model)).model_dump() == model.model_dump()
    with pytest.raises(ValidationError) as raised:
        ChatJinaDeepSearch(jina_api_key="jina_secret", reasoning_effort="no", bogus="jina_secret")
    assert "jina_secret" not in str(raised.value)


def _loaded(written: str, key: str) -> Any:
    return loads(
        written,
        allowed_objects=[ChatJinaDeepSearch],
        valid_namespaces=["langchain_jina_components"],
        secrets_map={"JINA_API_KEY": key},
    )


def test_agents_do_not_share_a_cache() -> None:
    set_llm_cache(InMemoryCache())
    try:
        first, second = _answering(), _answering()
        first[0].invoke("?")
        second[0].invoke("?")
        assert len(second[1].asked) == 1
    finally:
        set_llm_cache(None)


def test_tracing_knows_provider_and_model() -> None:
    model, _ = _answering()
    assert model._get_ls_params() == {
        "ls_provider": "jina", "ls_model_type": "chat", "ls_model_name": "jina-deepsearch-v1"
    }  # fmt: skip


def test_of_a_service(service: Served) -> None:
    model = ChatJinaDeepSearch(base_url=service.url)
    message = model.invoke(QUESTION)
    assert "1952" in message.text
    [citation, *_] = message.content_blocks[1]["annotations"]
    assert citation["url"] == service.site.url("/bridge")
    assert "1952" in citation["cited_text"]
    cites = message.text[citation["start_index"] : citation["end_index"]]
    assert "1952" in cites
    assert cites.endswith("[^1]")
    assert message.content_blocks[0]["reasoning"]
    assert message.usage_metadata["total_tokens"] > 0
    model.close()


def test_a_remote_agent_is_an_agent(service: Served) -> None:
    from jina_components.remote import Remote

    with RemoteDeepSearch(Remote(service.url)) as remote:
        assert "1952" in ChatJinaDeepSearch(agent=remote).invoke(QUESTION).text
