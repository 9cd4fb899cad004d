"""What fine-tuning costs the keys that asked for it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from jina_components.service.accounts.entries import Entry, post
from jina_components.service.database import Database
from jina_components.service.database.tables import KEYS
from jina_components.service.finetunes.jobs import FineTune


def refusal(database: Database, job: FineTune) -> str:
    """Why nothing is done for the key of a job; empty while it is good and has tokens left.

    Raises:
        Problem: 503, the database cannot be read.
    """
    if not job.key_id:
        return ""
    with database.connected() as db:
        balance, revoked_at = db.execute(select(KEYS.c.balance, KEYS.c.revoked_at).where(KEYS.c.id == job.key_id)).one()
    if revoked_at is not None:
        return "The key that asked for this was revoked before its turn."
    return (
        "" if balance > 0 else "The key that asked for this had no tokens left at its turn: top it up, and ask again."
    )


def charge(database: Database, job: FineTune, now: float) -> None:
    """Charge for a job that has succeeded: once, however often this is called.

    Raises:
        Problem: 503, the database cannot be written.
    """
    if job.key_id:
        with database.transaction() as db:
            _charge(db, job, now)


def _charge(db: Connection, job: FineTune, now: float) -> None:
    entry = Entry(
        reference=job.id,
        key_id=job.key_id,
        kind="charge",
        tokens=-job.tokens,
        product="finetune",
        model=job.model,
        items=job.documents or 1,
    )
    post(db, [entry], now)
