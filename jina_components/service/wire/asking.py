"""What a request of the rpc family says in its path, its query string and its body; and what it may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from jina_components.service.hosts import HOSTS, prefix_of
from jina_components.service.wire.negotiation import Result, answer
from jina_components.service.wire.reading import DOCUMENTED_HEADERS, wrong


class _Text(PathConvertor):
    """The rest of a path as `path` has it, with new lines."""

    regex = r"[\s\S]*"


register_url_convertor("text", _Text())  # for `{name:text}`

_NUMBER = re.compile(r"(?=\d)")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def values_of(request: Request) -> dict[str, Any]:
    """What the query string and the body say, by name; the query string has the last word. Repeated ones are lists.

    Raises:
        Problem: 400, the body is no object of JSON and no form.
    """
    return {**await _body(request), **texts(request.query_params)}


def texts(given: QueryParams | FormData) -> dict[str, Any]:
    """Texts by name, lists of them where they are repeated; files are left out."""
    found = {name: [each for each in given.getlist(name) if not isinstance(each, UploadFile)] for name in given}
    return {name: each[0] if len(each) == 1 else each for name, each in found.items() if each}


async def _body(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        async with request.form() as form:  # what is wrong with it the framework says, with 400
            return texts(form)
    if not (body := await request.body()):
        return {}
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise wrong("body", f"is neither JSON nor a form: {error}") from error
    if not isinstance(given, dict):
        raise wrong("body", f"must be a JSON object, got {type(given).__name__}")
    return given


def described(names: Mapping[str, str], *, in_body: bool = False) -> dict[str, Any]:
    """Parameters for the OpenAPI document, with the headers of reading.

    Args:
        names: What each of them is, by its name.
        in_body: Whether they may come in a body too.
    """
    found = [
        {"name": name, "in": "query", "description": doc, "schema": {"type": "string"}} for name, doc in names.items()
    ]
    told: dict[str, Any] = {"parameters": [*found, *DOCUMENTED_HEADERS["parameters"]]}
    if in_body:
        schema = {"type": "object", "properties": {name: {"description": doc} for name, doc in names.items()}}
        told["requestBody"] = {"content": {kind: {"schema": schema} for kind in ("application/json", *_FORMS)}}
    return told


def index(request: Request, host: str, *ways: str) -> Response:
    """How to ask a host, for those who ask it for nothing.

    Args:
        request: Which is answered.
        host: Its first label.
        ways: What may be asked; `ROOT` stands for its address.
    """
    here, prefix, scheme = request.headers.get("host", ""), HOSTS[host], request.url.scheme
    is_of_host = prefix_of(here.encode()) == prefix
    root = f"{scheme}://{here}{'' if is_of_host else prefix}"
    told = {f"usage{number}": way.replace("ROOT", root) for number, way in enumerate(ways, 1)}
    home = re.sub(rf"\b{host}\.", "api.", here, count=1) if is_of_host else here
    told["homepage"] = f"{scheme}://{home}/docs"
    labels = (_NUMBER.sub(" ", name.capitalize()) for name in told)
    text = "".join(f"[{label}] {line}\n" for label, line in zip(labels, told.values(), strict=True))
    return answer(request, Result(told, text, 0))
