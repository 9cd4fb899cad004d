"""Rows of the two tables as batches and lines."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, func, select

from jina_components.service.batches.jobs import UNFINISHED, Batch, Line
from jina_components.service.database.tables import BATCHES, LINES

MAX_LINES = 50_000
"""Lines of a batch; inputs too, as some lines hold several."""
WAITING, DONE, FAILED = 0, 1, 2
"""States of a line."""
INCOMING = "incoming"
"""Status of a batch whose lines are still being written; no client sees it."""

COLUMNS = tuple(BATCHES.c[field.name] for field in fields(Batch))
BATCH = select(*COLUMNS).where(BATCHES.c.status != INCOMING)
IS_UNFINISHED = BATCHES.c.status.in_(UNFINISHED)


def batches(db: Connection, statement: Executable) -> list[Batch]:
    """The batches that a statement gives, which has `COLUMNS`."""
    return [Batch(**row) for row in db.execute(statement).mappings()]


def lines_after(
    db: Connection, batch: Batch, after: int, state: int, *, max_lines: int, max_inputs: int, max_bytes: int
) -> list[Line]:
    """The next lines of a state, at least one if there is any, of no more than that together."""
    chosen = (LINES.c.batch == batch.number, LINES.c.state == state, LINES.c.line > after)
    last = last_of(db, *chosen, max_lines=max_lines, max_inputs=max_inputs, max_bytes=max_bytes)
    columns: tuple[Any, ...] = (
        LINES.c.line, LINES.c.custom_id, LINES.c.inputs, LINES.c.content, LINES.c.state == FAILED, LINES.c.tokens,
    )  # fmt: skip
    rows = db.execute(select(*columns).where(*chosen, LINES.c.line <= last).order_by(LINES.c.line))
    return [Line(*row) for row in rows]


def last_of(
    db: Connection, *chosen: ColumnElement[bool], max_lines: int, max_inputs: int = MAX_LINES, max_bytes: int
) -> int:
    """The last of the first lines that there are of those chosen, at least one, of no more than that together.

    Their content, which may be large, is not read.
    """
    last = inputs = size = 0
    sizes = select(LINES.c.line, LINES.c.inputs, func.length(LINES.c.content)).where(*chosen)
    for number, its_inputs, its_bytes in db.execute(sizes.order_by(LINES.c.line).limit(max_lines)).all():
        inputs, size = inputs + its_inputs, size + its_bytes
        if last and (inputs > max_inputs or size > max_bytes):
            break
        last = number
    return last
