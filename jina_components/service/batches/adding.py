"""Writing a batch down: part by part, and seen by nobody before it is whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, or_, select, update

from jina_components.service.batches.jobs import Batch, Line, Order
from jina_components.service.batches.rows import COLUMNS, FAILED, INCOMING, IS_UNFINISHED, MAX_LINES, WAITING, batches
from jina_components.service.database import Database
from jina_components.service.database.tables import BATCHES, LINES
from jina_components.service.errors import Problem, problem

_PART_LINES, _PART_BYTES = 1000, 4 << 20  # written in one transaction, which others wait for
_PART_SECONDS = 600.0  # after which a batch is given up whose next part did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is room for.

    Attributes:
        lines: Lines and inputs of all batches that have not ended.
        lines_of_owner: Those of one owner.
        bytes: Sent with all batches, and made for them.
    """

    lines: int = 1_000_000
    lines_of_owner: int = 200_000
    bytes: int = 20 << 30

    def check(self, db: Connection, owner: str, now: float) -> None:
        """Refuse what is too much.

        Raises:
            Problem: 429, the owner has too many lines; 503, all together have.
        """
        size = case((BATCHES.c.total > BATCHES.c.inputs, BATCHES.c.total), else_=BATCHES.c.inputs)
        unfinished = select(func.coalesce(func.sum(size), 0)).where(or_(IS_UNFINISHED, _is_coming(now)))
        if db.execute(unfinished.where(BATCHES.c.owner == owner)).scalar_one() > self.lines_of_owner:
            raise Problem(
                429,
                "RATE_REQUEST_LIMIT_EXCEEDED",
                f"With this batch you would have more than {self.lines_of_owner:,} lines and inputs in batches that "
                "have not ended: send it when others have, or cancel one.",
                headers={"Retry-After": "60"},
            )
        kept = select(func.coalesce(func.sum(BATCHES.c.bytes), 0))
        if db.execute(unfinished).scalar_one() > self.lines or db.execute(kept).scalar_one() > self.bytes:
            raise problem(503, "There are too many batches here already: send it later.", headers={"Retry-After": "60"})


class Addition:
    """A batch that is written. Others that write wait for a part of it at most.

    Args:
        database: Where to.
        order: What it is asked to do.
        room: What there is room for.
        lifetime: Seconds until its lines and results are removed.
        clock: Seconds since 1970.
    """

    def __init__(
        self, database: Database, order: Order, room: Room, *, lifetime: float, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._order = order
        self._room = room
        self._lifetime = lifetime
        self._clock = clock

    def write(self, lines: Iterable[Line]) -> Batch:
        """Write all of it; it is on the disk at the return. Where this raises, there was never a batch."""
        number = self._begin()
        try:
            for part in _parts(_counted(lines)):
                self._append(number, part)
            with self._database.transaction() as db:
                return self._changed(db, number, status="pending", held_until=0.0)
        except BaseException:
            with suppress(Problem):  # it is swept, a little later if this fails too
                self._abandon(number)
            raise

    def _begin(self) -> int:
        now = self._clock()
        row = {
            **asdict(self._order), "id": f"batch_{uuid.uuid4().hex}", "status": INCOMING, "created_at": now,
            "expires_at": now + self._lifetime, "held_until": now + _PART_SECONDS,
        }  # fmt: skip
        with self._database.transaction() as db:
            number: int = db.execute(insert(BATCHES).values(row).returning(BATCHES.c.number)).scalar_one()
            return number

    def _append(self, number: int, part: list[Line]) -> None:
        rows = [
            {
                "batch": number, "line": line.number, "state": FAILED if line.failed else WAITING,
                "custom_id": line.custom_id, "inputs": line.inputs, "content": line.content,
            }
            for line in part
        ]  # fmt: skip
        with self._database.transaction() as db:
            self._changed(
                db,
                number,
                total=BATCHES.c.total + len(part),
                inputs=BATCHES.c.inputs + sum(line.inputs for line in part),
                failed=BATCHES.c.failed + sum(line.failed for line in part),
                bytes=BATCHES.c.bytes + sum(len(line.content) for line in part),
                held_until=self._clock() + _PART_SECONDS,
            )
            self._room.check(db, self._order.owner, self._clock())
            db.execute(insert(LINES), rows)

    def _changed(self, db: Connection, number: int, **values: Any) -> Batch:  # noqa: ANN401 (those of columns)
        statement = update(BATCHES).where(BATCHES.c.number == number, _is_coming(self._clock())).values(**values)
        changed = batches(db, statement.returning(*COLUMNS))
        if not changed:  # it was swept
            raise problem(503, "The batch came too slowly: send it again, or several smaller ones.")
        return changed[0]

    def _abandon(self, number: int) -> None:
        with self._database.transaction() as db:
            db.execute(
                update(BATCHES).where(BATCHES.c.number == number, BATCHES.c.status == INCOMING).values(held_until=0.0)
            )


def _is_coming(now: float) -> ColumnElement[bool]:
    return and_(BATCHES.c.status == INCOMING, BATCHES.c.held_until > now)


def _counted(lines: Iterable[Line]) -> Iterator[Line]:
    count = inputs = 0
    for line in lines:
        count, inputs = count + 1, inputs + line.inputs
        if max(count, inputs) > MAX_LINES:
            raise problem(413, f"A batch has up to {MAX_LINES:,} lines, and as many inputs in them: send several.")
        yield line
    if not count:
        raise problem(400, 'The file has no lines: give each input one, {"custom_id": …, "body": {"input": …}}.')


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    part: list[Line] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line.content)
        if len(part) == _PART_LINES or size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
