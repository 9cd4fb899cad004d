from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from openai import APIError, APIStatusError, BadRequestError, NotFoundError, OpenAI
from starlette.testclient import TestClient

from jina_components import Document, OpenAIChat, Retriever
from jina_components.service import Components, ServiceSettings
from jina_components.testing import FakeSearchProvider, ScriptedChatServer, ScriptedReply
from jina_components.types import Page, SearchResult

PATH = "/v1/chat/completions"
QUESTION = "How high are the tides in the Bay of Fundy?"
FACT = "The tides in the Bay of Fundy are 16 metres high."
TIDES = "https://example.com/tides"
CORPUS = [
    Document(f"{FACT} Boats lie on the ground twice a day.", metadata={
        "title": "Tides", "source": TIDES, "published_time": "2024-05-06", "start": 0,
    }),
    Document("Huygens landed on Titan in 2005. Titan is the largest moon of Saturn.", "titan"),
    Document("Bread is baked from flour, water and salt.", "bread"),
]  # fmt: skip


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": QUESTION}], **more}


def chunks_of(text: str) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def deltas_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks]


@pytest.fixture(scope="module")
def corpus(bundled_embedder) -> Retriever:
    retriever = Retriever(bundled_embedder)
    retriever.add(CORPUS)
    return retriever


@pytest.fixture(scope="module")
def make_client(make_app: Callable[..., FastAPI], tmp_path_factory) -> Iterator[Callable[..., TestClient]]:
    """Clients of services with these components and settings."""
    with ExitStack() as stack:

        def make(settings: dict[str, Any] | None = None, **parts: Any) -> TestClient:
            made = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=(), **settings or {})
            app = make_app(components=Components(made, **parts))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield make


@pytest.fixture(scope="module")
def of_corpus(make_client, corpus) -> TestClient:
    return make_client(retriever=corpus)


def answered(client: TestClient, path: str = PATH, **more: Any) -> dict[str, Any]:
    response = client.post(path, json=asked(**more))
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("path", [PATH, f"/deepsearch{PATH}"])
@pytest.mark.parametrize("model", ["jina-deepsearch-v1", "jina-deepsearch-v2", "jina-ai/jina-deepsearch-v1"])
def test_an_answer_quotes_its_sources(of_corpus: TestClient, path: str, model: str) -> None:
    body = answered(of_corpus, path, model=model)
    [choice] = body["choices"]
    message = choice["message"]
    assert body["object"] == "chat.completion"
    assert (body["model"], body["system_fingerprint"]) == (model, f"fp_{body['id']}")
    assert abs(int(body["id"]) // 1000 - body["created"]) <= 1
    assert {key: choice[key] for key in ("index", "logprobs", "finish_reason")} == {
        "index": 0, "logprobs": None, "finish_reason": "stop"
    }  # fmt: skip
    assert (message["role"], message["type"], message["content"]) == ("assistant", "text", f"{FACT}[^1]")
    assert message["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"title": "Tides", "exactQuote": FACT, "url": TIDES, "dateTime": "2024-05-06"},
        }
    ]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert body["visitedURLs"][0] == TIDES
    assert TIDES in body["readURLs"]
    assert body["numURLs"] == len(CORPUS)
    assert "relatedImages" not in body


