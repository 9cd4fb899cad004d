"""Dates of a text, in many forms and as exact as they are written, each as an interval of days.

A day is counted as if every month had 31: the order is right, and all that is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

from jina_components.grounder.numerals import Cursor
from jina_components.grounder.units import CURRENCIES, CURRENCY_SIGNS, MAGNITUDES, MONTHS, UNITS

DAYS, _MONTHS_OF_YEAR = 31, 12
YEAR = DAYS * _MONTHS_OF_YEAR
FIRST_YEAR, LAST_YEAR = 1000, 2100  # of four digits alone that are taken for a year


class Amount(NamedTuple):
    """A number or a date with its unit, in the base unit.

    Attributes:
        dimension: As of a `Quantity`.
        low, high: From … to.
        begin, next: Its first token, and the one behind its last.
        is_measured: Whether it has a unit, or is a date.
        said: The number that is written, where from … to is but its rounding.
    """

    dimension: str
    low: float
    high: float
    begin: int
    next: int
    is_measured: bool = True
    said: float | None = None


class DateReader(Cursor):
    """Reads the date that begins at a token."""

    def _date(self, at: int) -> Amount | None:
        token = self._tokens[at]
        if token.kind == "iso":
            year, month, day = map(int, token.low.split("-"))
            return _day_of(year, month, day, at, at + 1)
        if token.kind == "dated":
            return _numeric_date(token.low, at)
        if token.low in MONTHS:
            return self._month_first(at)
        if token.kind != "number":
            return None
        return self._day_first(at) or self._year(at)

    def _month_first(self, at: int) -> Amount | None:
        month, place = MONTHS[self._low(at)], at + 1 + (self._low(at + 1) == ".")
        day = self._small(place, DAYS)
        if day is None:
            year = self._year_number(place + (self._low(place) in (",", "of")))
            return year and _month_of(year[0], month, at, year[1])
        place += 2 if self._low(place + 1) in ("st", "nd", "rd", "th") else 1
        year = self._year_number(place + (self._low(place) == ","))
        return _day_of(year[0], month, day, at, year[1]) if year else _yearday(month, day, at, place)

    def _day_first(self, at: int) -> Amount | None:
        day = self._small(at, DAYS)
        if day is None:
            return None
        place = at + 1
        while self._low(place) in (".", "st", "nd", "rd", "th", "of", "de") and place < at + 4:
            place += 1
        month = MONTHS.get(self._low(place))
        if month is None:
            return None
        place += 1 + (self._low(place + 1) == ".")
        year = self._year_number(place + (self._low(place) in (",", "de")))
        return _day_of(year[0], month, day, at, year[1]) if year else _yearday(month, day, at, place)

    def _small(self, at: int, most: int) -> int | None:
        token = self._low(at)
        return int(token) if token.isdecimal() and len(token) <= 2 and 0 < int(token) <= most else None

    def _year_number(self, at: int) -> tuple[int, int] | None:
        """The year at a token and the token behind it."""
        token = self._low(at)
        if not token.isdecimal() or not 3 <= len(token) <= 4:
            return None
        is_before_christ = self._low(at + 1) in ("bc", "bce")
        return (-int(token) if is_before_christ else int(token)), at + 1 + is_before_christ

    def _year(self, at: int) -> Amount | None:
        """1932, 1930s, 44 BC."""
        token, behind = self._low(at), self._low(at + 1)
        if not token.isdecimal() or len(token) > 4 or self._is_part_of_name(at):
            return None
        year = int(token)
        if behind in ("bc", "bce"):
            return years(-year, -year, at, at + 2)
        if behind in ("ad", "ce") or self._low(at - 1) == "ad":
            return years(year, year, at, at + 1 + (behind in ("ad", "ce")))
        if len(token) < 4 or not FIRST_YEAR <= year < LAST_YEAR or self._low(at - 1) in CURRENCY_SIGNS:
            return None
        if (behind == "s" and self._touches(at + 1)) or (behind in "'’" and self._low(at + 2) == "s"):
            return years(year, year + (99 if year % 100 == 0 else 9), at, at + 2)
        return None if self._counts(at + 1) else years(year, year, at, at + 1)

    def _counts(self, at: int) -> bool:
        """Whether the word there is a unit, a magnitude, or something of which there are many."""
        word = self._low(at)
        many = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word != "was"
        return word in MAGNITUDES or word in UNITS or word in CURRENCIES or word in ("people", "percent") or many


def years(first: int, last: int, begin: int, behind: int) -> Amount:
    """All days of some years."""
    return Amount("date", first * YEAR, last * YEAR + YEAR - 1, begin, behind)


def _month_of(year: int, month: int, begin: int, behind: int) -> Amount:
    low = year * YEAR + (month - 1) * DAYS
    return Amount("date", low, low + DAYS - 1, begin, behind)


def _day_of(year: int, month: int, day: int, begin: int, behind: int) -> Amount | None:
    if not (1 <= month <= _MONTHS_OF_YEAR and 1 <= day <= DAYS):
        return None
    low = year * YEAR + (month - 1) * DAYS + day - 1
    return Amount("date", low, low, begin, behind)


def _yearday(month: int, day: int, begin: int, behind: int) -> Amount:
    low = (month - 1) * DAYS + day - 1
    return Amount("yearday", low, low, begin, behind)


def _numeric_date(text: str, at: int) -> Amount | None:
    """12.03.1932 is a day before a month; 12/03/1932 may be either, and is then both days and all between."""
    first, second, year = map(int, text.replace(".", "/").split("/"))
    one = _day_of(year, second, first, at, at + 1)
    two = None if "." in text else _day_of(year, first, second, at, at + 1)
    if one is None or two is None:
        return one or two
    return one._replace(low=min(one.low, two.low), high=max(one.high, two.high))
