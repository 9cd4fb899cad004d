"""Lookup by name, with an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from jina_components.errors import UnknownNameError

T = TypeVar("T")

# Characters of a name that an error shows, and that near ones are sought for, which takes its time.
_SHOWN = 200
# More known names than these are not all in an error, where something else lists them.
_MOST_LISTED = 12
# Near names that it has then, at most.
_NEAREST = 5


def resolve_name(table: Mapping[str, T], name: str, *, what: str, listed_by: str = "") -> T:
    """The row of `table` called `name`.

    Args:
        table: What is known.
        name: What is sought.
        what: What the names are of ("backend", "task" …).
        listed_by: The command that lists them, for a table too long for an error.

    Raises:
        UnknownNameError: names the nearest and all known names; of a long table with `listed_by`, a few near ones.
    """
    if isinstance(name, str) and name in table:
        return table[name]
    shown = name if len(str(name)) <= _SHOWN else f"{str(name)[:_SHOWN]}…"
    nearest = difflib.get_close_matches(str(shown), table, n=_NEAREST)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    if listed_by and len(table) > _MOST_LISTED:
        near = f"Also near: {', '.join(nearest[1:])}. " if nearest[1:] else ""
        known = f"{near}`{listed_by}` lists all."
    else:
        known = f"Known: {', '.join(sorted(table))}."
    raise UnknownNameError(f"Unknown {what} {shown!r}.{hint} {known}")
