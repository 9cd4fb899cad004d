"""JSON asked of a chat model: found in what it writes, mended where it almost is JSON, and asked for again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from jina_components.core.json_schema import violations
from jina_components.errors import ChatError, InputError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, JSONChatModel
from jina_components.types import Usage, shorten

T = TypeVar("T")

_ATTEMPTS = 3
_FENCED = re.compile(r"\A```(markdown|md|html|json|)[^\S\n]*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)
_BEGIN = re.compile(r"[{\[]")
# What may follow there in JSON, or in what a model takes for it; braces and brackets stand in prose too.
_LIKE_JSON = re.compile(r"""\{\s*(?:["'“”‘’]|//|/\*|\#|[\w$-]+["']?\s*:)|\[\s*(?:["'“”‘’{\[\d-]|//|/\*)""")
# Mending takes time in proportion to the length times the marks at which it may look for what follows. Within these
# limits, a reply that was made to take long takes seconds.
_MARKS = re.compile(r"""[{}\[\]"'“”‘’/#]""")
_MENDABLE, _MENDABLE_EFFORT = 100_000, 10_000_000


async def ask_json(
    chat: ChatModel, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any] | None, read: Callable[[str], T]
) -> tuple[T, Usage]:
    """What `read` makes of the JSON that a chat model replies with, and the tokens of all attempts.

    Args:
        chat: The model; a `JSONChatModel` is held to the schema while it writes.
        messages: The conversation; it should tell the form of the reply too.
        schema: JSON Schema of the reply; None for any JSON. What is almost JSON, and follows it once mended, is read
            as mended.
        read: Turns the reply into what is wanted, by `parse_json` or `parse_object`. The message of its ValueError is
            put to the model, which then gets another attempt, three in all; its InputError is the caller's, and raised.

    Raises:
        ChatError: the model fails, or its third attempt will not do either.
        InputError: the schema cannot be applied.
    """
    asked, usage, complaint = list(messages), Usage(), ""
    for _ in range(_ATTEMPTS):
        reply = await answer(chat, asked, schema)
        usage += reply.usage
        is_whole = reply.finish_reason == "stop"  # or else mending would hide what is missing
        try:
            return read(_in_form(reply.text, schema) if is_whole else reply.text), usage
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


def checked(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    """The JSON in a reply, once it follows a schema.

    What is almost JSON (single quotes, trailing commas, comments, line ends in strings, no end …) is mended, if what
    comes out follows the schema. Of a reply that was cut for its length the end is missing then, as nothing here tells.

    Args:
        text: The reply; thoughts before the JSON, a code fence around it and words around an object are left out.
        schema: JSON Schema.

    Raises:
        ValueError: it holds no JSON, or of another form; the message is for the model, and names what is wrong and
            where: `At $.action: 'fly' is not one of ['search', 'answer']`.
        InputError: the schema is none, or cannot be applied.
    """
    value = _parse(_in_form(text, schema), schema)
    if complaint := violations(value, schema):
        raise ValueError(f"{complaint}.")
    return value


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
    reply = _without_thoughts(text)
    begin = reply.find("{")
    if begin < 0:
        raise ValueError(f"This holds no JSON object: {shorten(reply)!r}.")
    found: dict[str, Any] = _decoded(_DECODER.raw_decode, reply, begin)[0]
    return found


def _without_thoughts(text: str) -> str:
    reply = without_fence(text)
    behind = reply.partition("</think>")[2]
    # Else the tag is but quoted.
    return behind if "{" in behind and not reply.startswith("{") else reply


def _parse(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    return parse_object(text) if _wants_object(schema) else parse_json(text)


def _wants_object(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def _in_form(text: str, schema: Mapping[str, Any] | None) -> str:
    """A reply as JSON where it almost is that, else as it is."""
    if schema is None:
        return text
    try:
        _parse(text, schema)
    except ValueError:
        mended = _mended(text, schema)
        return text if mended is None else json.dumps(mended[0], ensure_ascii=False)
    return text


def _mended(text: str, schema: Mapping[str, Any]) -> tuple[Any] | None:
    """The value that a reply was meant to be, if it follows the schema; None for what holds nothing like JSON.

    By json-repair (https://github.com/mangiucugna/json_repair).
    """
    from json_repair import repair_json

    reply = _without_thoughts(text)
    begin = _LIKE_JSON.search(reply)
    if begin is None or (_wants_object(schema) and begin[0][0] == "["):
        return None
    reply = reply[begin.start() :]
    if len(reply) > _MENDABLE or len(reply) * len(_MARKS.findall(reply)) > _MENDABLE_EFFORT:
        return None
    try:
        value: Any = repair_json(reply, return_objects=True, skip_json_loads=True)
        if begin[0][0] == "{" and isinstance(value, list):  # with what follows the object
            value = value[0] if value else None
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):  # json-repair's way to say that it cannot
        return None
    kind = dict if begin[0][0] == "{" else list
    return (value,) if isinstance(value, kind) and value and not violations(value, schema) else None


def _decoded(decode: Callable[..., Any], *where: Any) -> Any:  # noqa: ANN401 (any JSON)
    try:
        return decode(*where)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is no valid JSON: {shorten(str(error), 200)}.") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{shorten(number, 30)} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
