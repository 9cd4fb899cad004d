from __future__ import annotations

import asyncio
import doctest
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.chat import OpenAIChat
from jina_components.core.background import run_sync
from jina_components.deep_search import DeepSearchAgent
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, ReadError, RefusalError, WebError
from jina_components.net.api import ApiClient, ApiStatusError
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.retriever import Retriever
from jina_components.testing import FakeEmbedder, ScriptedChatServer, ScriptedReply, chat_server
from jina_components.types import Usage

HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "Say hello to me."}]}


class Client:
    """Asks without trying again and without reading anything into the answers."""

    def __init__(self, server: ScriptedChatServer, *, timeout: float = 30) -> None:
        self._api = ApiClient(server.base_url, timeout=timeout, retries=0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        run_sync(self._api.aclose())

    def ask(self, **fields: Any) -> dict[str, Any]:
        return run_sync(self._api.post("chat/completions", {**HELLO, **fields}))

    def ask_many(self, bodies: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            return await asyncio.gather(*(self._api.post("chat/completions", body) for body in bodies))

        return run_sync(ask())

    def get(self, path: str) -> dict[str, Any]:
        return run_sync(self._api.get(path))

    def events(self, **fields: Any) -> list[str]:
        async def collect() -> list[str]:
            sent = {**HELLO, "stream": True, **fields}
            return [data async for data in self._api.stream("chat/completions", sent)]

        return run_sync(collect())


def test_completion() -> None:
    with ScriptedChatServer(["Hello!", {"a": ["ä"]}]) as server, Client(server) as client:
        body = client.ask(temperature=0)
        assert body["object"] == "chat.completion"
        assert body["model"] == "scripted"
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ]
        assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
        assert json.loads(client.ask()["choices"][0]["message"]["content"]) == {"a": ["ä"]}
        assert server.requests == [{**HELLO, "temperature": 0}, HELLO]
        assert client.get("models")["data"][0]["id"] == "scripted"
        assert "2 requests" in repr(server)
    assert "not running" in repr(server)


def test_stream() -> None:
    text = "Hello,  my\nfriend! "
    with ScriptedChatServer([text] * 2) as server, Client(server) as client:
        *events, done = client.events(stream_options={"include_usage": True})
        chunks = [json.loads(event) for event in events]
        assert done == "[DONE]"
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]]
        assert "".join(deltas) == text
        assert len(deltas) > 4
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
        assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["completion_tokens"] == 3
        assert not any("usage" in event for event in client.events())


def test_official_client_understands_it() -> None:
    from openai import OpenAI, RateLimitError

    call = ScriptedReply(tool_calls=(("add", '{"a": 1}'),), finish_reason="tool_calls")
    script = [ScriptedReply(status=429), "Hello there!", "Hello there!", call, call]
    with (
        ScriptedChatServer(script) as server,
        OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client,
    ):
        assert [model.id for model in client.models.list()] == ["scripted"]
        ask: Any = {"model": "scripted", "messages": [{"role": "user", "content": "Hello?"}]}
        with pytest.raises(RateLimitError) as raised:
            client.chat.completions.create(**ask)
        assert raised.value.code == "rate_limit_exceeded"
        answer = client.chat.completions.create(**ask)
        assert answer.choices[0].message.content == "Hello there!"
        assert answer.usage is not None
        assert answer.usage.total_tokens == 3
        with client.chat.completions.stream(**ask) as stream:
            assert stream.get_final_completion().choices[0].message.content == "Hello there!"
        called = client.chat.completions.create(**ask).choices[0].message
        assert called.content is None
        assert called.tool_calls is not None
        assert called.tool_calls[0].model_dump()["function"] == {"name": "add", "arguments": '{"a": 1}'}
        with client.chat.completions.stream(**ask) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls or []
        assert [made.function.arguments for made in calls] == ['{"a": 1}']


def test_function_sees_the_request_and_serves_many_at_a_time() -> None:
    together = threading.Barrier(8, timeout=60)

    def script(request: Mapping[str, Any]) -> str:
        together.wait()
        return request["messages"][0]["content"][::-1]

    bodies = [{**HELLO, "messages": [{"role": "user", "content": f"number {n}"}]} for n in range(8)]
    with ScriptedChatServer(script) as server, Client(server) as client:
        answers = [body["choices"][0]["message"]["content"] for body in client.ask_many(bodies)]
    assert answers == [f"{n} rebmun" for n in range(8)]


