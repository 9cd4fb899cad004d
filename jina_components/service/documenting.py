"""The OpenAPI document: every status that a family of routes answers with, and requests to try."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from jina_components.service.errors import Family
from jina_components.service.examples import BODIES, PARAMETERS


class Violation(BaseModel):
    """What is wrong with a field of a body."""

    field: str
    message: str
    type: str
    input: Any = None


class ApiError(BaseModel):
    """An error of the api family."""

    detail: str
    message: str = Field(description="The same as `detail`.")
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
    408: "Came too slowly.", 413: "Too large.", 415: "Compressed.",
    422: "Does not fit the schema.", 429: "Too many requests.", 500: "A fault of the service.",
    503: "Come again later.", 504: "Took too long.",
}  # fmt: skip
_HEAD_TOO_LARGE = "The path, query string and headers are too large; the connection is closed."
# Families that answer in other forms than JSON too, by what the client accepts.
_FORMS: dict[Family, dict[str, Any]] = {
    "rpc": {"content": {"text/plain": {"schema": {"type": "string"}}, "text/event-stream": {}}}
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
    responses[431] = {"description": _HEAD_TOO_LARGE}
    return {"responses": responses, "response_model": None}


class Documented(FastAPI):
    """An application whose OpenAPI document has examples, and no titles that say the names of fields again."""

    def openapi(self) -> dict[str, Any]:
        """The document."""
        if self.openapi_schema is None:
            document = super().openapi()
            _drop_titles(document["components"]["schemas"])
            _drop_titles(document["paths"])
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _add_examples(path, operation)
            self.openapi_schema = document
        return self.openapi_schema


def _drop_titles(schema: object, *, are_names: bool = False) -> None:
    """Remove `title` from schemas and all within them; `are_names` where the keys are names of fields."""
    if isinstance(schema, list):
        for each in schema:
            _drop_titles(each)
    elif isinstance(schema, dict):
        if not are_names:
            schema.pop("title", None)
        for key, value in schema.items():
            _drop_titles(value, are_names=key == "properties" and not are_names)


def _add_examples(path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter.get("required") or (name == "q" and "requestBody" not in operation and "{" not in path):
            parameter["example"] = PARAMETERS.get(f"{path} {name}") or PARAMETERS[name]
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        content["application/json"]["example"] = BODIES[path]