def test_a_question_without_an_answer_says_so(of_corpus: TestClient) -> None:
    body = answered(of_corpus, messages=[{"role": "user", "content": "Who painted the ceiling in Padua?"}])
    [choice] = body["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] == "The sources do not answer this question."
    assert choice["message"]["annotations"] == []


def test_a_source_without_a_date_has_an_empty_one(make_client, bundled_embedder) -> None:
    retriever = Retriever(bundled_embedder)
    retriever.add([Document(FACT, "tides")])
    body = answered(make_client(retriever=retriever))
    [annotation] = body["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"] == {"title": "tides", "exactQuote": FACT, "url": "tides", "dateTime": ""}


@pytest.mark.parametrize(("given", "most"), [(1, 1), ("2", 2), (0, 0), (None, 3)])
def test_visited_urls_are_capped(of_corpus: TestClient, given: object, most: int) -> None:
    body = answered(of_corpus, max_returned_urls=given)
    assert len(body["visitedURLs"]) == most
    assert body["numURLs"] == 3


def test_annotations_are_capped(of_corpus: TestClient) -> None:
    message = answered(of_corpus, max_annotations=0)["choices"][0]["message"]
    assert message["annotations"] == []
    assert "[^" not in message["content"]


def test_bad_hosts_are_not_cited(of_corpus: TestClient) -> None:
    body = answered(of_corpus, bad_hostnames=["example.com"])
    assert TIDES not in body["visitedURLs"] + body["readURLs"]


def test_pages_read_before_are_searched(make_client) -> None:
    client = make_client()
    client.app.state.components.pages.remember([Page(TIDES, "Tides", f"# Tides\n\n{FACT}")])
    body = answered(client)
    [annotation] = body["choices"][0]["message"]["annotations"]
    assert (annotation["url_citation"]["url"], annotation["url_citation"]["exactQuote"]) == (TIDES, FACT)
    assert body["readURLs"] == [TIDES]


def test_files_are_evidence(of_corpus: TestClient) -> None:
    text = "The Bay of Ungava has tides that are 17 metres high."
    content = [
        {"type": "text", "text": "How high are the tides in the Bay of Ungava?"},
        {"type": "file", "file": {"filename": "notes.txt", "file_data": f"data:text/plain,{text}"}},
    ]
    body = answered(of_corpus, messages=[{"role": "user", "content": content}])
    [annotation] = body["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"]["url"] == "notes.txt"
    assert annotation["url_citation"]["exactQuote"] == text


def test_a_provider_can_be_named(make_client) -> None:
    named = [
        FakeSearchProvider([SearchResult(f"https://{name}.example.com/tides", "Tides", FACT)], name=name)
        for name in ("arxiv", "ddgs")
    ]
    client = make_client(providers=named)
    for given, place in (("arxiv", 0), ("duck", 1), (None, 0), ("", 0)):
        before = [len(one.asked) for one in named]
        answered(client, search_provider=given)
        asked_now = [len(one.asked) > was for one, was in zip(named, before, strict=True)]
        assert asked_now == [number == place for number in (0, 1)]


def test_arxiv_is_always_there(of_corpus: TestClient) -> None:
    response = of_corpus.post(PATH, json=asked(search_provider="brave"))
    assert response.status_code == 400
    assert response.json() == {"error": "search_provider 'brave' is none of this service's: arxiv."}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages is empty"),
    ({"messages": [{"role": "assistant", "content": "Hello."}]}, "must be the user's"),
    ({"messages": [{"role": "user", "content": "  "}]}, "no messages"),
    ({"messages": [{"role": "user", "content": "?!"}]}, "no words"),
    ({"only_hostnames": ["a b"]}, "only_hostnames"),
    ({"only_hostnames": ["a.com"], "bad_hostnames": ["a.com"]}, "a.com"),
    ({"response_format": {"type": "json_object"}}, "chat model"),
    ({"response_format": {"type": "json_schema", "json_schema": {"type": "object"}}}, "chat model"),
]
MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "body -> messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "body -> messages -> 0 -> role"),
    ({"messages": [{"role": "user", "content": [{"type": "film"}]}]}, "body -> messages -> 0 -> content -> parts -> 0"),
    ({"messages": [{"role": "user", "content": 7}]}, "body -> messages -> 0 -> content"),
    ({"reasoning_effort": "extreme"}, "body -> reasoning_effort"),
    ({"budget_tokens": 0}, "body -> budget_tokens"),
    ({"budget_tokens": 10**400}, "body -> budget_tokens"),
    ({"max_attempts": "few"}, "body -> max_attempts"),
    ({"max_returned_urls": -1}, "body -> max_returned_urls"),
    ({"max_annotations": 1.5}, "body -> max_annotations"),
    ({"min_annotation_relevance": 2}, "body -> min_annotation_relevance"),
    ({"team_size": 17}, "body -> team_size"),
    ({"language_code": "the English language"}, "body -> language_code"),
    ({"response_format": {"type": "xml"}}, "body -> response_format -> type"),
    ({"boost_hostnames": "example.com"}, "body -> boost_hostnames"),
]


@pytest.mark.parametrize(("change", "told"), WRONG)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrong_is_told_before_anything_is_searched(
    of_corpus: TestClient, change: dict[str, Any], told: str, stream: bool
) -> None:
    response = of_corpus.post(PATH, json=asked(stream=stream) | change)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert told in response.json()["error"]