@pytest.mark.parametrize(
    ("reply", "kind", "says", "status"),
    [
        (ScriptedReply(status=401), ChatError, "Incorrect API key", 401),
        (ScriptedReply(status=500), ChatError, "server had an error", 500),
        (ScriptedReply(status=418, message="No coffee.", code="tea"), ChatError, "No coffee", 418),
        (ScriptedReply(status=502, body="<html>Bad gateway</html>"), ChatError, "Bad gateway", 502),
        (ScriptedReply(status=400, code="context_length_exceeded"), ContextOverflowError, "context length", 400),
        (ScriptedReply(status=400, code="content_filter"), RefusalError, "filtered", 400),
        (ScriptedReply(refusal="I must not."), RefusalError, "I must not.", 0),
        (ScriptedReply(text="I", finish_reason="content_filter"), RefusalError, "content filter", 0),
        (ScriptedReply(tool_calls=(("add", "{}"),)), ChatError, "called a tool", 0),
        (ScriptedReply(broken="error"), ChatError, "server had an error", 0),
        (ScriptedReply(text="Hello there!", broken="within"), ChatError, "", 0),
        (ScriptedReply(broken="before"), ChatError, "", 0),
        (ScriptedReply(body="{oops"), ChatError, "", 0),
        (ScriptedReply(body='{"choices": "none"}'), ChatError, "", 0),
    ],
)
def test_what_goes_wrong_on_the_wire(reply: ScriptedReply, kind: type[ChatError], says: str, status: int) -> None:
    asked = [ChatMessage("user", "Hello?")]
    for streamed in (False, True):
        with ScriptedChatServer([reply] * 3) as server:
            chat = OpenAIChat("scripted", base_url=server.base_url, timeout=30)
            with pytest.raises(ChatError) as raised:
                list(chat.stream(asked)) if streamed else chat.chat(asked)
            chat.close()
        assert type(raised.value) is kind
        assert says in str(raised.value)
        assert raised.value.status_code == status


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (ScriptedReply(text="a b", finish_reason="length"), ChatReply("a b", Usage(1, 2), "length")),
        (ScriptedReply(text="a b", usage="missing"), ChatReply("a b", Usage())),
        (ScriptedReply(text="a b", usage=Usage(10, 999)), ChatReply("a b", Usage(10, 999))),
        (
            ScriptedReply(text="a b", usage={"prompt_tokens": "many", "completion_tokens": -5}),
            ChatReply("a b", Usage()),
        ),
        (ScriptedReply(text="a b", drip=0.001, delay=0.001), ChatReply("a b", Usage(1, 2))),
    ],
)
def test_odd_replies_arrive(reply: ScriptedReply, wanted: ChatReply) -> None:
    asked = [ChatMessage("user", "Hello?")]
    with ScriptedChatServer([reply] * 2) as server:
        chat = OpenAIChat("scripted", base_url=server.base_url, timeout=30)
        assert chat.chat(asked) == wanted
        assert list(chat.stream(asked))[-1] == wanted
        chat.close()


def test_retry_after_is_sent() -> None:
    script = [ScriptedReply(status=429, retry_after=2.5)]
    with ScriptedChatServer(script) as server, Client(server) as client, pytest.raises(ApiStatusError) as raised:
        client.ask()
    assert raised.value.retry_after == 2.5


def test_broken_chunk_comes_in_the_middle_of_a_stream() -> None:
    with ScriptedChatServer([ScriptedReply(text="a b c", body="{oops")]) as server, Client(server) as client:
        events = client.events()
    assert 0 < events.index("{oops") < len(events) - 2


def test_requests_that_the_server_does_not_know() -> None:
    asked_for_json = {"response_format": {"type": "json_schema", "json_schema": {}}}
    with ScriptedChatServer(["one"], response_formats=["json_object"]) as server, Client(server) as client:
        for fields, status, says in [
            (asked_for_json, 400, "'json_schema' is not supported"),
            ({"model": "gpt"}, 404, "'gpt' does not exist; 'scripted' does"),
            ({"messages": "none"}, 400, "must be a JSON object with messages"),
        ]:
            with pytest.raises(ApiStatusError, match=says) as raised:
                client.ask(**fields)
            assert raised.value.status_code == status
        with pytest.raises(ApiStatusError, match="no GET /v1/elsewhere"):
            client.get("elsewhere")
        assert client.ask(response_format={"type": "json_object"})["choices"][0]["message"]["content"] == "one"
        with pytest.raises(ApiStatusError, match="has 1 replies, and is asked for one more"):
            client.ask()


def test_error_of_the_script_is_told_and_raised_at_the_end() -> None:
    def script(request: Mapping[str, Any]) -> str:
        raise LookupError(request["model"])

    with pytest.raises(LookupError, match="scripted"):  # noqa: SIM117, PT012
        with ScriptedChatServer(script) as server, Client(server) as client:
            with pytest.raises(ApiStatusError, match="The script failed: LookupError"):
                client.ask()
    with pytest.raises(ApiStatusError) as raised, ScriptedChatServer(script) as server, Client(server) as client:
        client.ask()
    assert "LookupError('scripted')" in raised.value.__notes__[0]
    with pytest.raises(ConfigError, match="must be str, a mapping or ScriptedReply, got int"):  # noqa: SIM117, PT012
        with ScriptedChatServer([5]) as server, Client(server) as client:  # type: ignore[list-item]
            with pytest.raises(ApiStatusError):
                client.ask()


