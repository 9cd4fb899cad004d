"""OpenAIChat: the client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeAlias, get_args

from jina_components.chat.failures import chat_error, refused_feature
from jina_components.chat.replies import DONE, Reading
from jina_components.chat.turns import turns
from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.component import Component
from jina_components.core.conversations import check_messages
from jina_components.core.inputs import is_finite_number
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, RefusalError, WebError
from jina_components.net.api import ApiClient, ApiStatusError
from jina_components.net.headers import checked
from jina_components.protocols import ChatMessage, ChatReply

JSONMode: TypeAlias = Literal["auto", "json_schema", "json_object", "none"]

_PATH = "chat/completions"
# A token takes some 300 bytes in a stream.
_MAX_BYTES = 100_000_000
_OURS = frozenset(
    {"model", "messages", "stream", "stream_options", "response_format", "max_tokens", "temperature", "n"}
)


class OpenAIChat(Component):
    """Chat completions from OpenAI, or from any server that speaks its API (vLLM, Ollama, llama.cpp …).

    Lost connections and the statuses 429, 502, 503 and 504 are tried again, twice, after the wait that the server asks
    for; of a stream only until it begins. Thread-safe. Pickles as its settings, key included.

    Args:
        model: Name of the model, as the server knows it.
        base_url: Where the API begins; `https://api.openai.com/v1` or `http://localhost:11434/v1`.
        api_key: Bearer token, where the server wants one.
        temperature: 0 for the most likely words, as far as the model takes that: to one whose server answers that it
            does not, as reasoning models do, none is sent. None sends none from the start.
        max_tokens: Longest reply; None for the server's own limit. Goes as `max_completion_tokens` to servers that
            answer they want that.
        json_mode: How `chat_json` asks the server to hold the model to JSON: to its schema, to JSON of any form, or not
            at all. `auto` asks for the schema; a server that answers it does not take that is asked for any JSON, then
            for nothing, and this object keeps to what it has found. The caller checks the reply in any case.
        headers: Further request headers, such as those of a gateway; shown in no repr and no error.
        extra: Further fields of each request, such as `{"reasoning_effort": "low"}`.
        timeout: Seconds for a whole call, retries included; of a stream for its beginning, and for each wait after.

    Raises:
        ConfigError, InputError: a setting makes no sense.

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
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        json_mode: JSONMode = "auto",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout: float = 120.0,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ConfigError(f"model must name a chat model, got {model!r}.")
        if json_mode not in get_args(JSONMode):
            modes = ", ".join(map(repr, get_args(JSONMode)))
            raise ConfigError(f"json_mode must be one of {modes}, got {json_mode!r}.")
        if temperature is not None and not (is_finite_number(temperature) and temperature >= 0):
            raise ConfigError(f"temperature must be None or a number of at least 0, got {temperature!r}.")
        if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
            raise ConfigError(f"max_tokens must be None or an int of at least 1, got {max_tokens!r}.")
        self._model = model
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._json_mode = json_mode
        self._headers = checked(headers or {})
        self._extra = _checked_extra(extra or {})
        self._refused: set[str] = set()  # features that the server was found not to take
        self._api = ApiClient(base_url, api_key=api_key, timeout=timeout, max_bytes=_MAX_BYTES)

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's reply to a conversation.

        Images are sent along, but for those at http(s) URLs, which the server is told to fetch.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage or has files (`.index` names
                it); or an image is none that can be read: PNG, JPEG, GIF or WebP of up to 20 MB.
            ContextOverflowError: the conversation is longer than the model's context, as far as the server says so.
            RefusalError: the model, or a filter of its server, refuses.
            ChatError: the server cannot be reached, answers with an error (`.status_code`) or out of form.
        """
        return await self._reply(messages, None)

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
            InputError, ContextOverflowError, RefusalError, ChatError: as `achat`.
        """
        return await self._reply(messages, schema)

    def chat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """`achat_json`, waited for."""
        return run_sync(self.achat_json(messages, schema=schema))

    async def astream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | ChatReply, None]:
        """The reply piece by piece, as it is written: texts, and last the whole `ChatReply`.

        Closing the generator, or cancelling what waits for it, closes the connection. From a server that does not
        stream, the text comes in one piece.

        Raises:
            InputError, ContextOverflowError, RefusalError, ChatError: as `achat`; the last also where the connection is
                lost, or nothing more comes, before the reply has ended. Pieces may have come before.

        Example:
            >>> async for piece in chat.astream([ChatMessage("user", "Say hello.")]):
            ...     if isinstance(piece, str):
            ...         print(piece, end="", flush=True)
            Hello!
        """
        sent_turns = await self._turns(messages)
        while True:
            sent, used = self._request(sent_turns, None, stream=True)
            reading, begun = Reading(self._model), False
            try:
                async with aclosing(self._api.stream(_PATH, sent, headers=self._headers)) as events:
                    async for data in events:
                        if data.strip() == DONE:
                            reading.finished = True
                            break
                        begun = True
                        if piece := reading.take_event(data):
                            yield piece
                break
            except WebError as error:
                self._give_up(error, () if begun else used)
        if not reading.finished:
            raise ChatError(f"Chat model {self._model!r}: the stream ended before the reply did; try again.")
        if piece := reading.flush():
            yield piece
        yield reading.reply()

    def stream(self, messages: Sequence[ChatMessage]) -> Iterator[str | ChatReply]:
        """`astream`, for `for`; closing the iterator closes the connection."""
        return iterate_sync(self.astream(messages))

    async def _reply(self, messages: Sequence[ChatMessage], schema: Mapping[str, Any] | None) -> ChatReply:
        sent_turns = await self._turns(messages)
        while True:
            sent, used = self._request(sent_turns, schema, stream=False)
            reading = Reading(self._model)
            try:
                reading.take(await self._api.post(_PATH, sent, headers=self._headers))
                return reading.reply()
            except WebError as error:
                self._give_up(error, used)

    async def _turns(self, messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
        check_messages(messages, images=True)
        if any(message.images for message in messages):
            return await asyncio.to_thread(turns, messages)
        return turns(messages)

    def _request(
        self, sent_turns: list[dict[str, Any]], schema: Mapping[str, Any] | None, *, stream: bool
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """The body of a request, and the features in it that could be given up."""
        sent: dict[str, Any] = {"model": self._model, "messages": sent_turns, **self._extra}
        used: frozenset[str] = frozenset()
        if self._temperature is not None and "temperature" not in self._refused:
            sent["temperature"] = self._temperature
            used |= {"temperature"} if self._temperature == 0 else set()
        if self._max_tokens is not None:
            plain = "max_tokens" not in self._refused
            sent["max_tokens" if plain else "max_completion_tokens"] = self._max_tokens
            used |= {"max_tokens"} if plain else set()
        if stream:
            sent["stream"] = True
            if "stream_options" not in self._refused:
                sent["stream_options"] = {"include_usage": True}
                used |= {"stream_options"}
        if schema is not None:
            form, forms = _json_form(self._json_mode, schema, self._refused)
            sent, used = sent | form, used | forms
        return sent, used

    def _give_up(self, error: WebError, used: Collection[str]) -> None:
        """Note a feature that the server refuses, so that it can be asked again without.

        Raises:
            ChatError: that is not what its error is about.
        """
        message = f"Chat model {self._model!r}: {error}"
        if not isinstance(error, ApiStatusError):
            raise ChatError(message) from error
        failure = chat_error(message, status=error.status_code, words=error.words)
        refused = refused_feature(error, used)
        if refused is None or isinstance(failure, ContextOverflowError | RefusalError):
            raise failure from error
        self._refused.add(refused)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self._api.aclose())

    def __repr__(self) -> str:
        return f"OpenAIChat({self._model!r}, base_url={self._api.base_url!r})"


def _json_form(
    mode: JSONMode, schema: Mapping[str, Any], refused: Collection[str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Fields of a request for JSON, and which of the features they use may be given up."""
    wanted: str = mode
    if mode == "auto":
        wanted = next((name for name in ("json_schema", "json_object") if name not in refused), "none")
    forms: dict[str, dict[str, Any]] = {
        "json_schema": {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(schema)}},
        "json_object": {"type": "json_object"},
    }
    if wanted not in forms:
        return {}, frozenset()
    return {"response_format": forms[wanted]}, frozenset({wanted} if mode == "auto" else ())


def _checked_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    if ours := extra.keys() & _OURS:
        raise ConfigError(f"extra must leave out the fields that OpenAIChat sends itself: {', '.join(sorted(ours))}.")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(extra), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"extra must hold JSON values by name: {error}.") from error
    return copy
