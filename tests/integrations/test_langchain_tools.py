from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_jina_components import JinaGround, JinaReader, JinaSearch, JinaSearchAPIWrapper
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from pydantic import SecretStr, ValidationError
from running_service import Served

from jina_components import EntailmentScorer, Grounder, Reader, WebSearch
from jina_components.core.background import run_sync
from jina_components.errors import BlockedURLError, ConfigError
from jina_components.net import Fetcher, URLGuard
from jina_components.search_options import SearchOptions
from jina_components.types import Grounding, Page, SearchResults

TIDES = Page("https://example.com/tides", "Tides", "The tides of the Bay of Fundy reach 16 metres, größer als alle.")
BREAD = Page("https://example.com/bread", "Bread", "Bread is made of flour, water and salt. " * 2000)
KEY = "jina_secret"

Made = Callable[..., Any]


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes what is closed at the end."""
    with ExitStack() as closing:

        def make(kind: type[Any], **settings: Any) -> Any:
            one = kind(**settings)
            closing.callback(one.close)
            return one

        yield make


@pytest.fixture(scope="module")
def search() -> WebSearch:
    search = WebSearch(timeout=120)  # the first query loads models
    search.remember([TIDES, BREAD])
    search.search("tides", options=SearchOptions(deadline=120))
    return search


@pytest.fixture
def reader() -> Iterator[Reader]:
    """One that may read the site."""
    fetcher = Fetcher(guard=URLGuard(allow_networks=["127.0.0.0/8"]))
    yield Reader(fetcher=fetcher)
    run_sync(fetcher.aclose())


class OfServer:
    """A tool on a server."""

    kind: ClassVar[type[BaseTool]]
    example: ClassVar[dict[str, Any]]

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return self.kind

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"jina_api_key": KEY}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.example


class Asked(OfServer):
    """The same on a server of ours."""

    url = ""

    @pytest.fixture
    def tool(self, made: Made) -> BaseTool:
        tool: BaseTool = made(self.kind, **self.tool_constructor_params)
        return tool

    @pytest.fixture(autouse=True)
    def _find(self, service: Served) -> None:
        self.url = service.url
        self.site = service.site

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"base_url": self.url}


class TestSearchUnit(OfServer, ToolsUnitTests):
    kind = JinaSearch
    example: ClassVar = {"query": "tides"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"JINA_API_KEY": KEY}, {}, {"jina_api_key": KEY}


class TestSearchAsked(Asked, ToolsIntegrationTests):
    kind = JinaSearch
    example: ClassVar = {"query": "tides"}


class TestReaderUnit(OfServer, ToolsUnitTests):
    kind = JinaReader
    example: ClassVar = {"url": "https://example.com"}


class TestReaderAsked(Asked, ToolsIntegrationTests):
    kind = JinaReader

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"url": self.site.url("/bridge")}


class TestGroundUnit(OfServer, ToolsUnitTests):
    kind = JinaGround
    example: ClassVar = {"statement": "The Holm Bridge opened in 1952."}


class TestGroundAsked(Asked, ToolsIntegrationTests):
    kind = JinaGround
    example: ClassVar = {"statement": "The Holm Bridge opened in 1952."}


def _called(tool: BaseTool, **arguments: Any) -> ToolMessage:
    message = tool.invoke({"type": "tool_call", "name": tool.name, "id": "1", "args": arguments})
    assert isinstance(message, ToolMessage)
    return message


def test_search(search: WebSearch) -> None:
    message = _called(JinaSearch(search=search, options=SearchOptions(count=1)), query="Bay of Fundy")
    assert json.loads(message.content) == [
        {
            "title": "Tides",
            "link": "https://example.com/tides",
            "snippet": message.artifact[0].description,
            "content": TIDES.content,
        }
    ]
    assert "größer" in message.content
    assert isinstance(message.artifact, SearchResults)


def test_what_a_model_gets_is_cut_and_what_a_program_gets_is_not(search: WebSearch) -> None:
    tool = JinaSearch(search=search, max_characters=1000)
    message = _called(tool, query="flour and tides")
    contents = {hit["title"]: hit["content"] for hit in json.loads(message.content)}
    assert contents["Tides"] == TIDES.content
    assert contents["Bread"].startswith(BREAD.content[:500] + "…\n[")
    assert len(message.content) < 2000
    assert {hit.content for hit in message.artifact} == {TIDES.content, BREAD.content}
    assert len(JinaSearch(search=search, max_characters=None).invoke("flour")) > len(BREAD.content)


def test_nothing_found(search: WebSearch) -> None:
    assert JinaSearch(search=WebSearch()).invoke("tides") == "[]"


def test_a_reader_here(reader: Reader, service: Served) -> None:
    message = _called(JinaReader(reader=reader), url=service.site.url("/bridge"))
    assert message.content.startswith(f"Title: The Holm Bridge\nURL: {service.site.url('/bridge')}\n\nThe Holm Bridge")
    assert isinstance(message.artifact, Page)
    assert (
        JinaReader(reader=reader, max_characters=20)
        .invoke(service.site.url("/bridge"))
        .startswith("Title: The Holm Brid…\n[")
    )


def test_a_model_reads_no_files_and_nothing_within(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("secret")
    tool = made(JinaReader, handle_tool_error=True)
    for source in (str(file), file.as_uri(), "javascript:1", ""):
        with pytest.raises(ValidationError, match="url"):
            tool.invoke({"url": source})
    assert "is refused" in tool.invoke("http://127.0.0.1:1/")
    assert "is refused" in tool.invoke("http://169.254.169.254/latest/meta-data")


def test_a_grounder_here() -> None:
    reference = "The Holm Bridge over the Ness opened in 1952."
    message = _called(JinaGround(), statement="The Holm Bridge opened in 1952.", references=[reference])
    assert message.content.startswith("supported (factuality 0.9")
    assert f"- for: “{reference}” (references[0])" in message.content
    assert isinstance(message.artifact, Grounding)
    refuted = _called(JinaGround(), statement="The Holm Bridge opened in 1950.", references=[reference])
    assert refuted.content.startswith("refuted")
    assert "- against: “" in refuted.content


def test_references_are_no_files(tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("The password is swordfish.")
    tool = JinaGround(grounder=Grounder(entailment=EntailmentScorer(), reader=Reader()))
    message = _called(tool, statement="The password is swordfish.", references=[f"See {file}."])
    assert message.artifact.verdict == "not enough evidence"


async def test_async_twins(search: WebSearch, service: Served, made: Made) -> None:
    for tool, given in (
        (JinaSearch(search=search), {"query": "tides"}),
        (made(JinaReader, base_url=service.url), {"url": service.site.url("/tides")}),
        (made(JinaGround, base_url=service.url), {"statement": "The Holm Bridge opened in 1952."}),
    ):
        assert await tool.ainvoke(given) == tool.invoke(given)


class Slow:
    """A search that never ends, and knows when it was cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise AssertionError


