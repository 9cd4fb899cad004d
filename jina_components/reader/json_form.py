"""JSON in what a language model wrote: found, parsed, and held against a JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jina_components.errors import InputError
from jina_components.types import shorten

_FENCED = re.compile(r"\A```(markdown|md|html|json|)[^\S\n]*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)
_BEGIN = re.compile(r"[{\[]")


def without_fence(text: str) -> str:
    """A text without the thoughts of a reasoning model before it, and without the code fence all around it."""
    thoughts, ended, rest = text.partition("</think>")
    text = (rest if ended and thoughts.lstrip().startswith("<think>") else text).strip()
    fenced = _FENCED.match(text)
    if not fenced or (not fenced[1] and "\n```" in fenced[2]):  # a text that begins and ends with code
        return text
    return fenced[2].strip()


class JSONForm:
    """JSON as a schema wants it.

    Args:
        schema: JSON Schema (https://json-schema.org), of the draft it names or else the latest; None for any JSON.

    Raises:
        InputError: it is no valid schema.
    """

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._validator: Any = None if schema is None else _validator(schema)

    def read(self, text: str) -> tuple[Any, str]:
        """The value in a text, and what is wrong with it, or empty.

        Raises:
            InputError: the schema refers to what is not in it, or cannot be applied.
        """
        try:
            value = _value(without_fence(text))
        except ValueError as error:
            return None, f"This is no valid JSON: {error}."
        return value, "" if self._validator is None else self._complaint(value)

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


def _value(text: str) -> Any:  # noqa: ANN401 (any JSON)
    """The text as JSON, or the object or list that begins first in it.

    Raises:
        ValueError: there is none.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except ValueError as error:
        begin = _BEGIN.search(text)
        if begin is None or begin.start() == 0:
            raise
        try:
            return _DECODER.raw_decode(text, begin.start())[0]
        except RecursionError:
            raise error from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
