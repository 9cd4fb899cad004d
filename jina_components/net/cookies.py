"""`Set-Cookie` strings as a browser would store and send them (RFC 6265, sections 5.1 to 5.4)."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from jina_components.errors import InputError

_LONGEST_SECONDS = 400 * 86_400  # RFC 6265bis, section 5.5
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie.

    Attributes:
        name, value: As given.
        domain: The host it goes to; with a leading dot, to those below it too.
        path: Path under which it is sent.
        expires: Unix time in seconds, at most 400 days ahead, or -1 for a cookie of the session.
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


def cookie_header(cookies: Sequence[str], *, url: str) -> str:
    """The `Cookie` header of a request for `url`, whose host has set these cookies; empty if none of them is sent.

    Args:
        cookies: `Set-Cookie` strings; of those of the same name, domain and path the last one counts.
        url: An http(s) URL.

    Raises:
        InputError: as `parse_cookie`.
    """
    stored: dict[tuple[str, str, str], Cookie] = {}
    for cookie in (parse_cookie(text, url=url) for text in cookies):
        stored[cookie.name, cookie.domain, cookie.path] = cookie
    sent = [cookie for cookie in stored.values() if _is_sent(cookie, urlsplit(url))]
    # Longer paths first: many servers take the first of several cookies of a name.
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sorted(sent, key=lambda each: -len(each.path)))


def parse_cookie(text: str, *, url: str) -> Cookie:
    """The cookie that the host of `url` sets by the `Set-Cookie` string `text`.

    Raises:
        InputError: it has no name, or is for a domain that the host does not belong to; or `url` is no URL.
    """
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name or any(ord(letter) < 32 or letter == "\x7f" for letter in text):
        raise InputError(f"A cookie must be a Set-Cookie string such as 'name=value; Path=/', got {text!r}.")
    # Of a repeated attribute the last one counts.
    given = {key.strip().lower(): content.strip() for key, _, content in (each.partition("=") for each in attributes)}
    parts = _split(url)
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
    # A domain of one label is a whole top-level domain, whose hosts are strangers to each other.
    if "." in domain and host.endswith(f".{domain}") and not _is_address(host):
        return f".{domain}"
    raise InputError(f"The cookie {text!r} is for {domain}, and cannot be set by {host}.")


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _is_sent(cookie: Cookie, parts: SplitResult) -> bool:
    path = parts.path or "/"
    below = path == cookie.path or path.startswith(cookie.path.removesuffix("/") + "/")
    return below and not cookie.is_expired and (parts.scheme == "https" or not cookie.secure)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InputError(f"A cookie cannot be set for {url!r}, which is no URL: {error}.") from error


def _expires(given: dict[str, str]) -> float:
    """`Max-Age` is stronger than `Expires`, and what cannot be read is left out."""
    now = time.time()
    with suppress(ValueError, KeyError):
        seconds = int(given["max-age"])
        return now + min(seconds, _LONGEST_SECONDS) if seconds > 0 else 0.0
    with suppress(ValueError, KeyError, OverflowError):
        date = parsedate_to_datetime(given["expires"])
        expires = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        return min(max(expires, 0.0), now + _LONGEST_SECONDS)
    return -1