async def test_cancelling() -> None:
    slow = Slow()
    task = asyncio.create_task(JinaSearch(search=slow).ainvoke("tides"))
    await slow.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.cancelled


def test_errors_are_told_a_model_where_one_wishes(service: Served, made: Made) -> None:
    gone = service.site.url("/gone")
    with pytest.raises(ToolException, match="gone") as raised:
        made(JinaReader, base_url=service.url).invoke(gone)
    assert raised.value.__cause__ is not None
    message = _called(made(JinaReader, base_url=service.url, handle_tool_error=True), url=gone)
    assert message.status == "error"
    assert "gone" in message.content
    with pytest.raises(ToolException) as refused:
        made(JinaReader).invoke("http://127.0.0.1/")
    assert isinstance(refused.value.__cause__, BlockedURLError)


def test_other_errors_are_errors() -> None:
    class Broken:
        async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        JinaSearch(search=Broken(), handle_tool_error=True).invoke("tides")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "nothing to search with"),
        ({"search": Slow, "base_url": "http://localhost:1"}, "takes either search or settings"),
        ({"search": 3}, "SupportsSearch"),
        ({"search": Slow(), "max_characters": 0}, "greater than 0"),
        ({"search": Slow(), "maximum": 0}, "Extra inputs"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match=told):
        JinaSearch(**settings)


