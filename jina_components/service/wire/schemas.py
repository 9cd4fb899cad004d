"""JSON Schemas of clients, against which values are held: neither they nor their patterns may take long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

_LARGEST = 100_000  # bytes, as JSON
# Python's engine tries all ways to match: with n characters, n times for each part that repeats and for each place to
# begin at, twice for each choice, and more often than there is time for where groups repeat.
_LONGEST_PATTERN, _MOST_REPEATS, _MOST_CHOICES = 500, 2, 6
_LITERAL = re.compile(r"\\.|\[\]?[^]]*\]", re.DOTALL)
_FIXED = re.compile(r"(?<!\))\{\d+\}")
_REPEATED_GROUP, _REPEATED, _CHOICE = re.compile(r"\)[*+{]"), re.compile(r"[*+{]"), re.compile(r"\||(?<!\()\?")


def checked_schema(value: object) -> dict[str, Any]:
    """A JSON Schema, as far as its size and its patterns go.

    Raises:
        ValueError: it is no object, too large, or has a pattern that a text can be found for which takes forever.
    """
    if not isinstance(value, dict):
        raise ValueError("must be an object, a JSON Schema")  # noqa: TRY004 (what is wrong with an option is this)
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        raise ValueError(f"must be of few levels and numbers of few digits: {error}") from error
    if size > _LARGEST:
        raise ValueError(f"must be at most {_LARGEST:,} bytes as JSON, got {size:,}")
    for pattern in _patterns(value):
        if not _is_quick(pattern):
            raise ValueError(
                f"has the pattern {pattern[:60]!r}, which could take too long: one may repeat two characters or "
                f"classes if it begins with ^, else one, and no groups; and have {_MOST_CHOICES} of | and ?"
            )
    return value


def _is_quick(pattern: str) -> bool:
    if len(pattern) > _LONGEST_PATTERN:
        return False
    plain = _FIXED.sub("", _LITERAL.sub("x", pattern))
    repeats = len(_REPEATED.findall(plain)) + (not plain.startswith("^"))
    is_simple = repeats <= _MOST_REPEATS and len(_CHOICE.findall(plain)) <= _MOST_CHOICES
    return is_simple and not _REPEATED_GROUP.search(plain)


def _patterns(schema: dict[str, Any]) -> Iterator[str]:
    rest: list[object] = [schema]
    while rest:
        each = rest.pop()
        if isinstance(each, list):
            rest += each
        elif isinstance(each, dict):
            rest += each.values()
            if isinstance(pattern := each.get("pattern"), str):
                yield pattern
            if isinstance(named := each.get("patternProperties"), dict):
                yield from named
