"""LlamaIndex's messages as those of our agents."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

from llama_index.core.base.llms.types import ChatMessage as LlamaMessage
from llama_index.core.base.llms.types import DocumentBlock, ImageBlock, MessageRole

from jina_components.errors import InputError
from jina_components.protocols import ChatMessage
from jina_components.types import Image

_ROLES: dict[MessageRole, Literal["system", "user", "assistant"]] = {
    MessageRole.SYSTEM: "system", MessageRole.DEVELOPER: "system", MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant", MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant",
}  # fmt: skip


def conversation(messages: Sequence[LlamaMessage]) -> list[ChatMessage]:
    """The messages with their texts, images and documents; thoughts and citations of earlier answers are left out.

    Raises:
        InputError: a message is a tool's, or has what no search takes, such as audio or a document behind a URL;
            `.index` names it.
    """
    return [_turn(message, index) for index, message in enumerate(messages)]


def _turn(message: LlamaMessage, index: int) -> ChatMessage:
    if message.role not in _ROLES:
        raise InputError(f"messages[{index}] is of {message.role.value}, which a deep search does not take.", index)
    taken: dict[str, list[Any]] = {"image": [], "document": []}
    for block in message.blocks:
        kind = block.block_type
        if kind in _TAKEN:
            taken[kind].append(_TAKEN[kind](block, f"messages[{index}]", index))
        elif kind not in _LEFT:
            raise InputError(f"messages[{index}] has {kind}, which a deep search does not take.", index)
    return ChatMessage(
        _ROLES[message.role], message.content or "", images=tuple(taken["image"]), files=tuple(taken["document"])
    )


def _image(block: ImageBlock, place: str, index: int) -> Image:
    if block.image:
        return Image(block.resolve_image().read())
    source = block.path or (str(block.url) if block.url else None)
    if source is None:
        raise InputError(f"{place} has an image without data, path and url.", index)
    return Image(source)


def _document(block: DocumentBlock, place: str, index: int) -> str:
    if block.data:
        data = base64.b64encode(block.resolve_document().read()).decode()
        return f"data:{block.document_mimetype or ''};name={quote(block.title or '', safe='')};base64,{data}"
    if block.path is None:  # a URL would be fetched without the guard that all fetches go through
        raise InputError(f"{place} has a document that is neither data nor a file: read it with a JinaReader.", index)
    return str(block.path)


_TAKEN: dict[str, Callable[[Any, str, int], Any]] = {"image": _image, "document": _document}
_LEFT = frozenset({"text", "thinking", "citation", "cache"})