class Watching(BaseCallbackHandler):
    """What it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_tool_start(self, serialized: Any, input_str: str, **_: Any) -> None:
        self.told.append((serialized["name"], input_str))

    def on_tool_end(self, output: Any, **_: Any) -> None:
        self.told.append(type(output))


def test_callbacks(search: WebSearch) -> None:
    watching = Watching()
    JinaSearch(search=search).invoke("tides", {"callbacks": [watching]})
    assert watching.told == [("jina_search", "tides"), str]


class Calling(GenericFakeChatModel):
    """A chat model that calls the tools as it is told."""

    bound: list[Any] = []  # noqa: RUF012 (a field)

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.bound = [convert_to_openai_tool(tool, strict=True) for tool in tools]
        return self


def test_in_an_agent(search: WebSearch, service: Served, made: Made) -> None:
    tools = {
        tool.name: tool
        for tool in (
            JinaSearch(search=search),
            made(JinaReader, base_url=service.url, handle_tool_error=True),
            made(JinaGround, base_url=service.url),
        )
    }
    plan: list[tuple[str, dict[str, Any]]] = [
        ("jina_search", {"query": "tides"}),
        ("jina_reader", {"url": service.site.url("/gone")}),
        ("jina_ground", {"statement": "The Holm Bridge opened in 1952.", "references": None}),
    ]
    calls = [
        AIMessage("", tool_calls=[{"name": name, "args": given, "id": name, "type": "tool_call"}])
        for name, given in plan
    ]
    chat = Calling(messages=iter([*calls, AIMessage("16 metres.")]))
    model = chat.bind_tools(list(tools.values()))
    messages: list[AnyMessage] = [HumanMessage("How high are the tides?")]
    while not isinstance(messages[-1], AIMessage) or messages[-1].tool_calls:
        messages.append(model.invoke(messages))
        messages += [tools[call["name"]].invoke(call) for call in messages[-1].tool_calls]
    assert messages[-1].content == "16 metres."
    assert [message.status for message in messages if isinstance(message, ToolMessage)] == [
        "success",
        "error",
        "success",
    ]
    assert [form["function"]["name"] for form in chat.bound] == list(tools)
    assert chat.bound[0]["function"]["parameters"]["properties"]["query"]["type"] == "string"
    assert chat.bound[1]["function"]["parameters"]["required"] == ["url"]


def test_as_the_predecessor_was_used(service: Served, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = made(JinaSearchAPIWrapper, api_key=SecretStr("none"), base_url=f"{service.url}/s/")
    for tool in (JinaSearch(search_wrapper=wrapper), made(JinaSearch, base_url=service.url)):
        hits = json.loads(tool.invoke({"query": "When did the Holm Bridge open?"}))
        assert list(hits[0]) == ["title", "link", "snippet", "content"]
        assert hits[0]["link"] == service.site.url("/bridge")
        assert "1952" in hits[0]["content"]
        assert tool.name == "jina_search"
    assert JinaSearch(search_wrapper=wrapper).search_wrapper is wrapper
    assert json.loads(wrapper.run("tides"))[0]["title"] == "Tides"
    [first, *_] = wrapper.download_documents("When did the Holm Bridge open?")
    assert "1952" in first.page_content
    assert list(first.metadata) == ["title", "link", "description"]
    monkeypatch.setenv("JINA_API_KEY", KEY)
    assert JinaSearch().jina_api_key.get_secret_value() == KEY
    assert JinaSearchAPIWrapper().base_url == "https://s.jina.ai/"
    assert JinaSearchAPIWrapper(api_key=KEY).api_key == SecretStr(KEY)
    monkeypatch.delenv("JINA_API_KEY")
    with pytest.raises(ValueError, match="JINA_API_KEY"):
        JinaSearchAPIWrapper()


def test_no_key_is_shown_or_written() -> None:
    for tool in (JinaSearch(jina_api_key=KEY), JinaReader(jina_api_key=KEY), JinaGround(jina_api_key=KEY)):
        assert KEY not in f"{tool!r} {tool} {dumps(tool)} {tool.model_dump_json(include={'jina_api_key'})}"
        assert pickle.loads(pickle.dumps(tool)).jina_api_key.get_secret_value() == KEY
    with pytest.raises(ValidationError) as raised:
        JinaSearch(jina_api_key=KEY, max_characters=KEY)
    assert KEY not in str(raised.value)
