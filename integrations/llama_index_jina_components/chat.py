"""A chat model over any LlamaIndex LLM."""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage as LlamaMessage
from llama_index.core.base.llms.types import ChatResponse, ImageBlock, TextBlock
from llama_index.core.llms import LLM, CustomLLM, MessageRole

from jina_components.chat.foreign import first_text, foreign_error, foreign_usage, found
from jina_components.chat.replies import made_reply
from jina_components.chat.turns import turns
from jina_components.core.background import run_sync
from jina_components.core.conversations import check_messages
from jina_components.errors import ConfigError
from jina_components.protocols import ChatMessage, ChatReply

_KEYWORDS = ("response_format", "format")
# Where providers tell why a reply ended: OpenAI, Anthropic, Ollama, Gemini.
_REASONS: tuple[tuple[str | int, ...], ...] = (
    ("choices", 0, "finish_reason"),
    ("stop_reason",),
    ("done_reason",),
    ("finish_reason",),
    ("candidates", 0, "finish_reason"),
)


class LlamaIndexChat:
    """A `ChatModel` and `JSONChatModel` over a LlamaIndex LLM, such as of OpenAI, Anthropic or Ollama.

    Limits, keys, retries and timeouts are the LLM's own. Usage and the reason of the end are read from the provider's
    raw reply. An LLM that has no asynchronous calls of its own (`CustomLLM`) is called in a thread.

    LlamaIndex's own structured outputs take Pydantic classes instead of JSON Schemas and go by function calls or
    prompts, so they are not used.

    Args:
        llm: The LLM.
        json_keyword: The keyword by which its `achat` takes what holds it to a JSON Schema while it writes:
            `response_format` for OpenAI and what is like it, `format` for Ollama. None for other LLMs, which
            `achat_json` asks for a plain reply.

    Raises:
        ConfigError: no `LLM`, or no such keyword.

    Example:
        >>> chat = LlamaIndexChat(OpenAILike("llama3.1", api_base="http://localhost:11434/v1", is_chat_model=True))
        >>> chat.chat([ChatMessage("user", "Say hello.")]).text
        'Hello!'
    """

    def __init__(self, llm: LLM, *, json_keyword: Literal["response_format", "format"] | None = None) -> None:
        if not isinstance(llm, LLM):
            raise ConfigError(f"llm must be a LlamaIndex LLM, got {type(llm).__name__}.")
        if json_keyword not in (*_KEYWORDS, None):
            raise ConfigError(f"json_keyword must be None, 'response_format' or 'format', got {json_keyword!r}.")
        self._llm = llm
        self._json_keyword = json_keyword
        self._name = f"LlamaIndex's {type(llm).__name__}"

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The LLM's next turn. Images are sent along to LLMs with a chat interface.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage, has files, or images for an
                LLM without a chat interface (`.index` names it); or an image is none that can be read.
            ContextOverflowError: the conversation is longer than the model's context, as far as it says so.
            RefusalError: the model, or a filter of its server, refuses.
            ChatError: the LLM raised anything else; `.status_code` where its error has one.
        """
        return await self._reply(messages, {})

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`achat`, waited for."""
        return run_sync(self.achat(messages))

    async def achat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """The LLM's next turn as JSON, as far as it can be held to it; nothing is validated.

        Args:
            messages: The conversation; it should tell the form of the JSON too.
            schema: JSON Schema of an object.

        Raises:
            InputError, ContextOverflowError, RefusalError, ChatError: as `achat`.
        """
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(schema)}}
        held = {"response_format": {"response_format": form}, "format": {"format": dict(schema)}}
        return await self._reply(messages, held.get(self._json_keyword or "", {}))

    def chat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """`achat_json`, waited for."""
        return run_sync(self.achat_json(messages, schema=schema))

    async def _reply(self, messages: Sequence[ChatMessage], held: Mapping[str, Any]) -> ChatReply:
        check_messages(messages, images=self._llm.metadata.is_chat_model)
        sent = [_message(turn) for turn in await asyncio.to_thread(turns, messages)]
        try:
            if _would_block(self._llm):
                response = await asyncio.to_thread(self._llm.chat, sent, **held)
            else:
                response = await self._llm.achat(sent, **held)
        except Exception as error:  # an LLM raises whatever its provider's library does
            raise foreign_error(self._name, error) from error
        return self._read(response)

    def _read(self, response: ChatResponse) -> ChatReply:
        raw, extra = response.raw, response.additional_kwargs
        counted = (found(raw, "usage"), found(raw, "usage_metadata"), raw, extra)
        return made_reply(
            self._name,
            "".join(block.text for block in response.message.blocks if isinstance(block, TextBlock)) or None,
            usage=foreign_usage(*counted),
            reason=first_text([found(source, *path) for source in (raw, extra) for path in _REASONS]),
            refusal=first_text([found(raw, "choices", 0, "message", "refusal")]),
        )

    def __repr__(self) -> str:
        return f"LlamaIndexChat({type(self._llm).__name__})"


def _would_block(llm: LLM) -> bool:
    """Whether its asynchronous method is the one of `CustomLLM`, which calls the other; wrapped, as LlamaIndex does."""
    return inspect.unwrap(type(llm).achat) is inspect.unwrap(CustomLLM.achat)


def _message(turn: Mapping[str, Any]) -> LlamaMessage:
    content = turn["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return LlamaMessage(role=MessageRole(turn["role"]), blocks=[_block(part) for part in parts])


def _block(part: Mapping[str, Any]) -> TextBlock | ImageBlock:
    if part["type"] == "text":
        return TextBlock(text=part["text"])
    url: str = part["image_url"]["url"]
    head, is_base64, data = url.partition(";base64,")
    if not is_base64:
        return ImageBlock(url=url)
    return ImageBlock(image=base64.b64decode(data), image_mimetype=head.removeprefix("data:"))
