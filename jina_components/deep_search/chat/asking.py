"""Asking the chat model: on record, within the budget, and in the form that is wanted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from jina_components.core.chat_json import answer, checked, parse_object
from jina_components.deep_search.chat.counting import count_messages, count_tokens, head
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.errors import (
    ChatError,
    ConfigError,
    InputError,
    MissingDependencyError,
    ModelFilesError,
    UnknownNameError,
)
from jina_components.protocols import ChatMessage, ChatModel, ChatReply
from jina_components.types import Image, Usage, shorten

T = TypeVar("T")

_ATTEMPTS = 3
# Of a reply that will not do, as much is shown to the model again.
_SHOWN_TOKENS = 1000
# Statuses from which on a server has not run its model.
_TURNED_DOWN = 400
# What the caller can mend, and no other attempt will.
_CALLERS = (ConfigError, InputError, MissingDependencyError, ModelFilesError, UnknownNameError)


class Asker:
    """Asks a chat model.

    Args:
        chat: The model; a `JSONChatModel` is held to the schema while it writes.
        journal: Has the calls on record.
        meter: Admits and counts them.
    """

    def __init__(self, chat: ChatModel, *, journal: Journal, meter: Meter) -> None:
        self._chat = chat
        self._journal = journal
        self._meter = meter

    async def ask(
        self,
        messages: Sequence[ChatMessage],
        *,
        schema: Mapping[str, Any],
        read: Callable[[dict[str, Any]], T],
        accepted: Mapping[str, Any] | None = None,
        final: bool = False,
    ) -> T:
        """What `read` makes of the JSON object that the model replies with.

        Args:
            messages: The conversation, which need not tell the form of the reply.
            schema: JSON Schema of the reply. What does not follow it is put to the model, three attempts in all.
            read: Turns the object into what is wanted; the message of its ValueError is put to the model likewise.
            accepted: A looser schema, of the replies that `read` takes too.
            final: Whether this is for the last answer, for which the last of the budget is kept.

        Raises:
            BudgetEnded: there is no room for the call, or for another attempt.
            ContextOverflowError: the conversation is too long for the model: shorten it and ask again.
            RefusalError: the model refuses.
            ChatError: the model fails, takes longer than there is time, or gives no such JSON in three attempts.
        """
        *before, last = messages
        asked = [*before, replace(last, content=f"{last.content}\n\n{told_form(schema)}")]
        complaint = ""
        again: tuple[ChatMessage, ...] = ()
        for _ in range(_ATTEMPTS):
            reply = await self._reply([*asked, *again], schema, final=final)
            try:
                return read(_parsed(reply, accepted or schema))
            except ValueError as error:
                complaint = _complaint(reply, str(error))
            again = (
                ChatMessage("assistant", head(reply.text.strip(), _SHOWN_TOKENS) or "(nothing)"),
                ChatMessage("user", f"{complaint} Reply again, with the JSON object alone."),
            )
        raise ChatError(f"The chat model gave no such JSON in {_ATTEMPTS} attempts: {complaint}")

    async def _reply(self, messages: Sequence[ChatMessage], schema: Mapping[str, Any], *, final: bool) -> ChatReply:
        """A reply, admitted and paid for."""
        self._meter.advance(self._journal.seconds)
        tokens = count_messages(messages)
        self._meter.admit(tokens, final=final)
        try:
            reply = await self._journal.call(
                "chat", _request(messages, schema), lambda: self._say(messages, schema, final=final), ChatReply
            )
        except BaseException as error:  # of a cancelled call, too, the prompt was paid for; not of one turned down
            self._meter.release(tokens, free=isinstance(error, ChatError) and error.status_code >= _TURNED_DOWN)
            raise
        finally:
            self._meter.advance(self._journal.seconds)
        completion = max(reply.usage.completion_tokens, count_tokens(reply.text))
        self._meter.charge(Usage(max(reply.usage.prompt_tokens, tokens), completion), admitted=tokens)
        return reply

    async def _say(self, messages: Sequence[ChatMessage], schema: Mapping[str, Any], *, final: bool) -> ChatReply:
        """What the model says itself, in the time that is left."""
        seconds = self._meter.seconds_left(final=final)
        try:
            async with asyncio.timeout(seconds) as limit:
                reply = await answer(self._chat, messages, schema)
        except ChatError:
            raise
        except Exception as error:
            if isinstance(error, _CALLERS) and not self._journal.has_worked("chat"):
                raise
            if limit.expired():
                raise ChatError(f"The chat model took longer than the {seconds:.1f} s that were left.") from error
            raise ChatError(f"The chat model failed: {type(error).__name__}: {shorten(str(error), 300)}") from error
        if not (isinstance(reply, ChatReply) and isinstance(reply.text, str) and isinstance(reply.usage, Usage)):
            raise ChatError(f"The chat model returned {shorten(repr(reply), 200)}; achat must return a ChatReply.")
        return replace(reply, text=_without_surrogates(reply.text))


def told_form(schema: Mapping[str, Any]) -> str:
    """The form of a reply, as it is told at the end of a conversation."""
    form = json.dumps(dict(schema), ensure_ascii=False, separators=(",", ":"))
    return f"Reply with one JSON object of this JSON Schema, and with nothing else:\n{form}"


def _parsed(reply: ChatReply, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 (JSON)
    """The JSON of a reply, which follows the schema."""
    try:
        if reply.finish_reason != "stop":
            parse_object(reply.text)  # is whole, or else would be mended
        return _without_surrogates(checked(reply.text, schema))
    except RecursionError as error:
        raise ValueError("This is nested too deeply.") from error


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """JSON values with U+FFFD for each lone surrogate, which no file takes."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value


def _complaint(reply: ChatReply, error: str) -> str:
    if reply.finish_reason != "stop":
        why = "it reached the longest that is possible" if reply.finish_reason == "length" else "it repeated itself"
        return f"Your reply was cut off, as {why}: write much less."
    return shorten(error, 600)


def _request(messages: Sequence[ChatMessage], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked, as JSON values; images by their digests."""
    turns = [
        {"role": message.role, "content": message.content}
        | ({"images": [_digest(image) for image in message.images]} if message.images else {})
        for message in messages
    ]
    return {"messages": turns, "schema": dict(schema)}


def _digest(image: Image) -> str:
    """Tells images apart; of one at a URL or a path, by that."""
    source = image.source
    if isinstance(source, str | os.PathLike):
        data = os.fspath(source).encode("utf-8", "surrogatepass")
    elif isinstance(source, bytes):
        data = source
    else:
        data = f"{source.mode} {source.size} ".encode() + source.tobytes()
    return hashlib.blake2b(data, digest_size=16).hexdigest()
