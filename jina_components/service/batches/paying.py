"""What batches cost the keys that sent them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from jina_components.service.accounts.entries import Entry, post
from jina_components.service.batches.jobs import Batch, Line
from jina_components.service.database.tables import KEYS
from jina_components.service.errors import Problem

_REVOKED = Problem(401, "AUTH_INVALID_API_KEY", "The key that sent this batch was revoked before this line's turn.")
_SPENT = Problem(
    403,
    "AUTHZ_INSUFFICIENT_BALANCE",
    "The key that sent this batch had no tokens left at this line's turn: top it up, and send the line again.",
)


def refusal(db: Connection, batch: Batch) -> Problem | None:
    """Why nothing more is done for the key of a batch; None while it is good and has tokens left."""
    if not batch.key_id:
        return None
    balance, revoked_at = db.execute(select(KEYS.c.balance, KEYS.c.revoked_at).where(KEYS.c.id == batch.key_id)).one()
    if revoked_at is not None:
        return _REVOKED
    return None if balance > 0 else _SPENT


def charge(db: Connection, batch: Batch, done: Sequence[Line], now: float) -> None:
    """Charge for lines that are done: in the transaction that keeps them, and so once.

    The request that brought the batch was counted when it was answered.
    """
    if batch.key_id and done:
        entry = Entry(
            reference=f"{batch.id}:{done[0].number}",
            key_id=batch.key_id,
            kind="charge",
            tokens=-sum(line.tokens for line in done),
            product="batch",
            model=batch.model,
            items=len(done),
        )
        post(db, [entry], now)
