"""What a batch is asked to do, how far it is, and its lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from jina_components.service.answers import to_json
from jina_components.service.errors import Problem

Status: TypeAlias = Literal["pending", "processing", "completed", "failed", "expired", "cancelled"]
UNFINISHED: tuple[Status, ...] = ("pending", "processing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a batch is asked to do.

    Attributes:
        owner: Whose it is.
        key_id: The key that is charged; empty where none is.
        model, task, dimensions, normalized, truncate: As for `Embedder.embed`; the model by the name clients use.
        webhook_url: Who is told of its end; None for nobody.
        base_url: Of the service, as the client reached it.
        request_id: Of the request that brought it.
    """

    owner: str
    key_id: str
    model: str
    task: str | None
    dimensions: int | None
    normalized: bool
    truncate: bool
    webhook_url: str | None
    base_url: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Order):
    """A batch. Times are seconds since 1970.

    Attributes:
        number: Its own in this database.
        id: What clients call it.
        status: How far it is.
        created_at, expires_at: When it came, and when its lines and results are removed.
        completed_at: When it ended, however it did; None before.
        error: Why it failed as a whole.
        total, completed, failed: Lines.
        tokens: Of the completed lines.
        attempts: Times in a row that the model failed on all lines it was given.
        begun: Times in a row that its next lines were begun, and that nobody told how it ended: with this turn.
        holder: The turn in which it is worked on now; empty for none.
        notices: Times that the webhook could not be told.
    """

    number: int
    id: str
    status: Status
    created_at: float
    expires_at: float
    completed_at: float | None
    error: str | None
    total: int
    completed: int
    failed: int
    tokens: int
    attempts: int
    begun: int
    holder: str
    notices: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a batch.

    Attributes:
        number: Its place in the file or list, from 1.
        custom_id: What the client calls it; None where that cannot be read.
        inputs: How many it has.
        content: While it waits, its input as JSON; then float32 rows, or its error as JSON (`status`, `code`,
            `detail`).
        failed: Whether it has failed.
        tokens: Of its inputs, once embedded.
    """

    number: int
    custom_id: str | None
    inputs: int
    content: bytes
    failed: bool = False
    tokens: int = 0

    def failed_with(self, told: Problem) -> Line:
        """The line once it has failed, which costs nothing."""
        content = to_json({"status": told.status, "code": told.code, "detail": told.detail})
        return replace(self, failed=True, content=content, tokens=0)
