"""JSON that a language model wrote, held against a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina_components.core.chat_json import parse_json
from jina_components.core.json_schema import violations


class JSONForm:
    """JSON as a schema wants it.

    Args:
        schema: JSON Schema (https://json-schema.org), of the draft it names or else the latest; None for any JSON.

    Raises:
        InputError: it is no valid schema, refers to what is not in it, or cannot be applied.
    """

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._schema = {} if schema is None else schema
        violations(None, self._schema)  # which no schema needs to allow

    def read(self, text: str) -> Any:  # noqa: ANN401 (any JSON)
        """The value in a text.

        Raises:
            ValueError: there is none, or not of this form; the message says what is wrong.
            InputError: the schema cannot be applied.
        """
        value = parse_json(text)
        if complaint := violations(value, self._schema):
            raise ValueError(f"{complaint}.")
        return value
