"""A chat model asked for JSON, and asked again where what it says will not do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from jina_components.errors import ChatError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.types import Usage, shorten

T = TypeVar("T")

_ATTEMPTS = 3


async def ask_json(
    chat: ChatModel, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any], read: Callable[[Any], T]
) -> tuple[T, Usage]:
    """What `read` makes of the JSON object that a chat model replies with, and the tokens of all attempts.

    Args:
        chat: The model; a `JSONChatModel` is held to the schema while it writes.
        messages: The conversation; it should tell the form of the reply too.
        schema: JSON Schema of the reply.
        read: Checks the object and turns it into what is wanted. The message of its ValueError is put to the model,
            which then gets another attempt, three in all.

    Raises:
        ChatError: the model fails, or its third attempt will not do either.
    """
    asked, usage, complaint = list(messages), Usage(), ""
    for _ in range(_ATTEMPTS):
        reply = await _reply(chat, asked, schema)
        usage += reply.usage
        try:
            return read(_object_in(reply.text)), usage
        except ValueError as error:
            complaint = str(error)
        if reply.finish_reason == "length":
            raise ChatError("The JSON reached the chat model's longest reply before its end: raise its max_tokens.")
        told = f"{complaint} Reply with the JSON object alone."
        asked = [*messages, ChatMessage("assistant", reply.text), ChatMessage("user", told)]
    raise ChatError(f"The chat model gave no such JSON as it was asked for in {_ATTEMPTS} attempts: {complaint}")


async def _reply(chat: ChatModel, messages: Sequence[ChatMessage], schema: Mapping[str, Any]) -> ChatReply:
    if isinstance(chat, JSONChatModel):
        return await chat.achat_json(messages, schema=schema)
    return await chat.achat(messages)


def _object_in(text: str) -> Any:  # noqa: ANN401 (any JSON)
    """The first JSON object of a reply, behind a model's thoughts and within a code fence if it has them.

    Raises:
        ValueError: there is none.
    """
    reply = text.rpartition("</think>")[2]
    begin = reply.find("{")
    if begin < 0:
        raise ValueError(f"This holds no JSON object: {shorten(reply)!r}.")
    try:
        return json.JSONDecoder().raw_decode(reply, begin)[0]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is no valid JSON: {shorten(str(error), 200)}.") from error
