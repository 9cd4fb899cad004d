"""Batches on disk: what was asked for, line by line, and what became of it.

All of it is in one SQLite database (write-ahead log, synced at every commit). A line waits, is done or has failed, and
changes once, in the transaction that also counts it: whenever the process is killed, every line is in one place.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jina_components.service.batches.database import BatchDatabase, size, value
from jina_components.service.batches.jobs import Batch, Line, Order
from jina_components.service.errors import Problem, problem

DAY = 86_400.0
MAX_LINES = 50_000
"""Lines of a batch; inputs too, as some lines hold several."""

_WAITING, DONE, FAILED = 0, 1, 2
_SWEPT = 1000  # lines removed in one transaction, which others wait for
_READ_BYTES = 1 << 20  # of results read at a time
_REMEMBERED = 7 * DAY  # that a batch has expired

_COLUMNS = (
    "number, id, owner, status, model, task, dimensions, normalized, truncate, webhook_url, base_url, request_id, "
    "created_at, expires_at, completed_at, error, total, completed, failed, tokens, attempts, begun, notices"
)
_NOTICE = "CASE WHEN webhook_url IS NULL THEN NULL ELSE :now END"


class BatchStore:
    """Keeps batches in a folder, on a local disk. Threads and processes may share it.

    Args:
        folder: Made when first used.
        lifetime: Seconds after which the lines and results of a batch are removed.
        max_waiting: Lines and inputs of all batches that have not ended.
        max_waiting_of_owner: Those of one owner.
        max_bytes: Size of the database above which no more batches are taken.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lifetime: float = DAY,
        max_waiting: int = 1_000_000,
        max_waiting_of_owner: int = 200_000,
        max_bytes: int = 20 << 30,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._lifetime = lifetime
        self._max_waiting, self._max_waiting_of_owner = max_waiting, max_waiting_of_owner
        self._max_bytes = max_bytes
        self._clock = clock
        self._database = BatchDatabase(folder)

    def open(self) -> None:
        """Make the folder and its tables.

        Raises:
            ConfigError: it cannot be written, or is of another release.
        """
        self._database.open()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._database.close()

    def add(self, order: Order, lines: Iterable[Line]) -> Batch:
        """Keep a batch; all its lines are on the disk when this returns.

        Args:
            order: What to do with them.
            lines: At least one; read while the transaction is open. What this raises undoes it.

        Raises:
            Problem: 429 or 503, too many lines wait; 413, too many lines.
        """
        now, made = self._clock(), f"batch_{uuid.uuid4().hex}"
        with self._database.transaction() as db:
            number = db.execute(
                "INSERT INTO batches (id, owner, model, task, dimensions, normalized, truncate, webhook_url, base_url, "
                "request_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    made, order.owner, order.model, order.task, order.dimensions, order.normalized, order.truncate,
                    order.webhook_url, order.base_url, order.request_id, now, now + self._lifetime,
                ),
            ).lastrowid  # fmt: skip
            db.executemany(
                "INSERT INTO lines (batch, line, state, custom_id, inputs, content) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (number, each.number, _state(each), each.custom_id, each.inputs, each.content)
                    for each in _counted(lines)
                ),
            )
            db.execute(
                "UPDATE batches SET (total, inputs, failed) = "
                "(SELECT count(*), sum(inputs), sum(state = 2) FROM lines WHERE batch = number) WHERE number = ?",
                (number,),
            )
            self._check_room(db, order.owner)
            return _one(db, "id = ?", made)

    def get(self, id: str, owner: str) -> Batch:
        """A batch of an owner.

        Raises:
            Problem: 404, there is none, or it is another's.
        """
        with self._database.connected() as db:
            return _owned(db, id, owner)

    def newest(self, owner: str, limit: int) -> list[Batch]:
        """An owner's batches, the newest first."""
        with self._database.connected() as db:
            return _many(db, "owner = ? ORDER BY number DESC LIMIT ?", owner, limit)

    def cancel(self, id: str, owner: str) -> Batch:
        """Drop what waits of a batch; what was done stays. One that has ended is left as it is.

        Raises:
            Problem: 404, as `get`.
        """
        with self._database.transaction() as db:
            batch = _owned(db, id, owner)
            db.execute(
                "UPDATE batches SET status = 'cancelled', completed_at = ? "
                "WHERE number = ? AND status IN ('pending', 'processing')",
                (self._clock(), batch.number),
            )
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
        """The oldest unfinished batch of the owner who follows another in the alphabet, so that they take turns.

        That it was begun is on the disk when this returns, until `commit`, `defer` or `put_back` tells how it ended.
        """
        now = self._clock()
        with self._database.connected() as db:
            found = db.execute(
                "SELECT min(number) FROM batches WHERE status IN ('pending', 'processing') AND not_before <= ? "
                "AND expires_at > ? GROUP BY owner ORDER BY owner <= ?, owner LIMIT 1",
                (now, now, after),
            ).fetchone()
        if found is None:
            return None
        with self._database.transaction() as db:
            db.execute(
                "UPDATE batches SET status = 'processing', begun = begun + 1 "
                "WHERE number = ? AND status IN ('pending', 'processing')",
                found,
            )
            return _one(db, "number = ?", *found)

    def waiting(self, batch: Batch, *, max_inputs: int, max_bytes: int) -> list[Line]:
        """The first lines that wait, at least one if any does, of no more inputs and bytes than that together."""
        lines: list[Line] = []
        inputs = size = 0
        with self._database.connected() as db:
            rows = db.execute(
                "SELECT line, custom_id, inputs, content FROM lines WHERE batch = ? AND state = 0 ORDER BY line",
                (batch.number,),
            )
            for line in (Line(*row) for row in rows):
                inputs, size = inputs + line.inputs, size + len(line.content)
                if lines and (inputs > max_inputs or size > max_bytes):
                    break
                lines.append(line)
        return lines

    def commit(self, batch: Batch, lines: Sequence[Line]) -> bool:
        """Keep what became of lines that waited: all of them, and once. The batch is completed with its last line.

        Returns:
            Whether they were kept; not if the batch has ended meanwhile.
        """
        now, failed = self._clock(), sum(line.failed for line in lines)
        with self._database.transaction() as db:
            counted = db.execute(
                "UPDATE batches SET completed = completed + ?, failed = failed + ?, tokens = tokens + ?, attempts = 0, "
                "begun = 0 WHERE number = ? AND status = 'processing'",
                (len(lines) - failed, failed, sum(line.tokens for line in lines), batch.number),
            ).rowcount
            if not counted:
                return False
            changed = db.executemany(
                "UPDATE lines SET state = ?, content = ?, tokens = ? WHERE batch = ? AND line = ? AND state = 0",
                [
                    (FAILED if line.failed else DONE, line.content, line.tokens, batch.number, line.number)
                    for line in lines
                ],
            ).rowcount
            if lines and changed != len(lines):
                raise RuntimeError(f"{len(lines) - changed} lines of a batch had been done before.")
            db.execute(
                f"UPDATE batches SET status = 'completed', completed_at = :now, notify_at = {_NOTICE} "  # noqa: S608 (a constant)
                "WHERE number = :number AND completed + failed = total",
                {"now": now, "number": batch.number},
            )
        return True

    def fail(self, batch: Batch, error: str) -> None:
        """End a batch that cannot go on; what was done stays."""
        with self._database.transaction() as db:
            db.execute(
                f"UPDATE batches SET status = 'failed', completed_at = :now, error = :error, notify_at = {_NOTICE} "  # noqa: S608 (a constant)
                "WHERE number = :number AND status IN ('pending', 'processing')",
                {"now": self._clock(), "error": error, "number": batch.number},
            )

    def defer(self, batch: Batch, seconds: float) -> None:
        """Try a batch again later."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE batches SET attempts = attempts + 1, begun = 0, not_before = ? WHERE number = ?",
                (self._clock() + seconds, batch.number),
            )

    def put_back(self, batch: Batch) -> None:
        """Take a turn back that came to no end, for no fault of the batch."""
        with self._database.transaction() as db:
            db.execute("UPDATE batches SET begun = max(begun - 1, 0) WHERE number = ?", (batch.number,))

    def to_notify(self, limit: int) -> list[Batch]:
        """Ended batches whose webhook is due."""
        with self._database.connected() as db:
            return _many(db, "notify_at <= ? ORDER BY notify_at LIMIT ?", self._clock(), limit)

    def notified(self, batch: Batch, *, again_after: float | None = None) -> None:
        """The webhook was told, or given up; or is to be tried again after so many seconds."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE batches SET notices = notices + 1, notify_at = ? WHERE number = ?",
                (None if again_after is None else self._clock() + again_after, batch.number),
            )

    def sweep(self) -> bool:
        """Let batches expire, and remove some of the lines that nobody can ask for any more.

        Returns:
            Whether there may be more to remove.
        """
        now = self._clock()
        with self._database.transaction() as db:
            db.execute(
                "UPDATE batches SET notify_at = CASE WHEN completed_at IS NULL AND webhook_url IS NOT NULL THEN :now "
                "ELSE notify_at END, completed_at = coalesce(completed_at, :now), status = 'expired' "
                "WHERE expires_at <= :now AND status != 'expired'",
                {"now": now},
            )
            removed = db.execute(
                "DELETE FROM lines WHERE rowid IN ("
                "SELECT lines.rowid FROM batches CROSS JOIN lines ON batch = number WHERE status = 'expired' UNION ALL "
                "SELECT lines.rowid FROM batches CROSS JOIN lines ON batch = number "
                "WHERE status IN ('failed', 'cancelled') AND state = 0 LIMIT ?)",
                (_SWEPT,),
            ).rowcount
            db.execute(
                "DELETE FROM batches WHERE status = 'expired' AND expires_at <= ? AND notify_at IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM lines WHERE batch = number)",
                (now - _REMEMBERED,),
            )
        if removed:
            with self._database.connected() as db:
                db.executescript("PRAGMA incremental_vacuum")  # outside a transaction; `execute` would stop early
        return removed == _SWEPT

    def _results_after(self, batch: Batch, last: int, state: int) -> list[Line]:
        part: list[Line] = []
        size = 0
        with self._database.connected() as db:
            rows = db.execute(
                "SELECT line, custom_id, inputs, content, state = 2, tokens FROM lines "
                "WHERE batch = ? AND line > ? AND state = ? ORDER BY line",
                (batch.number, last, state),
            )
            for row in rows:
                part.append(Line(*row))
                size += len(part[-1].content)
                if size >= _READ_BYTES:
                    break
            status = db.execute("SELECT status FROM batches WHERE number = ?", (batch.number,)).fetchone()
        if status is None or status[0] == "expired":
            raise expired(batch)
        return part

    def _check_room(self, db: sqlite3.Connection, owner: str) -> None:
        unfinished = (
            "SELECT coalesce(sum(max(total, inputs)), 0) FROM batches WHERE status IN ('pending', 'processing')"
        )
        if value(db, f"{unfinished} AND owner = ?", owner) > self._max_waiting_of_owner:
            raise Problem(
                429,
                "RATE_REQUEST_LIMIT_EXCEEDED",
                f"With this batch you would have more than {self._max_waiting_of_owner:,} lines and inputs in batches "
                "that have not ended: send it when others have, or cancel one.",
                headers={"Retry-After": "60"},
            )
        if value(db, unfinished) > self._max_waiting or size(db) > self._max_bytes:
            raise problem(503, "There are too many batches here already: send it later.", headers={"Retry-After": "60"})