@pytest.mark.parametrize(("change", "field"), MISFITS)
def test_what_does_not_fit_is_told_with_details(of_corpus: TestClient, change: dict[str, Any], field: str) -> None:
    response = of_corpus.post(f"/deepsearch{PATH}", json=asked() | change)
    assert response.status_code == 400
    body = response.json()
    assert isinstance(body["error"], str)
    assert body["details"][0]["field"].startswith(field)
    assert set(body["details"][0]) == {"field", "message", "type", "input"}


@pytest.mark.parametrize("field", ["model", "search_provider", "language_code"])
def test_halves_of_characters_are_refused(of_corpus: TestClient, field: str) -> None:
    body = json.dumps(asked() | {field: "\ud800"})
    response = of_corpus.post(PATH, content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 404)
    assert response.json()["error"]


def test_halves_of_characters_are_refused_in_questions(of_corpus: TestClient) -> None:
    body = json.dumps(asked(messages=[{"role": "user", "content": "Is it \ud800?"}]))
    response = of_corpus.post(PATH, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]


def test_what_is_no_json_is_told(of_corpus: TestClient) -> None:
    response = of_corpus.post(PATH, content=b'{"model": ', headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)
    assert response.json()["details"]


@pytest.mark.parametrize("model", ["gpt-4o", "jina-vlm", "../../etc/passwd"])
def test_other_models_are_not_found_as_openai_says_it(of_corpus: TestClient, model: str) -> None:
    response = of_corpus.post(PATH, json=asked(model=model))
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["type"], error["param"]) == ("model_not_found", "invalid_request_error", "model")
    assert model in error["message"]


@pytest.mark.parametrize("model", ["jina-deepsearch-v1", "jinaai/jina-deepsearch-v2"])
def test_which_other_models_are_served_does_not_matter(make_client, corpus, model) -> None:
    client = make_client({"only": ("static-minilm-v1",)}, retriever=corpus)
    assert client.post(PATH, json=asked(model=model)).status_code == 200


def test_probes(of_corpus: TestClient) -> None:
    assert of_corpus.get("/deepsearch/health").json() == {"status": "ok"}
    assert of_corpus.get("/deepsearch/ping").text == "pone"


def test_hosts_of_deepsearch_have_the_same(of_corpus: TestClient) -> None:
    host = {"host": "deepsearch.example.com"}
    assert of_corpus.get("/ping", headers=host).text == "pone"
    assert of_corpus.post(PATH, json=asked(), headers=host).json()["choices"][0]["finish_reason"] == "stop"
    assert "error" in of_corpus.post(PATH, json={}, headers=host).json()


# Chunks


def test_chunks_come_in_order(of_corpus: TestClient) -> None:
    response = of_corpus.post(
        PATH, json=asked(stream=True, max_returned_urls=1, stream_options={"include_usage": True})
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = chunks_of(response.text)
    first, *thinking, closing, last = chunks
    common = {key: first[key] for key in ("id", "object", "created", "model", "system_fingerprint")}
    assert common["object"] == "chat.completion.chunk"
    for chunk in chunks:
        assert {key: chunk[key] for key in common} == common
        [choice] = chunk["choices"]
        assert (choice["index"], choice["logprobs"]) == (0, None)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "<think>", "type": "think"}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [
        *[None] * (1 + len(thinking)), "thinking_end", "stop"
    ]  # fmt: skip
    assert closing["choices"][0]["delta"] == {"content": "</think>\n\n", "type": "think"}
    assert {delta["type"] for delta in deltas_of(thinking)} == {"think"}
    assert next(delta["query"] for delta in deltas_of(thinking) if "query" in delta) == QUESTION
    thought = "".join(delta["content"] for delta in deltas_of(thinking))
    assert f"Searching for: {QUESTION}\n" in thought
    assert "<" not in thought
    assert all(set(chunk) == {*common, "choices"} for chunk in chunks[:-1])
    delta = last["choices"][0]["delta"]
    assert (delta["type"], delta["content"]) == ("text", f"{FACT}[^1]")
    assert all(all(annotation["url_citation"].values()) for annotation in delta["annotations"])
    assert last["usage"]["total_tokens"] > 0
    assert len(last["visitedURLs"]) == 1
    assert last["numURLs"] == 3
    assert last["readURLs"]


