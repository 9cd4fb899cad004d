"""RemoteDeepSearch answers: from our own server, and by what Jina's streams."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress

import pytest
from local_server import http

from jina_components import Budget, DeepSearchAgent, DeepSearchOptions, Image, Reranker
from jina_components.errors import ConfigError, InputError, UnknownNameError, WebError
from jina_components.protocols import ChatMessage
from jina_components.remote import Remote, RemoteDeepSearch, RemoteReader, RemoteSearch

QUESTION = "Who designed the Holm Bridge?"


@pytest.fixture
def agent(service):
    with RemoteDeepSearch(Remote(service.url)) as agent:
        yield agent


def test_an_answer_with_its_sources(service, agent):
    answer = agent.run(QUESTION)
    url = service.site.url("/bridge")
    assert answer.answered
    assert answer.text == "Ann Lee, an engineer, designed it.[^1]"
    assert (answer.question, answer.ended) == (QUESTION, "answered")
    [citation] = answer.citations
    assert (citation.quote, citation.source) == ("Ann Lee, an engineer, designed it.", url)
    assert citation.title == "The Holm Bridge"
    assert url in answer.read_urls
    assert url in answer.visited_urls
    assert answer.num_urls >= len(answer.visited_urls)
    assert citation.published_time == ""  # which the page does not say
    assert [(each.start, each.end, each.citations) for each in answer.sentences] == [(0, len(answer.text), (1,))]
    assert asyncio.run(agent.arun(QUESTION)).text == answer.text


def test_watched(agent):
    steps = list(agent.stream(QUESTION))
    assert [step.kind for step in steps].count("done") == 1
    assert steps[-1].answer.citations
    searches = [step for step in steps if step.kind == "search"]
    assert searches[0].queries == (QUESTION,)
    thoughts = [step.text for step in steps if step.kind == "think"]
    assert thoughts
    assert not any(text.startswith("Searching for:") or "think>" in text or "\n" in text for text in thoughts)


def test_what_the_sources_do_not_answer(agent):
    answer = agent.run("Which comet did Wilhelm Tempel discover?")
    assert not answer.answered
    assert answer.citations == ()
    assert answer.ended == "nothing found"


def test_a_conversation_with_a_file(tmp_path, agent):
    path = tmp_path / "ledger.txt"
    path.write_text("The ledger was kept by Maud Finch. She wrote it in 1911.")
    question = ChatMessage("user", "Who kept the ledger?", files=(path,))
    answer = agent.run([ChatMessage("user", "Hello."), ChatMessage("assistant", "Hello!"), question])
    assert "Maud Finch" in answer.text
    assert "ledger.txt" in answer.citations[0].source


def test_an_agent_here_over_a_remote_search_and_reader(service):
    remote = Remote(service.url)
    with RemoteSearch(remote) as search, RemoteReader(remote) as reader:
        answer = DeepSearchAgent(search, reader=reader, reranker=Reranker()).run(QUESTION)
    assert "Ann Lee" in answer.text
    assert answer.citations[0].source == service.site.url("/bridge")


def test_what_the_server_refuses(service, agent):
    remote = Remote(service.url)
    with (
        RemoteDeepSearch(remote, model="no-such-agent") as other,
        pytest.raises(UnknownNameError, match="no-such-agent"),
    ):
        other.run(QUESTION)
    with RemoteDeepSearch(remote, search_provider="altavista") as other, pytest.raises(InputError, match="altavista"):
        other.run(QUESTION)
    with pytest.raises(InputError, match="JSON"):
        agent.run(QUESTION, options=DeepSearchOptions(schema={"type": "object"}))


@pytest.mark.parametrize(
    "question",
    ["", "  ", None, 3, [], ["text"], [ChatMessage("assistant", "Hello.")], [ChatMessage("user", "")],
     [ChatMessage("user", 3)], [ChatMessage("robot", "Hello.")]],
)  # fmt: skip
def test_questions_that_are_none(agent, question):
    with pytest.raises(InputError):
        agent.run(question)


@pytest.mark.parametrize("message", [
    ChatMessage("user", "What is it?", files=("missing.txt",)),
    ChatMessage("user", "What is it?", files=(3,)),
    ChatMessage("user", "What is it?", files=("/",)),
    ChatMessage("user", "What is it?", images=(Image("missing.png"),)),
])  # fmt: skip
def test_files_that_are_none(agent, message):
    with pytest.raises(InputError, match=r"messages\[1\]") as caught:
        agent.run([ChatMessage("system", "Be brief."), message])
    assert caught.value.index == 1


def test_a_file_that_is_too_large(tmp_path, agent):
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(InputError, match="more than 10,000,000 bytes"):
        agent.run([ChatMessage("user", "What is it?", files=(tmp_path / "a.txt",))])


@pytest.mark.parametrize(
    ("options", "name"),
    [(DeepSearchOptions(budget=Budget(seconds=5)), "budget.seconds"),
     (DeepSearchOptions(budget=Budget(steps=5)), "steps"),
     (DeepSearchOptions(unsupported="remove"), "unsupported"), ({"language": "de"}, "DeepSearchOptions")],
)  # fmt: skip
def test_what_a_server_cannot_be_told(agent, options, name):
    with pytest.raises(ConfigError, match=name):
        agent.run(QUESTION, options=options)
    with pytest.raises(ConfigError, match=name):
        RemoteDeepSearch(Remote(), options=options)


def test_every_option_is_sent(server, tmp_path):
    server.routes["/v1/chat/completions"] = [_events(_last("It is so."))]
    png = b"\x89PNG\r\n\x1a\n0000"
    (tmp_path / "a.md").write_text("# A")
    options = DeepSearchOptions(
        reasoning_effort="low", budget=Budget(tokens=9000), max_attempts=3, no_direct_answer=True, language="de",
        search_language="en", boost_hostnames=("a.org",), bad_hostnames=("b.org",), only_hostnames=("c.org",),
        max_citations=5, min_citation_relevance=0.5, max_returned_urls=7, team_size=2, schema={"type": "string"},
    )  # fmt: skip
    message = ChatMessage("user", QUESTION, images=(Image(png),), files=(tmp_path / "a.md", "data:text/plain,hello"))
    with (
        RemoteDeepSearch(Remote(server.url("")), search_provider="arxiv", with_images=True) as agent,
        pytest.raises(WebError, match="no JSON"),
    ):
        agent.run([message], options=options)
    assert json.loads(server.received[0].body) == {
        "model": "jina-deepsearch-v1", "stream": True, "search_provider": "arxiv", "with_images": True,
        "reasoning_effort": "low", "budget_tokens": 9000, "max_attempts": 3, "no_direct_answer": True,
        "language_code": "de", "search_language_code": "en", "boost_hostnames": ["a.org"], "bad_hostnames": ["b.org"],
        "only_hostnames": ["c.org"], "max_annotations": 5, "min_annotation_relevance": 0.5, "max_returned_urls": 7,
        "team_size": 2, "response_format": {"type": "json_schema", "json_schema": {"type": "string"}},
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgowMDAw"}},
            {"type": "file", "data": "data:text/markdown;base64,IyBB", "mimeType": "text/markdown", "filename": "a.md"},
            {"type": "file", "data": "data:text/plain,hello", "mimeType": "text/plain"},
        ]}],
    }  # fmt: skip


CITED = {"type": "url_citation", "url_citation": {
    "title": "Tides", "exactQuote": "The moon pulls.", "url": "https://e.org/", "dateTime": "2024-01-01"}}  # fmt: skip


def test_what_jina_streams(server):
    server.routes["/v1/chat/completions"] = [
        _events(
            _think("<think>", role="assistant"), _think("I should "), _think("look it up. "),
            _think("", query="tides"), _think("", query="moon"), _think("Now I read"), _think(" this.\nAnd"),
            _think("", url="https://e.org/"), _think(" more."), _think("</think>\n\n", finish="thinking_end"),
            {"choices": [{"index": 0, "delta": {"content": "The moon ", "type": "text"}, "finish_reason": None}]},
            _last("does it.[^1]", annotations=[CITED]),
        )
    ]  # fmt: skip
    with RemoteDeepSearch(Remote(server.url(""), api_key="s3cret")) as agent:
        *steps, last = agent.stream(QUESTION)
    assert [(step.kind, step.text) for step in steps] == [
        ("think", "I should look it up."), ("search", "tides"), ("search", "moon"), ("think", "Now I read this."),
        ("think", "And"), ("visit", "https://e.org/"), ("think", "more."),
    ]  # fmt: skip
    assert steps[1].queries == ("tides",)
    assert steps[5].urls == ("https://e.org/",)
    answer = last.answer
    assert (last.kind, answer.text, answer.answered) == ("done", "The moon does it.[^1]", True)
    assert answer.citations[0].quote == "The moon pulls."
    assert answer.citations[0].published_time == "2024-01-01"
    assert (answer.visited_urls, answer.read_urls, answer.num_urls) == (("https://e.org/",), (), 12)
    assert answer.images == ("https://e.org/a.png",)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (169670, 27285)
    assert server.received[0].headers["authorization"] == "Bearer s3cret"


def test_a_greeting_needs_no_sources(server):
    server.routes["/v1/chat/completions"] = [_events(_think("<think>"), _last("Hello!"))]
    with RemoteDeepSearch(Remote(server.url(""))) as agent:
        answer = agent.run("Hi there")
    assert (answer.answered, answer.ended) == (True, "direct")


def test_json(server):
    last = _last('{"year": 1952}')
    last["choices"][0]["delta"]["type"] = "json"
    server.routes["/v1/chat/completions"] = [_events(last)]
    with RemoteDeepSearch(Remote(server.url("")), options=DeepSearchOptions(schema={"type": "object"})) as agent:
        assert agent.run(QUESTION).value == {"year": 1952}


def test_a_server_that_does_not_stream(server):
    message = {"role": "assistant", "content": "<think>Easy.</think>It is so.", "type": "text", "annotations": []}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    server.routes["/v1/chat/completions"] = [http(body=json.dumps(body).encode(), content_type="application/json")]
    with RemoteDeepSearch(Remote(server.url(""))) as agent:
        assert agent.run(QUESTION).text == "It is so."


@pytest.mark.parametrize(
    ("events", "match"),
    [
        ([], "ended before"),
        (["[DONE]"], "ended before"),
        (["<html>"], "no JSON"),
        ([3], "out of form"),
        ([{"choices": 3}], "choices must be a list"),
        ([{"choices": [3]}], r"choices\[0\] must be an object"),
        ([{"choices": [{"delta": "text"}]}], "delta"),
        ([{"choices": [{"delta": {"content": ["text"]}}]}], "content"),
        ([{"error": {"message": "out of order"}}], "out of order"),
        ([{"choices": [{"delta": {"content": "Error: no luck", "type": "error"}, "finish_reason": "error"}]}],
         "could not answer: no luck"),
    ],
)  # fmt: skip
def test_streams_out_of_form(server, events, match):
    server.routes["/v1/chat/completions"] = [_events(*events, done=False)]
    with RemoteDeepSearch(Remote(server.url(""))) as agent, pytest.raises(WebError, match=match):
        agent.run(QUESTION)


def test_ends_out_of_form(server):
    last = _last("So.")
    wrong = [{"visitedURLs": "text"}, {"readURLs": [3]}, {"numURLs": "many"}, {"usage": {"prompt_tokens": []}},
             {"usage": 3}, {"relatedImages": {}}]  # fmt: skip
    annotated = [_last("So.", annotations=[each]) for each in (3, {"url_citation": 3}, {"url_citation": {"url": 3}})]
    with RemoteDeepSearch(Remote(server.url(""))) as agent:
        for each in [*({**last, **fields} for fields in wrong), *annotated]:
            server.routes["/v1/chat/completions"] = [_events(each)]
            with pytest.raises(WebError, match="out of form"):
                agent.run(QUESTION)
        server.routes["/v1/chat/completions"] = [_events(_last("So.", annotations=[{}]))]
        assert agent.run(QUESTION).citations == ()


def test_sentences_are_those_that_marks_follow(server):
    text = (
        "# Tides [^1]\n\nAs Dr. Lee says, the moon pulls. It does so twice a day.[^1][^2] No source says so. "
        "It is loud. [unverified] Über 16 metres! 日本語です。[^2] [^1]\n"
        "- [a](https://e.org/b.c) [^2]\n2. Not known.[^3]\n[^1]"
    )
    server.routes["/v1/chat/completions"] = [_events(_last(text, annotations=[CITED, CITED]))]
    with RemoteDeepSearch(Remote(server.url(""))) as agent:
        answer = agent.run(QUESTION)
    assert [(text[each.start : each.end], each.supported, each.citations) for each in answer.sentences] == [
        ("Tides [^1]", True, (1,)),
        ("It does so twice a day.[^1][^2]", True, (1, 2)),
        ("It is loud. [unverified]", False, ()),
        ("日本語です。[^2] [^1]", True, (2, 1)),
        ("[a](https://e.org/b.c) [^2]", True, (2,)),
    ]


def test_giving_up_closes_the_connection(server):
    begun, gone = threading.Event(), threading.Event()

    async def slow(_request, writer):
        begun.set()
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.write(f"data: {json.dumps(_think('One thought.' + chr(10)))}\n\n".encode())
        with suppress(ConnectionError):
            while True:
                await writer.drain()
                writer.write(b": nothing new\n\n")
                await asyncio.sleep(0.01)
        gone.set()

    async def cancelled(agent):
        task = asyncio.create_task(agent.arun(QUESTION))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await agent.aclose()

    server.routes["/v1/chat/completions"] = slow
    with RemoteDeepSearch(Remote(server.url(""))) as agent:
        steps = agent.stream(QUESTION)
        assert next(steps).text == "One thought."
        steps.close()
        assert gone.wait(30)
        begun.clear()
        gone.clear()
        asyncio.run(cancelled(agent))
        assert gone.wait(30)


def _think(content, finish=None, **more):
    return {"choices": [{"index": 0, "delta": {"content": content, "type": "think", **more}, "finish_reason": finish}]}


def _last(content, annotations=()):
    delta = {"content": content, "type": "text", "annotations": list(annotations)}
    return {
        "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 169670, "completion_tokens": 27285, "total_tokens": 196955},
        "visitedURLs": ["https://e.org/"], "readURLs": [], "numURLs": 12, "relatedImages": ["https://e.org/a.png"],
    }  # fmt: skip


def _events(*events, done=True):
    said = [each if isinstance(each, str) else json.dumps(each) for each in events]
    lines = "".join(f"data: {each}\n\n" for each in [*said, *(["[DONE]"] if done else [])])
    return http(body=lines.encode() or b"\n", content_type="text/event-stream")
