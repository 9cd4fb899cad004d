"""The URL that a client wants read, from whatever it wrote: a policy of names alone; addresses are the guard's."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from jina_components.service.errors import Problem
from jina_components.service.wire.reading import wrong

# A URL that was quoted whole, as clients do that put it into a path.
_QUOTED = re.compile(r"[^/?#]*%(?:3A|2F)", re.IGNORECASE)
# Servers on the way make one slash of two.
_SLASHES = re.compile(r"\A(https?):/*(?=[^/])", re.IGNORECASE)
_DOUBLED = re.compile(r"\A(?:https?://)+(?=https?:/)", re.IGNORECASE)
# What comes before the first colon is a scheme, but for a host with its port.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?!\d+(?:[/?#]|\Z))", re.IGNORECASE)
_HOST = re.compile(r"(?=.{1,254}\Z)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?|\[[0-9a-f:.%]+\]", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\"`{}|\\^]")
_TRACKING = re.compile(r"utm_\w+(?:=|\Z)", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LONGEST = 8192


def unquoted(path: str) -> str:
    """A URL in a path; one that was quoted whole is no more."""
    return unquote(path) if _QUOTED.match(path) else path


def target_url(given: str, *, own: str) -> str:
    """The http(s) URL that `given` stands for, without user information and marks of campaigns.

    Args:
        given: What the client wrote: a scheme may be missing (it is http) or doubled, and the address of this service
            may stand before it.
        own: That address: host, port and prefix, such as `localhost:8080/r`.

    Raises:
        Problem: 400, `path` "url": it is no http(s) URL, or that of this service.
    """
    if len(given := given.strip()) > _LONGEST:  # what follows takes its time for each address of this service
        raise _too_long(given)
    url = _UNSAFE.sub(lambda found: quote(found[0], safe=""), given)
    itself = re.compile(rf"\A(?:https?://)?{re.escape(own)}/(?=.)", re.IGNORECASE)
    while (shorter := itself.sub("", _DOUBLED.sub("", _SLASHES.sub(r"\1://", url)))) != url:
        url = shorter
    scheme = _SCHEME.match(url)
    if scheme is None:
        url = f"http://{url.lstrip('/')}"
    elif scheme[1].lower() not in _PORTS:
        raise wrong("url", f"must be an http or https URL, got one of {scheme[1][:20]!r}")
    if len(url) > _LONGEST:
        raise _too_long(url)
    return _cleaned(url, own)


def _too_long(url: str) -> Problem:
    return wrong("url", f"must be up to {_LONGEST:,} characters, got {len(url):,}")


def _cleaned(url: str, own: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise wrong("url", f"is no URL: {error}") from error
    address = unquote(parts.netloc.rpartition("@")[2])  # as clients write a name of other letters into a path
    if not _HOST.fullmatch(address.removesuffix(f":{port}") if port is not None else address) or port == 0:
        raise wrong("url", f"must name a host, got {host[:100]!r}")
    if address.lower() == own.partition("/")[0].lower():
        raise wrong("url", "is one of this service itself, which would ask itself: send the URL of the page")
    query = "&".join(each for each in parts.query.split("&") if not _TRACKING.match(each))
    cleaned = urlunsplit((parts.scheme.lower(), address, parts.path or "/", query, parts.fragment))
    try:
        httpx.URL(cleaned)  # by which the guard sees hosts, and IDNA refuses some
    except (httpx.InvalidURL, ValueError) as error:
        raise wrong("url", f"must name a host, got {host[:100]!r}: {error}") from error
    return cleaned
