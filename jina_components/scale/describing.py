"""What tells a component from another in a journal, so that a run goes on with the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from jina_components.core.component import Component


def describe(value: object) -> Any:  # noqa: ANN401 (a JSON value)
    """The JSON value of a setting.

    Of a component its class and arguments, of a dataclass its class and fields, of another object its class alone.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [describe(item) for item in (sorted(value, key=repr) if isinstance(value, set | frozenset) else value)]
    name = type(value).__qualname__
    if is_dataclass(value) and not isinstance(value, type):
        return {"class": name, **{field.name: describe(getattr(value, field.name)) for field in fields(value)}}
    if not isinstance(value, Component):
        return name
    _, (_, args, named) = value.__reduce__()
    return {"class": name, "args": describe(args), **{key: describe(named[key]) for key in sorted(named)}}
