"""Haystack's filters as ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from haystack.dataclasses import Document
from haystack.errors import FilterError

from jina_components.errors import InputError
from jina_components.filters import And, Condition, Filter, Not, Operator, Or
from jina_components.filters.meaning import parse_datetime
from jina_components.types import shorten

Path = tuple[str, ...]

_NOTHING = Or(())


def to_filter(filters: dict[str, Any] | None) -> Filter | None:
    """Our filter; None for none, or an empty one.

    It means what it means in Haystack, but that a field that holds a list has all of its items as values, and that a
    document whose value has no order does not match rather than raise an error.

    Raises:
        FilterError: it is none of Haystack's form, compares what has no order, or a field that is not in `meta`.
    """
    if not filters:
        return None
    try:
        return _parsed(filters)
    except InputError as error:
        raise FilterError(str(error)) from error


def _parsed(filters: Any) -> Filter:
    if not isinstance(filters, dict):
        raise FilterError(f"A filter is a dict, got {shorten(repr(filters))}.")
    needed = ("field", "operator", "value") if "field" in filters else ("operator", "conditions")
    missing = [name for name in needed if name not in filters]
    if missing:
        raise FilterError(f"{', '.join(map(repr, missing))} is missing in the filter {shorten(repr(filters), 200)}.")
    operator = filters["operator"]
    known: dict[str, Any] = _COMPARISONS if "field" in filters else _LOGICAL
    if operator not in known:
        raise FilterError(f"Unknown operator {operator!r}; known: {', '.join(known)}.")
    if "field" in filters:
        return known[operator](_path(filters["field"]), filters["value"])
    if not isinstance(filters["conditions"], list):
        raise FilterError(f"'conditions' must be a list, got {type(filters['conditions']).__name__}.")
    return known[operator](tuple(_parsed(part) for part in filters["conditions"]))


def _path(field: Any) -> Path:
    if not isinstance(field, str):
        raise FilterError(f"'field' must be a str, got {type(field).__name__}.")
    path = tuple(field.split("."))
    if path[0] == "meta":
        return path[1:]
    if path[0] in Document.__dataclass_fields__:
        raise FilterError(f"Filters compare fields of meta, not {field!r}: write 'meta.{field}' for one of that name.")
    return path


def _equal(path: Path, wanted: Any) -> Filter:
    if wanted is None:  # which in Haystack a field that is missing is too
        return Or((Not(Condition(path, "exists")), Condition(path, "eq", (None,))))
    same = Condition(path, "eq", (wanted,))
    instant = parse_datetime(wanted) if isinstance(wanted, str) else None
    return same if instant is None else Or((same, Condition(path, "eq", (instant,))))


def _one_of(path: Path, wanted: Any) -> Filter:
    if not isinstance(wanted, list):
        raise FilterError(f"'in' and 'not in' take a list, got {type(wanted).__name__}.")
    return Or(tuple(_equal(path, each) for each in wanted))


def _ordered(operator: Operator) -> Callable[[Path, Any], Filter]:
    def compare(path: Path, wanted: Any) -> Filter:
        if wanted is None:
            return _NOTHING
        instant = parse_datetime(wanted) if isinstance(wanted, str) else None
        return Condition(path, operator, (wanted if instant is None else instant,))

    return compare


_COMPARISONS: dict[str, Callable[[Path, Any], Filter]] = {
    "==": _equal,
    "!=": lambda path, wanted: Not(_equal(path, wanted)),
    ">": _ordered("gt"),
    ">=": _ordered("gte"),
    "<": _ordered("lt"),
    "<=": _ordered("lte"),
    "in": _one_of,
    "not in": lambda path, wanted: Not(_one_of(path, wanted)),
}
_LOGICAL: dict[str, Callable[[Sequence[Filter]], Filter]] = {
    "AND": lambda parts: And(tuple(parts)),
    "OR": lambda parts: Or(tuple(parts)),
    "NOT": lambda parts: Not(And(tuple(parts))),
}
