"""Metadata and filters as engines of other languages take them: whole numbers in a list, and doubles by key.

It narrows `filters.flatten` to what every engine has and agrees on. A token is a whole number below 2^63. A number is
two doubles that sum to it where one does not hold it, so ints up to 2^106 are told apart; larger ones count in an order
as their nearest such sum. A filter has its `Not` moved down to the tokens, where no engine knows a third truth value.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jina_components.filters import And, Condition, Filter, Not, Or, bound_of, flatten, tokens_of

_EVERY = 0  # the token that every document has
_EXACT = 2**53  # below it a double holds every int

Comparison: TypeAlias = Literal["lt", "lte", "gt", "gte", "eq"]
_OPPOSITE: Mapping[Comparison, Comparison] = {"lt": "gte", "lte": "gt", "gt": "lte", "gte": "lt"}
_STRICT: Mapping[Comparison, Comparison] = {"lt": "lt", "lte": "lt", "gt": "gt", "gte": "gt"}


@dataclass(frozen=True, slots=True)
class Shadow:
    """What an engine indexes of a document's metadata.

    Attributes:
        tokens: Whole numbers from 0, below 2^63.
        bounds: Doubles by key; a key is a letter with letters and digits behind it.
    """

    tokens: list[int]
    bounds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Has:
    """The document's tokens have one of these, of which there is at least one; or none of them."""

    tokens: tuple[int, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """The document's bound of this key lies below, …, a value; not asked of a document without the key."""

    key: str
    operator: Comparison
    value: float


@dataclass(frozen=True, slots=True)
class Joined:
    """Every one of the parts holds, or one of them; there is at least one."""

    every: bool
    parts: tuple[Expression, ...]


Expression: TypeAlias = Has | Compare | Joined
"""A filter that asks a `Shadow`."""


def shadow(metadata: Mapping[str, Any]) -> Shadow:
    """What to index of a document's metadata."""
    flat = flatten(metadata)
    bounds: dict[str, float] = {}
    for side, entries in (("l", flat.least), ("g", flat.greatest)):
        for key, number in entries.items():
            bounds |= zip((f"{key}{side}", f"{key}{side}rest"), _doubles(number), strict=False)
    return Shadow([_EVERY, *map(_number, flat.tokens), *map(_presence, flat.least)], bounds)


def expression(filter: Filter, *, negated: bool = False) -> Expression:
    """The filter, or its opposite, in terms of shadows."""
    if isinstance(filter, Not):
        return expression(filter.filter, negated=not negated)
    if isinstance(filter, And | Or):
        every = isinstance(filter, And) != negated
        parts = tuple(expression(part, negated=negated) for part in filter.filters)
        return Joined(every, parts) if parts else Has((_EVERY,), negated=not every)
    return _condition(filter, negated=negated)


def _condition(condition: Condition, *, negated: bool) -> Expression:
    bound = bound_of(condition)
    if bound is None:
        tokens = tuple(map(_number, tokens_of(condition)))
        return Has(tokens, negated) if tokens else Has((_EVERY,), negated=not negated)
    operator = _OPPOSITE[bound.operator] if negated else bound.operator
    key = bound.key + {"least": "l", "greatest": "g"}[bound.side]
    return Joined(not negated, (Has((_presence(bound.key),), negated), _compare(key, operator, bound.value)))


def _compare(key: str, operator: Comparison, value: float) -> Expression:
    first, *rest = _doubles(value)
    if not rest:
        return Compare(key, operator, first)
    equal = Joined(True, (Compare(key, "eq", first), Compare(f"{key}rest", operator, rest[0])))
    return Joined(False, (Compare(key, _STRICT[operator], first), equal))


def _doubles(number: float) -> list[float]:
    """The nearest double, and where it may be another number, the nearest double to what it lacks."""
    most = sys.float_info.max
    first = float(max(-most, min(number, most)))
    if abs(first) < _EXACT:
        return [first]
    return [first, float(max(-most, min(int(number) - int(first), most)))]


def _number(token: str) -> int:
    """63 bits of a token of 128: two of a million tokens are the same once in ten million collections."""
    return int(token[:16], 16) >> 1


def _presence(key: str) -> int:
    """The token that says that a document has a bound of this key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") >> 1