def test_streamed_and_whole_answers_are_the_same(of_corpus: TestClient) -> None:
    whole = answered(of_corpus)
    last = chunks_of(of_corpus.post(PATH, json=asked(stream=True)).text)[-1]
    assert whole["choices"][0]["message"] == {"role": "assistant", **last["choices"][0]["delta"]}
    for key in ("usage", "visitedURLs", "readURLs", "numURLs"):
        assert whole[key] == last[key]


# With a chat model


@pytest.fixture
def thinking(make_client, corpus) -> Iterator[Callable[..., TestClient]]:
    """A service whose chat model follows a script."""
    with ExitStack() as stack:

        def make(script: Any, **parts: Any) -> TestClient:
            server = stack.enter_context(ScriptedChatServer(script))
            chat = stack.enter_context(OpenAIChat("scripted", base_url=server.base_url))
            return make_client(retriever=corpus, chat=chat, **parts)

        yield make


def mind(request: dict[str, Any]) -> Any:
    """Searches first, then answers; fills whatever form it is given."""
    schema = request["response_format"]["json_schema"]["schema"]
    fields = set(schema.get("properties", ()))
    if "action" in fields:
        found = FACT in json.dumps(request["messages"])
        if not found:
            return {"think": "I need </think> sources.", "action": "search", "queries": [{"text": QUESTION}]}
        return {"think": "I know.", "action": "answer", "answer": FACT}
    replies: dict[str, Any] = {
        "queries": {"queries": []},
        "definitive": dict.fromkeys(("definitive", "freshness", "plurality", "completeness"), False),
        "passed": {"reason": "", "passed": True, "plan": ""},
        "metres": {"metres": 16},
    }
    return next((reply for name, reply in replies.items() if name in fields), {})


SCHEMA = {"type": "object", "properties": {"metres": {"type": "number"}}, "required": ["metres"]}


@pytest.mark.parametrize(
    "schema", [SCHEMA, {"name": "tides", "schema": SCHEMA, "strict": True}], ids=["bare", "wrapped"]
)
def test_answers_follow_a_schema(thinking, schema: dict[str, Any]) -> None:
    client = thinking(mind)
    wanted = {"response_format": {"type": "json_schema", "json_schema": schema}}
    message = answered(client, **wanted)["choices"][0]["message"]
    assert message["type"] == "json"
    assert json.loads(message["content"]) == {"metres": 16}
    last = chunks_of(client.post(PATH, json=asked(stream=True, **wanted)).text)[-1]
    assert last["choices"][0]["delta"]["type"] == "json"
    assert last["choices"][0]["finish_reason"] == "stop"


def test_an_unusable_schema_is_refused(thinking) -> None:
    wrong = {"type": "json_schema", "json_schema": {"type": "spaghetti"}}
    response = thinking(mind).post(PATH, json=asked(response_format=wrong))
    assert response.status_code == 400
    assert "schema" in response.json()["error"]


def test_thoughts_cannot_be_ended_by_what_is_thought(thinking) -> None:
    deltas = deltas_of(chunks_of(thinking(mind).post(PATH, json=asked(stream=True)).text))
    thought = "".join(delta["content"] for delta in deltas[1:-2])
    assert "I need (/think) sources." in thought
    assert deltas[-1]["content"] == f"{FACT}[^1]"


@pytest.fixture
def refused(thinking) -> TestClient:
    return thinking(lambda _: ScriptedReply(status=401, message="No such key."))


def test_a_failure_is_an_answer(refused: TestClient) -> None:
    [choice] = answered(refused)["choices"]
    assert choice["finish_reason"] == "error"
    assert choice["message"]["type"] == "error"
    assert choice["message"]["content"].startswith("Error: ")


def test_a_failure_ends_the_thoughts(refused: TestClient) -> None:
    chunks = chunks_of(refused.post(PATH, json=asked(stream=True)).text)
    assert chunks[0]["choices"][0]["delta"]["content"] == "<think>"
    closing, last = (chunk["choices"][0] for chunk in chunks[-2:])
    assert closing == {
        "index": 0, "delta": {"content": "</think>\n\n", "type": "think"}, "logprobs": None, "finish_reason": "error"
    }  # fmt: skip
    assert last["finish_reason"] == "error"
    assert last["delta"]["type"] == "error"
    assert last["delta"]["content"].startswith("Error: ")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-2])


