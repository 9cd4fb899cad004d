"""`/v1/batch/embeddings` and what follows it: durable jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from jina_components.service.answers import json_answer
from jina_components.service.batches.jobs import UNFINISHED, Batch, Line, Order
from jina_components.service.batches.running import Batches
from jina_components.service.batches.store import expired
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.embedding import loaded
from jina_components.service.errors import problem
from jina_components.service.wire.batches import (
    BatchList,
    BatchRequest,
    BatchStatus,
    check_fits,
    error_lines,
    file_lines,
    inline_lines,
    output_lines,
    status_of,
)

router = APIRouter(tags=["batch"])

_UNKNOWN = {404: "No batch of this id, or another's; or its results were removed."}
_JSONL = "application/jsonl"


def _jsonl() -> dict[str, Any]:
    told = documented("api", more={**_UNKNOWN, 409: "The batch has not ended."})
    told["responses"][200] = {"description": "A line for each.", "content": {_JSONL: {"schema": {"type": "string"}}}}
    return {**told, "response_class": StreamingResponse}


@router.post("/v1/batch/embeddings", summary="Embed in the background", **documented("api", ok=BatchStatus))
async def create(request: Request, asked: BatchRequest, call: Annotated[Call, Depends(admitted("batch"))]) -> Response:
    """Take a batch. Once it is answered, all its lines are on the disk, and will be embedded."""
    batches, components = _batches(request), _components(request)
    task = check_fits(asked, components.embedders.spec(asked.model))
    call.model = asked.model
    if asked.webhook_url:
        await batches.webhooks.check(asked.webhook_url)
    with components.embedders.use(asked.model) as embedder:  # a model that cannot be had is told of now
        await loaded(embedder)
    order = Order(
        owner=call.owner,
        key_id=call.caller.key_id if call.caller else "",
        model=asked.model,
        task=task,
        dimensions=asked.dimensions,
        normalized=asked.normalized is not False,
        truncate=asked.truncate is True,
        webhook_url=asked.webhook_url or None,
        base_url=str(request.base_url),
        request_id=call.request_id,
    )
    most = components.settings.limits.max_items
    if asked.input_url is None:
        batch = await asyncio.to_thread(batches.store.add, order, inline_lines(asked, most))
    else:
        async with batches.files.turn():
            content = await batches.files.fetch(asked.input_url)
            batch = await asyncio.to_thread(batches.store.add, order, file_lines(content, asked, most))
    batches.worker.wake()
    return _status(request, batch)


@router.get("/v1/batches", summary="List batches", **documented("api", ok=BatchList))
async def list_newest(
    request: Request,
    call: Annotated[Call, Depends(admitted("batch"))],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The caller's batches, the newest first."""
    found = await asyncio.to_thread(_batches(request).store.newest, call.owner, limit)
    return json_answer([status_of(batch, str(request.base_url)).model_dump() for batch in found])


@router.get("/v1/batch/{batch_id}", summary="Show a batch", **documented("api", more=_UNKNOWN, ok=BatchStatus))
async def show(request: Request, batch_id: str, call: Annotated[Call, Depends(admitted("batch"))]) -> Response:
    """How far a batch is."""
    return _status(request, await asyncio.to_thread(_batches(request).store.get, batch_id, call.owner))


@router.delete("/v1/batch/{batch_id}", summary="Cancel a batch", **documented("api", more=_UNKNOWN, ok=BatchStatus))
async def cancel(request: Request, batch_id: str, call: Annotated[Call, Depends(admitted("batch"))]) -> Response:
    """Stop a batch; what is done stays until it expires. One that has ended is left as it is."""
    return _status(request, await asyncio.to_thread(_batches(request).store.cancel, batch_id, call.owner))


@router.get("/v1/batch/{batch_id}/output", summary="Embeddings of a batch", **_jsonl())
async def output(request: Request, batch_id: str, call: Annotated[Call, Depends(admitted("batch"))]) -> Response:
    """The embeddings of a batch that has ended, in the order of its lines."""
    return await _results(request, batch_id, call, failed=False, render=output_lines)


@router.get("/v1/batch/{batch_id}/errors", summary="Failed lines of a batch", **_jsonl())
async def errors(request: Request, batch_id: str, call: Annotated[Call, Depends(admitted("batch"))]) -> Response:
    """The lines of a batch that failed, by number and `custom_id`, and why."""
    return await _results(request, batch_id, call, failed=True, render=error_lines)


async def _results(
    request: Request, batch_id: str, call: Call, *, failed: bool, render: Callable[[Batch, Iterable[Line]], bytes]
) -> Response:
    store = _batches(request).store
    batch = await asyncio.to_thread(store.get, batch_id, call.owner)
    if batch.status in UNFINISHED:
        raise problem(
            409,
            f"Batch {batch.id!r} is {batch.status}: ask for its results once it has ended.",
            headers={"Retry-After": "5"},
        )
    if batch.status == "expired":
        raise expired(batch)
    parts = (render(batch, part) for part in store.results(batch, failed=failed))
    return StreamingResponse(_threaded(parts), media_type=_JSONL)


async def _threaded(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part


def _status(request: Request, batch: Batch) -> Response:
    return json_answer(status_of(batch, str(request.base_url)).model_dump())


def _batches(request: Request) -> Batches:
    batches: Batches = request.app.state.batches
    return batches


def _components(request: Request) -> Components:
    components: Components = request.app.state.components
    return components
