"""Values held against a JSON Schema, and what is wrong with them in words that a model can follow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jina_components.errors import InputError
from jina_components.types import shorten

_COMPLAINTS = 3


def violations(value: object, schema: Mapping[str, Any]) -> str:
    """What is wrong with a value, such as `At $.queries[0].text: 7 is not of type 'string'`; empty where nothing is.

    Of several violations the first three are told. Nothing is fetched: a schema may refer to its own parts alone.

    Args:
        value: JSON values.
        schema: JSON Schema (https://json-schema.org), of the draft that it names or else the latest.

    Raises:
        InputError: the schema is none, or cannot be applied.
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        errors = islice(_validator(_canonical(schema)).iter_errors(value), _COMPLAINTS)
        found = [best_match([error]) for error in errors]  # of alternatives, the one that was meant
    except (Unresolvable, RecursionError, re.error) as error:
        raise InputError(f"The JSON Schema cannot be applied: {shorten(str(error), 300)}.") from error
    told = (f"At {shorten(error.json_path, 100)}: {_shortened(error.message)}" for error in found)
    return "; ".join(dict.fromkeys(told))


def _canonical(schema: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(schema), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"This is no valid JSON Schema: {shorten(str(error), 300)}.") from error


@lru_cache(maxsize=64)  # a check takes a fraction of what checking the schema does
def _validator(schema: str) -> Any:  # noqa: ANN401 (of jsonschema, imported here alone)
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    read = json.loads(schema)
    kind = validator_for(read, default=Draft202012Validator)
    try:
        kind.check_schema(read)
    except (SchemaError, RecursionError) as error:
        reason = getattr(error, "message", str(error))
        raise InputError(f"This is no valid JSON Schema: {shorten(reason, 300)}.") from error
    return kind(read, registry=Registry())  # which, unlike the default, fetches nothing


def _shortened(message: str) -> str:
    """A message, which begins with the value and ends with what is wrong with it, without the middle."""
    return message if len(message) <= 300 else f"{message[:80]} … {message[-200:]}"
