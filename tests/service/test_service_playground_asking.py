"""What tabs are told of the service: answers, events as they come, and refusals in its words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from fastapi import FastAPI

from jina_components.service.playground.asking import Refused, Service
from jina_components.service.playground.code import Asked

INSIDE = {"url": "http://10.0.0.1/"}


@pytest.fixture(scope="module")
def ask(make_app: Callable[..., FastAPI]) -> Callable[..., Any]:
    """Runs a function of `Service`, of a key, in an application that runs."""
    app = make_app()

    def run(work: Callable[[Callable[[str], Service]], Awaitable[Any]]) -> Any:
        async def running() -> Any:
            async with app.router.lifespan_context(app):
                return await work(lambda key: Service(app, "127.0.0.1", key))

        return asyncio.run(running())

    return run


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (Asked("/v1/embeddings", {"model": "no-such", "input": ["a"]}), 400, "Model 'no-such' is not known here"),
        (Asked("/v1/embeddings", {"model": "static-minilm-v1"}), 422, "Validation error(s): body -> input: Field"),
        (Asked("/r/", INSIDE, headers={"Accept": "application/json"}), 451, "SecurityCompromiseError"),
        (Asked("/r/", INSIDE), 451, "SecurityCompromiseError"),
        (Asked("/r/", INSIDE, streamed=True), 451, "SecurityCompromiseError"),
        (Asked("/v1/chat/completions", {"messages": []}), 400, ""),
        (Asked("/v2/rerank", {"model": "no-such", "query": "a", "documents": ["b"]}), 400, "Model 'no-such'"),
    ],
)  # fmt: skip
def test_refusals_are_told_in_the_words_of_the_service(ask: Callable[..., Any], asked: Asked, status: int, said: str):
    async def refused(service: Callable[[str], Service]) -> Refused:
        work = service("").ask(asked) if not asked.streamed else anext(service("").stream(asked))
        with pytest.raises(Refused) as caught:
            await work
        return caught.value

    refusal = ask(refused)
    assert refusal.status == status
    assert refusal.message.startswith(said)
    assert "{" not in refusal.message
    assert len(refusal.request_id) == 32


def test_events_come_one_by_one_to_their_end(ask: Callable[..., Any]):
    body = {
        "messages": [{"role": "user", "content": "What is 12 times 34?"}],
        "reasoning_effort": "low",
        "stream": True,
    }

    async def events(service: Callable[[str], Service]) -> list[Any]:
        asked = Asked("/v1/chat/completions", {"model": "jina-deepsearch-v1", **body}, streamed=True)
        async with aclosing(service("").stream(asked)) as stream:
            return [event.data async for event in stream]

    found = ask(events)
    assert {each["object"] for each in found} == {"chat.completion.chunk"}
    assert "</think>" in "".join(each["choices"][0]["delta"].get("content") or "" for each in found)
    assert found[-1]["choices"][0]["finish_reason"] == "stop"


def test_what_is_made_with_a_key_is_seen_with_it_alone(ask: Callable[..., Any]):
    examples = [{"text": "tea", "label": "drink"}, {"text": "rice", "label": "food"}]
    training = Asked("/v1/train", {"model": "static-minilm-v1", "input": examples})

    async def seen(service: Callable[[str], Service]) -> list[int]:
        learned = (await service(" jina_one ").ask(training)).content["classifier_id"]
        listed = [
            await service(key).ask(Asked("/v1/classifiers", method="GET")) for key in ("jina_one", "jina_two", "")
        ]
        return [sum(each["classifier_id"] == learned for each in answer.content) for answer in listed]

    assert ask(seen) == [1, 0, 0]
