"""Filters on metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina_components.errors import InputError

_SCALARS = (str, int, float, bool, type(None))


def check_filter(conditions: Mapping[str, Any] | None) -> None:
    """Refuse what `matches` could not decide.

    Raises:
        InputError: no mapping of names to a value or a list of values.
    """
    if conditions is None:
        return
    if not isinstance(conditions, Mapping):
        raise InputError(f"filter must map metadata names to values, got {type(conditions).__name__}.")
    for name, wanted in conditions.items():
        values = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        if not isinstance(name, str) or not all(isinstance(value, _SCALARS) for value in values):
            raise InputError(f"filter[{name!r}] must be a value or a list of values, got {wanted!r}.")


def matches(metadata: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    """Whether every condition holds: the metadata value equals the one wanted, or is among several wanted.

    A name that the metadata lacks never matches. A metadata list matches when any of its items does.
    """
    for name, wanted in conditions.items():
        if name not in metadata:
            return False
        value = metadata[name]
        values = value if isinstance(value, list | tuple) else [value]
        accepted = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
        if not any(item == one for item in values for one in accepted):
            return False
    return True
