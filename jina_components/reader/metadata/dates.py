"""Dates as pages write them, as ISO 8601."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 250
_FIRST_YEAR = 1500  # earlier ones, and the first second of Unix time, stand for no date
# English, and what other languages of Latin script abbreviate to three letters without a clash.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio janeiro januari",
            "feb february februar février febrero febbraio fevereiro februari",
            "mar march märz mars marzo março maart mrz",
            "apr april avril abril aprile",
            "may mai mayo maggio maio mei",
            "jun june juni juin junio giugno junho",
            "jul july juli juillet julio luglio julho",
            "aug august août agosto augustus augusti",
            "sep sept september septembre septiembre settembre setembro",
            "oct october oktober octobre octubre ottobre outubro okt",
            "nov november novembre noviembre novembro",
            "dec december dezember décembre diciembre dicembre dezembro dez",
        ),
        1,
    )
    for name in names.split()
}
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_WRITTEN = tuple(
    re.compile(form)
    for form in (
        rf"\b(?P<month>[^\W\d_]{{3,10}})\.?\s{{1,3}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s{{1,3}}{_YEAR}\b",
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.|º)?\s{{1,3}}(?:de\s)?(?P<month>[^\W\d_]{{3,10}})\.?,?\s{{1,3}}(?:de\s)?{_YEAR}\b",
        rf"\b{_YEAR}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?!\d)",
        rf"\b(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}\b",
        rf"\b{_YEAR}\s?[年년]\s?(?P<month>\d{{1,2}})\s?[月월]\s?(?P<day>\d{{1,2}})",
    )
)
_IN_PATH = re.compile(
    rf"[/_-]{_YEAR}[/_-](?P<month>[01]?\d|[a-z]{{3}})[/_-](?P<day>[0-3]?\d)(?=[/_.-]|\Z)", re.IGNORECASE
)


def iso_date(text: str) -> str:
    """A date of ISO 8601 or RFC 5322 as ISO 8601, in the precision it has; empty for anything else."""
    text = text.strip()
    if not 4 < len(text) < _LONGEST:
        return ""
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return ""
    if moment.year < _FIRST_YEAR or moment.replace(tzinfo=None) == datetime(1970, 1, 1):
        return ""
    return moment.isoformat() if ":" in text or "T" in text else moment.date().isoformat()


def written_date(text: str) -> str:
    """The first day named in a short text, as ISO 8601; empty where there is none, or day and month may be swapped."""
    return iso_date(text) or next(filter(None, (_day(form.search(text[:_LONGEST])) for form in _WRITTEN)), "")


def date_in_path(path: str) -> str:
    """The day that the path of a URL names, such as `/2024/03/05/`, as ISO 8601; or empty."""
    return _day(_IN_PATH.search(path[:1000]))


def _day(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    month = found["month"].lower()
    try:
        return date(int(found["year"]), int(_MONTHS.get(month, month)), int(found["day"])).isoformat()
    except ValueError:  # no such day, or a word that is no month
        return ""
