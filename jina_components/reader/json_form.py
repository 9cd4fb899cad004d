"""JSON that a language model wrote, held against a JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jina_components.core.chat_json import parse_json
from jina_components.errors import InputError
from jina_components.types import shorten


class JSONForm:
    """JSON as a schema wants it.

    Args:
        schema: JSON Schema (https://json-schema.org), of the draft it names or else the latest; None for any JSON.

    Raises:
        InputError: it is no valid schema.
    """

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._validator: Any = None if schema is None else _validator(schema)

    def read(self, text: str) -> Any:  # noqa: ANN401 (any JSON)
        """The value in a text.

        Raises:
            ValueError: there is none, or not of this form; the message says what is wrong.
            InputError: the schema refers to what is not in it, or cannot be applied.
        """
        value = parse_json(text)
        if self._validator is not None and (complaint := self._complaint(value)):
            raise ValueError(complaint)
        return value

    def _complaint(self, value: object) -> str:
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            error = best_match(self._validator.iter_errors(value))
        except (Unresolvable, RecursionError, re.error) as error:
            raise InputError(f"json_schema cannot be applied: {shorten(str(error), 300)}.") from error
        return "" if error is None else f"At {error.json_path}: {shorten(error.message, 300)}."


def _validator(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 (of jsonschema, imported here alone)
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        copy = json.loads(json.dumps(dict(schema), allow_nan=False))
        kind = validator_for(copy, default=Draft202012Validator)
        kind.check_schema(copy)
    except (SchemaError, TypeError, ValueError, RecursionError) as error:
        reason = getattr(error, "message", str(error))
        raise InputError(f"json_schema is no valid JSON Schema: {shorten(reason, 300)}.") from error
    return kind(copy, registry=Registry())  # which, unlike the default, fetches nothing
