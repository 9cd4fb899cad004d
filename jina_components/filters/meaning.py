"""What filters mean: the reference that every store agrees with."""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from jina_components.filters.typed import And, Condition, Filter, Not, Or

Tag: TypeAlias = tuple[Literal["null", "bool", "number", "text", "instant"], Any]
"""A kind of value and the value."""

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge,
}  # fmt: skip
"""The comparison of each operator that needs an order."""

_ISO_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?)?",
    re.ASCII,
)


def matches(metadata: Mapping[str, Any], filter: Filter) -> bool:
    """Whether a document of this metadata meets the filter: the reference that every store agrees with."""
    if isinstance(filter, And):
        return all(matches(metadata, part) for part in filter.filters)
    if isinstance(filter, Or):
        return any(matches(metadata, part) for part in filter.filters)
    if isinstance(filter, Not):
        return not matches(metadata, filter.filter)
    values = values_at(metadata, filter.path)
    if values is None or filter.operator == "exists":
        return values is not None
    return any(map(predicate(filter), values))


def values_at(metadata: Mapping[str, Any], path: Sequence[str]) -> Sequence[Any] | None:
    """The values of a field: the items of a list, else the one value; None where the document lacks it."""
    value: Any = metadata
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value if isinstance(value, list | tuple) else (value,)


def predicate(condition: Condition) -> Callable[[Any], bool]:
    """The test that one of the field's values has to pass; for every operator but `exists`."""
    wanted = frozenset(wanted_tag(value) for value in condition.wanted)
    if condition.operator not in ORDERS:
        return lambda value: not wanted.isdisjoint(tags(value))
    comparison = ORDERS[condition.operator]
    ((kind, bound),) = wanted
    return lambda value: any(tag == kind and comparison(content, bound) for tag, content in tags(value))


def tags(value: object) -> list[Tag]:
    """What a JSON value of a document is to a filter.

    One tag, or two for a text that is a date, or none for a mapping or a list within a list.
    """
    if value is None:
        return [("null", None)]
    if isinstance(value, bool):
        return [("bool", value)]
    if isinstance(value, int | float):
        return [("number", value)]
    if not isinstance(value, str):
        return []
    instant = parse_instant(value)
    return [("text", value)] if instant is None else [("text", value), ("instant", instant)]


def wanted_tag(value: object) -> Tag:
    """The tag that a document's value has to have to equal a wanted one."""
    return ("instant", value.timestamp()) if isinstance(value, dt.datetime) else tags(value)[0]


def parse_instant(text: str) -> float | None:
    """The seconds since 1970 in UTC of an ISO 8601 date, or None for another text.

    A date is `YYYY-MM-DD`, alone or with a time behind `T` or a space: `HH:MM`, `HH:MM:SS`, with a fraction and with a
    zone or not. Fractions are cut to microseconds. Shorter forms ("2024", "20240501") stay texts, since few such texts
    are meant as dates, and so does what no calendar has or lies outside the years 1 to 9999.
    """
    found = parse_datetime(text)
    return None if found is None else found.timestamp()


def parse_datetime(text: str) -> dt.datetime | None:
    """What `parse_instant` reads, as a datetime in UTC."""
    found = _ISO_DATE.fullmatch(text) if len(text) >= 10 and text[4] == "-" else None
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, *zone = found.groups()
    hours, minutes = (int(part or 0) for part in zone)
    offset = dt.timedelta(hours=hours, minutes=minutes)
    try:
        local = dt.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "")[:6].ljust(6, "0")), dt.UTC,
        )  # fmt: skip
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):  # a 30th of February is a text
        return None
