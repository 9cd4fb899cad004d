"""Batches on the wire: the request, the status, lines of files that come in and of those that go out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, Field, RootModel, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from jina_components.models.embedding import TASKS
from jina_components.models.spec import ModelSpec
from jina_components.service.answers import to_json
from jina_components.service.batches.jobs import UNFINISHED, Batch, Line, Status
from jina_components.service.errors import Problem, invalid, problem
from jina_components.service.wire.embeddings import EmbeddingsRequest, nearest_task, too_many_dimensions
from jina_components.service.wire.inputs import ITEM_SCHEMA
from jina_components.service.wire.usage import usage_body
from jina_components.types import Usage

MAX_INLINE = 10_000
_MAX_ID = 512
_BOM = b"\xef\xbb\xbf"

_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "custom_id": {"type": "string", "minLength": 1, "maxLength": _MAX_ID},
        "body": {
            "type": "object",
            "properties": {"input": {"anyOf": [*ITEM_SCHEMA["anyOf"], {"type": "array", "items": ITEM_SCHEMA}]}},
            "required": ["input"],
        },
    },
    "required": ["custom_id", "body"],
}


class BatchRequest(BaseModel):
    """Inputs to be embedded when there is time."""

    model: str
    input: Annotated[
        list[Any] | None,
        Field(min_length=1, max_length=MAX_INLINE),
        WithJsonSchema(
            {"anyOf": [{"type": "array", "items": _ITEM, "minItems": 1, "maxItems": MAX_INLINE}, {"type": "null"}]}
        ),
    ] = None
    input_url: str | None = Field(None, max_length=2048, description="http(s), gs or s3 URL of JSONL.")
    task: str | None = None
    dimensions: int | None = Field(None, ge=1, le=2**31 - 1)
    normalized: bool | None = True
    truncate: bool | None = False
    webhook_url: str | None = Field(None, max_length=2048, description="Is sent the status when the batch has ended.")

    @model_validator(mode="after")
    def _one_source(self) -> BatchRequest:
        if (self.input is None) == (self.input_url is None):
            raise PydanticCustomError("value_error", "Give either 'input' or 'input_url'.")
        return self


class BatchStats(BaseModel):
    """Lines of a batch."""

    total: int
    completed: int
    failed: int
    total_tokens: int


class BatchStatus(BaseModel):
    """How far a batch is. Times are UTC in ISO 8601."""

    batch_id: str
    status: Status
    model: str
    created_at: str
    completed_at: str | None
    expires_at: str
    output_url: str | None
    error_file_url: str | None
    error: str | None
    stats: BatchStats


class BatchList(RootModel[list[BatchStatus]]):
    """Batches, the newest first."""


def status_of(batch: Batch, base_url: str) -> BatchStatus:
    """A batch as clients see it; the URLs are there once it has ended, until it expires."""
    there = batch.status not in (*UNFINISHED, "expired")
    own = f"{base_url.rstrip('/')}/v1/batch/{batch.id}"
    return BatchStatus(
        batch_id=batch.id,
        status=batch.status,
        model=batch.model,
        created_at=_time(batch.created_at),
        completed_at=None if batch.completed_at is None else _time(batch.completed_at),
        expires_at=_time(batch.expires_at),
        output_url=f"{own}/output" if there else None,
        error_file_url=f"{own}/errors" if there and batch.failed else None,
        error=batch.error,
        stats=BatchStats(total=batch.total, completed=batch.completed, failed=batch.failed, total_tokens=batch.tokens),
    )


def check_fits(asked: BatchRequest, spec: ModelSpec | None) -> str | None:
    """The task as the model knows it; of a model that the catalog does not know, as it was given.

    Raises:
        Problem: 422 or 400, the model does not do what is asked for.
    """
    task = asked.task or None
    if spec is None:
        if task is not None and not _is_text(task):
            raise invalid("body -> task", "Input should have no NUL.", given=task)
        return task
    if spec.kind != "embedding":
        raise problem(400, f"Model {asked.model!r} gives a vector a token; a batch takes models with one an input.")
    if asked.dimensions is not None and asked.dimensions > spec.dimensions:
        raise too_many_dimensions(asked.dimensions, spec.dimensions)
    known = {*TASKS, *spec.prompts, *spec.adapters}
    if task is not None and task not in known:
        task = nearest_task(task)
        if task not in known:
            told = f"Input should be one of {', '.join(sorted(known))}"
            raise invalid("body -> task", told, kind="enum", given=asked.task)
    return task


def inline_lines(asked: BatchRequest, max_inputs: int) -> Iterator[Line]:
    """The lines of a list."""
    return _checked(enumerate(asked.input or [], 1), asked, max_inputs)


def file_lines(content: bytes, asked: BatchRequest, max_inputs: int) -> Iterator[Line]:
    """The lines of a JSONL file; blank ones count as places only."""
    rows = enumerate(io.BytesIO(content.removeprefix(_BOM)), 1)
    return _checked(((number, _parsed(row)) for number, row in rows if row.strip()), asked, max_inputs)


def embeddings_request(asked: BatchRequest | Batch, input: Any) -> EmbeddingsRequest:  # noqa: ANN401 (JSON has no type)
    """What a line asks for.

    Raises:
        ValidationError: its input has no such form.
    """
    return EmbeddingsRequest.model_validate(
        {
            "model": asked.model,
            "input": input,
            "task": asked.task,
            "dimensions": asked.dimensions,
            "normalized": asked.normalized,
            "truncate": asked.truncate,
        }
    )


def output_lines(batch: Batch, lines: Iterable[Line]) -> bytes:
    """Lines that are done, as JSONL in OpenAI's layout."""
    return b"".join(_out(batch, line, 200, _embeddings(batch, line), None) for line in lines)


