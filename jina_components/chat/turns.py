"""A conversation as the chat-completions wire has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jina_components.core.image_urls import image_url
from jina_components.protocols import ChatMessage


def turns(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages of a request. Reads files of images.

    Raises:
        InputError: an image cannot be read, or is none that vision endpoints take.
    """
    return [{"role": message.role, "content": _content(message)} for message in messages]


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    """A text alone, or with images as parts (https://platform.openai.com/docs/guides/images-vision)."""
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": image_url(image)}} for image in message.images]
    return [{"type": "text", "text": message.content}, *images]