def test_faults_of_our_own_are_not_shown(make_client, corpus, monkeypatch) -> None:
    client = make_client(retriever=corpus)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("/srv/secret")

    monkeypatch.setattr(client.app.state.components.agent._parts.__class__, "tools", broken)
    [choice] = answered(client)["choices"]
    assert choice["finish_reason"] == "error"
    assert "secret" not in choice["message"]["content"]


# The operator's chat model


@pytest.fixture(scope="module")
def chatting(make_app, start_service, corpus, tmp_path_factory) -> Iterator[tuple[OpenAI, ScriptedChatServer]]:
    """OpenAI's client of a service whose chat model says Hello."""

    def script(request: dict[str, Any]) -> str | ScriptedReply:
        broken = "break" in json.dumps(request["messages"])
        return ScriptedReply(status=400, message="It broke.") if broken else "Hello to you."

    settings = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=())
    with ScriptedChatServer(script) as server, OpenAIChat("scripted", base_url=server.base_url) as chat:
        url = start_service(make_app(components=Components(settings, retriever=corpus, chat=chat)))
        with OpenAI(base_url=f"{url}/v1", api_key="jina_anything", max_retries=0) as client:
            yield client, server


SEEN = [
    {"type": "text", "text": "Who is it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
]


def test_the_chat_model_replies(chatting) -> None:
    client, server = chatting
    reply = client.chat.completions.create(model="jina-vlm", messages=[{"role": "user", "content": SEEN}])
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("Hello to you.", "stop")
    assert reply.usage is not None
    assert reply.usage.total_tokens > 0
    assert [part["type"] for part in server.requests[-1]["messages"][0]["content"]] == ["text", "image_url"]


def test_the_chat_model_streams(chatting) -> None:
    client, _ = chatting
    chunks = list(
        client.chat.completions.create(
            model="jina-vlm", messages=[{"role": "user", "content": "Say hello."}], stream=True
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello to you."
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [*[None] * (len(chunks) - 1), "stop"]
    assert chunks[-1].usage is not None


def test_failures_of_the_chat_model_are_errors(chatting) -> None:
    client, _ = chatting
    broken: Any = {"model": "jina-vlm", "messages": [{"role": "user", "content": "Please break."}]}
    with pytest.raises(APIStatusError):
        client.chat.completions.create(**broken)
    with pytest.raises(APIError):
        list(client.chat.completions.create(**broken, stream=True))


@pytest.mark.parametrize(
    "change",
    [
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": [SEEN[0], {"type": "file", "data": "data:text/plain,x"}]}]},
    ],
)
def test_the_chat_model_does_what_it_can(chatting, change: dict[str, Any]) -> None:
    client, _ = chatting
    with pytest.raises(BadRequestError, match="jina-deepsearch-v1"):
        client.chat.completions.create(**{**asked(model="jina-vlm"), **change})


# OpenAI's client against a real server


@pytest.fixture(scope="module")
def openai(make_app, start_service, corpus, tmp_path_factory) -> Iterator[OpenAI]:
    settings = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=())
    url = start_service(make_app(components=Components(settings, retriever=corpus)))
    with OpenAI(base_url=f"{url}/v1", api_key="jina_anything", max_retries=0) as client:
        yield client


def test_openai_gets_an_answer(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model="jina-deepsearch-v1",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}],
        extra_body={"max_returned_urls": "2", "no_direct_answer": True},
        reasoning_effort="low",
        temperature=0.5,
    )
    assert answer.choices[0].message.content == f"{FACT}[^1]"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.annotations is not None
    assert answer.choices[0].message.annotations[0].url_citation.url == TIDES
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model_extra is not None
    assert len(answer.model_extra["visitedURLs"]) == 2


def test_openai_gets_a_stream(openai: OpenAI) -> None:
    with openai.chat.completions.create(
        model="jina-deepsearch-v1",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith("<think>")
    assert text.endswith(f"</think>\n\n{FACT}[^1]")
    assert [chunk.choices[0].finish_reason for chunk in chunks].count("stop") == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


def test_openai_understands_errors(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError) as missing:
        openai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(BadRequestError, match="messages is empty"):
        openai.chat.completions.create(model="jina-deepsearch-v1", messages=[])
