"""Batches in the database: what was asked for, line by line, and what became of it.

A line waits, is done or has failed, and changes once, in the transaction that also counts and charges it: whenever a
process is killed, every line is in one place. A batch is worked on in turns, one at a time, whichever process has it. A
turn holds the batch for some seconds, and longer if it says so: that of a killed process is over soon, and what is made
in one that is over is not kept.

Who charges requests waits for a transaction that writes, in SQLite for any at all, so none writes more than some lines.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, exists, func, or_, select, update

from jina_components.service.batches.adding import Addition, Room
from jina_components.service.batches.jobs import Batch, Line, Order
from jina_components.service.batches.paying import charge, refusal
from jina_components.service.batches.rows import (
    BATCH,
    COLUMNS,
    DONE,
    FAILED,
    INCOMING,
    IS_UNFINISHED,
    MAX_LINES,
    WAITING,
    batches,
    last_of,
    lines_after,
)
from jina_components.service.database import Database
from jina_components.service.database.tables import BATCHES, LINES
from jina_components.service.errors import Problem, problem

DAY = 86_400.0

_ID = re.compile(r"batch_[0-9a-f]{32}")
_REMOVED = {"max_lines": 1000, "max_bytes": 16 << 20}  # in one transaction
_READ = {"max_lines": 1000, "max_inputs": MAX_LINES, "max_bytes": 1 << 20}  # of results, at a time
_REMEMBERED = 7 * DAY  # that a batch has expired
_NOTICE_SECONDS = 60.0  # after which another tells what is due, if nobody says how it went
_ENDED: dict[str, Any] = {"holder": "", "held_until": 0.0}  # of a turn, however it does
_CHANGED = ("state", "content", "tokens")  # of a line


class BatchStore:
    """Keeps batches. Threads, processes and machines may share them, whose clocks agree within a few seconds.

    Args:
        database: Where they are kept.
        lifetime: Seconds after which the lines and results of a batch are removed.
        room: What there is room for; None for the usual.
        lease: Seconds for which a turn holds a batch.
        clock: Seconds since 1970.

    Attributes:
        lease: Likewise.
    """

    def __init__(
        self,
        database: Database,
        *,
        lifetime: float = DAY,
        room: Room | None = None,
        lease: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lease = lease
        self._database = database
        self._lifetime = lifetime
        self._room = room or Room()
        self._clock = clock

    def open(self) -> None:
        """Connect. Raises as `Database.open`."""
        self._database.open()

    def add(self, order: Order, lines: Iterable[Line]) -> Batch:
        """Keep a batch: seen from then on, and on the disk, when this returns.

        Args:
            order: What to do with them.
            lines: At least one. What this raises undoes it.

        Raises:
            Problem: 429 or 503, too many lines wait; 413, too many lines.
        """
        return Addition(self._database, order, self._room, lifetime=self._lifetime, clock=self._clock).write(lines)

    def get(self, id: str, owner: str) -> Batch:
        """A batch of an owner.

        Raises:
            Problem: 404, there is none, or it is another's.
        """
        with self._database.connected() as db:
            return _owned(db, id, owner)

    def newest(self, owner: str, limit: int) -> list[Batch]:
        """An owner's batches, the newest first."""
        statement = BATCH.where(BATCHES.c.owner == owner).order_by(BATCHES.c.number.desc()).limit(limit)
        with self._database.connected() as db:
            return batches(db, statement)

    def cancel(self, id: str, owner: str) -> Batch:
        """Drop what waits of a batch; what was done stays. One that has ended is left as it is.

        Raises:
            Problem: 404, as `get`.
        """
        with self._database.transaction() as db:
            batch = _owned(db, id, owner)
            ended = {"status": "cancelled", "completed_at": self._clock()}
            db.execute(update(BATCHES).where(BATCHES.c.number == batch.number, IS_UNFINISHED).values(ended))
            return _owned(db, id, owner)

    def results(self, batch: Batch, *, failed: bool) -> Iterator[list[Line]]:
        """The lines that are done, or that have failed, in their order, about a megabyte at a time.

        No transaction lasts from one part to the next.

        Raises:
            Problem: 404, the batch expired in between.
        """
        last = 0
        while part := self._results_after(batch, last, FAILED if failed else DONE):
            yield part
            last = part[-1].number

    def next_turn(self, after: str) -> Batch | None:
        """Begin a turn of the oldest batch that waits for one, of the owner who follows another in the alphabet.

        So owners take turns. That the turn was begun is on the disk when this returns, until `commit`, `fail`, `defer`
        or `put_back` tells how it ended; they do nothing once the turn is over.
        """
        now = self._clock()
        waits = (
            IS_UNFINISHED, BATCHES.c.held_until <= now, BATCHES.c.not_before <= now, BATCHES.c.expires_at > now,
        )  # fmt: skip
        oldest = select(func.min(BATCHES.c.number)).where(*waits).group_by(BATCHES.c.owner)
        oldest = oldest.order_by(BATCHES.c.owner <= after, BATCHES.c.owner).limit(1)
        taken = {
            "status": "processing", "begun": BATCHES.c.begun + 1, "holder": uuid.uuid4().hex,
            "held_until": now + self.lease,
        }  # fmt: skip
        while True:
            with self._database.connected() as db:
                number = db.execute(oldest).scalar_one_or_none()
            if number is None:
                return None
            with self._database.transaction() as db:
                take = update(BATCHES).where(BATCHES.c.number == number, *waits).values(taken)
                if begun := batches(db, take.returning(*COLUMNS)):  # else another has it by now
                    return begun[0]

    def renew(self, batch: Batch) -> bool:
        """Hold a batch for longer; whether the turn goes on."""
        with self._database.transaction() as db:
            return _in_turn(db, batch, held_until=self._clock() + self.lease)

    def refusal(self, batch: Batch) -> Problem | None:
        """Why nothing more is done for the key that sent a batch; None while it can pay."""
        if not batch.key_id:
            return None
        with self._database.connected() as db:
            return refusal(db, batch)

    def waiting(self, batch: Batch, *, max_inputs: int, max_bytes: int) -> list[Line]:
        """The first lines that wait, at least one if any does, of no more inputs and bytes than that together."""
        most = {"max_lines": max_inputs, "max_inputs": max_inputs, "max_bytes": max_bytes}
        with self._database.connected() as db:
            return lines_after(db, batch, 0, WAITING, **most)

    def commit(self, batch: Batch, lines: Sequence[Line]) -> list[Line] | None:
        """Keep and charge what became of lines that waited: all of them, and once. The last completes the batch.

        Lines that are done when their key cannot pay any more fail instead.

        Returns:
            Those that are done; None if none was kept, as the turn is over or the batch has ended.
        """
        now = self._clock()
        with self._database.transaction() as db:
            if told := refusal(db, batch):
                lines = [line if line.failed else line.failed_with(told) for line in lines]
            done = [line for line in lines if not line.failed]
            counted = {
                "completed": BATCHES.c.completed + len(done),
                "failed": BATCHES.c.failed + len(lines) - len(done),
                "tokens": BATCHES.c.tokens + sum(line.tokens for line in done),
                "bytes": BATCHES.c.bytes + sum(len(line.content) for line in lines),
            }
            if not _in_turn(db, batch, **_ENDED, **counted, attempts=0, begun=0):
                return None
            _keep(db, batch, lines)
            charge(db, batch, done, now)
            whole = (BATCHES.c.number == batch.number, BATCHES.c.completed + BATCHES.c.failed == BATCHES.c.total)
            db.execute(update(BATCHES).where(*whole).values(status="completed", completed_at=now, notify_at=_due(now)))
        return done

    def fail(self, batch: Batch, error: str) -> None:
        """End a batch that cannot go on; what was done stays."""
        now = self._clock()
        with self._database.transaction() as db:
            _in_turn(db, batch, **_ENDED, status="failed", completed_at=now, error=error, notify_at=_due(now))

    def defer(self, batch: Batch, seconds: float) -> None:
        """Try a batch again later."""
        again = {"attempts": BATCHES.c.attempts + 1, "begun": 0, "not_before": self._clock() + seconds}
        with self._database.transaction() as db:
            _in_turn(db, batch, **_ENDED, **again)

    def put_back(self, batch: Batch) -> None:
        """Take a turn back that came to no end, for no fault of the batch."""
        with self._database.transaction() as db:
            _in_turn(db, batch, **_ENDED, begun=BATCHES.c.begun - 1)

    def to_notify(self, limit: int) -> list[Batch]:
        """Ended batches whose webhook is due, for the caller to tell: nobody else is given them for a minute."""
        now = self._clock()
        due = BATCH.where(BATCHES.c.notify_at <= now).order_by(BATCHES.c.notify_at).limit(limit)
        with self._database.transaction() as db:
            found = batches(db, due.with_for_update(skip_locked=True))
            if found:
                chosen = BATCHES.c.number.in_([batch.number for batch in found])
                db.execute(update(BATCHES).where(chosen).values(notify_at=now + _NOTICE_SECONDS))
        return found

    def notified(self, batch: Batch, *, again_after: float | None = None) -> None:
        """The webhook was told, or given up; or is to be tried again after so many seconds."""
        due = None if again_after is None else self._clock() + again_after
        told = update(BATCHES).where(BATCHES.c.number == batch.number)
        with self._database.transaction() as db:
            db.execute(told.values(notices=BATCHES.c.notices + 1, notify_at=due))

    def sweep(self) -> bool:
        """Let batches expire, and remove some of the lines that nobody can ask for any more.

        Returns:
            Whether there may be more to remove.
        """
        now = self._clock()
        with self._database.transaction() as db:
            _expire(db, now)
            removed = _remove_lines(db, now)
        if removed:
            self._database.reclaim()
        return removed

    def _results_after(self, batch: Batch, last: int, state: int) -> list[Line]:
        with self._database.connected() as db:
            part = lines_after(db, batch, last, state, **_READ)
            status = db.execute(select(BATCHES.c.status).where(BATCHES.c.number == batch.number)).scalar_one_or_none()
        if status in (None, "expired"):
            raise expired(batch)
        return part


