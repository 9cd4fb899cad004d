"""DeepSearch: chat completions of an agent, `/v1/chat/completions`; for the host deepsearch also `/deepsearch/…`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from jina_components.deep_search import DeepSearchAgent
from jina_components.net import SupportsFetch
from jina_components.service.answers import event, json_answer
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import as_problem, problem
from jina_components.service.names import plain_name
from jina_components.service.pictures import check_pictures, pictures
from jina_components.service.routes.chatting import chat
from jina_components.service.streaming import stream
from jina_components.service.wire.deepsearch import (
    CHAT_MODEL,
    MODELS,
    PROVIDERS,
    Completion,
    CompletionAnswer,
    CompletionRequest,
    ModelNotFound,
    content_of,
    extras_of,
    model_not_found,
)
from jina_components.service.wire.thinking import BEGIN, END, deltas, thought
from jina_components.service.wire.turns import conversation
from jina_components.types import Answer, DeepSearchStep, shorten

router = APIRouter(tags=["deepsearch"])

# Share of the time that a request may take, after which the agent answers from what it has.
_IN_TIME = 0.9
_CLOSED = f"{END}\n\n"

_DOCUMENTED = documented("deepsearch", ok=CompletionAnswer)
_DOCUMENTED["responses"][200]["content"] = {"text/event-stream": {}}
_DOCUMENTED["responses"][404] = {"model": ModelNotFound, "description": "No such model."}


@router.post("/v1/chat/completions", summary="Answer a question", **_DOCUMENTED)
@router.post("/deepsearch/v1/chat/completions", summary="Answer a question, for the host deepsearch", **_DOCUMENTED)
async def complete(
    request: Request, asked: CompletionRequest, call: Annotated[Call, Depends(admitted("deepsearch"))]
) -> Response:
    """A question, searched deeply and answered with citations.

    With `stream`, chunks as server-sent events: first what is done (deltas of type `think`), the answer in the last.
    What fails once the search has begun is told in the answer, with status 200, type `error` and finish_reason `error`.
    """
    components: Components = request.app.state.components
    name, known = plain_name(asked.model), _served(components)
    if name not in known:
        call.code = "model_not_found"
        return json_answer(model_not_found(asked.model, known), 404)
    call.model, call.items = name, 1
    if name == CHAT_MODEL and components.chat is not None:
        return await chat(request, asked, await conversation(asked.messages, components.fetcher), components.chat)
    agent = _agent(components, asked)
    seconds = components.settings.limits.long_timeout
    options = asked.options(seconds=seconds and _IN_TIME * seconds)
    if asked.with_images:
        check_pictures()
    messages = await conversation(asked.messages, components.fetcher)
    run = _Run(call, Completion(asked.model), components.fetcher if asked.with_images else None)
    steps = agent.astream(messages, options=options)
    if asked.stream:
        return await stream(run.events(steps))
    return json_answer(await run.whole(steps))


@router.get("/deepsearch/health", summary="Whether the process answers", **documented("deepsearch"))
async def health() -> Response:
    """Whether the process answers."""
    return json_answer({"status": "ok"})


@router.get("/deepsearch/ping", summary="Whether the process answers, in a word", response_class=PlainTextResponse)
async def ping() -> Response:
    """The same, in a word."""
    return PlainTextResponse("pone")


class _Run:
    """One search, told as the wire has it.

    Args:
        call: Gets to know what the search costs, or how it failed.
        completion: Frames the answer.
        fetcher: Looks at images; None where none are asked for.
    """

    def __init__(self, call: Call, completion: Completion, fetcher: SupportsFetch | None) -> None:
        self._call = call
        self._completion = completion
        self._fetcher = fetcher

    async def events(self, steps: AsyncGenerator[DeepSearchStep, None]) -> AsyncGenerator[bytes, None]:
        """Server-sent events. Closing the generator ends the search."""
        chunk = self._completion.chunk
        async with aclosing(steps):
            yield event(chunk({"role": "assistant", **thought(BEGIN)}))
            try:
                async for step in steps:
                    if step.answer is not None:
                        extras = await self._extras(step.answer)
                        await self._call.settle()
                        yield event(chunk(thought(_CLOSED), "thinking_end"))
                        yield event(chunk(content_of(step.answer), "stop", **extras))
                        break
                    for delta in deltas(step):
                        yield event(chunk(delta))
            except Exception as error:  # noqa: BLE001 (told to the client; `as_problem` logs what is our own fault)
                yield event(chunk(thought(_CLOSED), "error"))
                yield event(chunk(self._failed(error), "error"))
        yield event("[DONE]")

    async def whole(self, steps: AsyncGenerator[DeepSearchStep, None]) -> dict[str, Any]:
        """The answer in one piece."""
        whole, said = self._completion.whole, {"role": "assistant"}
        try:
            async with aclosing(steps):
                [answer] = [step.answer async for step in steps if step.answer is not None]
            return whole(said | content_of(answer), "stop", **await self._extras(answer))
        except Exception as error:  # noqa: BLE001 (told to the client; `as_problem` logs what is our own fault)
            return whole(said | self._failed(error), "error")

    async def _extras(self, answer: Answer) -> dict[str, Any]:
        self._call.tokens = answer.usage.total_tokens
        images = None if self._fetcher is None else await pictures(answer.images, self._fetcher)
        return extras_of(answer, images)

    def _failed(self, error: Exception) -> dict[str, Any]:
        told = as_problem(error)
        self._call.code = told.code
        return {"content": f"Error: {told.detail}", "type": "error"}


def _served(components: Components) -> list[str]:
    return [*MODELS, *([CHAT_MODEL] if components.chat else [])]


def _agent(components: Components, asked: CompletionRequest) -> DeepSearchAgent:
    """Who answers.

    Raises:
        Problem: 400; there is no such provider, or nothing that writes JSON.
    """
    if asked.wants_json and components.chat is None:
        raise problem(400, "A response_format of JSON takes a chat model, and this service has none: leave it out.")
    if not asked.search_provider:
        return components.agent
    provider = PROVIDERS.get(asked.search_provider, asked.search_provider)
    if provider not in components.searches:
        known = ", ".join(sorted(components.searches))
        raise problem(400, f"search_provider {shorten(asked.search_provider)!r} is none of this service's: {known}.")
    return components.agent_asking(components.searches[provider])
