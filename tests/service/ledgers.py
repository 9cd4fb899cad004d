"""Entries of a ledger to test with, and its emptying."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete

from jina_components.service.accounts.entries import Entry, post
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE
from jina_components.service.products import Product

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()


def charge(
    reference: str, key_id: str, tokens: int, *, product: Product = "embeddings", model: str = "a", items: int = 1
) -> Entry:
    return Entry(
        reference=reference, key_id=key_id, kind="charge", tokens=-tokens, product=product, model=model, requests=1,
        items=items,
    )  # fmt: skip


def charged(database: Database, *charges: Entry, at: float = NOW) -> list[Entry]:
    with database.transaction() as db:
        return post(db, charges, at)


def empty(database: Database) -> None:
    with database.transaction() as db:
        for table in (USAGE, ENTRIES, KEYS):
            db.execute(delete(table))
