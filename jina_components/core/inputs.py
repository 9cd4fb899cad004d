"""Checks of what callers pass in: one place, one wording."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, TypeVar

from jina_components.errors import InputError, WebError
from jina_components.types import Document, Image, shorten

Placed = TypeVar("Placed", bound=InputError | WebError)

_IMAGE = "jina_components.Image"


def as_list(items: Sequence[Any], *, what: str) -> Sequence[Any]:
    """`items` itself; `what` names it in errors.

    Raises:
        InputError: a bare string, or no sequence at all; says to pass a list.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Sequence):
        hint = f"[{shorten(items, 20)!r}]" if isinstance(items, str) else "a list"
        raise InputError(f"{what} must be a list, got {type(items).__name__}: pass {hint}.")
    return items


def as_documents(items: Sequence[str | Document], *, what: str) -> list[Document]:
    """Documents of a list of texts and documents, none of them blank.

    Raises:
        InputError: no list, or an item that is neither or blank; `.index` names it.
    """
    return [as_document(item, index, what=what) for index, item in enumerate(as_list(items, what=what))]


def as_document(item: str | Document, index: int, *, what: str, images: bool = False) -> Document:
    """One document of such a list.

    Args:
        item: What the caller passed, no image.
        index: Its position.
        what: Names the list in errors.
        images: Whether the caller takes images too, which the error then says.

    Raises:
        InputError: neither text nor document, or blank; `.index` names it.
    """
    if not isinstance(item, str | Document):
        raise InputError(_wrong_type(f"{what}[{index}]", ["str", "Document"], item, images=images), index)
    document = item if isinstance(item, Document) else Document(item)
    _check_filled(document.text, index, what)
    return document


def check_texts(texts: Sequence[str], *, what: str) -> Sequence[str]:
    """`texts` itself: a list of strings, none of them blank.

    Raises:
        InputError: no list, or an item that is no string or blank; `.index` names it.
    """
    for index, text in enumerate(as_list(texts, what=what)):
        check_text_item(text, index, what=what)
    return texts


def check_text_item(text: object, index: int, *, what: str, images: bool = False) -> None:
    """Refuse an item of a list that is no string, or blank; arguments as in `as_document`.

    Raises:
        InputError: it is; `.index` names it.
    """
    if not isinstance(text, str):
        raise InputError(_wrong_type(f"{what}[{index}]", ["str"], text, images=images), index)
    _check_filled(text, index, what)


class MixedInputs:
    """Where texts and images stand in a list of both.

    Attributes:
        images, places: Indices of the images, and of the texts.
        items: The texts.

    Raises:
        InputError: no list, an item that is neither or blank, or an image among chunks; `.index` names it.
    """

    def __init__(self, inputs: Sequence[str | Image], *, late_chunking: bool) -> None:
        self.images = [place for place, item in enumerate(as_list(inputs, what="inputs")) if isinstance(item, Image)]
        images = set(self.images)
        self.places = [place for place in range(len(inputs)) if place not in images] if images else range(len(inputs))
        if images and late_chunking:
            raise InputError(f"inputs[{self.images[0]}] is an image: late chunking is for texts.", self.images[0])
        for place in self.places:
            check_text_item(inputs[place], place, what="inputs", images=True)
        self.items = [item for item in inputs if isinstance(item, str)]


def as_pairs(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs (premise, hypothesis) of a list of tuples or lists, no text of them blank.

    Raises:
        InputError: no list, or an item that is no pair of texts, or has a blank one; `.index` names it.
    """
    return [_as_pair(item, index) for index, item in enumerate(as_list(pairs, what="pairs"))]


def _as_pair(item: Any, index: int) -> tuple[str, str]:  # noqa: ANN401 (whatever the caller passed)
    if not isinstance(item, tuple | list) or len(item) != 2 or not all(isinstance(text, str) for text in item):
        given = ", ".join(type(part).__name__ for part in item) if isinstance(item, tuple | list) else ""
        raise InputError(
            f"pairs[{index}] must be (premise, hypothesis), two str, got {type(item).__name__}"
            f"{f' of ({given})' if isinstance(item, tuple | list) else ''}.",
            index,
        )
    premise, hypothesis = item
    for text, name in ((premise, "premise"), (hypothesis, "hypothesis")):
        if not text.strip():
            raise InputError(f"pairs[{index}]: the {name} is empty.", index)
    return premise, hypothesis


def check_query(query: str, *, what: str = "query", images: bool = False) -> str:
    """`query` itself: a string that is not blank; arguments as in `as_document`.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(query, str):
        raise InputError(_wrong_type(what, ["str"], query, images=images))
    if not query.strip():
        raise InputError(f"{what} is empty: ask something.")
    return query


def check_unicode(text: str, *, what: str, index: int | None = None) -> None:
    """Refuse a text with lone surrogates; `what` and `index` are those of the error.

    Raises:
        InputError: it has one; the message says where.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} is not valid Unicode: lone surrogate at {error.start}. Decode the bytes that it comes from, or "
            "replace it.",
            index,
        ) from error


def is_finite_number(value: object) -> bool:
    """Whether it is a real number, no `bool`, not infinite and not NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_count(value: int, *, what: str) -> None:
    """Refuse a limit that is not a positive integer.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{what} must be a positive integer, got {value!r}.")


def at_index(error: Placed, index: int, *, what: str) -> Placed:
    """The same error, of an item of the list `what`: the message and `.index` name it."""
    details = (index,) if isinstance(error, InputError) else error.args[1:]
    placed = type(error)(f"{what}[{index}]: {error.message}", *details)
    placed.index = index
    placed.__cause__ = error
    return placed


def _wrong_type(place: str, wanted: list[str], given: object, *, images: bool) -> str:
    kind = type(given)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    wanted = [*wanted, _IMAGE] if images else wanted
    joined = " or ".join(filter(None, (", ".join(wanted[:-1]), wanted[-1])))
    wrap = images and kind.__module__.partition(".")[0] == "PIL"
    return f"{place} must be {joined}, got {name}{f': wrap it, {_IMAGE}(picture)' if wrap else ''}."


def _check_filled(text: str, index: int, what: str) -> None:
    if not text.strip():
        raise InputError(f"{what}[{index}] is empty: leave it out.", index)
