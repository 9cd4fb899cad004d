"""Values of options as clients write them: text of a header or a form, or JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jina_components.read_options import Viewport

_FALSE = frozenset(("", "0", "false", "no", "off", "none", "null"))
# A comma between cookies stands before a name and its sign; that of a date does not.
_COOKIES = re.compile(r",\s*(?=[^\s;,=]+=)")
_MOST = 32  # scripts or cookies of a request
_LONGEST_SELECTOR = 4000
_SHOWN = 60  # characters of a value in an error


def text(value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _wrong("a string", value)
    return value.strip()


def flag(value: object) -> bool:
    """A JSON boolean, or the word for one."""
    if isinstance(value, str):
        return value.strip().lower() not in _FALSE
    if isinstance(value, bool | int):
        return bool(value)
    raise _wrong("true or false", value)


def number(value: object) -> float:
    """A number, or the text of one."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise _wrong("a number", value)


def whole_number(least: int) -> Callable[[object], int]:
    """A whole number of at least this."""

    def take(value: object) -> int:
        found = number(value)
        if found != int(found) or found < least:
            raise _wrong(f"a whole number of at least {least}", value)
        return int(found)

    return take


def choice(known: Mapping[str, Any]) -> Callable[[object], Any]:
    """One of these words, in any case; what it stands for."""

    def take(value: object) -> Any:  # noqa: ANN401 (whatever the words stand for)
        word = text(value)
        if word.lower() not in known:
            raise _wrong(f"one of {', '.join(known)}", value)
        return known[word.lower()]

    return take


def selectors(value: object) -> str:
    """CSS; several as a list."""
    found = ", ".join(filter(None, map(text, value))) if isinstance(value, list) else text(value)
    if len(found) > _LONGEST_SELECTOR:
        raise ValueError(f"must be up to {_LONGEST_SELECTOR:,} characters, got {len(found):,}")
    return found


def texts(value: object) -> tuple[str, ...]:
    """One or several texts."""
    found = tuple(map(text, value)) if isinstance(value, list) else (text(value),)
    return _few([each for each in found if each])


def cookies(value: object) -> tuple[str, ...]:
    """`Set-Cookie` strings: a list, or one text with commas between them."""
    given = value if isinstance(value, list) else [value]
    return _few([cookie for each in given for cookie in _COOKIES.split(text(each)) if cookie])


def headers(value: object) -> dict[str, str]:
    """Names and values of headers."""
    if not isinstance(value, dict):
        raise _wrong("an object of header names and values", value)
    return {name: ", ".join(texts(each)) for name, each in value.items()}


def locale(value: object) -> str:
    """A BCP 47 tag; of the value of `Accept-Language`, the first."""
    first = re.split(r"[,;]", text(value))[0].strip()
    return "" if first == "*" else first


def proxy_url(value: object) -> str:
    """URL of a proxy."""
    url = text(value)
    if url.lower().startswith("socks"):
        raise ValueError("must be a proxy of http or https: SOCKS is not spoken here")
    return url


def viewport(value: object) -> Viewport:
    """The window of the browser; one that is landscape is at least as wide as high."""
    if not isinstance(value, dict):
        raise _wrong("an object with width and height", value)
    side = whole_number(1)
    width, height = side(value.get("width", 1280)), side(value.get("height", 1280))
    if flag(value.get("isLandscape", False)):
        width, height = max(width, height), min(width, height)
    mobile, touch = flag(value.get("isMobile", False)), flag(value.get("hasTouch", False))
    if touch and not mobile:
        raise ValueError("has touch only with isMobile: the window of a phone")
    return Viewport(width=width, height=height, scale=number(value.get("deviceScaleFactor", 1)), mobile=mobile)


def refused(why: str, *, but: tuple[str, ...] = ()) -> Callable[[object], dict[str, Any]]:
    """What this service does not have: anything but a word for nothing, or one of `but`, is an error that says why."""

    def take(value: object) -> dict[str, Any]:
        if value in (False, []) or (isinstance(value, str) and value.strip().lower() in (*_FALSE, *but)):
            return {}
        raise ValueError(why)

    return take


def _few(found: Sequence[str]) -> tuple[str, ...]:
    if len(found) > _MOST:
        raise ValueError(f"must be at most {_MOST}, got {len(found)}")
    return tuple(found)


def _wrong(wanted: str, value: object) -> ValueError:
    plain = value[:_SHOWN] if isinstance(value, str) else value
    got = repr(plain) if isinstance(plain, str | int | float) else type(value).__name__
    return ValueError(f"must be {wanted}; got {got}")
