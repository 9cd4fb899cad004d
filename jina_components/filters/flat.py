"""Metadata as engines of their own index it, so that a filter means in each what `matches` says.

Engines differ in what a null, a missing field, a list, true beside 1 or a date is to them. So a store keeps the
metadata itself as text, and beside it this shadow, which needs of an engine only two things: whether a list of strings
has one of some, and whether a number lies below or above another:

    eq, in, exists   the document's `tokens` have one of `tokens_of(condition)`
    lt, lte          the least number (or instant) of the field is below, …: `bound_of(condition)` says which and what
    gt, gte          the greatest one is above, …
    Not, And, Or     the engine's own; a document without the field has no such number and does not match a bound

Tokens and keys are hexadecimal digests (BLAKE2b), of a fixed length and harmless in any query language, whatever names
and values hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jina_components.filters.meaning import Tag, tags, wanted_tag
from jina_components.filters.typed import Condition

Number: TypeAlias = int | float

_EXISTS = ("exists", None)


@dataclass(frozen=True, slots=True)
class FlatMetadata:
    """What to index of a document's metadata.

    Attributes:
        tokens: One for each field and value and for each field that is there: 32 hexadecimal digits, sorted, no two
            the same.
        least: The least number of each field that has some, and the least instant of each that has dates, by key: `n`
            or `t` and 24 hexadecimal digits. Numbers are as JSON has them, so ints may lie beyond what a double holds
            exactly, or at all; instants are seconds since 1970 in UTC, as float.
        greatest: The greatest ones, by the same keys.
    """

    tokens: tuple[str, ...]
    least: Mapping[str, Number]
    greatest: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Bound:
    """What `lt`, `lte`, `gt` or `gte` asks of a document's shadow.

    Attributes:
        side: Which of `FlatMetadata`'s mappings.
        key: The entry of that mapping; a document without it does not match.
        operator: How the entry compares with `value`.
        value: The number wanted, or the instant, in seconds since 1970 in UTC.
    """

    side: Literal["least", "greatest"]
    key: str
    operator: Literal["lt", "lte", "gt", "gte"]
    value: Number


def flatten(metadata: Mapping[str, Any]) -> FlatMetadata:
    """The shadow of a document's metadata.

    Args:
        metadata: JSON values by name.

    Example:
        >>> from jina_components.filters import Field
        >>> shadow = flatten({"year": [1999, 2024]})
        >>> bound = bound_of(Field("year") < 2000)
        >>> shadow.least[bound.key] < bound.value
        True
        >>> set(tokens_of(Field("year") == 2024)) <= set(shadow.tokens)
        True
    """
    tokens: set[str] = set()
    least: dict[str, Number] = {}
    greatest: dict[str, Number] = {}
    for path, value in _fields(metadata):
        tokens.add(_token(path, _EXISTS))
        for item in value if isinstance(value, list | tuple) else (value,):
            for kind, content in tags(item):
                tokens.add(_token(path, (kind, content)))
                if kind in _KEYS:
                    key = _key(path, kind)
                    least[key] = min(least.get(key, content), content)
                    greatest[key] = max(greatest.get(key, content), content)
    return FlatMetadata(tuple(sorted(tokens)), least, greatest)


def tokens_of(condition: Condition) -> list[str]:
    """The tokens of which a document has one, where it meets a condition of `eq`, `in` or `exists`.

    None for an `in` of no values, which nothing meets.
    """
    if condition.operator == "exists":
        return [_token(condition.path, _EXISTS)]
    return list(dict.fromkeys(_token(condition.path, wanted_tag(value)) for value in condition.wanted))


def bound_of(condition: Condition) -> Bound | None:
    """What a condition of `lt`, `lte`, `gt` or `gte` asks; None for the others, which `tokens_of` serves."""
    operator = condition.operator
    if operator == "eq" or operator == "in" or operator == "exists":
        return None
    kind, value = wanted_tag(condition.wanted[0])
    side: Literal["least", "greatest"] = "least" if operator in ("lt", "lte") else "greatest"
    return Bound(side, _key(condition.path, kind), operator, value)


def _fields(metadata: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each field and its value, those of mappings inside of mappings too."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), metadata)]
    while waiting:
        path, value = waiting.pop()
        if path:
            yield path, value
        if isinstance(value, Mapping):
            waiting.extend(((*path, name), inner) for name, inner in value.items())


_KEYS = {"number": "n", "instant": "t"}


def _key(path: Sequence[str], kind: str) -> str:
    return _KEYS[kind] + _digest(path, size=12)


def _token(path: Sequence[str], tag: Tag | tuple[str, None]) -> str:
    kind, content = tag
    return _digest((*path, kind, _text(content)), size=16)


def _text(content: object) -> str:
    """A text for a tag's content: the same for equal contents, and for no others."""
    if isinstance(content, float) and content.is_integer():
        content = int(content)
    # Hexadecimal, since Python refuses to write an int of thousands of decimal digits.
    return hex(content) if isinstance(content, int) else str(content)


def _digest(parts: Sequence[str], *, size: int) -> str:
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