def error_lines(batch: Batch, lines: Iterable[Line]) -> bytes:
    """Lines that have failed, likewise; the body is that of an error of this API."""
    return b"".join(_error(batch, line, orjson.loads(line.content)) for line in lines)


def _parsed(row: bytes) -> Any:  # noqa: ANN401 (JSON has no type)
    try:
        return orjson.loads(row)
    except orjson.JSONDecodeError as error:
        return error


def _checked(rows: Iterable[tuple[int, Any]], asked: BatchRequest, max_inputs: int) -> Iterator[Line]:
    """Lines that wait; those of another form, or whose `custom_id` came before, have failed already."""
    first: dict[str, int] = {}
    for number, row in rows:
        line = Line(number, _custom_id(row), 0, b"")
        try:
            if line.custom_id is not None and (before := first.setdefault(line.custom_id, number)) != number:
                raise problem(
                    400, f"custom_id {line.custom_id!r} is that of line {before} already: each needs its own."
                )
            yield _waiting(line, row, asked, max_inputs)
        except Problem as told:
            yield line.failed_with(Problem(told.status, told.code, f"Line {number}: {told.detail}"))


def _custom_id(row: object) -> str | None:
    given = row.get("custom_id") if isinstance(row, Mapping) else None
    return given if isinstance(given, str) and 0 < len(given) <= _MAX_ID and _is_text(given) else None


def _waiting(line: Line, row: object, asked: BatchRequest, max_inputs: int) -> Line:
    if isinstance(row, orjson.JSONDecodeError):
        raise problem(400, f"it is not JSON: {row}.")
    if not isinstance(row, Mapping):
        raise problem(400, 'it is no object: {"custom_id": …, "body": {"input": …}}.')
    if line.custom_id is None:
        raise problem(400, f"custom_id should be a string of 1 to {_MAX_ID} characters other than NUL.")
    body = row.get("body")
    if not isinstance(body, Mapping) or body.get("input") is None:
        raise problem(400, "body.input is missing.")
    for name in ("model", "task", "dimensions", "normalized", "truncate"):
        if (own := body.get(name)) is not None and own != getattr(asked, name):
            raise problem(400, f"body.{name} is not that of the batch: send lines with another as their own batch.")
    try:
        number = len(embeddings_request(asked, body["input"]).input)
    except ValidationError as error:
        first = error.errors()[0]
        raise problem(400, f"body.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if number > max_inputs:
        raise problem(400, f"body.input has {number} inputs; up to {max_inputs} go into a line.")
    try:
        return Line(line.number, line.custom_id, number, orjson.dumps(body["input"]))
    except TypeError as error:
        raise problem(400, "body.input is not valid Unicode: it has half of a surrogate pair.") from error


def _embeddings(batch: Batch, line: Line) -> dict[str, Any]:
    rows = np.frombuffer(line.content, "<f4").astype(np.float32, copy=False).reshape(line.inputs, -1)
    return {
        "model": batch.model,
        "object": "list",
        "usage": usage_body(Usage(line.tokens)),
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)],
    }


def _error(batch: Batch, line: Line, told: Mapping[str, Any]) -> bytes:
    error = {"code": told["code"], "message": told["detail"]}
    body = {"detail": told["detail"], **error, "request_id": batch.request_id}
    return _out(batch, line, told["status"], body, error)


def _out(batch: Batch, line: Line, status: int, body: Mapping[str, Any], error: Mapping[str, Any] | None) -> bytes:
    response = {"status_code": status, "request_id": batch.request_id, "body": body}
    return to_json({"custom_id": line.custom_id, "line": line.number, "response": response, "error": error}) + b"\n"


def _is_text(given: str) -> bool:
    """Whether every database can keep it."""
    try:
        return b"\0" not in given.encode()
    except UnicodeEncodeError:
        return False


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
