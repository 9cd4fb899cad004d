"""Answers: JSON straight to bytes, never through the framework's encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS

Form: TypeAlias = Literal["text", "json", "events"]


def form_of(connection: HTTPConnection) -> Form:
    """The form of an answer of the rpc family that a client accepts; text where it names none of ours."""
    accept = connection.headers.get("accept", "").lower()
    if "text/event-stream" in accept:
        return "events"
    return "json" if "/json" in accept else "text"


def to_json(value: object) -> bytes:
    """JSON; numpy arrays (C-contiguous) as lists of numbers."""
    return orjson.dumps(value, option=_OPTIONS)


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(to_json(value), status, dict(headers or {}), "application/json")


def event(data: Any, *, name: str = "") -> bytes:  # noqa: ANN401 (JSON has no type)
    """A server-sent event with JSON data, or with text as it is (`[DONE]`)."""
    body = data.encode() if isinstance(data, str) else to_json(data)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + body + b"\n\n"
