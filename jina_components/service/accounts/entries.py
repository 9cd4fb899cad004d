"""The ledger: what was added to the balance of a key, and why. Balances and usage change with it, and never alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from jina_components.errors import InputError
from jina_components.service.database import Database
from jina_components.service.database.engine import INSERTS
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE
from jina_components.service.products import Product

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


SENT, RECEIVED = "sent:", "received:"
"""What the references of the two entries of a transfer begin with; they go on alike."""

_COUNTED = ("requests", "items", "tokens")
# Statements are made once, as making one costs more than running it.
_ADD_ENTRY = {
    dialect: insert(ENTRIES).on_conflict_do_nothing(index_elements=[ENTRIES.c.reference]).returning(ENTRIES.c.reference)
    for dialect, insert in INSERTS.items()
}
_ADD_TO_BALANCE = update(KEYS).where(KEYS.c.id == bindparam("key")).values(balance=KEYS.c.balance + bindparam("added"))
_ADD_TO_USAGE = {
    dialect: (adding := insert(USAGE)).on_conflict_do_update(
        index_elements=list(USAGE.primary_key), set_={name: USAGE.c[name] + adding.excluded[name] for name in _COUNTED}
    )
    for dialect, insert in INSERTS.items()
}
_FOLDED = 5000  # entries in one transaction, which others may wait for


def transfer(source: str, target: str, tokens: int, name: str) -> tuple[Entry, Entry]:
    """The two sides of a transfer; `name` is its own among those from the source."""
    sent = Entry(reference=f"{SENT}{source}:{name}", key_id=source, kind="transfer", tokens=-tokens, other=target)
    received = Entry(
        reference=f"{RECEIVED}{source}:{name}", key_id=target, kind="transfer", tokens=tokens, other=source
    )
    return sent, received


def post(db: Connection, entries: Sequence[Entry], now: float) -> list[Entry]:
    """Write entries, and what follows from them: balances, and the usage of the day.

    References, keys and usage are each locked in one order, so that two processes never wait for each other.

    Args:
        db: In a transaction that writes.
        entries: In any order, of keys that are there.
        now: Seconds since 1970.

    Returns:
        Those that were new; others are there already, by their reference.
    """
    if not entries:
        return []
    by_reference = {entry.reference: entry for entry in entries}
    new = db.execute(
        _ADD_ENTRY[db.dialect.name],
        [
            {
                "reference": entry.reference, "key_id": entry.key_id, "kind": entry.kind, "tokens": entry.tokens,
                "product": entry.product, "model": entry.model, "requests": entry.requests, "items": entry.items,
                "other": entry.other, "note": entry.note, "at": now,
            }
            for _, entry in sorted(by_reference.items())
        ],
    ).scalars()  # fmt: skip
    written = [by_reference[reference] for reference in new]
    _add_to_balances(db, written)
    _add_to_usage(db, [entry for entry in written if entry.kind == "charge"], now)
    return written


def fold(database: Database, before: date) -> int:
    """Make one entry a key of the charges of long ago, so that the ledger does not grow with every request for ever.

    Balances and usage stay as they are. A service may run meanwhile.

    Args:
        database: Of the keys.
        before: Day of UTC, not after today; charges of that day and later stay. Those that are folded have to be so
            old that none is sent again any more.

    Returns:
        How many entries are gone.

    Raises:
        InputError: the day is not over.
        Problem: 503, the database fails; what was folded so far stays so.
    """
    if before > datetime.now(UTC).date():
        raise InputError(f"The day to fold charges before must be today at the latest, got {before}.")
    until = datetime(before.year, before.month, before.day, tzinfo=UTC).timestamp()
    old = (ENTRIES.c.kind == "charge") & (ENTRIES.c.at < until)
    many = select(ENTRIES.c.key_id).where(old).group_by(ENTRIES.c.key_id).having(func.count() > 1)
    with database.connected() as db:
        keys = list(db.execute(many).scalars())
    gone = 0
    for key_id in keys:
        more = True
        while more:
            folded = _fold_some(database, old & (ENTRIES.c.key_id == key_id))
            gone += folded
            more = folded + 1 >= _FOLDED
    if gone:
        database.reclaim()
    return gone


def _fold_some(database: Database, old: ColumnElement[bool]) -> int:
    """Fold the first charges of those given into the last of them; how many are gone."""
    columns = (ENTRIES.c.number, *(ENTRIES.c[name] for name in _COUNTED))
    # Locked, as another process may be folding the same.
    statement = select(*columns).where(old).order_by(ENTRIES.c.number).limit(_FOLDED).with_for_update()
    with database.transaction() as db:
        rows = db.execute(statement).all()
        if len(rows) < 2:
            return 0
        numbers, *counts = zip(*rows, strict=True)
        sums = dict(zip(_COUNTED, map(sum, counts), strict=True))
        last = numbers[-1]
        db.execute(update(ENTRIES).where(ENTRIES.c.number == last).values(product="", model="", note="folded", **sums))
        db.execute(delete(ENTRIES).where(ENTRIES.c.number.in_(numbers[:-1])))
        return len(rows) - 1


def _add_to_balances(db: Connection, entries: Sequence[Entry]) -> None:
    added: dict[str, int] = defaultdict(int)
    for entry in entries:
        added[entry.key_id] += entry.tokens
    if changed := [{"key": key_id, "added": added[key_id]} for key_id in sorted(added) if added[key_id]]:
        db.execute(_ADD_TO_BALANCE, changed)


def _add_to_usage(db: Connection, charges: Sequence[Entry], now: float) -> None:
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    counted: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for entry in charges:
        numbers = counted[entry.key_id, entry.product, entry.model]
        for place, number in enumerate((entry.requests, entry.items, -entry.tokens)):
            numbers[place] += number
    if not counted:
        return
    rows = [
        {"key_id": key_id, "day": day, "product": product, "model": model, **dict(zip(_COUNTED, numbers, strict=True))}
        for (key_id, product, model), numbers in sorted(counted.items())
    ]
    db.execute(_ADD_TO_USAGE[db.dialect.name], rows)