def expired(batch: Batch) -> Problem:
    """What there is to say of the results of a batch that has expired."""
    return problem(404, f"Batch {batch.id!r} has expired, and its results were removed: send it again.")


def _in_turn(db: Connection, batch: Batch, **values: Any) -> bool:  # noqa: ANN401 (those of columns)
    """Change a batch, unless its turn is over or it has ended; whether it was changed."""
    held = (BATCHES.c.number == batch.number, BATCHES.c.holder == batch.holder, BATCHES.c.status == "processing")
    return db.execute(update(BATCHES).where(*held).values(**values)).rowcount == 1


def _due(now: float) -> Any:  # noqa: ANN401 (an expression of SQL)
    """When the webhook of a batch that ends is to be told; never where it has none."""
    return case((BATCHES.c.webhook_url.is_not(None), now))


def _keep(db: Connection, batch: Batch, lines: Sequence[Line]) -> None:
    if not lines:
        return
    waits = (LINES.c.batch == batch.number, LINES.c.line == bindparam("number"), LINES.c.state == WAITING)
    became = update(LINES).where(*waits).values({name: bindparam(f"new_{name}") for name in _CHANGED})
    rows = [
        {
            "number": line.number, "new_state": FAILED if line.failed else DONE, "new_content": line.content,
            "new_tokens": line.tokens,
        }
        for line in lines
    ]  # fmt: skip
    changed = db.execute(became, rows).rowcount
    if changed != len(lines):
        raise RuntimeError(f"{len(lines) - changed} lines of a batch had been done before.")


