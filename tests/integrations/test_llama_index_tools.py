from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.schema import Document as LlamaDocument
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from llama_index.core.tools.tool_spec.load_and_search import LoadAndSearchToolSpec
from llama_index.llms.openai_like import OpenAILike
from llama_index_jina_components import JinaGroundToolSpec, JinaReaderToolSpec, JinaSearchToolSpec
from local_server import loopback_fetcher
from running_service import Served

from jina_components import Document, Embedder, EntailmentScorer, Grounder, Reader, Retriever, Segmenter, WebSearch
from jina_components.core.background import run_sync
from jina_components.errors import ConfigError, InputError, WebError
from jina_components.read_options import ReadOptions
from jina_components.search_options import SearchOptions
from jina_components.testing import FakeEntailmentScorer, FakeSearchProvider, ScriptedChatServer, ScriptedReply
from jina_components.types import Page, SearchResult
from jina_components.web_search import LocalIndex

BRIDGE = "The Holm Bridge over the Ness opened in 1952."
PAGES = [
    Page("https://example.com/bridge", "The Holm Bridge", f"{BRIDGE} It is 3 km long.", published_time="2026-05-01"),
    Page("https://example.com/bread", "Bread", "Bread is made of flour. " * 2000),
]


# LlamaIndex's agents look at all their attributes, and at some that their workflows no longer have.
AGENTS_THEMSELVES_WARN = pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecatedSince20",
    "ignore::pydantic.warnings.PydanticDeprecatedSince211",
    "ignore:is_running called from within a step:DeprecationWarning",
)


@pytest.fixture(scope="module")
def search(bundled_embedder: Embedder) -> WebSearch:
    """It knows two pages."""
    search = WebSearch(LocalIndex(Retriever(bundled_embedder), Segmenter()))
    search.remember(PAGES)
    return search


@pytest.fixture(scope="module")
def grounder(bundled_embedder: Embedder) -> Grounder:
    retriever = Retriever(bundled_embedder)
    retriever.add([Document(page.content[:200], page.url) for page in PAGES])
    return Grounder(retriever, entailment=FakeEntailmentScorer())


@pytest.fixture
def on_a_server(service: Served) -> Iterator[Callable[..., Any]]:
    """Makes a tool spec that asks the service."""
    made: list[Any] = []

    def make(kind: type[Any], **settings: Any) -> Any:
        made.append(kind(base_url=service.url, **settings))
        return made[-1]

    yield make
    for spec in made:
        spec.close()


def test_search(search: WebSearch) -> None:
    [bridge, *_] = JinaSearchToolSpec(search=search).jina_search("When did the Holm Bridge open?")
    assert bridge.text == f"The Holm Bridge\nhttps://example.com/bridge\n\n{BRIDGE} It is 3 km long."
    assert bridge.metadata == {
        "source": "https://example.com/bridge", "title": "The Holm Bridge", "published_time": "2026-05-01",
    }  # fmt: skip
    spec = JinaSearchToolSpec(search=search, options=SearchOptions(count=1))
    assert len(spec.jina_search("bread and a bridge")) == 1


def test_search_says_what_went_wrong() -> None:
    search = WebSearch([FakeSearchProvider(name="broken", error=WebError("No answer.", "https://x.org")), "local"])
    nothing, warning, *_ = JinaSearchToolSpec(search=search).jina_search("bread")
    assert nothing.text == "Nothing was found for 'bread'."
    assert "broken" in warning.text
    failing = JinaSearchToolSpec(search=WebSearch(FakeSearchProvider(error=WebError("No answer.", "https://x.org"))))
    with pytest.raises(WebError, match="No answer"):
        failing.jina_search("bread")
    with pytest.raises(InputError):
        failing.jina_search("")


def test_output_is_bounded(search: WebSearch, start_server: Callable[..., Any]) -> None:
    found = JinaSearchToolSpec(search=search, max_characters=1000).jina_search("flour of bread, and a bridge")
    assert sum(len(document.text) for document in found) <= 1000
    assert any("cut: " in document.text for document in found)
    long = [SearchResult(f"https://example.com/{number}", "long " * 50) for number in range(100)]
    many = JinaSearchToolSpec(
        search=WebSearch(FakeSearchProvider(long)), max_characters=1000, options=SearchOptions(count=100)
    )
    assert sum(len(document.text) for document in many.jina_search("long")) <= 1000
    with pytest.raises(ValueError, match="max_characters"):
        JinaSearchToolSpec(search=search, max_characters=0)


@pytest.fixture
def reader() -> Iterator[Reader]:
    """One that may read the site, with connections that are closed when the test's loop has ended."""
    fetcher = loopback_fetcher()
    with Reader(fetcher=fetcher) as reader:
        yield reader
    run_sync(fetcher.aclose())


