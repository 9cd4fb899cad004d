"""What a request wants read: the URL in its path, or what its body holds."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from jina_components.service.errors import problem
from jina_components.service.hosts import HOSTS, prefix_of
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


async def body_of(request: Request) -> dict[str, Any]:
    """The fields of a body: JSON, or a form, whose files are a `Target` each.

    Raises:
        Problem: 400, it is neither.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return await _form(request)
    sent = await request.body()
    try:
        body = orjson.loads(sent) if sent.strip() else {}
    except orjson.JSONDecodeError as error:
        raise wrong("body", f"is neither JSON nor a form: {error}") from error
    if not isinstance(body, dict):
        raise wrong("body", "must be a JSON object")
    return body


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


async def _form(request: Request) -> dict[str, Any]:
    limit = request.app.state.settings.limits.max_upload_bytes
    fields: dict[str, Any] = {}
    try:
        async with request.form(max_part_size=limit) as form:
            for name in form:
                values = [await _field(each) for each in form.getlist(name)]
                fields[name] = values[0] if len(values) == 1 else values
    except HTTPException as error:
        raise problem(400, f"The form cannot be read: {error.detail}", name="DataStreamBrokenError") from error
    return fields


async def _field(value: UploadFile | str) -> Target | str:
    if isinstance(value, str):
        return value
    return Target(data=await value.read(), content_type=value.content_type or "")


def _sent(name: str, sent: object, kind: str) -> Target:
    """Data: an upload, base64, or HTML as it is."""
    if isinstance(sent, Target):
        told = "" if sent.content_type.partition(";")[0] in _UNTOLD else sent.content_type
        return replace(sent, content_type=told or kind)
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
