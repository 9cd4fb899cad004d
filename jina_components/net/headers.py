"""Request headers: which may be given, and in what form."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jina_components.errors import InputError

_OURS = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """The headers with names in lower case.

    Raises:
        InputError: a name or a value is malformed, or is one that this package sets; the message shows no value.
    """
    headers = {name.lower(): value for name, value in given.items()}
    if ours := headers.keys() & _OURS:
        raise InputError(f"The fetcher sets these headers itself, leave them out: {sorted(ours)}.")
    if odd := [name for name, value in headers.items() if not _NAME.fullmatch(name) or not is_sound(value)]:
        raise InputError(f"Headers must be a name and printable ASCII without spaces around: {odd}.")
    return headers


def is_sound(text: str) -> bool:
    """Whether a text may be the value of a header: printable ASCII without spaces around."""
    return text.isascii() and text.isprintable() and text == text.strip()
