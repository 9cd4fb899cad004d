"""What was used, by key, owner, day, product and model; and the lines of a key's ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias, get_args

from sqlalchemy import Column, func, literal, select

from jina_components.errors import InputError
from jina_components.service.accounts.entries import Entry
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE

By: TypeAlias = Literal["key_id", "owner", "day", "product", "model"]

# Fields of `Row` that tell rows apart; those that `told_by` does not fill are empty.
_COLUMNS: Mapping[str, Column[str]] = {
    "key_id": USAGE.c.key_id, "name": KEYS.c.name, "owner": KEYS.c.owner, "day": USAGE.c.day,
    "product": USAGE.c.product, "model": USAGE.c.model,
}  # fmt: skip
_MAX_LISTED = 1000
_MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """What was used.

    Attributes:
        key_id, owner, day, product, model: Of what; empty where rows are not told apart by it. Days are of UTC, such
            as `2026-01-31`.
        name: What the key is called; empty where `key_id` is.
        requests: Answered with a result.
        items: Inputs, documents or pages.
        tokens: Charged.
    """

    key_id: str
    name: str
    owner: str
    day: str
    product: str
    model: str
    requests: int
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry of the ledger as it was written.

    Attributes:
        number: Its place; later ones have larger numbers.
        at: When, in seconds since 1970.
        entry: What it says.
    """

    number: int
    at: float
    entry: Entry


def usage(
    database: Database,
    *,
    owner: str | None = None,
    key_id: str | None = None,
    since: date,
    until: date,
    by: Sequence[By] = ("day", "product", "model"),
) -> list[Row]:
    """What was used, summed up.

    Args:
        database: Of the keys.
        owner: Whose keys; None for everybody's.
        key_id: Of one key; None for all.
        since: First day, of UTC.
        until: Last day, which counts.
        by: What tells rows apart, of `key_id`, `owner`, `day`, `product` and `model`; empty for one row of all.

    Returns:
        Rows in the order of what tells them apart, in the order of `by`.

    Raises:
        InputError: `by` has another name, or there are more than 100,000 rows.
        Problem: 503, the database fails.
    """
    if unknown := [name for name in by if name not in get_args(By)]:
        raise InputError(f"Usage cannot be told by {unknown[0]!r}: take any of {', '.join(get_args(By))}.")
    filled = told_by(by)
    groups = [_COLUMNS[name] for name in filled]
    columns = [column if name in filled else literal("").label(name) for name, column in _COLUMNS.items()]
    sums = [func.coalesce(func.sum(USAGE.c[name]), 0) for name in ("requests", "items", "tokens")]
    days = USAGE.c.day.between(since.isoformat(), until.isoformat())
    statement = select(*columns, *sums).select_from(USAGE.join(KEYS)).where(days)
    if owner is not None:
        statement = statement.where(KEYS.c.owner == owner)
    if key_id is not None:
        statement = statement.where(USAGE.c.key_id == key_id)
    with database.connected() as db:
        found = db.execute(statement.group_by(*groups).order_by(*groups).limit(_MAX_ROWS + 1)).all()
    if len(found) > _MAX_ROWS:
        raise InputError(f"Usage has more than {_MAX_ROWS:,} rows here: take fewer days, or tell them apart by less.")
    return [Row(*row[:6], *map(int, row[6:])) for row in found]


def told_by(by: Sequence[By]) -> list[str]:
    """Fields of a `Row` that say what it is of: those of `by`, and the names of keys beside their ids."""
    return [each for name in by for each in ((name, "name") if name == "key_id" else (name,))]


def entries(database: Database, key_id: str, *, limit: int = 100, before: int | None = None) -> list[Posted]:
    """The ledger of a key, the newest first.

    Args:
        database: Of the keys.
        key_id: Of one that is there.
        limit: How many at most, up to 1,000.
        before: The number of the last one seen, to go on from; None to begin.

    Raises:
        InputError: `limit` is out of range.
        Problem: 503, the database fails.
    """
    if not 1 <= limit <= _MAX_LISTED:
        raise InputError(f"limit must be from 1 to {_MAX_LISTED}, got {limit}.")
    statement = select(ENTRIES).where(ENTRIES.c.key_id == key_id).order_by(ENTRIES.c.number.desc()).limit(limit)
    if before is not None:
        statement = statement.where(ENTRIES.c.number < before)
    with database.connected() as db:
        rows = [dict(row) for row in db.execute(statement).mappings()]
    return [Posted(row.pop("number"), row.pop("at"), Entry(**row)) for row in rows]
