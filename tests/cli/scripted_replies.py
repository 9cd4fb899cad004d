"""What a chat model says that does as it is told: it searches, and then answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scripted(request: Mapping[str, Any], *, answer: str) -> dict[str, Any]:
    """A reply that follows the schema of a request; it searches before it answers, and every evaluation passes."""
    schema = request["response_format"]["json_schema"]["schema"]
    reply: dict[str, Any] = {name: _value(each, answer) for name, each in schema["properties"].items()}
    if "action" in reply:
        kinds = schema["properties"]["action"]["enum"]
        has_searched = "Searched for" in str(request["messages"])
        reply["action"] = "answer" if has_searched and "answer" in kinds else kinds[0]
    return reply


def _value(schema: Mapping[str, Any], answer: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "object":
        return {name: _value(each, answer) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [_value(schema["items"], answer)]
    return {"string": answer, "boolean": True, "integer": 1, "number": 1.0, "null": None}[kind]
