"""What the OpenAPI document says of errors: every status that a family of routes answers with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from jina_components.service.errors import Family


class Violation(BaseModel):
    """What is wrong with a field of a body."""

    field: str
    message: str
    type: str
    input: Any = None


class ApiError(BaseModel):
    """An error of the api family."""

    detail: str
    code: str
    request_id: str
    errors: list[Violation] | None = None


class RpcError(BaseModel):
    """An error of the rpc family."""

    data: None = None
    code: int
    name: str
    status: int
    message: str
    readableMessage: str  # noqa: N815 (the wire's name)


class DeepSearchError(BaseModel):
    """An error of the deepsearch family; of a body that does not fit, with its details."""

    error: str
    details: list[Violation] | None = None


class CohereError(BaseModel):
    """An error of the cohere family."""

    id: str
    message: str


_MODELS: dict[Family, type[BaseModel]] = {
    "api": ApiError, "rpc": RpcError, "deepsearch": DeepSearchError, "cohere": CohereError,
}  # fmt: skip
_COMMON = {
    400: "Wrong input.", 401: "No key, or a wrong one.", 402: "No balance.", 403: "Not allowed.",
    408: "Came too slowly.", 413: "Too large.", 422: "Does not fit the schema.", 429: "Too many requests.", 500: "A fault of the service.",
    503: "Come again later.", 504: "Took too long.",
}  # fmt: skip
# Families that answer in other forms than JSON too, by what the client accepts.
_FORMS: dict[Family, dict[str, Any]] = {
    "rpc": {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/event-stream")}}
}


def documented(
    family: Family, *, more: dict[int, str] | None = None, ok: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Arguments of a route: its answers, those of errors included, by what they mean.

    Args:
        family: Of the route.
        more: Further statuses (404, 409 …).
        ok: What a good answer looks like, for routes that answer JSON.
    """
    statuses = {**_COMMON, **(more or {})}
    responses: dict[int, dict[str, Any]] = {
        status: {"model": _MODELS[family], "description": words, **_FORMS.get(family, {})}
        for status, words in sorted(statuses.items())
    }
    if ok is not None or family in _FORMS:
        responses[200] = {"model": ok, "description": "Done.", **_FORMS.get(family, {})}
    return {"responses": responses, "response_model": None}
