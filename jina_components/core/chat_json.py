"""JSON asked of a chat model: found in what it writes, and asked for again where that will not do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from jina_components.errors import ChatError, InputError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.types import Usage, shorten

T = TypeVar("T")

_ATTEMPTS = 3
_FENCED = re.compile(r"\A```(markdown|md|html|json|)[^\S\n]*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)
_BEGIN = re.compile(r"[{\[]")


async def ask_json(
    chat: ChatModel, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any] | None, read: Callable[[str], T]
) -> tuple[T, Usage]:
    """What `read` makes of the JSON that a chat model replies with, and the tokens of all attempts.

    Args:
        chat: The model; a `JSONChatModel` is held to the schema while it writes.
        messages: The conversation; it should tell the form of the reply too.
        schema: JSON Schema of the reply; None for any JSON.
        read: Turns the reply into what is wanted, by `parse_json` or `parse_object`. The message of its ValueError is
            put to the model, which then gets another attempt, three in all; its InputError is the caller's, and raised.

    Raises:
        ChatError: the model fails, or its third attempt will not do either.
    """
    asked, usage, complaint = list(messages), Usage(), ""
    for _ in range(_ATTEMPTS):
        reply = await answer(chat, asked, schema)
        usage += reply.usage
        try:
            return read(reply.text), usage
        except InputError:
            raise
        except ValueError as error:
            complaint = str(error)
        if reply.finish_reason == "length":
            raise ChatError(
                "The JSON reached the chat model's longest reply before its end: raise its max_tokens, or ask for less."
            )
        asked += [
            ChatMessage("assistant", reply.text),
            ChatMessage("user", f"{complaint} Reply with the JSON alone."),
        ]
    raise ChatError(f"The chat model gave no such JSON in {_ATTEMPTS} attempts: {complaint}")


async def answer(chat: ChatModel, messages: Sequence[ChatMessage], schema: Mapping[str, Any] | None) -> ChatReply:
    """The reply of a chat model, held to a schema where there is one and the model can be.

    Raises:
        ChatError: the model fails.
    """
    if schema is not None and isinstance(chat, JSONChatModel):
        return await chat.achat_json(messages, schema=schema)
    return await chat.achat(messages)


def without_fence(text: str) -> str:
    """A text without the thoughts of a reasoning model before it, and without the code fence all around it."""
    thoughts, ended, rest = text.partition("</think>")
    text = (rest if ended and thoughts.lstrip().startswith("<think>") else text).strip()
    fenced = _FENCED.match(text)
    if not fenced or (not fenced[1] and "\n```" in fenced[2]):  # a text that begins and ends with code
        return text
    return fenced[2].strip()


def parse_json(text: str) -> Any:  # noqa: ANN401 (any JSON)
    """The JSON that a reply is, or the object or list that begins first in it.

    Raises:
        ValueError: there is none; the message is for the model.
    """
    reply = without_fence(text)
    try:
        return _decoded(_DECODER.decode, reply)
    except ValueError:
        begin = _BEGIN.search(reply)
        if begin is None or begin.start() == 0:
            raise
        return _decoded(_DECODER.raw_decode, reply, begin.start())[0]


def parse_object(text: str) -> dict[str, Any]:
    """The first JSON object of a reply, behind a model's thoughts and within a code fence if it has them.

    Thoughts may lack the tag that begins them, which is often part of the prompt.

    Raises:
        ValueError: there is none; the message is for the model.
    """
    reply = without_fence(text)
    behind = reply.partition("</think>")[2]
    if "{" in behind and not reply.startswith("{"):  # else the tag is but quoted
        reply = behind
    begin = reply.find("{")
    if begin < 0:
        raise ValueError(f"This holds no JSON object: {shorten(reply)!r}.")
    found: dict[str, Any] = _decoded(_DECODER.raw_decode, reply, begin)[0]
    return found


def _decoded(decode: Callable[..., Any], *where: Any) -> Any:  # noqa: ANN401 (any JSON)
    try:
        return decode(*where)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is no valid JSON: {shorten(str(error), 200)}.") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
