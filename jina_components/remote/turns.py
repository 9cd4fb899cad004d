"""A conversation with images and files, as the wire of DeepSearch has it."""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jina_components.core.image_urls import image_url
from jina_components.core.inputs import as_list, check_query
from jina_components.errors import InputError
from jina_components.protocols import ChatMessage

MAX_FILE_BYTES = 10_000_000
"""Of a file that is sent along."""

_ROLES = ("system", "user", "assistant")
_TEXT = "text/plain"
_MARKDOWN = (".md", ".markdown")


def check_turns(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """`messages` itself: a conversation that ends with words of the user's.

    Raises:
        InputError: it is something else; `.index` names the message.
    """
    for index, message in enumerate(as_list(messages, what="question")):
        if not isinstance(message, ChatMessage) or message.role not in _ROLES or not isinstance(message.content, str):
            raise InputError(f'messages[{index}] must be a ChatMessage("user", "…"), got {message!r:.100}.', index)
    if not messages or messages[-1].role != "user":
        raise InputError("The last message must be the user's question.", len(messages) - 1 if messages else None)
    check_query(messages[-1].content, what="The last message")
    return messages


def turns(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages of a request. Reads images and files.

    Raises:
        InputError: one cannot be read, or is too large; `.index` names its message.
    """
    return [{"role": each.role, "content": _content(each, index)} for index, each in enumerate(messages)]


def _content(message: ChatMessage, index: int) -> str | list[dict[str, Any]]:
    if not message.images and not message.files:
        return message.content
    try:
        images = [{"type": "image_url", "image_url": {"url": image_url(image)}} for image in message.images]
    except InputError as error:
        raise InputError(f"messages[{index}]: {error.message}", index) from error
    files = [_file(given, f"messages[{index}].files[{place}]", index) for place, given in enumerate(message.files)]
    return [{"type": "text", "text": message.content}, *images, *files]


def _file(given: object, place: str, index: int) -> dict[str, str]:
    if isinstance(given, str) and given[:5].lower() == "data:":
        return {"type": "file", "data": given, "mimeType": given[5:].partition(",")[0].partition(";")[0] or _TEXT}
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise InputError(f"{place} must be a path or a data: URI, got {given!r:.100}.", index)
    path = Path(os.fsdecode(given))
    kind = "text/markdown" if path.suffix.lower() in _MARKDOWN else mimetypes.guess_type(path.name)[0] or _TEXT
    data = base64.b64encode(_read(path, place, index)).decode()
    return {"type": "file", "data": f"data:{kind};base64,{data}", "mimeType": kind, "filename": path.name}


def _read(path: Path, place: str, index: int) -> bytes:
    try:
        if path.is_file():  # a pipe or a device may never end
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise InputError(f"{place} ({path.name}) has more than {MAX_FILE_BYTES:,} bytes.", index)
            return data
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} ({path.name}) cannot be read: {error}.", index) from error
    raise InputError(f"{place} ({path.name}) is no file.", index)
