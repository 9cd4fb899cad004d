"""The typed form of filters."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias, get_args

from jina_components.errors import InputError

Operator: TypeAlias = Literal["eq", "in", "lt", "lte", "gt", "gte", "exists"]
Scalar: TypeAlias = str | int | float | bool | dt.date | None
"""What a filter compares with; a `datetime` is a `date` too."""

_ORDERS = frozenset(("lt", "lte", "gt", "gte"))


class _Joinable:
    """What every filter can do: be joined by `&` and `|`, and be turned round by `~`."""

    __slots__ = ()

    def __and__(self, other: object) -> And:
        return And((*_parts(self, And), *_parts(other, And))) if isinstance(other, _Joinable) else NotImplemented

    def __or__(self, other: object) -> Or:
        return Or((*_parts(self, Or), *_parts(other, Or))) if isinstance(other, _Joinable) else NotImplemented

    def __invert__(self) -> Filter:
        return self.filter if isinstance(self, Not) else Not(_checked(self))

    def __bool__(self) -> bool:
        _refuse_truth()


@dataclass(frozen=True, slots=True, eq=False)
class Condition(_Joinable):
    """One field compared with what is wanted; equal to another that means the same: 1 and 1.0, but not 1 and true.

    Attributes:
        path: Names that lead to the value: ("author", "name").
        operator: How it compares; `ne` and `not in` are `Not` of these.
        wanted: One value, or several for `in`; none for `exists`. A date given becomes a datetime in UTC.

    Raises:
        InputError: an operator or value that no document can meet or that has no order.
    """

    path: tuple[str, ...]
    operator: Operator
    wanted: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        if not self.path or isinstance(self.path, str) or not all(isinstance(name, str) and name for name in self.path):
            raise InputError(f"A filter's field must be a path of names that are not empty, got {self.path!r}.")
        field = shown_field(self.path)
        if self.operator not in get_args(Operator):
            known = ", ".join(get_args(Operator))
            raise InputError(f"{field}: unknown operator {self.operator!r}; known: {known}.")
        number = {"exists": 0, "in": len(self.wanted)}.get(self.operator, 1)
        if len(self.wanted) != number:
            raise InputError(f"{field}: {self.operator} takes {number} value(s), got {len(self.wanted)}.")
        object.__setattr__(self, "path", tuple(self.path))
        object.__setattr__(self, "wanted", tuple(_scalar(value, field) for value in self.wanted))
        if self.operator in _ORDERS:
            _check_order(self.wanted[0], self.operator, field)

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Condition) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        return (self.path, self.operator, *((isinstance(value, bool), value) for value in self.wanted))


@dataclass(frozen=True, slots=True)
class And(_Joinable):
    """All of the filters match; without any, every document does."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(_checked(part) for part in self.filters))


