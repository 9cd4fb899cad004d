from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import LocalServer, http, loopback_fetcher
from pydantic import ValidationError

from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.net import Fetcher
from jina_components.protocols import ChatMessage
from jina_components.service.errors import Problem
from jina_components.service.wire.deepsearch import CompletionRequest
from jina_components.service.wire.thinking import deltas, told
from jina_components.service.wire.turns import Turn, conversation
from jina_components.types import DeepSearchStep

TURNS = [{"role": "user", "content": "What is it?"}]
SCHEMA = {"type": "object", "properties": {"schema": {"type": "string"}}}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n pixels").decode()
PNG = f"data:image/png;base64,{PIXEL}"


def json_by(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def options_of(**fields: Any) -> DeepSearchOptions:
    return CompletionRequest.model_validate({"messages": TURNS, **fields}).options()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"budget_tokens": "20000"}, {"budget": Budget(tokens=20_000)}),
        ({"max_attempts": "3"}, {"max_attempts": 3}),
        ({"max_completion_tokens": 9000}, {"budget": Budget(tokens=9000), "max_attempts": 1}),
        ({"max_completion_tokens": 9000, "budget_tokens": 8000}, {"budget": Budget(tokens=8000), "max_attempts": 1}),
        ({"max_completion_tokens": 9000, "max_attempts": 2}, {"budget": Budget(tokens=9000), "max_attempts": 2}),
        ({"no_direct_answer": True}, {"no_direct_answer": True}),
        ({"max_returned_urls": "50"}, {"max_returned_urls": 50}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"schema": {"type": "object"}}),
        (json_by(SCHEMA), {"schema": SCHEMA}),
        (json_by({"name": "n", "schema": SCHEMA, "strict": True}), {"schema": SCHEMA}),
        (json_by({"schema": SCHEMA}), {"schema": SCHEMA}),
        ({"boost_hostnames": ["a.com"]}, {"boost_hostnames": ("a.com",)}),
        ({"bad_hostnames": ["https://www.a.com"]}, {"bad_hostnames": ("a.com",)}),
        ({"only_hostnames": ["a.com", "b.com"]}, {"only_hostnames": ("a.com", "b.com")}),
        ({"max_annotations": 0}, {"max_citations": 0}),
        ({"min_annotation_relevance": "0.8"}, {"min_citation_relevance": 0.8}),
        ({"language_code": "pt-BR"}, {"language": "pt-BR"}),
        ({"search_language_code": "de"}, {"search_language": "de"}),
        ({"team_size": "4"}, {"team_size": 4}),
        ({"with_images": True, "search_provider": "arxiv", "stream": True, "temperature": 0.3}, {}),
    ],
)  # fmt: skip
def test_fields_are_options(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options_of(**fields) == DeepSearchOptions(**expected)


def test_null_is_as_good_as_left_out() -> None:
    nulls = dict.fromkeys(CompletionRequest.model_fields.keys() - {"messages", "model"})
    assert options_of(**nulls) == DeepSearchOptions()


def test_time_is_limited() -> None:
    request = CompletionRequest.model_validate({"messages": TURNS})
    assert request.options(seconds=60).budget == Budget(seconds=60)


def messages_of(*turns: dict[str, Any], fetcher: Fetcher | None = None) -> list[ChatMessage]:
    async def read() -> list[ChatMessage]:
        async with fetcher or loopback_fetcher() as opened:
            return await conversation([Turn.model_validate(turn) for turn in turns], opened)

    return asyncio.run(read())


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def test_turns_are_messages() -> None:
    assert messages_of(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "Yes."},
        user({"type": "text", "text": "Who?"}, {"type": "text", "text": "Where?"}),
    ) == [
        ChatMessage("system", "Be brief."),
        ChatMessage("assistant", "Yes."),
        ChatMessage("user", "Who?\n\nWhere?"),
    ]


@pytest.mark.parametrize(
    ("part", "uri"),
    [
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}, PNG),
        ({"type": "image_url", "image_url": PNG}, PNG),
        ({"type": "image", "image": PNG, "mimeType": "image/png"}, PNG),
        ({"type": "image", "image": PIXEL, "mimeType": "image/png"}, PNG),
        ({"type": "file", "data": "data:text/plain,hello", "mimeType": "text/plain"}, "data:text/plain,hello"),
        ({"type": "file", "data": "aGVsbG8gbm93", "mediaType": "text/plain"}, "data:text/plain;base64,aGVsbG8gbm93"),
        (
            {"type": "file", "file": {"filename": "a b.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            "data:application/pdf;name=a%20b.pdf;base64,AAAA",
        ),
        (
            {"type": "file", "data": "data:text/plain;name=mine.txt,x", "filename": "other.txt"},
            "data:text/plain;name=mine.txt,x",
        ),
    ],
)  # fmt: skip
def test_parts_send_files(part: dict[str, Any], uri: str) -> None:
    [message] = messages_of(user({"type": "text", "text": "What is it?"}, part))
    assert (message.content, message.files, message.images) == ("What is it?", (uri,), ())


