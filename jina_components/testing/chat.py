"""A chat model that says what it was told to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jina_components.core.background import run_sync
from jina_components.errors import ChatError, ConfigError
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.types import Usage


class FakeChat:
    """Replies from a list, or as a function makes of each conversation; no model, no network.

    Replies that are texts cost their words and those of the conversation as tokens. A list of replies serves
    conversations in the order in which they come, so that concurrent callers are better served by a function.

    Args:
        replies: What to say, one reply a call; or a function of the conversation.

    Attributes:
        asked: The conversations so far.

    Raises:
        ConfigError: `replies` is one text.

    Example:
        >>> fake = FakeChat(["Hello!"])
        >>> fake.chat([ChatMessage("user", "Say hello.")]).text
        'Hello!'
    """

    def __init__(self, replies: Sequence[str | ChatReply] | Callable[[Sequence[ChatMessage]], str | ChatReply]) -> None:
        if isinstance(replies, str):
            raise ConfigError(f"replies must be a list or a function, got str: pass [{replies!r}].")
        self.asked: list[tuple[ChatMessage, ...]] = []
        self._replies = replies

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The next reply.

        Raises:
            ChatError: there is none left.
        """
        self.asked.append(tuple(messages))
        if callable(self._replies):
            reply = self._replies(messages)
        elif len(self.asked) <= len(self._replies):
            reply = self._replies[len(self.asked) - 1]
        else:
            raise ChatError(f"The fake chat model was told {len(self._replies)} replies, and is asked for one more.")
        if isinstance(reply, ChatReply):
            return reply
        return ChatReply(reply, Usage(sum(len(message.content.split()) for message in messages), len(reply.split())))

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`achat`, waited for."""
        return run_sync(self.achat(messages))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.asked)} calls)"


class FakeJSONChat(FakeChat):
    """A `FakeChat` that can be held to a JSON Schema, as it seems: `schemas` are those it was given."""

    def __init__(self, replies: Sequence[str | ChatReply] | Callable[[Sequence[ChatMessage]], str | ChatReply]) -> None:
        super().__init__(replies)
        self.schemas: list[Mapping[str, Any]] = []

    async def achat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """The next reply, which nothing holds to the schema.

        Raises:
            ChatError: there is none left.
        """
        self.schemas.append(schema)
        return await self.achat(messages)
