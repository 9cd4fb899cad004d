"""Values of the calculator: decimal numbers, texts, lists, tuples and dicts, all of bounded size."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, TypeAlias

Value: TypeAlias = Any

MAX_SIZE = 20_000
_MAX_EXPONENT = 10_000
_HALF = Decimal("0.5")
_DIGITS = 60
# Digits of a number with more of them than people read, and that are sure where what was calculated is not exact.
_READ, _SHOWN, _SURE = 20, 15, 50
_FORMAT = re.compile(r"(?:.?[<>=^])?[-+ ]?0?\d{0,3},?(?:\.\d{1,2})?[defgs%]?", re.DOTALL)

CONTEXT = Context(
    prec=_DIGITS, Emin=-999, Emax=999, capitals=0, clamp=0, flags=[], traps=[DivisionByZero, InvalidOperation, Overflow]
)
"""Of all arithmetic, so that no number takes more memory or time than another."""


def number(value: Decimal | float) -> Decimal:
    """A number as the calculator holds it.

    Raises:
        ValueError: it is infinite or not a number.
        Overflow: it is too large.
    """
    # Of a float, as functions of the platform give it, without the noise of its last digits.
    held = Decimal(f"{value:.15g}" if isinstance(value, float) else value) + 0
    if not held.is_finite():
        raise ValueError("the number is too large, or is none")
    return held


def sure(value: Value) -> Value:
    """A number without the last digits that it has because it is not exact: 1 where a third of it was multiplied."""
    return Context(prec=_SURE).plus(value) if isinstance(value, Decimal) and not _is_whole(value) else value


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value() and value.adjusted() < _DIGITS


def numbers(*values: Value) -> None:
    """Refuse what is no number.

    Raises:
        TypeError: a value is none.
    """
    for value in values:
        if not isinstance(value, bool | Decimal):
            raise TypeError(f"a number is needed, got {_kind(value)}")


def integer(value: Value) -> int:
    """A whole number as Python counts with it.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, int | Decimal) or value != int(value):
        raise TypeError(f"an integer is needed, got {text_of(value)[:40]}")
    return int(value)


def items_of(value: Value) -> list[Value]:
    """What can be gone through in a value.

    Raises:
        TypeError: nothing can.
    """
    if not isinstance(value, str | list | tuple | dict):
        raise TypeError(f"a list is needed, got {_kind(value)}")
    return list(value)


def check_size(items: int) -> None:
    """Refuse to begin what gives a value of so many items or characters.

    Raises:
        ValueError: they are too many.
    """
    if items > MAX_SIZE:
        raise ValueError(f"a text, list or dict may have up to {MAX_SIZE:,} characters or items")


def measured(value: Value) -> int:
    """The size of a value with all that is in it, in items and characters; what stands in it twice counts twice.

    Raises:
        ValueError: it is too large.
        TypeError: it is, or holds, something that the calculator does not know.
    """
    size, rest = 0, [value]
    while rest:
        one = rest.pop()
        if isinstance(one, list | tuple):
            rest += one
        elif isinstance(one, dict):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, str):
            size += len(one)
        elif not isinstance(one, bool | Decimal | None):
            raise TypeError(f"{_kind(one)} is no value of the calculator")
        size += 1
        check_size(size + len(rest))
    return size


def _kind(value: Value) -> str:
    return "a number" if isinstance(value, Decimal) else type(value).__name__


def text_of(value: Value) -> str:
    """A value as a person writes it."""
    return _WRITERS.get(type(value), str)(value)


def _number_text(value: Decimal) -> str:
    """A whole number in full, another with all its digits where they are few, else with 15."""
    value = value.normalize()
    if _is_whole(value) or (len(value.as_tuple().digits) <= _READ and -8 < value.adjusted() < _DIGITS):
        return f"{value:f}"
    shown = Context(prec=_SHOWN).plus(value).normalize()
    return f"{shown:f}" if -5 < shown.adjusted() < _READ else f"{shown:e}"


def _inner_text(value: Value) -> str:
    return repr(value) if isinstance(value, str) else text_of(value)


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    Decimal: _number_text,
    list: lambda value: f"[{', '.join(map(_inner_text, value))}]",
    tuple: lambda value: f"({', '.join(map(_inner_text, value))}{',' * (len(value) == 1)})",
    dict: lambda value: f"{{{', '.join(f'{_inner_text(key)}: {_inner_text(one)}' for key, one in value.items())}}}",
}


def formatted(value: Value, spec: str) -> str:
    """A value in an f-string, in the form that Python's format specification asks for.

    Raises:
        ValueError: the specification is of another form, or none for this value.
    """
    if not spec:
        return text_of(value)
    if not _FORMAT.fullmatch(spec):
        raise ValueError(f"the format {spec[:40]!r} is not known; known are such as '.2f', ',' and '.1%'")
    if isinstance(value, str):
        return format(value, spec)
    numbers(value)
    if spec.endswith("d"):
        return format(integer(value), spec)
    return format(value if "." in spec else Decimal(text_of(number(value))), spec)


def add(left: Value, right: Value) -> Value:
    """Sum of numbers; texts, lists and tuples one behind the other."""
    if type(left) is type(right) and isinstance(left, str | list | tuple):
        check_size(len(left) + len(right))
        return left + right
    numbers(left, right)
    return left + right


def multiply(left: Value, right: Value) -> Value:
    """Product of numbers; a text, list or tuple several times."""
    if isinstance(right, str | list | tuple):
        left, right = right, left
    if isinstance(left, str | list | tuple):
        check_size(len(left) * integer(right))
        return left * integer(right)
    numbers(left, right)
    return left * right


def power(base: Value, exponent: Value) -> Value:
    """A power, 1 where the exponent is 0."""
    numbers(base, exponent)
    if abs(exponent) > _MAX_EXPONENT:
        raise ValueError(f"an exponent may be up to {_MAX_EXPONENT:,}")
    if exponent == _HALF:  # of which the root is exact where there is one
        return Decimal(base).sqrt()
    return Decimal(base) ** Decimal(exponent) if exponent else 1


def remainder(left: Value, right: Value) -> Value:
    """What is left of a division, with the sign of the divisor as in Python."""
    numbers(left, right)
    left, right = sure(left), sure(right)
    rest = Decimal(left) % Decimal(right)
    return rest + right if rest and (rest < 0) != (right < 0) else rest


def _quotient(left: Value, right: Value) -> Value:
    return ((sure(left) - remainder(left, right)) / Decimal(sure(right))).to_integral_value()


def _with_numbers(operation: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    def checked(left: Value, right: Value) -> Value:
        numbers(left, right)
        return operation(Decimal(left), Decimal(right))

    return checked


def _of_sure(comparison: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    return lambda left, right: comparison(sure(left), sure(right))


OPERATORS: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: add,
    ast.Sub: _with_numbers(operator.sub),
    ast.Mult: multiply,
    ast.Div: _with_numbers(operator.truediv),
    ast.FloorDiv: _quotient,
    ast.Mod: remainder,
    ast.Pow: power,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Value], Value]] = {
    ast.UAdd: lambda value: multiply(Decimal(1), value),
    ast.USub: lambda value: multiply(Decimal(-1), value),
    ast.Not: operator.not_,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: _of_sure(operator.eq),
    ast.NotEq: _of_sure(operator.ne),
    ast.Lt: _of_sure(operator.lt),
    ast.LtE: _of_sure(operator.le),
    ast.Gt: _of_sure(operator.gt),
    ast.GtE: _of_sure(operator.ge),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