async def test_read(service: Served, reader: Reader) -> None:
    url = service.site.url("/bridge")
    spec = JinaReaderToolSpec(reader=reader, options=ReadOptions(format="text"))
    document = spec.jina_read(url)  # inside a running loop, too
    assert document.text.startswith("The Holm Bridge\n\n")
    assert BRIDGE in document.text
    assert (document.metadata["source"], document.doc_id) == (url, url)
    assert (await spec.ajina_read(url)).text == document.text
    short = JinaReaderToolSpec(reader=reader, max_characters=60).jina_read(url)
    assert len(short.text) == 60
    assert short.text.endswith("characters]")


def test_what_cannot_be_read_is_named(service: Served, reader: Reader) -> None:
    with pytest.raises(WebError, match="/gone"):
        JinaReaderToolSpec(reader=reader).jina_read(service.site.url("/gone"))


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "file:///etc/passwd", "etc/passwd", "", "data:text/plain,hello", " http"]
)
def test_models_name_no_files(url: str) -> None:
    with pytest.raises(InputError, match="must begin with http"):
        JinaReaderToolSpec().jina_read(url)


def test_models_reach_no_machine_of_ones_own(service: Served) -> None:
    with pytest.raises(WebError, match="127.0.0.1"):
        JinaReaderToolSpec().jina_read(service.site.url("/bridge"))


async def test_ground(grounder: Grounder) -> None:
    spec = JinaGroundToolSpec(grounder=grounder)
    document = await spec.ajina_ground("The Holm Bridge over the Ness opened in 1952.")
    assert document.text.startswith("supported, factuality ")
    assert f"- For: “{BRIDGE}” (https://example.com/bridge)" in document.text
    assert document.metadata["references"][0]["key_quote"] == BRIDGE
    assert document.metadata["result"] is True
    assert spec.jina_ground("The Holm Bridge over the Ness opened in 1952.").text == document.text
    json.dumps(document.metadata)
    with pytest.raises(InputError):
        spec.jina_ground("")


def test_ground_by_references_without_a_source(bundled_embedder: Embedder) -> None:
    spec = JinaGroundToolSpec()
    document = spec.jina_ground("The Holm Bridge opened in 1952.", [BRIDGE])
    assert document.metadata["verdict"] == "supported"
    with pytest.raises(ConfigError):
        spec.jina_ground("The Holm Bridge opened in 1952.")


def test_on_a_server(on_a_server: Callable[..., Any], service: Served) -> None:
    url = service.site.url("/bridge")
    found = on_a_server(JinaSearchToolSpec).jina_search("When did the Holm Bridge open?")
    assert url in [document.metadata.get("source") for document in found]
    assert BRIDGE in on_a_server(JinaReaderToolSpec).jina_read(url).text
    grounded = on_a_server(JinaGroundToolSpec).jina_ground("The Holm Bridge over the Ness opened in 1952.")
    assert grounded.metadata["references"][0]["url"] == url
    assert "opened in 1952" in grounded.text


def _tools(search: WebSearch, grounder: Grounder) -> list[FunctionTool]:
    specs: list[BaseToolSpec] = [
        JinaSearchToolSpec(search=search), JinaReaderToolSpec(), JinaGroundToolSpec(grounder=grounder),
    ]  # fmt: skip
    return [tool for spec in specs for tool in spec.to_tool_list()]


def test_tools_as_models_see_them(search: WebSearch, grounder: Grounder) -> None:
    tools = _tools(search, grounder)
    schemas = [tool.metadata.to_openai_tool()["function"] for tool in tools]
    assert [schema["name"] for schema in schemas] == ["jina_search", "jina_read", "jina_ground"]
    assert [list(schema["parameters"]["properties"]) for schema in schemas] == [
        ["query"], ["url"], ["statement", "references"],
    ]  # fmt: skip
    assert [schema["parameters"]["required"] for schema in schemas] == [["query"], ["url"], ["statement"]]
    for schema in schemas:
        assert "'" not in schema["description"].partition("\n")[0]  # types, not their names in quotes
        assert "self" not in schema["description"].partition("\n")[0]


async def test_tools_are_called(search: WebSearch, grounder: Grounder) -> None:
    searching, _, grounding = _tools(search, grounder)
    found = await searching.acall(query="the Holm Bridge")
    assert BRIDGE in str(found)
    assert isinstance(found.raw_output[0], LlamaDocument)
    assert str(searching.call(query="the Holm Bridge")) == str(found)
    assert str(grounding.call(statement=BRIDGE)).startswith("supported")