@given(
    st.sampled_from(["image_url", "image", "file", "text"]),
    st.dictionaries(
        st.sampled_from(
            ["text", "image_url", "image", "file", "data", "filename", "mimeType", "sent", "_sent", "files"]
        ),
        st.sampled_from([
            "/etc/passwd", "file:///etc/passwd", "passwd", "C:\\secret", "~/.ssh/id_rsa", "\\\\host\\share",
            "text/plain", {"file_data": "/etc/passwd"}, {"url": "/etc/passwd"}, {"url": "ftp://example.com/x"},
        ]),
    ),
)  # fmt: skip
def test_nothing_is_taken_for_a_path(kind: str, fields: dict[str, Any]) -> None:
    try:
        turn = Turn.model_validate(user({"type": "text", "text": "What?"}, {**fields, "type": kind}))
    except ValidationError:
        return
    assert all(uri.startswith(("data:", "http://", "https://")) for uri in turn.sent)


@pytest.mark.parametrize("data", ["/etc/passwd", "https://example.com/a.pdf", "", "data"])
def test_files_are_data(data: str) -> None:
    with pytest.raises(ValidationError, match="data: URIs"):
        Turn.model_validate(user({"type": "file", "data": data}))


def test_images_behind_urls_are_fetched(server: LocalServer) -> None:
    server.routes["/a.png"] = [http(body=base64.b64decode(PIXEL), content_type="image/png; charset=binary")]
    part = {"type": "image_url", "image_url": {"url": server.url("/a.png")}}
    [message] = messages_of(user({"type": "text", "text": "What is it?"}, part))
    assert message.files == (PNG,)


@pytest.mark.parametrize(
    ("path", "told"), [("/none.png", "cannot be fetched"), ("/page", "is no image, but text/html")]
)
def test_images_that_are_none_are_refused(server: LocalServer, path: str, told: str) -> None:
    server.routes["/page"] = [http(body=b"<p>Hello", content_type="text/html")]
    part = {"type": "image", "image": server.url(path)}
    with pytest.raises(Problem, match=rf"messages\[0\].*{told}") as refused:
        messages_of(user({"type": "text", "text": "What is it?"}, part))
    assert refused.value.status == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]"])
def test_images_of_the_inside_are_refused(server: LocalServer, host: str) -> None:
    part = {"type": "image_url", "image_url": {"url": f"http://{host}:{server.port}/a.png"}}
    with pytest.raises(Problem) as refused:
        messages_of(user({"type": "text", "text": "What is it?"}, part), fetcher=Fetcher())
    assert refused.value.status == 400
    assert "refused" in refused.value.detail
    assert server.received == []


def test_images_behind_urls_are_few(server: LocalServer) -> None:
    parts = [{"type": "image_url", "image_url": server.url(f"/{number}")} for number in range(21)]
    with pytest.raises(Problem, match="21 images"):
        messages_of(user({"type": "text", "text": "What?"}, *parts))
    assert server.received == []


# Thoughts


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (DeepSearchStep("think", "I wonder."), "I wonder.\n"),
        (DeepSearchStep("search", "rain; snow", queries=("rain", "snow")), "Searching for: rain; snow\n"),
        (DeepSearchStep("visit", "https://a.com", urls=("https://a.com",)), "Reading: https://a.com\n"),
        (DeepSearchStep("found", "passages: 2, sources: 1"), "Found passages: 2, sources: 1.\n"),
        (DeepSearchStep("think", "So { } it </think> is <THINK>."), "So { } it (/think) is (THINK).\n"),
        (DeepSearchStep("think", "I wonder.", member="2"), "[2] I wonder.\n"),
    ],
)  # fmt: skip
def test_steps_are_told_in_sentences(step: DeepSearchStep, text: str) -> None:
    assert told(step) == text
    pieces = [delta["content"] for delta in deltas(step)]
    assert "".join(pieces) == text
    assert all(len(piece.split()) <= 4 for piece in pieces)
    assert all(delta["type"] == "think" for delta in deltas(step))


def test_queries_and_pages_are_told_by_themselves() -> None:
    search = DeepSearchStep("search", "rain; snow", queries=("rain", "snow"))
    assert [delta["query"] for delta in deltas(search) if "query" in delta] == ["rain", "snow"]
    visit = DeepSearchStep("visit", "both", urls=("https://a.com", "notes.md"))
    assert [delta["url"] for delta in deltas(visit) if "url" in delta] == ["https://a.com"]
    read = DeepSearchStep("read", "passages: 1", urls=("https://a.com",))
    assert not any("url" in delta for delta in deltas(read))


@given(st.text(), st.sampled_from(["", "1"]))
def test_thoughts_keep_their_words(text: str, member: str) -> None:
    step = DeepSearchStep("think", text, member=member)
    assert "".join(delta["content"] for delta in deltas(step)) == told(step)
