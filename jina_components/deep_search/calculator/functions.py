"""What the calculator's code may call: functions of values, which nothing but their arguments decides."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from jina_components.deep_search.calculator.numbers import (
    CONTEXT,
    Value,
    add,
    check_size,
    integer,
    items_of,
    multiply,
    number,
    numbers,
    power,
    sure,
    text_of,
)

# The largest number of which a factorial, or a number of choices, is told.
_MAX_CHOICE = 1000
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

CONSTANTS: Mapping[str, Decimal] = {"pi": Decimal(repr(math.pi)), "e": Decimal(1).exp(CONTEXT)}


def _sum(items: Value, start: Value = Decimal(0)) -> Value:
    for item in items_of(items):
        numbers(start, item)
        start = add(start, item)
    return start


def _prod(items: Value) -> Value:
    product = Decimal(1)
    for item in items_of(items):
        numbers(item)
        product = multiply(product, item)
    return product


def _filled(items: Value, least: int = 1) -> list[Value]:
    found = items_of(items)
    numbers(*found)
    if len(found) < least:
        raise ValueError(f"at least {least} {'number is' if least == 1 else 'numbers are'} needed")
    return found


def _mean(items: Value) -> Decimal:
    found = _filled(items)
    return Decimal(_sum(found)) / len(found)


def _median(items: Value) -> Decimal:
    ordered = sorted(_filled(items))
    middle = len(ordered) // 2
    return Decimal(ordered[middle] + ordered[~middle]) / 2


def _deviation_over(less: int) -> Callable[[Value], Decimal]:
    def deviation(items: Value) -> Decimal:
        found = _filled(items, 1 + less)
        mean = _mean(found)
        return (_sum([(item - mean) ** 2 for item in found]) / (len(found) - less)).sqrt()

    return deviation


def _log(value: Value, base: Value = CONSTANTS["e"]) -> Value:
    numbers(value, base)
    return sure(Decimal(value).ln() / Decimal(base).ln())


def _rounded(value: Value, places: int, rounding: str) -> Decimal:
    numbers(value)
    held = Decimal(sure(value))
    is_short = int(held.as_tuple().exponent) >= -places
    return held if is_short else held.quantize(Decimal((0, (1,), -places)), rounding)


def _round(value: Value, ndigits: Value = None) -> Decimal:
    return _rounded(value, 0 if ndigits is None else integer(ndigits), ROUND_HALF_EVEN)


def _whole_by(rounding: str) -> Callable[[Value], Decimal]:
    return lambda value: _rounded(value, 0, rounding)


def _float(value: Value = Decimal(0)) -> Value:
    if isinstance(value, str):
        try:
            return number(Decimal(value.strip()))
        except InvalidOperation as error:
            raise ValueError(f"{value[:40]!r} is no number") from error
    numbers(value)
    return number(value)


def _range(*bounds: Value) -> list[Decimal]:
    spanned = range(*map(integer, bounds))
    check_size((spanned.stop - spanned.start) // spanned.step)
    return list(map(Decimal, spanned))


def _of_floats(function: Callable[..., float]) -> Callable[..., float]:
    def checked(*values: Value) -> float:
        numbers(*values)
        return function(*map(float, values))

    return checked


def _of_choices(function: Callable[..., int]) -> Callable[..., int]:
    def checked(*values: Value) -> int:
        integers = [integer(value) for value in values]
        if any(not 0 <= one <= _MAX_CHOICE for one in integers):
            raise ValueError(f"only numbers from 0 to {_MAX_CHOICE} can be chosen of")
        return function(*integers)

    return checked


def _date(text: Value) -> date:
    if not isinstance(text, str):
        raise TypeError("a date is written as '2024-05-06'")
    return date.fromisoformat(text)


def _months_between(start: Value, end: Value) -> int:
    """Complete months, negative where the end comes first."""
    first, last = _date(start), _date(end)
    if last < first:
        return -_months_between(end, start)
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)


def _add_months(start: Value, months: Value) -> str:
    first = _date(start)
    year, month = divmod(first.year * 12 + first.month - 1 + integer(months), 12)
    if not 1 <= year <= 9999:
        raise ValueError("the year must be from 1 to 9999")
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1])).isoformat()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "min": min, "max": max, "sum": _sum, "prod": _prod, "round": _round, "pow": power,
    "floor": _whole_by(ROUND_FLOOR), "ceil": _whole_by(ROUND_CEILING),
    "int": lambda value: _rounded(_float(value), 0, ROUND_DOWN), "float": _float,
    "len": len, "sorted": sorted, "reversed": lambda items: items_of(items)[::-1], "range": _range,
    "list": lambda items=(): items_of(items), "set": lambda items=(): list(dict.fromkeys(items_of(items))),
    "zip": lambda *lists: list(zip(*map(items_of, lists), strict=False)),
    "enumerate": lambda items, start=0: [(Decimal(n), one) for n, one in enumerate(items_of(items), integer(start))],
    "any": any, "all": all, "str": text_of, "print": lambda *values: " ".join(map(text_of, values)),
    "mean": _mean, "median": _median, "stdev": _deviation_over(1), "pstdev": _deviation_over(0),
    "sqrt": lambda value: power(value, Decimal("0.5")), "exp": lambda value: power(CONSTANTS["e"], value), "log": _log,
    "log2": lambda value: _log(value, Decimal(2)), "log10": lambda value: _log(value, Decimal(10)),
    "sin": _of_floats(math.sin), "cos": _of_floats(math.cos), "tan": _of_floats(math.tan),
    "asin": _of_floats(math.asin), "acos": _of_floats(math.acos), "atan": _of_floats(math.atan),
    "atan2": _of_floats(math.atan2), "radians": _of_floats(math.radians), "degrees": _of_floats(math.degrees),
    "factorial": _of_choices(math.factorial), "comb": _of_choices(math.comb),
    "gcd": lambda *values: math.gcd(*map(integer, values)),
    "days_between": lambda start, end: (_date(end) - _date(start)).days,
    "months_between": _months_between,
    "years_between": lambda start, end: int(_months_between(start, end) / 12),
    "add_days": lambda start, days: (_date(start) + timedelta(days=integer(days))).isoformat(),
    "add_months": _add_months, "add_years": lambda start, years: _add_months(start, integer(years) * 12),
    "weekday": lambda text: _WEEKDAYS[_date(text).weekday()],
}  # fmt: skip
