"""The plain form of filters: JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from jina_components.errors import InputError
from jina_components.filters.meaning import parse_datetime
from jina_components.filters.typed import (
    And,
    Condition,
    Filter,
    Not,
    Operator,
    Or,
    join_path,
    several,
    shown_field,
    split_path,
)

FilterLike: TypeAlias = Filter | Mapping[str, Any]
"""What `filter=` takes: the typed form or the plain one."""

_MAX_DEPTH = 32


def as_filter(filter: FilterLike | None) -> Filter | None:
    """The typed form of a filter, checked; None, no filter, stays None, and `{}` matches every document.

    Raises:
        InputError: what is no filter, an unknown operator (with the known ones), a value of a wrong type, or filters
            nested more than 32 deep.
    """
    return None if filter is None else _parsed(filter, 0)


def to_json(filter: Filter) -> dict[str, Any]:
    """The plain form, of JSON values alone: `as_filter` gives the same filter back."""
    if isinstance(filter, Condition):
        return {join_path(filter.path): {f"${filter.operator}": _plain_wanted(filter)}}
    if isinstance(filter, Not):
        return {"$not": to_json(filter.filter)}
    return {"$and" if isinstance(filter, And) else "$or": [to_json(part) for part in filter.filters]}


def _plain_wanted(condition: Condition) -> Any:  # noqa: ANN401 (JSON)
    if condition.operator == "exists":
        return True
    values = [{"$date": value.isoformat()} if isinstance(value, dt.date) else value for value in condition.wanted]
    return values if condition.operator == "in" else values[0]


def _parsed(filter: object, depth: int) -> Filter:
    if depth > _MAX_DEPTH:
        raise InputError(f"The filter is nested more than {_MAX_DEPTH} deep.")
    match filter:
        case Condition():
            return filter
        case And() | Or():
            return type(filter)(tuple(_parsed(part, depth + 1) for part in filter.filters))
        case Not():
            return Not(_parsed(filter.filter, depth + 1))
        case Mapping():
            return _all([_parsed_entry(name, wanted, depth) for name, wanted in filter.items()])
    raise InputError(
        "filter must be a comparison such as Field('year') >= 2020, or map names of fields to values, "
        f"got {type(filter).__name__}."
    )


def _parsed_entry(name: Any, wanted: object, depth: int) -> Filter:  # noqa: ANN401 (`split_path` checks it)
    """One entry of a mapping: an operator around filters, or a field."""
    if not isinstance(name, str) or not name.startswith("$"):
        return _parsed_field(split_path(name), wanted)
    if name == "$not":
        return Not(_parsed(wanted, depth + 1))
    if name not in ("$and", "$or"):
        known = ", ".join(_OPERATORS)
        raise InputError(f"Unknown operator {name!r} around filters; known: $and, $or, $not; in a field: {known}.")
    if not isinstance(wanted, list | tuple):
        raise InputError(f"{name} takes a list of filters, got {type(wanted).__name__}.")
    return (And if name == "$and" else Or)(tuple(_parsed(part, depth + 1) for part in wanted))


def _parsed_field(path: tuple[str, ...], wanted: object) -> Filter:
    if isinstance(wanted, list | tuple | set | frozenset):
        return _in(path, wanted)
    if not isinstance(wanted, Mapping) or "$date" in wanted:
        return _OPERATORS["$eq"](path, wanted)
    unknown = [name for name in wanted if name not in _OPERATORS]
    if not wanted or not all(isinstance(name, str) and name.startswith("$") for name in unknown):
        inner = join_path((*path, next((str(name) for name in unknown if not str(name).startswith("$")), "name")))
        raise InputError(f"{shown_field(path)} is compared with a mapping; for a field inside it, write {inner!r}.")
    if unknown:
        known = ", ".join(_OPERATORS)
        raise InputError(
            f"{shown_field(path)}: unknown operator {unknown[0]!r}; known: {known}; and $and, $or, $not around filters."
        )
    return _all([_OPERATORS[name](path, value) for name, value in wanted.items()])


def _all(filters: list[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else And(tuple(filters))


def _one(name: Operator) -> Callable[[tuple[str, ...], Any], Condition]:
    return lambda path, wanted: Condition(path, name, (_value(wanted, path),))


def _in(path: tuple[str, ...], wanted: object) -> Condition:
    values = several(wanted, f"{shown_field(path)}: $in or $nin")
    return Condition(path, "in", tuple(_value(value, path) for value in values))


def _exists(path: tuple[str, ...], wanted: object) -> Filter:
    if not isinstance(wanted, bool):
        raise InputError(f"{shown_field(path)}: $exists takes true or false, got {wanted!r}.")
    return Condition(path, "exists") if wanted else Not(Condition(path, "exists"))


def _value(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 (`Condition` checks it)
    """A wanted value; a date where it is written as JSON."""
    if not isinstance(value, Mapping) or "$date" not in value:
        return value
    text = value["$date"]
    found = parse_datetime(text) if isinstance(text, str) and len(value) == 1 else None
    if found is None:
        raise InputError(
            f"{shown_field(path)}: a date is {{'$date': '2024-05-01'}}, with a time and zone if need be, got {value!r}."
        )
    return found


_OPERATORS: dict[str, Callable[[tuple[str, ...], Any], Filter]] = {
    "$eq": _one("eq"),
    "$ne": lambda path, wanted: Not(Condition(path, "eq", (_value(wanted, path),))),
    "$in": _in,
    "$nin": lambda path, wanted: Not(_in(path, wanted)),
    "$lt": _one("lt"),
    "$lte": _one("lte"),
    "$gt": _one("gt"),
    "$gte": _one("gte"),
    "$exists": _exists,
}