def expired(batch: Batch) -> Problem:
    """What there is to say of the results of a batch that has expired."""
    return problem(404, f"Batch {batch.id!r} has expired, and its results were removed: send it again.")


def _counted(lines: Iterable[Line]) -> Iterator[Line]:
    count = inputs = 0
    for line in lines:
        count, inputs = count + 1, inputs + line.inputs
        if max(count, inputs) > MAX_LINES:
            raise problem(413, f"A batch has up to {MAX_LINES:,} lines, and as many inputs in them: send several.")
        yield line
    if not count:
        raise problem(400, 'The file has no lines: give each input one, {"custom_id": …, "body": {"input": …}}.')


def _owned(db: sqlite3.Connection, id: str, owner: str) -> Batch:
    found = _many(db, "id = ? AND owner = ?", id, owner)
    if not found:
        raise problem(404, "There is no batch of this id, or it is another's.")
    return found[0]


def _state(line: Line) -> int:
    return FAILED if line.failed else _WAITING


def _one(db: sqlite3.Connection, where: str, *values: Any) -> Batch:  # noqa: ANN401 (SQL's)
    return _many(db, where, *values)[0]


def _many(db: sqlite3.Connection, where: str, *values: Any) -> list[Batch]:  # noqa: ANN401 (SQL's)
    rows = db.execute(f"SELECT {_COLUMNS} FROM batches WHERE {where}", values).fetchall()  # noqa: S608 (constants)
    return [_batch(dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


def _batch(row: dict[str, Any]) -> Batch:
    return Batch(**{**row, "normalized": bool(row["normalized"]), "truncate": bool(row["truncate"])})
