"""Numbers of spreadsheets as people read them: dates and times by ISO 8601, percentages (ECMA-376 part 1, 18.8.30)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

# Built-in formats by their ids that say more than a plain number; others have a code in the file.
_BUILT_IN = {9: "0%", 10: "0.00%", **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"),
             **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35), "h:mm:ss"), 22: "yyyy-mm-dd h:mm", 45: "[m]:ss",
             46: "[h]:mm:ss", 47: "[m]:ss.0"}  # fmt: skip
# What in a code is no sign: quoted and escaped text, colours and conditions, padding.
_LITERAL = re.compile(r'"[^"]*+(?:"|$)|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*+(?:\]|$)', re.IGNORECASE)
_FRACTION = re.compile(r"(?<=s)\.0+")  # of a second
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}
_MOST_DAYS = 2_956_000  # to the year 9999 nearly, from either

Formatter = Callable[[float], str]


def formatter(format_id: int, code: str, *, from_1904: bool) -> Formatter:
    """How to write a number.

    Args:
        format_id: Id of its format.
        code: The format's code, if the file gives one.
        from_1904: Whether days are counted from 1904 rather than 1900.
    """
    signs = _LITERAL.sub("", (code or _BUILT_IN.get(format_id, "")).partition(";")[0]).lower()
    if "[" in signs:
        return _duration
    has_day, has_time = bool(re.search(r"[yd]|mmm|(?<![hs:])m(?![:s])", signs)), bool(re.search(r"[hs]", signs))
    if "general" in signs or "0" in _FRACTION.sub("", signs) or "#" in signs or not (has_day or has_time):
        return _percent if "%" in signs else plain
    if has_time and not re.search(r"[yd]|mmm", signs):  # `m` beside hours or seconds means minutes
        has_day = False
    return lambda days: _moment(days, from_1904=from_1904, has_day=has_day, has_time=has_time)


def plain(number: float) -> str:
    """A number in the 15 digits that a spreadsheet keeps."""
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.15g}"


def _percent(number: float) -> str:
    return f"{plain(float(f'{number * 100:.12g}'))}%"


def _duration(days: float) -> str:
    if not abs(days) < _MOST_DAYS:
        return plain(days)
    seconds = round(days * 86_400)
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours}:{rest // 60:02}:{rest % 60:02}"


def _moment(days: float, *, from_1904: bool, has_day: bool, has_time: bool) -> str:
    if not 0 <= days < _MOST_DAYS:
        return plain(days)
    # The calendar of 1900 has a 29th of February that never was.
    shift = 1 if not from_1904 and 0 < days < 60 else 0
    moment = _EPOCHS[from_1904] + timedelta(days=int(days) + shift, seconds=round(days % 1 * 86_400))
    time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    if has_day and has_time:
        return f"{moment:%Y-%m-%d} {time}" if days % 1 or moment.second else f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d}" if has_day else time
