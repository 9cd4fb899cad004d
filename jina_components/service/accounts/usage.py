"""What was used, by day, product and model; and the lines of a key's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from sqlalchemy import func, literal, select

from jina_components.errors import InputError
from jina_components.service.accounts.entries import Entry
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE

By: TypeAlias = Literal["key_id", "day", "product", "model"]

_BY: tuple[By, ...] = ("key_id", "day", "product", "model")
_MAX_LISTED = 1000
_MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """What was used.

    Attributes:
        key_id, day, product, model: Of what; empty where rows are not told apart by it. Days are of UTC, such as
            `2026-01-31`.
        requests: Answered with a result.
        items: Inputs, documents or pages.
        tokens: Charged.
    """

    key_id: str
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
        by: What tells rows apart, of `key_id`, `day`, `product` and `model`; empty for one row of all.

    Returns:
        Rows in the order of what tells them apart, in the order of `by`.

    Raises:
        InputError: `by` has another name, or there are more than 100,000 rows.
        Problem: 503, the database fails.
    """
    if unknown := [name for name in by if name not in _BY]:
        raise InputError(f"Usage cannot be told by {unknown[0]!r}: take any of {', '.join(_BY)}.")
    groups = [USAGE.c[name] for name in by]
    columns = [USAGE.c[name] if name in by else literal("").label(name) for name in _BY]
    sums = [func.coalesce(func.sum(USAGE.c[name]), 0) for name in ("requests", "items", "tokens")]
    statement = select(*columns, *sums).where(USAGE.c.day.between(since.isoformat(), until.isoformat()))
    if owner is not None:
        statement = statement.where(USAGE.c.key_id.in_(select(KEYS.c.id).where(KEYS.c.owner == owner)))
    if key_id is not None:
        statement = statement.where(USAGE.c.key_id == key_id)
    with database.connected() as db:
        found = db.execute(statement.group_by(*groups).order_by(*groups).limit(_MAX_ROWS + 1)).all()
    if len(found) > _MAX_ROWS:
        raise InputError(f"Usage has more than {_MAX_ROWS:,} rows here: take fewer days, or tell them apart by less.")
    return [Row(*row[:4], *map(int, row[4:])) for row in found]


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
