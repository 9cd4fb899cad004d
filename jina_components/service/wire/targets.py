"""What a request wants read: the URL in its path, or what its body holds."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from jina_components.service.hosts import HOSTS, prefix_of
from jina_components.service.wire.bodies import Upload
from jina_components.service.wire.reading import wrong
from jina_components.service.wire.urls import target_url, unquoted

_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_PDF, _HTML = "application/pdf", "text/html; charset=utf-8"
_UNTOLD = ("", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be read.

    Attributes:
        url: Its URL, or what its relative links are resolved against; may be empty where there are data.
        data: What was sent; None to fetch the URL.
        content_type: Of the data, as far as it is known.
    """

    url: str = ""
    data: bytes | None = None
    content_type: str = ""


def url_of(request: Request) -> str:
    """What follows `/r/` in the path as it was sent, with the query string."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path, query = raw.partition(b"/r/")[2], request.scope["query_string"]
    url = unquoted(path.decode(errors="replace"))
    return f"{url}?{query.decode(errors='replace')}" if url and query else url


def own_address(request: Request) -> str:
    """This service as a URL would name it."""
    host = request.headers.get("host", "")
    return f"{host}{'' if prefix_of(host.encode()) == HOSTS['r'] else HOSTS['r']}"


def target_of(request: Request, body: Mapping[str, Any]) -> Target:
    """What a body wants read: a file, HTML, or a URL of the body or of the path.

    Raises:
        Problem: 400, it is none of these; `path` names the field.
    """
    given = body.get("url") or url_of(request)
    if not isinstance(given, str):
        raise wrong("url", "must be a string")
    url = target_url(given, own=own_address(request)) if given else ""
    for name, kind in (("file", ""), ("pdf", _PDF), ("html", _HTML)):
        if sent := body.get(name):
            return replace(_sent(name, sent, kind), url=url)
    if not url:
        raise wrong("url", "must be given, or one of html, pdf and file")
    return Target(url)


def _sent(name: str, sent: object, kind: str) -> Target:
    """Data: an upload, base64, or HTML as it is."""
    if isinstance(sent, Upload):
        is_told = sent.content_type.partition(";")[0] not in _UNTOLD
        return Target(data=sent.data, content_type=sent.content_type if is_told else kind)
    if not isinstance(sent, str):
        raise wrong(name, "must be a string, or a file of a form")
    if name == "html":
        return Target(data=sent.encode(errors="replace"), content_type=kind)
    head = _DATA_URI.match(sent)
    try:
        data = base64.b64decode("".join(sent[head.end() if head else 0 :].split()), validate=True)
    except ValueError as error:
        raise wrong(name, f"must be base64, or a file of a form: {error}") from error
    return Target(data=data, content_type=kind)