@dataclass(frozen=True, slots=True)
class Or(_Joinable):
    """One of the filters matches; without any, no document does."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(_checked(part) for part in self.filters))


@dataclass(frozen=True, slots=True)
class Not(_Joinable):
    """The filter does not match."""

    filter: Filter

    def __post_init__(self) -> None:
        _checked(self.filter)


Filter: TypeAlias = Condition | And | Or | Not
"""A filter in its typed form."""


class Field:
    """A metadata field, to be compared: `Field("year") >= 2020`, `Field("lang").is_in([...])`, `Field("doi").exists()`.

    Args:
        name: Path of the field, with dots between names: `author.name`.

    Raises:
        InputError: no path; and by a comparison, a value that no document can meet or that has no order.

    Example:
        >>> from jina_components.filters import Field, matches
        >>> recent = (Field("year") >= 2020) & ~(Field("author.name") == "Anon")
        >>> matches({"year": 2024, "author": {"name": "Noor"}}, recent), matches({"year": 2019}, recent)
        (True, False)
    """

    __slots__ = ("_path",)
    __hash__ = None  # type: ignore[assignment]  # == gives a condition, so a field can be no key

    def __init__(self, name: str) -> None:
        self._path = split_path(name)

    def __eq__(self, wanted: Scalar) -> Condition:  # type: ignore[override]
        return Condition(self._path, "eq", (wanted,))

    def __ne__(self, wanted: Scalar) -> Not:  # type: ignore[override]
        return Not(self == wanted)

    def __lt__(self, wanted: float | dt.date) -> Condition:
        return Condition(self._path, "lt", (wanted,))

    def __le__(self, wanted: float | dt.date) -> Condition:
        return Condition(self._path, "lte", (wanted,))

    def __gt__(self, wanted: float | dt.date) -> Condition:
        return Condition(self._path, "gt", (wanted,))

    def __ge__(self, wanted: float | dt.date) -> Condition:
        return Condition(self._path, "gte", (wanted,))

    def is_in(self, wanted: Iterable[Scalar]) -> Condition:
        """One of its values is one of these; of none, nothing matches."""
        return Condition(self._path, "in", several(wanted, f"{shown_field(self._path)}: is_in or not_in"))

    def not_in(self, wanted: Iterable[Scalar]) -> Not:
        """None of its values is one of these."""
        return Not(self.is_in(wanted))

    def exists(self) -> Condition:
        """The document has the field, be it null or an empty list."""
        return Condition(self._path, "exists")

    def __bool__(self) -> bool:
        _refuse_truth()

    def __and__(self, other: object) -> NoReturn:
        _refuse_truth()

    __rand__ = __or__ = __ror__ = __and__  # `Field("a") == 1 & Field("b") == 2`, where & binds first

    def __invert__(self) -> NoReturn:
        _refuse_truth()

    def __repr__(self) -> str:
        return f"Field({join_path(self._path)!r})"


def split_path(name: str) -> tuple[str, ...]:
    r"""The names of a field's path: `author.name` is ("author", "name"); `\` takes a `.`, `\` or `$` as it is.

    Raises:
        InputError: no string, an empty name, or another escape.
    """
    if not isinstance(name, str):
        raise InputError(f"The name of a filter's field must be a str, got {type(name).__name__}.")
    if not re.fullmatch(r"(?s:(?:[^.\\]|\\[.\\$])+(?:\.(?:[^.\\]|\\[.\\$])+)*)", name):
        raise InputError(
            f"{name!r} is no field: write names with single dots between them, and a dot of a name itself as '\\.'."
        )
    names = re.findall(r"(?s:(?:[^.\\]|\\.)+)", name)
    return tuple(re.sub(r"\\(.)", r"\1", part) for part in names)


def join_path(path: Sequence[str]) -> str:
    """The inverse of `split_path`, as the plain form needs it."""
    escaped = ".".join(re.sub(r"[.\\]", r"\\\g<0>", name) for name in path)
    return f"\\{escaped}" if escaped.startswith("$") else escaped


def shown_field(path: Sequence[str]) -> str:
    """How messages name a field."""
    return f"Filter field {join_path(path)!r}"


def several(values: object, what: str) -> tuple[Scalar, ...]:
    """The values of a list.

    Raises:
        InputError: no list; the message begins with `what`.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InputError(f"{what} takes a list of values, got {type(values).__name__}.")
    return tuple(values)


def _scalar(value: object, field: str) -> Scalar:
    """A wanted value, checked; dates as datetimes in UTC."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{field} cannot be compared with {value}, which is no JSON value.")
    if isinstance(value, str | int | float | None):
        return value
    if not isinstance(value, dt.date):
        raise InputError(
            f"{field} compares with a str, int, float, bool, None, date or datetime, got {type(value).__name__}; "
            "for several values, use is_in or $in."
        )
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    try:
        return value.astimezone(dt.UTC)
    except OverflowError as error:
        raise InputError(f"{field}: {value} lies outside the years 1 to 9999 in UTC.") from error


def _check_order(value: Scalar, operator: str, field: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | dt.date):
        hint = "; a date is a datetime.date or {'$date': '2024-05-01'}" if isinstance(value, str) else ""
        raise InputError(f"{field}: {operator} takes a number or a date, got {value!r}, which has no order{hint}.")


def _parts(filter: _Joinable, kind: type[And] | type[Or]) -> tuple[Filter, ...]:
    return filter.filters if isinstance(filter, kind) else (_checked(filter),)


def _checked(filter: object) -> Filter:
    if not isinstance(filter, Condition | And | Or | Not):
        raise InputError(f"A filter joins filters such as Field('year') >= 2020, got {type(filter).__name__}.")
    return filter


def _refuse_truth() -> NoReturn:
    raise InputError(
        "A field or filter is neither true nor false by itself: join filters by & (and), | (or) and ~ (not) instead of "
        "the words, put each comparison in parentheses, and write 1 < x < 5 as two: "
        "(Field('x') > 1) & (Field('x') < 5)."
    )
