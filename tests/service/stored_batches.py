"""Batches to put into a store, and what is done with them there."""

from __future__ import annotations

from sqlalchemy import delete

from jina_components.service.batches.jobs import Line, Order
from jina_components.service.database.tables import METADATA


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def emptied(database):
    """The database, with no row in its tables."""
    with database.transaction() as db:
        for table in reversed(METADATA.sorted_tables):
            db.execute(delete(table))
    return database


def order(owner="anna", **changed):
    asked = {
        "key_id": "", "model": "m", "task": None, "dimensions": None, "normalized": True, "truncate": False,
        "webhook_url": None, "base_url": "http://x/", "request_id": "r",
    }  # fmt: skip
    return Order(**{"owner": owner, **asked, **changed})


def lines(count, start=1, inputs=1):
    return [Line(number, f"id-{number}", inputs, b'"text"') for number in range(start, start + count)]


def done(line, tokens=3):
    return Line(line.number, line.custom_id, line.inputs, b"vectors", tokens=tokens)


def taken(store, batch, max_inputs=10):
    return store.waiting(batch, max_inputs=max_inputs, max_bytes=10_000)


def results(store, batch, *, failed=False):
    return [line for part in store.results(batch, failed=failed) for line in part]
