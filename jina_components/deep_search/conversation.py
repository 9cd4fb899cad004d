"""What a caller says to an agent: a question, or a conversation that ends with one.

The rules are those of Jina's DeepSearch: the last message is the user's, thoughts of earlier answers are left out, and
so are empty turns.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

from jina_components.core.inputs import as_list, check_query, check_unicode
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.sent_files import (
    FileText,
    SentFile,
    as_image,
    passages,
    read_file,
    sent_file,
    sources_of,
)
from jina_components.errors import InputError
from jina_components.protocols import ChatMessage, SupportsRead
from jina_components.types import Document, Image, shorten

MAX_QUESTION = 100_000
"""Characters of the longest question."""
MAX_CONVERSATION = 10_000_000
"""Characters of the longest conversation, the question included and files left out."""

_ROLES = ("system", "user", "assistant")
_THINK, _THOUGHT = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked, and in which context.

    Attributes:
        question: The words of the last message.
        messages: The conversation for chat models, which ends with the question: without empty turns and thoughts;
            images sent as files are among the images, other files are left out.
        files: What else was sent along with any message, in order.
    """

    question: str
    messages: tuple[ChatMessage, ...]
    files: tuple[SentFile, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What was asked, as JSON values: of images a digest, of files their names and a digest of their data."""
        asked: dict[str, Any] = {"question": self.question}
        if len(self.messages) > 1 or self.messages[0].images or self.files:
            asked["messages"] = [
                {"role": turn.role, "content": turn.content, "images": [_digest(image) for image in turn.images]}
                for turn in self.messages
            ]
            asked["files"] = [file.as_json() for file in self.files]
        return asked

    async def read_files(self, reader: SupportsRead | None, journal: Journal) -> tuple[list[Document], tuple[str, ...]]:
        """Passages of the files, in order, and warnings about them; what was read is on record.

        Each passage has up to 2,000 characters that stand verbatim in its file's text. Metadata: `source`, the name of
        the file; `title`; `start` and `end` in its text; and `page`, from 1, for paged files.

        Raises:
            InputError: a file is missing, too large, broken or without text; the message says which.
            ConfigError: there is no reader, and a file is no text in UTF-8.
            MissingDependencyError: reading it takes a package that is not installed.
        """
        documents: list[Document] = []
        warnings: list[str] = []
        for file, source in zip(self.files, sources_of(self.files), strict=True):
            text = await journal.call("read", {"file": file.as_json()}, partial(read_file, file, reader), FileText)
            documents += await asyncio.to_thread(passages, text, source)
            warnings += [f"{source}: {warning}" for warning in text.warnings]
        return documents, tuple(warnings)

    @property
    def unused_without_chat(self) -> tuple[str, ...]:
        """Warnings for the answer of an agent without a chat model: what of the conversation had no part in it."""
        images = sum(len(message.images) for message in self.messages)
        earlier = len(self.messages) - 1
        need = "that takes a chat model: pass chat=OpenAIChat(…)."
        return (
            *([f"{_counted(images, 'image')} sent along had no part in the answer: {need}"] if images else []),
            *([f"{_counted(earlier, 'message')} before the question had no part in it: {need}"] if earlier else []),
        )


def read_conversation(question: str | Sequence[ChatMessage]) -> Conversation:
    """The conversation that a caller means by one question, or by messages of which the last is the user's.

    Raises:
        InputError: no words are asked, they are too many or not valid Unicode, or something is no message, file or
            image; the message says which, and `.index` is the message's place.
    """
    if isinstance(question, str):
        _check_question(question, "question", None)
        return Conversation(question.strip(), (ChatMessage("user", question.strip()),))
    given = as_list(question, what="question")
    for index, message in enumerate(given):
        _check_message(message, index)
    _check_last(given)
    kept: list[ChatMessage] = []
    files: list[SentFile] = []
    for index, message in enumerate(given):
        turn, sent = _taken_apart(message, index, number=len(files) + 1)
        files += sent
        kept += [turn] if turn.content or turn.images else []
    return Conversation(kept[-1].content, tuple(kept), tuple(files))


def without_thoughts(text: str) -> str:
    """An answer without what its model thought before or between: `<think>…</think>`, also one that was cut off."""
    pieces: list[str] = []
    position = 0
    while (begin := text.find(_THINK, position)) >= 0:
        end = text.find(_THOUGHT, begin)
        if end < 0:
            break
        pieces.append(text[position:begin])
        position = end + len(_THOUGHT)
    answer = "".join([*pieces, text[position:]]).strip()
    return "" if answer.startswith(_THINK) else answer  # which was cut off while its model thought


def _check_message(message: Any, index: int) -> None:  # noqa: ANN401 (whatever the caller passed)
    if not isinstance(message, ChatMessage):
        got = type(message).__name__
        raise InputError(f'messages[{index}] must be ChatMessage, got {got}: ChatMessage("user", "…").', index)
    if message.role not in _ROLES:
        raise InputError(f"messages[{index}].role must be one of {', '.join(_ROLES)}, got {message.role!r}.", index)
    if not isinstance(message.content, str):
        got = type(message.content).__name__
        raise InputError(f"messages[{index}].content must be str, got {got}; images and files go beside it.", index)
    for name in ("images", "files"):
        if not isinstance(items := getattr(message, name), tuple | list):
            raise InputError(f"messages[{index}].{name} must be a tuple, got {type(items).__name__}.", index)
    for image in message.images:
        if not isinstance(image, Image):
            raise InputError(f"messages[{index}].images must hold Image, got {type(image).__name__}.", index)
    check_unicode(message.content, what=f"messages[{index}].content", index=index)


def _check_last(messages: Sequence[ChatMessage]) -> None:
    if not messages:
        raise InputError("There are no messages: the last one must be the user's question.")
    last, index = messages[-1], len(messages) - 1
    if last.role != "user":
        raise InputError(f"The last message must be the user's question; messages[{index}] is of {last.role}.", index)
    sent = [name for name in ("files", "images") if getattr(last, name)]
    if sent and not last.content.strip():
        raise InputError(
            f"messages[{index}] sends {' and '.join(sent)} without words: say what you want to know, such as "
            '"What does it say of prices?".',
            index,
        )
    _check_question(last.content, f"The last message, messages[{index}],", index)
    if (length := sum(len(message.content) for message in messages)) > MAX_CONVERSATION:
        raise InputError(f"The conversation has {length:,} characters; the most is {MAX_CONVERSATION:,}.")


def _check_question(question: str, what: str, index: int | None) -> None:
    check_query(question, what=what)
    check_unicode(question, what=what, index=index)
    if len(question) > MAX_QUESTION:
        raise InputError(
            f"{what} has {len(question):,} characters; the most is {MAX_QUESTION:,}. Send long texts along as files: "
            'ChatMessage("user", question, files=(Path("text.txt"),)).',
            index,
        )
    if not any(character.isalnum() for character in question):
        raise InputError(f"{what} holds no words: {shorten(question)!r}.", index)


def _taken_apart(message: ChatMessage, index: int, *, number: int) -> tuple[ChatMessage, list[SentFile]]:
    """The turn for chat models, and the files of it that are no images, the first of them with a number."""
    content = without_thoughts(message.content) if message.role == "assistant" else message.content.strip()
    images = list(message.images)
    files: list[SentFile] = []
    for position, given in enumerate(message.files):
        file = sent_file(given, f"messages[{index}].files[{position}]", index, number=number + len(files))
        if file.is_image:
            images.append(as_image(file))
        else:
            files.append(file)
    return replace(message, content=content, images=tuple(images), files=()), files


def _digest(image: Image) -> str:
    source = image.source
    if isinstance(source, str | os.PathLike):
        data = os.fsencode(source)
    elif isinstance(source, bytes):
        data = source
    else:
        data = f"{source.mode} {source.size} ".encode() + source.tobytes()
    return blake2b(data, digest_size=16).hexdigest()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
