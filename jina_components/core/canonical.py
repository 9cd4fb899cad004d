"""One spelling for the many URLs of a page, to tell when two results are the same.

After RFC 3986 section 6 (syntax-based normalisation), and the usual lists of parameters that name a campaign, a click
or a session rather than a page. What might be another page stays apart: when in doubt, two results are two.
"""

from __future__ import annotations

import re
import string
import unicodedata
from urllib.parse import quote, urlsplit

_PORTS = {"http": 80, "https": 443}
# Parameters that no page depends on; names are compared in lower case.
_TRACKING = frozenset({
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "ttclid", "igshid",
    "igsh", "mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "hsctatracking", "vero_id", "vero_conv", "wickedid",
    "oly_anon_id", "oly_enc_id", "rb_clickid", "s_cid", "srsltid", "spm", "scm", "ref_src", "ref_url",
    "__twitter_impression", "cmpid", "ncid", "icid", "gws_rd", "_ga", "_gl", "_openstat", "phpsessid", "jsessionid",
    "aspsessionid", "sessionid", "amp", "amp_js_v", "amp_gsa", "usqp",
})  # fmt: skip
_TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "hsa_", "stm_")
_AMP_OUTPUT = "outputtype=amp"
_SESSION = re.compile(r";jsessionid=[^;]*", re.IGNORECASE)
# Wikimedia puts its mark of the mobile site second.
_MOBILE_WIKI = re.compile(r"([a-z-]{2,20})\.m\.(wiki[a-z]{2,20}\.org)")
# All in front that a shorter name remains after.
_MARKS = re.compile(r"^(?:(?:www|m|mobile|amp)\.)+(?=[^.]+\.)")
_GOOGLE_AMP = re.compile(r"/amp/(?:s/)?([^/]+\..+)")
_AMP_CACHE = re.compile(r"/[a-z]{1,2}/(?:s/)?([^/]+\..+)")
# What parts the labels of a host, in any script (RFC 3490 section 3.1).
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_LONGEST_LABEL = 63
_BLANK = re.compile(r"\s")
_ENCODED = re.compile(r"(%[0-9A-Fa-f]{2})")
# A cache shows pages, not caches of caches: what pretends to could take time at each of its layers.
_LAYERS = 4
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_SAFE = "!$&'()*+,;=:@/?"


def canonical_url(url: str) -> str:
    """`url` in the spelling that all URLs of its page share; of another scheme than http(s), as it is.

    Scheme https, host in lower case without `www.` or `m.`, no default port, dots and percent signs of the path
    resolved, no slash at its end, parameters sorted and without those that track, no fragment unless it is a route
    (`#/…`, `#!…`), pages behind an AMP cache as themselves. It is a key: not every server answers to it.
    """
    url = url.strip()
    try:
        url = key = _canonical(url)
        for _ in range(_LAYERS):
            if not (inner := _behind_cache(key)):
                return key
            key = _canonical(inner)
    except ValueError:  # no URL; then it is its own key
        pass
    return url


def site_of(url: str) -> str:
    """The host of a URL as `canonical_url` spells it, or empty."""
    try:
        return urlsplit(canonical_url(url)).hostname or ""
    except ValueError:
        return ""


def is_within(url: str, sites: tuple[str, ...]) -> bool:
    """Whether a URL is at or below one of the sites (`example.com`, `example.com/docs`)."""
    place = canonical_url(url).partition("://")[2]
    host = site_of(url)
    for site in sites:
        wanted = canonical_url(f"https://{site}").partition("://")[2]
        name, slash, _ = wanted.partition("/")
        if slash and (place == wanted or place.startswith((f"{wanted}/", f"{wanted}?", f"{wanted}#"))):
            return True
        if not slash and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _behind_cache(url: str) -> str:
    """The page that a canonical URL of an AMP cache shows; empty for others."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    form = _GOOGLE_AMP if host == "google.com" else _AMP_CACHE if host.endswith(".cdn.ampproject.org") else None
    found = form and parts.scheme in _PORTS and form.fullmatch(parts.path)
    return f"https://{found[1]}{f'?{parts.query}' if parts.query else ''}" if found else ""


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").rstrip(".")
    if scheme not in _PORTS or not host or _BLANK.search(parts.netloc):
        return url
    port = "" if parts.port in (None, _PORTS[scheme]) else f":{parts.port}"
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    query = _query(parts.query)
    fragment = f"#{parts.fragment}" if parts.fragment.startswith(("/", "!")) else ""
    return f"https://{user}{_host(host)}{port}{_path(parts.path)}{f'?{query}' if query else ''}{fragment}"


def _host(host: str) -> str:
    if ":" in host:  # an IPv6 address
        return f"[{host}]"
    if not host.isascii():
        plain = _DOTS.sub(".", unicodedata.normalize("NFKC", host)).lower().rstrip(".")
        host = ".".join(map(_label, plain.split(".")))
    if wiki := _MOBILE_WIKI.fullmatch(host):
        return f"{wiki[1]}.{wiki[2]}"
    return _MARKS.sub("", host)


def _label(label: str) -> str:
    """A label as name servers know it (IDNA 2008), in which `straße` and `strasse` are two."""
    if len(label) > _LONGEST_LABEL:
        raise ValueError("a label of a host has up to 63 characters")
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


def _path(path: str) -> str:
    segments: list[str] = []
    for raw in path.split("/")[1:]:
        segment = _SESSION.sub("", _escaped(raw))
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    while segments and (not segments[-1] or (len(segments) > 1 and segments[-1].lower() == "amp")):
        segments.pop()
    return "".join(f"/{segment}" for segment in segments)


def _query(query: str) -> str:
    kept = []
    for raw in query.split("&"):
        pair = "=".join(_escaped(part) for part in raw.split("=", 1))
        name = pair.partition("=")[0].lower()
        if pair and name not in _TRACKING and not name.startswith(_TRACKING_PREFIXES) and pair.lower() != _AMP_OUTPUT:
            kept.append(pair)
    return "&".join(sorted(kept))


def _escaped(text: str) -> str:
    """Percent-encoded where it must be and nowhere else; `+` and `%2B` stay apart."""
    # Split by a group, the pieces at odd places are those that matched it.
    pieces = _ENCODED.split(text)
    pieces[::2] = [quote(piece, safe=_SAFE) for piece in pieces[::2]]
    # Only unreserved characters may be decoded: another one could mean something in its bare form.
    pieces[1::2] = [
        chr(code) if chr(code) in _UNRESERVED else piece.upper()
        for piece, code in ((piece, int(piece[1:], 16)) for piece in pieces[1::2])
    ]
    return "".join(pieces)