def _expire(db: Connection, now: float) -> None:
    # Rows that another has locked are left for the next time; waiting for several, two might wait for each other.
    over = select(BATCHES.c.number).where(BATCHES.c.expires_at <= now, BATCHES.c.status.not_in((INCOMING, "expired")))
    notify = case((BATCHES.c.completed_at.is_(None), _due(now)), else_=BATCHES.c.notify_at)
    db.execute(
        update(BATCHES)
        .where(BATCHES.c.number.in_(over.with_for_update(skip_locked=True)))
        .values(status="expired", completed_at=func.coalesce(BATCHES.c.completed_at, now), notify_at=notify)
    )
    forgotten = select(BATCHES.c.number).where(
        BATCHES.c.status == "expired",
        BATCHES.c.expires_at <= now - _REMEMBERED,
        BATCHES.c.notify_at.is_(None),
        BATCHES.c.bytes == 0,
    )
    db.execute(delete(BATCHES).where(BATCHES.c.number.in_(forgotten.with_for_update(skip_locked=True))))


def _remove_lines(db: Connection, now: float) -> bool:
    """Remove some lines of a batch that has lines to remove; whether there was one."""
    waiting = select(LINES.c.line).where(LINES.c.batch == BATCHES.c.number, LINES.c.state == WAITING)
    ended = and_(BATCHES.c.status.in_(("failed", "cancelled")), exists(waiting))
    stale = and_(BATCHES.c.status == "expired", BATCHES.c.bytes > 0)
    abandoned = and_(BATCHES.c.status == INCOMING, BATCHES.c.held_until <= now)
    found = select(BATCHES.c.number, BATCHES.c.status).where(or_(ended, stale, abandoned)).limit(1)
    row = db.execute(found.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return False
    number, status = row
    own = update(BATCHES).where(BATCHES.c.number == number)
    doomed = [LINES.c.batch == number]
    if status in ("failed", "cancelled"):
        doomed.append(LINES.c.state == WAITING)
    db.execute(delete(LINES).where(*doomed, LINES.c.line <= last_of(db, *doomed, **_REMOVED)))
    if status == INCOMING:
        db.execute(own.values(held_until=0.0))  # so that who writes it, and is so late, does not go on
    if not db.execute(select(exists().where(*doomed))).scalar_one():
        if status == INCOMING:
            db.execute(delete(BATCHES).where(BATCHES.c.number == number))
        elif status == "expired":
            db.execute(own.values(bytes=0))
    return True


def _owned(db: Connection, id: str, owner: str) -> Batch:
    # What has another form is no text that every database takes.
    found = batches(db, BATCH.where(BATCHES.c.id == id, BATCHES.c.owner == owner)) if _ID.fullmatch(id) else []
    if not found:
        raise problem(404, "There is no batch of this id, or it is another's.")
    return found[0]
