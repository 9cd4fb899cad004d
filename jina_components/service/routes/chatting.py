"""Chat completions of the operator's own chat model, under the name that Jina's API has for one: `jina-vlm`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol, runtime_checkable

from starlette.requests import Request
from starlette.responses import Response

from jina_components.deep_search.conversation import read_conversation
from jina_components.protocols import ChatMessage, ChatModel, ChatReply
from jina_components.service.answers import event, json_answer
from jina_components.service.calls import Call, call_of
from jina_components.service.errors import as_problem, problem
from jina_components.service.streaming import stream
from jina_components.service.wire.deepsearch import CHAT_MODEL, Completion, CompletionRequest, openai_error, usage_of


@runtime_checkable
class _Streams(Protocol):
    """A chat model that gives its reply piece by piece, and last the whole of it."""

    def astream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | ChatReply, None]:
        """The pieces."""
        ...


async def chat(request: Request, asked: CompletionRequest, messages: list[ChatMessage], model: ChatModel) -> Response:
    """The model's reply to a conversation with images; how it samples is the operator's choice.

    Raises:
        Problem: 400; the request is for more than a chat model does.
        InputError: the conversation is none.
        ChatError: the model failed; of a stream, its last event tells so.
    """
    call, completion = call_of(request), Completion(asked.model)
    said = read_conversation(messages)
    if said.files or asked.wants_json:
        raise problem(400, f"{CHAT_MODEL} takes texts and images, and writes text: ask jina-deepsearch-v1 for more.")
    if asked.stream:
        return await stream(_events(call, completion, _pieces(model, said.messages)))
    reply = await model.achat(said.messages)
    return json_answer(completion.whole({"role": "assistant", "content": reply.text}, **_ended(call, reply)))


async def _events(
    call: Call, completion: Completion, pieces: AsyncGenerator[str | ChatReply, None]
) -> AsyncGenerator[bytes, None]:
    """The reply as chunks; a failure as the event that OpenAI's clients raise."""
    async with aclosing(pieces):
        yield event(completion.chunk({"role": "assistant", "content": ""}))
        try:
            async for piece in pieces:
                if isinstance(piece, str):
                    yield event(completion.chunk({"content": piece}))
                else:
                    ended = _ended(call, piece)
                    await call.settle()
                    yield event(completion.chunk({}, **ended))
        except Exception as error:  # noqa: BLE001 (told to the client; `as_problem` logs what is our own fault)
            told = as_problem(error)
            call.code = told.code
            yield event(openai_error(told.detail, "server_error", code=told.code))
    yield event("[DONE]")


async def _pieces(model: ChatModel, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | ChatReply, None]:
    """The reply piece by piece, or in one piece where the model has no others; last the whole of it."""
    if isinstance(model, _Streams):
        async with aclosing(model.astream(messages)) as pieces:
            async for piece in pieces:
                yield piece
        return
    reply = await model.achat(messages)
    yield reply.text
    yield reply


def _ended(call: Call, reply: ChatReply) -> dict[str, Any]:
    call.tokens = reply.usage.total_tokens
    return {"finish_reason": "stop" if reply.finish_reason == "stop" else "length", "usage": usage_of(reply.usage)}
