"""The ledger: what was added to the balance of a key, and why. Balances and usage change with it, and never alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from sqlalchemy import Connection, update

from jina_components.service.calls import Product
from jina_components.service.database.engine import upsert
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE

Kind: TypeAlias = Literal["grant", "charge", "transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the ledger.

    Attributes:
        reference: Unique; an entry of one that is there already is that one, sent again.
        key_id: Whose balance it changes.
        kind: A grant adds, a charge takes; a transfer is two entries, one of each key.
        tokens: What is added to the balance: below zero for a charge.
        product, model: What was asked for.
        requests: Of a charge, how many it is for.
        items: Inputs, documents or pages of them.
        other: The other key of a transfer.
        note: Of whoever granted.
    """

    reference: str
    key_id: str
    kind: Kind
    tokens: int
    product: Product | Literal[""] = ""
    model: str = ""
    requests: int = 0
    items: int = 0
    other: str = ""
    note: str = ""


def post(db: Connection, entries: Sequence[Entry], now: float) -> list[Entry]:
    """Write entries, and what follows from them: balances, and the usage of the day.

    Args:
        db: In a transaction that writes.
        entries: In any order.
        now: Seconds since 1970.

    Returns:
        Those that were new; others are there already, by their reference.
    """
    if not entries:
        return []
    insert = upsert(db)
    by_reference = {entry.reference: entry for entry in entries}
    rows = [
        {
            "reference": entry.reference, "key_id": entry.key_id, "kind": entry.kind, "tokens": entry.tokens,
            "product": entry.product, "model": entry.model, "requests": entry.requests, "items": entry.items,
            "other": entry.other, "note": entry.note, "at": now,
        }
        for entry in by_reference.values()
    ]  # fmt: skip
    new = db.execute(
        insert(ENTRIES).on_conflict_do_nothing(index_elements=[ENTRIES.c.reference]).returning(ENTRIES.c.reference),
        rows,
    ).scalars()
    written = [by_reference[reference] for reference in new]
    _add_to_balances(db, written)
    _add_to_usage(db, [entry for entry in written if entry.kind == "charge"], now)
    return written


def _add_to_balances(db: Connection, entries: Sequence[Entry]) -> None:
    added: dict[str, int] = defaultdict(int)
    for entry in entries:
        added[entry.key_id] += entry.tokens
    # All in one order, so that two processes never wait for each other's keys.
    for key_id in sorted(added):
        if added[key_id]:
            db.execute(update(KEYS).where(KEYS.c.id == key_id).values(balance=KEYS.c.balance + added[key_id]))


def _add_to_usage(db: Connection, charges: Sequence[Entry], now: float) -> None:
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    counted: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for entry in charges:
        numbers = counted[entry.key_id, entry.product, entry.model]
        for place, number in enumerate((entry.requests, entry.items, -entry.tokens)):
            numbers[place] += number
    if not counted:
        return
    adding = upsert(db)(USAGE)
    columns = ("requests", "items", "tokens")
    db.execute(
        adding.on_conflict_do_update(
            index_elements=[USAGE.c.key_id, USAGE.c.day, USAGE.c.product, USAGE.c.model],
            set_={name: USAGE.c[name] + adding.excluded[name] for name in columns},
        ),
        [
            {
                "key_id": key_id,
                "day": day,
                "product": product,
                "model": model,
                **dict(zip(columns, numbers, strict=True)),
            }
            for (key_id, product, model), numbers in sorted(counted.items())
        ],
    )
