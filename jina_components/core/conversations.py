"""Checks of what callers pass to a chat model: one wording for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jina_components.core.inputs import as_list
from jina_components.errors import InputError
from jina_components.protocols import ChatMessage
from jina_components.types import shorten

_ROLES = ("system", "user", "assistant")


def check_messages(messages: Sequence[ChatMessage], *, images: bool) -> None:
    """Refuse what is no conversation that a chat model takes.

    Args:
        messages: What the caller passed.
        images: Whether the model sees.

    Raises:
        InputError: no list, an empty one, or an item that is no ChatMessage, has an unknown role, no text, images for
            a model that does not see, or files, which only a DeepSearchAgent reads; `.index` names it.
    """
    if isinstance(messages, str):
        said = json.dumps(shorten(messages, 20), ensure_ascii=False)
        raise InputError(f'messages must be a list, got str: pass [ChatMessage("user", {said})].')
    if not as_list(messages, what="messages"):
        raise InputError("messages is empty: say something.")
    for index, message in enumerate(messages):
        if complaint := _complaint(message, images=images):
            raise InputError(f"messages[{index}] {complaint}", index)


def _complaint(message: object, *, images: bool) -> str:
    if not isinstance(message, ChatMessage):
        return f'must be ChatMessage, got {type(message).__name__}: ChatMessage("user", "...").'
    if message.role not in _ROLES:
        return f"has the role {message.role!r}: it must be one of {', '.join(_ROLES)}."
    if not isinstance(message.content, str):
        return f"must have a str as its content, got {type(message.content).__name__}."
    if message.files:
        return "has files, which a chat model does not take: pass them to a DeepSearchAgent, which reads them."
    if message.images and not images:
        return "has images, which this model does not see: use a model that does, such as by OpenAIChat."
    return ""
