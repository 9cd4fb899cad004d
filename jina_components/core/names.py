"""Lookup by name, with an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from jina_components.errors import UnknownNameError

T = TypeVar("T")


def resolve_name(table: Mapping[str, T], name: str, *, what: str) -> T:
    """The row of `table` called `name`.

    Raises:
        UnknownNameError: names the nearest and all known names; `what` says of what ("backend", "task" …).
    """
    if isinstance(name, str) and name in table:
        return table[name]
    nearest = difflib.get_close_matches(str(name), table, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise UnknownNameError(f"Unknown {what} {name!r}.{hint} Known: {', '.join(sorted(table))}.")
