"""Messages of LangChain as those of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from langchain_core.messages import AIMessage, BaseMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from jina_components.errors import InputError
from jina_components.protocols import ChatMessage
from jina_components.types import Image, shorten

# What a tool found is no word of the user's.
_ROLES: tuple[tuple[type[BaseMessage], Literal["system", "user", "assistant"]], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (ToolMessage, "assistant"),
    (FunctionMessage, "assistant"),
)
_WEB = re.compile(r"https?://|data:", re.IGNORECASE)
_DATA = re.compile(r"data:", re.IGNORECASE)
_NOT_SENT = ("reasoning", "tool_call", "tool_call_chunk", "invalid_tool_call", "server_tool_call", "server_tool_result")


def conversation(messages: Sequence[BaseMessage]) -> list[ChatMessage]:
    """The messages as ours: their texts, images and files, without thoughts and calls of tools.

    Nothing in them is taken for a path: images are `data:` URIs, base64 or URLs, files `data:` URIs or base64.

    Raises:
        InputError: a message has another role, or holds what cannot be sent; `.index` names it.
    """
    return [_turn(message, index) for index, message in enumerate(messages)]


def _turn(message: BaseMessage, index: int) -> ChatMessage:
    role = next((role for kind, role in _ROLES if isinstance(message, kind)), None)
    if role is None:
        raise InputError(f"messages[{index}] is a {type(message).__name__}, which has no role here.", index)
    texts: list[str] = []
    images: list[Image] = []
    files: list[str] = []
    for position, given in enumerate(message.content_blocks):
        block: Mapping[str, Any] = given  # one of many typed dictionaries
        where = f"messages[{index}].content[{position}]"
        if block["type"] == "text":
            texts.append(block["text"])
        elif block["type"] == "image":
            images.append(Image(_sent(block, _WEB, where, index)))
        elif block["type"] in ("file", "text-plain"):
            files.append(_sent(block, _DATA, where, index))
        elif block["type"] not in _NOT_SENT:
            raise InputError(f"{where} is of type {block['type']!r}: texts, images and files can be sent.", index)
    return ChatMessage(role, "\n".join(texts), tuple(images), tuple(files))


def _sent(block: Mapping[str, Any], known: re.Pattern[str], where: str, index: int) -> str:
    """What a block holds as a URI."""
    if (text := block.get("text")) is not None:
        return f"data:text/plain;charset=utf-8{_named(block)},{quote(text)}"
    if data := block.get("base64"):
        return f"data:{block.get('mime_type', '')}{_named(block)};base64,{data}"
    url = str(block.get("url") or "")
    if not known.match(url):
        what = "base64, a data: URI or a URL" if known is _WEB else "base64 or a data: URI"
        raise InputError(f"{where} must hold {what}, got {shorten(url or repr(dict(block)))!r}.", index)
    return url


def _named(block: Mapping[str, Any]) -> str:
    extras = block.get("extras", {})
    name = block.get("title") or block.get("filename") or extras.get("filename") or extras.get("name")
    return f";name={quote(name)}" if name else ""
