"""Whether the books are right."""

from __future__ import annotations

from sqlalchemy import case, func, select

from jina_components.service.accounts.entries import RECEIVED, SENT
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE

_COUNTED = ("requests", "items", "tokens")


def audit(database: Database) -> list[str]:
    """What is wrong with the books; nothing ever should be, whenever a process is killed.

    The balance of each key is the sum of its entries, its usage that of its charges, and each transfer has two sides.
    All entries are read. A service may run meanwhile: each of the three is told of one moment.

    Raises:
        Problem: 503, the database fails.
    """
    return [*_balances(database), *_usage(database), *_transfers(database)]


def _balances(database: Database) -> list[str]:
    total = func.coalesce(func.sum(ENTRIES.c.tokens), 0)
    statement = (
        select(KEYS.c.id, KEYS.c.balance, total)
        .outerjoin(ENTRIES, ENTRIES.c.key_id == KEYS.c.id)
        .group_by(KEYS.c.id, KEYS.c.balance)
        .having(KEYS.c.balance != total)
        .order_by(KEYS.c.id)
    )
    with database.connected() as db:
        return [
            f"Key {key}: its balance is {balance:,}, and the sum of its entries {added:,}."
            for key, balance, added in db.execute(statement)
        ]


def _usage(database: Database) -> list[str]:
    charged = (
        select(ENTRIES.c.key_id, *(func.sum(ENTRIES.c[name]).label(name) for name in _COUNTED))
        .where(ENTRIES.c.kind == "charge")
        .group_by(ENTRIES.c.key_id)
        .subquery()
    )
    used = (
        select(USAGE.c.key_id, *(func.sum(USAGE.c[name]).label(name) for name in _COUNTED))
        .group_by(USAGE.c.key_id)
        .subquery()
    )
    statement = (
        select(
            KEYS.c.id,
            *(func.coalesce(used.c[name], 0) for name in _COUNTED),
            *(func.coalesce(charged.c[name], 0) for name in _COUNTED),
        )
        .outerjoin(charged, charged.c.key_id == KEYS.c.id)
        .outerjoin(used, used.c.key_id == KEYS.c.id)
        .order_by(KEYS.c.id)
    )
    with database.connected() as db:
        rows = [(row[0], tuple(map(int, row[1:4])), tuple(map(int, row[4:]))) for row in db.execute(statement)]
    return [
        f"Key {key}: its usage has {used[0]:,} requests, {used[1]:,} items and {used[2]:,} tokens, and its charges "
        f"{charged[0]:,}, {charged[1]:,} and {-charged[2]:,}."
        for key, used, charged in rows
        if used != (*charged[:2], -charged[2])
    ]


def _transfers(database: Database) -> list[str]:
    one, other = ENTRIES.alias(), ENTRIES.alias()
    sides = case(
        (one.c.reference.startswith(SENT), RECEIVED + func.substr(one.c.reference, len(SENT) + 1)),
        else_=SENT + func.substr(one.c.reference, len(RECEIVED) + 1),
    )
    is_other_side = (
        (other.c.reference == sides)
        & (other.c.kind == "transfer")
        & (other.c.key_id == one.c.other)
        & (other.c.other == one.c.key_id)
        & (other.c.tokens == -one.c.tokens)
    )
    statement = (
        select(one.c.key_id, one.c.number, one.c.other)
        .outerjoin(other, is_other_side)
        .where(one.c.kind == "transfer", other.c.number.is_(None))
        .order_by(one.c.number)
    )
    with database.connected() as db:
        return [
            f"Key {key}: entry {number} is one side of a transfer, and the key {partner} has no other side of it."
            for key, number, partner in db.execute(statement)
        ]
