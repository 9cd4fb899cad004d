"""What clients send as a text or an image, in each of its forms: a string, `{text}`, `{image}`, `{url}`, `{bytes}`.

Nothing here reads a file: a string that stands for an image is a URL, which is fetched through the guard later, or a
`data:` URI or base64, which is decoded later, off the event loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from jina_components.errors import InputError, TooLongError, WebError
from jina_components.service.errors import invalid
from jina_components.types import Image

T = TypeVar("T")

MOST_ITEMS = 100_000
"""Items of a list that are looked at at all. The limits of a service are lower, and told in its own words."""

ListOf: TypeAlias = Annotated[list[T], Field(max_length=MOST_ITEMS, fail_fast=True)]
"""A list of which only the first item that does not fit is told: of a million, all would hold others up for seconds."""

# Many times what any model takes; tokenizing a text takes some 300 bytes of memory a character.
_MOST_CHARACTERS = 1_000_000
# Keys of an object that hold an image: Jina's, and those of its first API for images.
_IMAGE_KEYS = ("image", "url", "bytes")
_URL = re.compile(r"https?://", re.IGNORECASE)
_DATA = re.compile(r"data:image/", re.IGNORECASE)
# Tells base64 from a name or a sentence by its beginning; the rest is checked where it is decoded.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16}")
_NO_TYPE = "data:image/unknown;base64,"

ITEM_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "description": "A text; for a model that takes images, also the data URI of one."},
        *(
            {"type": "object", "properties": {key: {"type": "string", "description": words}}, "required": [key]}
            for key, words in (
                ("text", "A text."),
                ("image", "An image: a URL, a data URI or base64."),
                ("url", "An image, in an older form."),
                ("bytes", "An image in base64, in an older form."),
            )
        ),
    ]
}
"""JSON schema of an `Item`."""


def as_item(given: object) -> str | Image:
    """A text or an image of one of the forms; other keys of an object are ignored, and those that are null.

    Raises:
        PydanticCustomError: it has none of them; a validator passes that on.
    """
    if isinstance(given, str):
        return _checked(given)
    if not isinstance(given, dict):
        raise PydanticCustomError("string_type", "Input should be a string, or an object with 'text' or 'image'.")
    text = given.get("text")
    if text is None:
        return _image_of(given)
    if not isinstance(text, str):
        raise PydanticCustomError("string_type", "'text' should be a string.")
    if given.get("image") is not None:
        raise PydanticCustomError("value_error", "Send text and image as two inputs: there is a vector for each.")
    return _checked(text)


def _checked(text: str) -> str:
    """A text that may be tokenized. A data URI may be longer: a model that sees takes it for an image."""
    if len(text) > _MOST_CHARACTERS and not _DATA.match(text):
        raise PydanticCustomError("string_too_long", f"A text should have at most {_MOST_CHARACTERS:,} characters.")
    return text


def as_image(given: object) -> Image:
    """An image behind a URL, in a data URI, or in bare base64.

    Raises:
        PydanticCustomError: it is something else; a validator passes that on.
    """
    if isinstance(given, str):
        if _URL.match(given) or _DATA.match(given):
            return Image(given)
        # Some encoders break lines.
        payload = "".join(given.split())
        if _BASE64.match(payload):
            return Image(_NO_TYPE + payload)
    raise PydanticCustomError(
        "value_error", "An image should be an http or https URL, a data URI (data:image/png;base64,...) or base64."
    )


def one_or_many(given: object) -> object:
    """A list as it is, anything else as a list of one."""
    return given if isinstance(given, list) else [given]


if TYPE_CHECKING:
    Item: TypeAlias = str | Image
else:  # pydantic would look into the class Image, whose annotations need not be importable
    Item = Annotated[Any, PlainValidator(as_item), WithJsonSchema(ITEM_SCHEMA)]
"""A text or an image: a field of this type takes its forms, and holds the library's `str | Image`."""

Items: TypeAlias = Annotated[
    ListOf[Item],
    BeforeValidator(one_or_many),
    WithJsonSchema({"anyOf": [*ITEM_SCHEMA["anyOf"], {"type": "array", "items": ITEM_SCHEMA}]}),
]
"""One of them, or a list."""


def check_number(items: Sequence[object], most: int, *, field: str, what: str = "inputs") -> None:
    """Refuse more items than a request may have.

    Raises:
        Problem: 422, which names the limit.
    """
    if len(items) > most:
        raise invalid(f"body -> {field}", f"A request has at most {most} {what}.", kind="too_long")


def has_data_images(items: Sequence[object]) -> bool:
    """Whether a string is the data URI of an image, so that it matters whether the model takes images."""
    return any(isinstance(item, str) and _DATA.match(item) for item in items)


def seen(items: Sequence[str | Image]) -> list[str | Image]:
    """Inputs of a model that takes images: strings that are data URIs of images are these images."""
    return [Image(item) if isinstance(item, str) and _DATA.match(item) else item for item in items]


def takes_no_images(model: str) -> str:
    """What there is to say to images for a model of this name."""
    return f"{model!r} takes texts alone as it runs here: GET /v1/models says which models take images too."


@contextmanager
def of_field(field: str) -> Iterator[None]:
    """Errors of the library that name an item become errors of this field: `body -> input -> 3` (422).

    A text over the model's context keeps its own answer (400).
    """
    try:
        yield
    except TooLongError:
        raise
    except (InputError, WebError) as error:
        if error.index is None:
            raise
        raise invalid(f"body -> {field} -> {error.index}", error.message) from error


def _image_of(given: dict[str, Any]) -> Image:
    for key in _IMAGE_KEYS:
        if (found := given.get(key)) is not None:
            return as_image(found)
    if given.get("pdf") is not None:
        raise PydanticCustomError("value_error", "No model here takes PDFs: read it with /r/, and embed its text.")
    raise PydanticCustomError("missing", "An object should have 'text' or 'image'.")
