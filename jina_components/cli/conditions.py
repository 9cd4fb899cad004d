"""Metadata conditions as they are written on the command line."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from jina_components.errors import ConfigError
from jina_components.filters import And, Field, Filter

if TYPE_CHECKING:
    import argparse

# The longer operators first, so that >= is not read as > and a value that begins with =.
_CONDITION = re.compile(r"(?s)(?P<name>.+?)(?P<operator>!=|>=|<=|=|>|<)(?P<value>.*)")

_Bound: TypeAlias = float | dt.date
_ORDERS: Mapping[str, Callable[[Field, _Bound], Filter]] = {
    ">=": lambda field, bound: field >= bound,
    "<=": lambda field, bound: field <= bound,
    ">": lambda field, bound: field > bound,
    "<": lambda field, bound: field < bound,
}


def add_filter_option(parser: argparse.ArgumentParser) -> None:
    """`--filter`."""
    parser.add_argument(
        "--filter", action="append", default=[], metavar="CONDITION",
        help="what the metadata must say: lang=en, lang!=en, year>=2020, date<2024-05-01, author.name=Noor; "
        "repeat it for more, the same NAME= for alternatives",
    )  # fmt: skip


def parse_conditions(conditions: Sequence[str]) -> Filter | None:
    """The filter that conditions stand for; a value that is JSON too (3, true) equals either.

    Raises:
        ConfigError: one is not of the form of `--filter`.
    """
    equal: dict[str, list[Any]] = {}
    others: list[Filter] = []
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise ConfigError(f"--filter takes NAME=VALUE, or !=, >, >=, <, <= in place of =; got {condition!r}.")
        name, operator, value = match["name"].strip(), match["operator"], match["value"].strip()
        if value[:1] in ("<", ">", "="):
            raise ConfigError(f"--filter {condition!r}: there is no {operator}{value[0]}, only !=, >=, <= and =, >, <.")
        if operator == "=":
            equal.setdefault(name, []).extend(_readings(value))
        elif operator == "!=":
            others.append(~Field(name).is_in(_readings(value)))
        else:
            others.append(_ORDERS[operator](Field(name), _bound(value, condition)))
    filters = [*(Field(name).is_in(values) for name, values in equal.items()), *others]
    return And(tuple(filters)) if filters else None


def _readings(value: str) -> list[Any]:
    """A value as it stands, and as JSON where it is a scalar of it."""
    readings: list[Any] = [value]
    with suppress(ValueError):  # no JSON, or an integer of thousands of digits
        parsed = json.loads(value)
        is_number = isinstance(parsed, int | float) and abs(parsed) < math.inf  # Python reads NaN and 1e999 as JSON
        if parsed is None or isinstance(parsed, str) or is_number:
            readings.append(parsed)
    return readings


def _bound(value: str, condition: str) -> _Bound:
    for read in (int, float, dt.date.fromisoformat, dt.datetime.fromisoformat):
        with suppress(ValueError):
            return read(value)
    raise ConfigError(
        f"--filter {condition!r}: {value!r} is neither a number nor an ISO 8601 date, which have an order."
    )
