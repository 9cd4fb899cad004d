"""OpenAIChat: any model behind the OpenAI chat-completions wire."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeAlias

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import as_list
from jina_components.errors import ChatError, ConfigError, InputError, WebError
from jina_components.net import ApiClient
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.types import Image, Usage, shorten

JSONMode: TypeAlias = Literal["json_schema", "json_object", "none"]

MAX_IMAGE_BYTES = 20_000_000
_MODES: dict[str, dict[str, Any]] = {"json_object": {"response_format": {"type": "json_object"}}, "none": {}}
# The formats that vision endpoints take, by how files of them begin.
_FORMATS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
_FOR_THE_SERVER = re.compile(r"https?://|data:image/", re.IGNORECASE)


class OpenAIChat(Component):
    """Chat completions from OpenAI, or from any server that speaks its API (vLLM, Ollama, llama.cpp …).

    Thread-safe. Pickles as its settings, key included.

    Args:
        model: Name of the model, as the server knows it.
        base_url: Where the API begins; `https://api.openai.com/v1` or `http://localhost:11434/v1`.
        api_key: Bearer token, where the server wants one.
        temperature: 0 for the most likely words.
        max_tokens: Longest reply; None for the server's own limit.
        json_mode: How `chat_json` asks the server to hold the model to JSON: to its schema, to JSON of any form, or not
            at all, for servers that refuse a `response_format`.
        timeout: Seconds for a whole call, retries included.

    Raises:
        ConfigError: a setting makes no sense.

    Example:
        >>> chat = OpenAIChat("llama3.1", base_url="http://localhost:11434/v1")
        >>> chat.chat([ChatMessage("user", "Say hello.")]).text
        'Hello!'
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        temperature: float = 0.0,
        max_tokens: int | None = None,
        json_mode: JSONMode = "json_schema",
        timeout: float = 120.0,
    ) -> None:
        if not model:
            raise ConfigError("model must name a chat model.")
        if json_mode not in ("json_schema", *_MODES):
            raise ConfigError(f"json_mode must be 'json_schema', 'json_object' or 'none', got {json_mode!r}.")
        self._model = model
        self._json_mode = json_mode
        self._options: dict[str, object] = {"temperature": temperature}
        if max_tokens is not None:
            self._options["max_tokens"] = max_tokens
        self._api = ApiClient(base_url, api_key=api_key, timeout=timeout)

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's reply to a conversation.

        Images are sent along, but for those at http(s) URLs, which the server is told to fetch.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage (`.index` names it); or an
                image is none that can be read: PNG, JPEG, GIF or WebP of up to 20 MB.
            ChatError: the server cannot be reached, refuses, or answers out of form.
        """
        return await self._reply(messages, {})

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`achat`, waited for."""
        return run_sync(self.achat(messages))

    async def achat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """The model's reply as JSON, as far as server and model can be held to it; nothing is validated.

        The messages should speak of JSON and its form too: models write better what they are told, and some servers
        want it.

        Args:
            messages: The conversation.
            schema: JSON Schema of the reply; OpenAI wants an object at its root.

        Raises:
            InputError, ChatError: as `achat`.
        """
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(schema)}}
        return await self._reply(messages, _MODES.get(self._json_mode, {"response_format": form}))

    def chat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """`achat_json`, waited for."""
        return run_sync(self.achat_json(messages, schema=schema))

    async def _reply(self, messages: Sequence[ChatMessage], form: Mapping[str, Any]) -> ChatReply:
        turns = await asyncio.to_thread(_turns, messages) if _with_images(messages) else _turns(messages)
        sent = {"model": self._model, "messages": turns, **self._options, **form}
        try:
            body = await self._api.post("chat/completions", sent)
        except WebError as error:
            raise ChatError(f"Chat model {self._model!r}: {error}") from error
        try:
            choice, usage = body["choices"][0], body.get("usage") or {}
            text, cut = choice["message"]["content"], choice.get("finish_reason") == "length"
            counts = Usage(int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ChatError(f"Chat model {self._model!r} sent no chat completion: {str(body)[:200]}") from error
        if not isinstance(text, str):
            raise ChatError(f"Chat model {self._model!r} sent a reply without text.")
        return ChatReply(text, counts, "length" if cut else "stop")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self._api.aclose())

    def __repr__(self) -> str:
        return f"OpenAIChat({self._model!r}, base_url={self._api.base_url!r})"


def _with_images(messages: object) -> bool:
    return isinstance(messages, Sequence) and any(getattr(message, "images", ()) for message in messages)


def _turns(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The conversation as the wire has it."""
    if isinstance(messages, str):
        said = json.dumps(shorten(messages, 20), ensure_ascii=False)
        raise InputError(f'messages must be a list, got str: pass [ChatMessage("user", {said})].')
    if not as_list(messages, what="messages"):
        raise InputError("messages is empty: say something.")
    for index, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            got = type(message).__name__
            raise InputError(f'messages[{index}] must be ChatMessage, got {got}: ChatMessage("user", "...").', index)
    return [{"role": message.role, "content": _content(message)} for message in messages]


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    """A text alone, or with images as parts (https://platform.openai.com/docs/guides/images-vision)."""
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": _image_url(image)}} for image in message.images]
    return [{"type": "text", "text": message.content}, *images]


def _image_url(image: Image) -> str:
    source = image.source
    if isinstance(source, str) and _FOR_THE_SERVER.match(source):
        return source
    if not isinstance(source, str | bytes | os.PathLike):
        file = BytesIO()
        source.save(file, "PNG")
        source = file.getvalue()
    data = source if isinstance(source, bytes) else _read(source)
    media_type = next((media_type for start, media_type in _FORMATS if start.match(data)), None)
    if media_type is None or len(data) > MAX_IMAGE_BYTES:
        raise InputError(f"{image!r} must be a PNG, JPEG, GIF or WebP of up to {MAX_IMAGE_BYTES:,} bytes: convert it.")
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _read(source: str | os.PathLike[str]) -> bytes:
    path = Path(source)
    try:
        if path.is_file():  # a pipe or a device may never end
            with path.open("rb") as file:
                return file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error
    raise InputError(f"{str(path)!r} is no file; check the path.")
