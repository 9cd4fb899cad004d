"""Lookup by name, with an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from jina_components.errors import UnknownNameError

T = TypeVar("T")

# Characters of a name that an error shows, and that near ones are sought for, which takes its time.
_SHOWN = 200


def resolve_name(table: Mapping[str, T], name: str, *, what: str) -> T:
    """The row of `table` called `name`.

    Raises:
        UnknownNameError: names the nearest and all known names; `what` says of what ("backend", "task" …).
    """
    if isinstance(name, str) and name in table:
        return table[name]
    shown = name if len(str(name)) <= _SHOWN else f"{str(name)[:_SHOWN]}…"
    nearest = difflib.get_close_matches(str(shown), table, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise UnknownNameError(f"Unknown {what} {shown!r}.{hint} Known: {', '.join(sorted(table))}.")
