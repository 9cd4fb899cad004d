"""`Set-Cookie` strings as a browser would store them (RFC 6265, sections 5.1 to 5.3)."""

from __future__ import annotations

import ipaddress
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from jina_components.errors import InputError

_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie.

    Attributes:
        name, value: As given.
        domain: The host it goes to; with a leading dot, to those below it too.
        path: Path under which it is sent.
        expires: Unix time, or -1 for a cookie of the session.
        http_only, secure: Whether scripts do not see it, whether it needs https.
        same_site: `Strict`, `Lax` or `None`.
    """

    name: str
    value: str
    domain: str
    path: str
    expires: float = -1
    http_only: bool = False
    secure: bool = False
    same_site: str = "Lax"

    @property
    def is_expired(self) -> bool:
        """Whether a browser would drop it at once."""
        return self.expires != -1 and self.expires <= time.time()


def parse_cookie(text: str, *, url: str) -> Cookie:
    """The cookie that the host of `url` sets by the `Set-Cookie` string `text`.

    Raises:
        InputError: it has no name, or is for a domain that the host does not belong to.
    """
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name or any(ord(letter) < 32 for letter in text):
        raise InputError(f"A cookie must be a Set-Cookie string such as 'name=value; Path=/', got {text!r}.")
    # Of a repeated attribute the last one counts.
    given = {key.strip().lower(): content.strip() for key, _, content in (each.partition("=") for each in attributes)}
    parts = urlsplit(url)
    path = given.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=_domain(given.get("domain", ""), parts.hostname or "", text),
        path=path if path.startswith("/") else _default_path(parts.path),
        expires=_expires(given),
        http_only="httponly" in given,
        secure="secure" in given,
        same_site=_SAME_SITE.get(given.get("samesite", "").lower(), "Lax"),
    )


def _domain(asked: str, host: str, text: str) -> str:
    domain = asked.lower().removeprefix(".")
    if not domain:
        return host
    if domain == host:
        return host if _is_address(host) else f".{domain}"
    if host.endswith(f".{domain}") and not _is_address(host):
        return f".{domain}"
    raise InputError(f"The cookie {text!r} is for {domain}, and cannot be set by {host}.")


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _expires(given: dict[str, str]) -> float:
    """Unix time; `Max-Age` is stronger than `Expires`, and what cannot be read is left out."""
    with suppress(ValueError, KeyError):
        seconds = int(given["max-age"])
        return time.time() + seconds if seconds > 0 else 0.0
    with suppress(ValueError, KeyError, OverflowError):
        date = parsedate_to_datetime(given["expires"])
        return max((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp(), 0.0)
    return -1
