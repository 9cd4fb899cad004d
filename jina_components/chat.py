"""OpenAIChat: any model behind the OpenAI chat-completions wire."""

from __future__ import annotations

from collections.abc import Sequence

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import as_list
from jina_components.errors import ChatError, ConfigError, InputError, WebError
from jina_components.net import ApiClient
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.types import Usage


class OpenAIChat(Component):
    """Chat completions from OpenAI, or from any server that speaks its API (vLLM, Ollama, llama.cpp …).

    Thread-safe. Pickles as its settings, key included.

    Args:
        model: Name of the model, as the server knows it.
        base_url: Where the API begins; `https://api.openai.com/v1` or `http://localhost:11434/v1`.
        api_key: Bearer token, where the server wants one.
        temperature: 0 for the most likely words.
        max_tokens: Longest reply; None for the server's own limit.
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
        timeout: float = 120.0,
    ) -> None:
        if not model:
            raise ConfigError("model must name a chat model.")
        self._model = model
        self._options: dict[str, object] = {"temperature": temperature}
        if max_tokens is not None:
            self._options["max_tokens"] = max_tokens
        self._api = ApiClient(base_url, api_key=api_key, timeout=timeout)

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's reply to a conversation.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage; `.index` names it.
            ChatError: the server cannot be reached, refuses, or answers out of form.
        """
        turns = _turns(messages)
        try:
            body = await self._api.post("chat/completions", {"model": self._model, "messages": turns, **self._options})
        except WebError as error:
            raise ChatError(f"Chat model {self._model!r}: {error}") from error
        try:
            text, usage = body["choices"][0]["message"]["content"], body.get("usage") or {}
            counts = Usage(int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ChatError(f"Chat model {self._model!r} sent no chat completion: {str(body)[:200]}") from error
        if not isinstance(text, str):
            raise ChatError(f"Chat model {self._model!r} sent a reply without text.")
        return ChatReply(text, counts)

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`achat`, waited for."""
        return run_sync(self.achat(messages))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self._api.aclose())

    def __repr__(self) -> str:
        return f"OpenAIChat({self._model!r}, base_url={self._api.base_url!r})"


def _turns(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    """The conversation as the wire has it."""
    if not as_list(messages, what="messages"):
        raise InputError("messages is empty: say something.")
    for index, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            got = type(message).__name__
            raise InputError(f'messages[{index}] must be ChatMessage, got {got}: ChatMessage("user", "...").', index)
    return [{"role": message.role, "content": message.content} for message in messages]
