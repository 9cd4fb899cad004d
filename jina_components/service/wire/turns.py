"""Messages of a chat: texts, images and files, in the forms of OpenAI's and Jina's clients.

Files come as `data:` URIs or base64; images also behind http(s) URLs, which are fetched through the guard. Nothing that
a client writes is taken for a path.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Discriminator, Field, PrivateAttr, Tag, model_validator

from jina_components.deep_search.sent_files import MAX_FILE_BYTES
from jina_components.errors import BlockedURLError, WebError
from jina_components.net import FetchOptions, SupportsFetch
from jina_components.protocols import ChatMessage
from jina_components.service.errors import problem
from jina_components.types import shorten

T = TypeVar("T")

ShortList: TypeAlias = Annotated[list[T], Field(max_length=4096, fail_fast=True)]
"""A list that takes no long time, of which only the first item that does not fit is told."""

# Images behind URLs, in all messages together.
_MAX_URLS = 20
_FETCH = FetchOptions(max_bytes=MAX_FILE_BYTES, timeout=20.0)
_URL = re.compile(r"https?://", re.IGNORECASE)
_DATA = re.compile(r"data:", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8}")


class ImageUrl(BaseModel):
    """Where an image is."""

    url: str = Field(description="An http(s) URL or a data: URI.")


class File(BaseModel):
    """A file as OpenAI's clients send it."""

    file_data: str = Field(description="A data: URI.")
    filename: str | None = None


class Part(BaseModel):
    """A part of a message: a text, an image, or a file."""

    type: Literal["text", "image_url", "image", "file"]
    text: str = ""
    image_url: ImageUrl | str | None = None
    image: str | None = Field(None, description="An http(s) URL, a data: URI, or base64 with a mimeType.")
    file: File | None = None
    data: str | None = Field(None, description="A data: URI, or base64 with a mimeType.")
    filename: str | None = None
    mediaType: str | None = None  # noqa: N815 (the wire's name)
    mimeType: str | None = None  # noqa: N815 (the wire's name)
    # Private, so that no client can set it: what is sent along is never a path.
    _sent: str = PrivateAttr("")

    @property
    def sent(self) -> str:
        """What is sent along as a data: URI, or the URL of an image; of a text empty."""
        return self._sent

    @model_validator(mode="after")
    def _read(self) -> Self:
        if self.type == "text":
            return self
        linked = self.image_url.url if isinstance(self.image_url, ImageUrl) else self.image_url
        if self.type == "file":
            given, name = (self.file.file_data, self.file.filename) if self.file else (self.data, self.filename)
        else:
            given, name = linked or self.image or self.data, self.filename
        self._sent = _as_uri(given or "", self.mediaType or self.mimeType or "", name or "", self.type)
        return self


# Told apart beforehand, so that errors speak of the form that was meant.
Content: TypeAlias = Annotated[
    Annotated[str, Tag("text")] | Annotated[ShortList[Part], Tag("parts")],
    Discriminator(lambda given: "parts" if isinstance(given, list) else "text"),
]


class Turn(BaseModel):
    """A message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = None

    @property
    def texts(self) -> str:
        """What it says."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n\n".join(part.text for part in self.content if part.text.strip())

    @property
    def sent(self) -> list[str]:
        """What comes with it, in order."""
        return [part.sent for part in self.content if part.sent] if isinstance(self.content, list) else []


async def conversation(turns: Sequence[Turn], fetcher: SupportsFetch) -> list[ChatMessage]:
    """The messages as an agent takes them, without empty ones; images behind URLs are fetched.

    Raises:
        Problem: 400; the last message is not the user's, or an image cannot be had.
    """
    if not turns:
        raise problem(400, "messages is empty: the last one must be the user's question.")
    if turns[-1].role != "user":
        raise problem(400, f"The last message must be the user's; it is of {turns[-1].role}.")
    places = [
        (number, place) for number, turn in enumerate(turns) for place, uri in enumerate(turn.sent) if _URL.match(uri)
    ]
    if len(places) > _MAX_URLS:
        raise problem(400, f"The messages have {len(places)} images behind URLs; the most is {_MAX_URLS}.")
    fetching = [asyncio.create_task(_fetched(turns[number].sent[place], number, fetcher)) for number, place in places]
    try:
        images = dict(zip(places, await asyncio.gather(*fetching), strict=True))
    finally:  # one that fails ends the others
        for task in fetching:
            task.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)
    return [
        ChatMessage(
            "system" if turn.role == "developer" else turn.role,
            turn.texts,
            files=tuple(images.get((number, place), uri) for place, uri in enumerate(turn.sent)),
        )
        for number, turn in enumerate(turns)
        if turn.texts.strip() or turn.sent
    ]


async def _fetched(url: str, number: int, fetcher: SupportsFetch) -> str:
    """An image as a data: URI."""
    try:
        found = await fetcher.fetch(url, headers={"accept": "image/*"}, options=_FETCH)
    except BlockedURLError as error:  # whose words tell where names of ours lead
        raise problem(400, f"messages[{number}]: the URL of an image is refused, as none of the public web.") from error
    except WebError as error:
        raise problem(400, f"messages[{number}]: the image cannot be fetched. {error.message}") from error
    media_type = found.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("image/"):
        raise problem(400, f"messages[{number}]: {shorten(url)!r} is no image, but {media_type or 'of no type'}.")
    return f"data:{media_type};base64,{base64.b64encode(found.content).decode()}"


def _as_uri(data: str, media_type: str, name: str, kind: str) -> str:
    """What is sent as a data: URI that tells its name, or as the URL it is.

    Raises:
        ValueError: it is neither, nor base64 of a known type.
    """
    if kind != "file" and _URL.match(data):
        return data
    if not _DATA.match(data):
        if not media_type or not _BASE64.match(data):
            forms = "data: URIs" if kind == "file" else "http(s) URLs or data: URIs"
            raise ValueError(f"Parts of type {kind} are {forms}; got {shorten(data)!r}.")
        data = f"data:{media_type};base64,{data}"
    head, comma, rest = data.partition(",")
    if name and "name=" not in head:
        head, semicolon, parameters = head.partition(";")
        head = f"{head};name={quote(shorten(name, 100), safe='')}{semicolon}{parameters}"
    return f"{head}{comma}{rest}"