@pytest.fixture
def scripted() -> Iterator[Callable[..., OpenAILike]]:
    """Makes an LLM that calls functions by a script, over a real wire."""
    servers: list[ScriptedChatServer] = []

    def make(*script: Any) -> OpenAILike:
        servers.append(ScriptedChatServer(script).__enter__())
        return OpenAILike(
            "scripted", api_base=servers[-1].base_url, api_key="none", is_chat_model=True,
            is_function_calling_model=True, max_retries=0, timeout=30, reuse_client=False,
        )  # fmt: skip

    make.servers = servers  # type: ignore[attr-defined]
    yield make
    for server in servers:
        server.__exit__(None, None, None)


@AGENTS_THEMSELVES_WARN
async def test_function_agent(scripted: Callable[..., OpenAILike], search: WebSearch, grounder: Grounder) -> None:
    llm = scripted(
        ScriptedReply(tool_calls=(("jina_search", '{"query": "Holm Bridge"}'),), finish_reason="tool_calls"),
        ScriptedReply(tool_calls=(("jina_read", '{"url": "/etc/passwd"}'),), finish_reason="tool_calls"),
        ScriptedReply(tool_calls=(("jina_ground", json.dumps({"statement": BRIDGE})),), finish_reason="tool_calls"),
        "In 1952.",
    )
    agent = AgentWorkflow(agents=[FunctionAgent(tools=_tools(search, grounder), llm=llm, streaming=False)])
    handler = agent.run("When did the Holm Bridge open?")
    outputs = [event.tool_output async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    assert str(await handler) == "In 1952."
    assert [output.is_error for output in outputs] == [False, True, False]
    assert BRIDGE in str(outputs[0])
    assert "must begin with http" in str(outputs[1])
    assert str(outputs[2]).startswith("supported")
    told = scripted.servers[0].requests[1]["messages"][-1]  # type: ignore[attr-defined]
    assert told["role"] == "tool"
    assert "https://example.com/bridge" in json.dumps(told)


@AGENTS_THEMSELVES_WARN
async def test_react_agent(scripted: Callable[..., OpenAILike], search: WebSearch, grounder: Grounder) -> None:
    llm = scripted(
        'Thought: I search.\nAction: jina_search\nAction Input: {"query": "Holm Bridge"}',
        "Thought: I can answer without using any more tools.\nAnswer: In 1952.",
    )
    agent = ReActAgent(tools=_tools(search, grounder), llm=llm, streaming=False)
    assert str(await agent.run("When did the Holm Bridge open?")) == "In 1952."
    assert BRIDGE in json.dumps(scripted.servers[0].requests[1])  # type: ignore[attr-defined]


def test_results_can_be_loaded_and_searched(search: WebSearch) -> None:
    [tool] = JinaSearchToolSpec(search=search).to_tool_list()
    names = [each.metadata.name for each in LoadAndSearchToolSpec.from_defaults(tool).to_tool_list()]
    assert names == ["jina_search", "read_jina_search"]


@pytest.mark.parametrize(
    "spec",
    [
        lambda url: JinaSearchToolSpec(search=WebSearch("local"), options=SearchOptions(count=3), max_characters=99),
        lambda url: JinaSearchToolSpec(base_url=url),
        lambda url: JinaReaderToolSpec(reader=Reader(), options=ReadOptions(links="text")),
        lambda url: JinaReaderToolSpec(base_url=url, timeout=9),
        lambda url: JinaGroundToolSpec(grounder=Grounder(entailment=EntailmentScorer())),
        lambda url: JinaGroundToolSpec(base_url=url),
    ],
)
def test_round_trips(spec: Callable[[str], Any]) -> None:
    made = spec("http://127.0.0.1:1")
    written = made.to_dict()
    again = type(made).from_dict(json.loads(json.dumps(written)))
    assert again.to_dict() == pickle.loads(pickle.dumps(made)).to_dict() == written
    assert getattr(again, "options", None) == getattr(made, "options", None)
    assert written["class_name"] == type(made).__name__


def test_keys_are_never_written() -> None:
    spec = JinaSearchToolSpec(api_key="jina_secret")
    assert "jina_secret" not in f"{spec!r} {spec.to_dict()}"
    assert pickle.loads(pickle.dumps(spec)).remote.api_key == "jina_secret"
    options = SearchOptions(count=3, read_options=ReadOptions(links="text", cookies=("a=secret",)))
    spec = JinaSearchToolSpec(search=WebSearch("local"), options=options)
    assert spec.to_dict()["options"] == {"count": 3, "read_options": {"links": "text"}}


def test_wrong_settings(search: WebSearch) -> None:
    with pytest.raises(ConfigError, match="search=WebSearch"):
        JinaSearchToolSpec()
    with pytest.raises(ConfigError, match="takes either search"):
        JinaSearchToolSpec(search=search, base_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="SupportsSearch"):
        JinaSearchToolSpec(search=Reader())
