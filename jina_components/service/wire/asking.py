"""What a request of the rpc family says in its path, its query string and its body; and what it may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from jina_components.service.hosts import HOSTS, prefix_of
from jina_components.service.wire.bodies import FORMS, body_of, by_name
from jina_components.service.wire.negotiation import Result, answer
from jina_components.service.wire.reading import FIELDS, HEADERS


class _Text(PathConvertor):
    """The rest of a path as `path` has it, with new lines."""

    regex = r"[\s\S]*"


register_url_convertor("text", _Text())  # for `{name:text}`

_NUMBER = re.compile(r"(?=\d)")


async def values_of(request: Request) -> dict[str, Any]:
    """What the query string and the body say, by name; the query string has the last word. Repeated ones are lists.

    Raises:
        Problem: 400, the body is no object of JSON and no form.
    """
    return {**await body_of(request), **by_name(request.query_params.multi_items())}


def described(query: Mapping[str, str], body: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Parameters for the OpenAPI document, with those of reading.

    Args:
        query: What each of the query string is, by its name.
        body: Likewise of a body, of JSON or a form; None where there is none.
    """
    told: dict[str, Any] = {
        "parameters": [
            {"name": name, "in": place, "description": doc, "schema": {"type": "string"}}
            for place, names in (("query", query), ("header", HEADERS))
            for name, doc in names.items()
        ]
    }
    if body is not None:
        schema = {"type": "object", "properties": {name: {"description": doc} for name, doc in body.items()} | FIELDS}
        told["requestBody"] = {"content": {kind: {"schema": schema} for kind in ("application/json", *FORMS)}}
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
