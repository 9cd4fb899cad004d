"""A chat model over any LangChain chat model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import Runnable

from jina_components.chat.foreign import first_text, foreign_error, foreign_usage, found
from jina_components.chat.replies import made_reply
from jina_components.chat.turns import turns
from jina_components.core.background import run_sync
from jina_components.core.conversations import check_messages
from jina_components.errors import ConfigError
from jina_components.protocols import ChatMessage, ChatReply

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]

_METHODS = ("json_schema", "function_calling", "json_mode")
_REASONS = ("finish_reason", "stop_reason", "done_reason")


class LangChainChat:
    """A `ChatModel` and `JSONChatModel` over a LangChain chat model, such as of OpenAI, Anthropic or Ollama.

    Limits, keys, retries and timeouts are the chat model's own. Usage is what it puts into `usage_metadata`.

    Args:
        chat_model: The chat model.
        method: How `achat_json` asks it for JSON, by its `with_structured_output`: `json_schema` holds it to the schema
            while it writes, where its provider can; `function_calling` has it fill the arguments of a function;
            `json_mode` wants any JSON. None asks for a plain reply, and so does a chat model that has no such method.

    Raises:
        ConfigError: no `BaseChatModel`, or no such method.

    Example:
        >>> chat = LangChainChat(ChatOpenAI(model="gpt-4.1-mini"))
        >>> chat.chat([ChatMessage("user", "Say hello.")]).text
        'Hello!'
    """

    def __init__(self, chat_model: BaseChatModel, *, method: Method | None = "json_schema") -> None:
        if not isinstance(chat_model, BaseChatModel):
            raise ConfigError(f"chat_model must be a LangChain BaseChatModel, got {type(chat_model).__name__}.")
        if method not in (*_METHODS, None):
            raise ConfigError(f"method must be None or one of {', '.join(map(repr, _METHODS))}, got {method!r}.")
        self._model = chat_model
        self._method = method
        self._name = f"LangChain's {type(chat_model).__name__}"

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's next turn. Images are sent along, those of files as `data:` URIs.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage or has files (`.index` names
                it); or an image is none that can be read.
            ContextOverflowError: the conversation is longer than the model's context, as far as it says so.
            RefusalError: the model, or a filter of its server, refuses.
            ChatError: the model raised anything else; `.status_code` where its error has one.
        """
        return await self._reply(messages, self._model)

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`achat`, waited for."""
        return run_sync(self.achat(messages))

    async def achat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """The model's next turn as JSON, as far as it can be held to it; nothing is validated.

        Args:
            messages: The conversation; it should tell the form of the JSON too.
            schema: JSON Schema of an object.

        Raises:
            InputError, ContextOverflowError, RefusalError, ChatError: as `achat`.
        """
        return await self._reply(messages, self._held_to(schema))

    def chat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """`achat_json`, waited for."""
        return run_sync(self.achat_json(messages, schema=schema))

    def _held_to(self, schema: Mapping[str, Any]) -> Runnable[Any, Any]:
        if self._method is None:
            return self._model
        named = {**schema, "title": "reply"}  # which LangChain takes for the name, and servers take no blanks in it
        try:
            return self._model.with_structured_output(named, include_raw=True, method=self._method)
        except (NotImplementedError, TypeError, ValueError):  # it has no structured output, or not by this method
            return self._model

    async def _reply(self, messages: Sequence[ChatMessage], asked: Runnable[Any, Any]) -> ChatReply:
        check_messages(messages, images=True)
        sent = convert_to_messages(await asyncio.to_thread(turns, messages))
        try:
            answered = await asked.ainvoke(sent)
        except Exception as error:  # a model raises whatever its provider's library does
            cut = found(error, "completion")  # of OpenAI's, what was cut off too
            text = first_text([found(cut, "choices", 0, "message", "content")])
            if not text:
                raise foreign_error(self._name, error) from error
            return made_reply(self._name, text, usage=foreign_usage(found(cut, "usage")), reason="length")
        return self._read(answered if isinstance(answered, BaseMessage) else answered["raw"])

    def _read(self, message: BaseMessage) -> ChatReply:
        text = _text(message.content)
        called = found(message, "tool_calls", 0, "args")
        if called is not None:
            text = text or json.dumps(called, ensure_ascii=False)
        return made_reply(
            self._name,
            text or None,
            usage=foreign_usage(found(message, "usage_metadata")),
            reason=first_text(found(message.response_metadata, name) for name in _REASONS),
            refusal=first_text([message.additional_kwargs.get("refusal")]),
        )

    def __repr__(self) -> str:
        return f"LangChainChat({type(self._model).__name__})"


def _text(content: str | list[str | dict[Any, Any]]) -> str:
    """The text of a content, which may be a list of blocks; those of thoughts are left out."""
    if isinstance(content, str):
        return content
    blocks = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    return "".join(str(block.get("text", "")) for block in blocks if block.get("type", "text") == "text")
