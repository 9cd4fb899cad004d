"""`/v1/finetunes`: models fitted to the documents of a client."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from jina_components.errors import UnknownNameError, WebError
from jina_components.service.answers import json_answer
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import invalid, problem
from jina_components.service.finetunes.jobs import PREFIX, FineTune
from jina_components.service.finetunes.running import FineTunes
from jina_components.service.names import plain_name
from jina_components.service.wire.finetunes import (
    FineTuneEvents,
    FineTuneList,
    FineTuneRequest,
    FineTuneStatus,
    status_of,
)

router = APIRouter(tags=["finetune"])

_OFF = {404: "Fine-tuning is off here."}
_UNKNOWN = {404: "No job of this id, or another's; or fine-tuning is off here."}
_FineTune = Annotated[Call, Depends(admitted("finetune"))]


@router.post("/v1/finetunes", summary="Fit a model", **documented("api", more=_OFF, ok=FineTuneStatus))
async def create(request: Request, asked: FineTuneRequest, call: _FineTune) -> Response:
    """Take a job. Once it is answered it is on the disk; jobs are worked on one at a time.

    Questions are found in the documents by rules. A part of the documents is kept aside, to compare the model with.
    """
    finetunes = _finetunes(request)
    components: Components = request.app.state.components
    model, base = plain_name(asked.model), _base(components, asked.model)
    if asked.url:
        _check_url(components, asked.url)
    order = FineTune(
        id="",
        owner=call.owner,
        key_id=call.caller.key_id if call.caller else "",
        request_id=call.request_id,
        model=model,
        base=base,
        suffix=asked.suffix,
        documents=len(asked.documents or []),
        url=asked.url or "",
        epochs=asked.epochs,
        max_steps=asked.max_steps,
        seed=asked.seed,
        created_at=0.0,
    )
    call.model, call.items = model, order.documents
    job = await asyncio.to_thread(finetunes.store.add, order, asked.rows())
    finetunes.worker.wake()
    return await _status(finetunes, job)


@router.get("/v1/finetunes", summary="List jobs", **documented("api", more=_OFF, ok=FineTuneList))
async def list_newest(request: Request, call: _FineTune, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """The caller's jobs, the newest first."""
    finetunes = _finetunes(request)
    found = await asyncio.to_thread(finetunes.store.newest, call.owner, limit)
    return json_answer([status_of(job, None).model_dump() for job in found])


@router.get("/v1/finetunes/{job_id}", summary="Show a job", **documented("api", more=_UNKNOWN, ok=FineTuneStatus))
async def show(request: Request, job_id: str, call: _FineTune) -> Response:
    """How far a job is, and once it has ended, whether the model is better."""
    finetunes = _finetunes(request)
    return await _status(finetunes, await asyncio.to_thread(finetunes.store.get, job_id, call.owner))


@router.get(
    "/v1/finetunes/{job_id}/events", summary="Events of a job", **documented("api", more=_UNKNOWN, ok=FineTuneEvents)
)
async def events(request: Request, job_id: str, call: _FineTune) -> Response:
    """What happened, the oldest first: questions made, steps with their losses and dev metrics, the comparison."""
    store = _finetunes(request).store
    job = await asyncio.to_thread(store.get, job_id, call.owner)
    return json_answer(await asyncio.to_thread(store.events, job))


@router.post(
    "/v1/finetunes/{job_id}/cancel", summary="Cancel a job", **documented("api", more=_UNKNOWN, ok=FineTuneStatus)
)
async def cancel(request: Request, job_id: str, call: _FineTune) -> Response:
    """Stop a job; it costs nothing. One that has ended is left as it is."""
    finetunes = _finetunes(request)
    return await _status(finetunes, await asyncio.to_thread(finetunes.store.cancel, job_id, call.owner))


@router.delete(
    "/v1/finetunes/{job_id}",
    summary="Delete a job",
    **documented("api", more={**_UNKNOWN, 409: "The job has not ended."}, ok=FineTuneStatus),
)
async def delete(request: Request, job_id: str, call: _FineTune) -> Response:
    """Delete a job that has ended, and its model; the answer is what it was."""
    store = _finetunes(request).store
    job = await asyncio.to_thread(store.get, job_id, call.owner)
    await asyncio.to_thread(store.remove, job_id, call.owner)
    return json_answer(status_of(job, None).model_dump())


async def _status(finetunes: FineTunes, job: FineTune) -> Response:
    told = await asyncio.to_thread(finetunes.store.events, job) if job.status == "running" else []
    return json_answer(status_of(job, told[-1] if told else None).model_dump())


def _base(components: Components, name: str) -> str:
    """What is fitted.

    Raises:
        Problem: 400, the model cannot be: it scores or embeds in another way.
        UnknownNameError: it is not served here.
    """
    if name.startswith(PREFIX):
        raise problem(400, "A fitted model is not fitted again: name the one that it was fitted from.")
    for models in (components.embedders, components.rerankers):
        try:
            target, spec = models.target(name), models.spec(name)
        except UnknownNameError:
            if models is components.rerankers:
                raise
            continue
        if spec is None or spec.kind in ("embedding", "cross-encoder"):
            return target
    raise problem(
        400, f"Model {plain_name(name)!r} cannot be fitted: name an embedder of one vector a text, or a cross-encoder."
    )


def _check_url(components: Components, url: str) -> None:
    try:
        components.fetcher.guard.check(url)
    except WebError as error:
        raise invalid("body -> url", error.message) from error


def _finetunes(request: Request) -> FineTunes:
    found: FineTunes | None = request.app.state.finetunes
    if found is None:
        raise problem(404, "Fine-tuning is off here: who runs the service turns it on with --finetunes.")
    return found