def test_leaving_ends_everything_at_once() -> None:
    slow = {False: ScriptedReply(delay=600), True: ScriptedReply(text="a b c", drip=600)}
    started = time.monotonic()
    with ScriptedChatServer(lambda request: slow["stream" in request]) as server:
        threads = []
        for stream in (False, True):
            threads.append(threading.Thread(target=_ask_in_vain, args=(server, stream)))
            threads[-1].start()
        while len(server.requests) < 2:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 60
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("scripted")]


def _ask_in_vain(server: ScriptedChatServer, stream: bool) -> None:
    with Client(server) as client, pytest.raises(WebError):
        client.events() if stream else client.ask()


def test_example_of_the_docstring() -> None:
    retriever = Retriever(FakeEmbedder())
    retriever.add(["The moon causes the tides."])
    names = {each.__name__: each for each in (OpenAIChat, ChatMessage, DeepSearchAgent)} | {"retriever": retriever}
    done = doctest.testmod(chat_server, extraglobs=names)
    assert done.attempted
    assert not done.failed


def test_settings() -> None:
    with pytest.raises(ConfigError, match="put it in a list"):
        ScriptedChatServer("Hello!")
    with pytest.raises(ConfigError, match="must not be negative"):
        ScriptedReply(delay=-1)
    with pytest.raises(ConfigError, match="from 200 to 599"):
        ScriptedReply(status=99)
    with pytest.raises(ConfigError, match="within `with"):
        _ = ScriptedChatServer([]).base_url
    with ScriptedChatServer([]) as server, pytest.raises(ConfigError, match="running already"):
        server.__enter__()


def test_record_and_replay(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    script = [
        "first",
        ScriptedReply(text="second", usage=Usage(1, 2), finish_reason="length"),
        ScriptedReply(status=400, code="context_length_exceeded"),
        "third",
        ScriptedReply(body='{"error": "odd \ud83d\ude00"}'),
    ]
    asked = [ChatMessage("user", "Hello?")]

    def converse(base_url: str) -> list[object]:
        chat = OpenAIChat("scripted", base_url=base_url, timeout=30)
        heard: list[object] = [chat.chat(asked), list(chat.stream(asked))]
        for wrong in (asked, [ChatMessage("user", "Other?")], asked):
            try:
                heard.append(chat.chat(wrong))
            except ChatError as error:
                heard.append((type(error), error.status_code))
        chat.close()
        return heard

    with (
        ScriptedChatServer(script) as upstream,
        ScriptedChatServer.record(path, upstream=upstream.base_url, api_key="secret") as server,
    ):
        heard = converse(server.base_url)
    assert heard == [
        ChatReply("first", Usage(1, 1)),
        ["second", ChatReply("second", Usage(1, 2), "length")],
        (ContextOverflowError, 400),
        ChatReply("third", Usage(1, 1)),
        (ChatError, 0),
    ]
    assert len(path.read_text().splitlines()) == 5
    assert "secret" not in path.read_text()
    with ScriptedChatServer.replay(path) as server, Client(server) as client:
        assert converse(server.base_url) == heard
        with pytest.raises(ApiStatusError, match="'Hello\\?' is recorded 4 times and asked for once more") as raised:
            client.ask(messages=[{"role": "user", "content": "Hello?"}], temperature=0.0)
        assert raised.value.status_code == 404
        with pytest.raises(ApiStatusError, match="ends with 'Say hello to me.' is not recorded in .*: record it again"):
            client.ask()


def test_upstream_that_cannot_be_reached_is_not_recorded(tmp_path: Path) -> None:
    with ScriptedChatServer([]) as gone:
        upstream = gone.base_url
    path = tmp_path / "recorded.jsonl"
    with (
        ScriptedChatServer.record(path, upstream=upstream) as server,
        Client(server) as client,
        pytest.raises(ApiStatusError, match="Nothing was recorded"),
    ):
        client.ask()
    assert not path.exists()


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), ("{}\n", "no recording .*line 1")])
def test_file_that_is_no_recording(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "recorded.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReadError, match=says):  # noqa: SIM117, PT012
        with ScriptedChatServer.replay(path) as server, Client(server) as client:
            with pytest.raises(ApiStatusError, match="The script failed"):
                client.ask()


@settings(max_examples=20)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_arrives_as_it_is_also_in_a_stream(asked: str, said: str) -> None:
    with ScriptedChatServer(lambda request: said) as server, Client(server) as client:
        body = client.ask(messages=[{"role": "user", "content": asked}])
        assert server.requests[0]["messages"][0]["content"] == asked
        assert body["choices"][0]["message"]["content"] == said
        chunks = [json.loads(event) for event in client.events()[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == said
