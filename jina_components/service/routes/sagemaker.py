"""What Amazon SageMaker asks of a container: `/ping` and `/invocations`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from jina_components.service.answers import json_answer, to_json
from jina_components.service.components import Components
from jina_components.service.errors import problem
from jina_components.service.in_process import InProcess
from jina_components.service.wire.sagemaker import CSV, LINES, Invocation, from_csv, from_json, from_lines

router = APIRouter(include_in_schema=False)

# Rows and lines of a batch that are worked on at a time.
_AT_A_TIME = 16
# Headers of an answer that this application sets itself.
_OWN = ("content-length", "connection", "x-request-id")


@router.get("/ping")
async def ping(request: Request) -> Response:
    """Whether it takes requests."""
    if not request.app.state.ready:
        raise problem(503, "The service is starting or ending.", headers={"Retry-After": "1"})
    return Response()


@router.post("/invocations")
async def invocations(request: Request) -> Response:
    """Pass a request on to the route that it is for, and its answer back."""
    sent, kind = await request.body(), request.headers.get("content-type", "").partition(";")[0].strip().lower()
    attributes = request.headers.get("x-amzn-sagemaker-custom-attributes", "")
    service = _Service(request)
    if kind == CSV:
        rows = await asyncio.to_thread(lambda: list(from_csv(sent, service.model_of)))
        return await _listed(service, rows, "Row")
    if kind in LINES:
        lines = await asyncio.to_thread(lambda: list(from_lines(sent, attributes, service.model_of)))
        ...
    asked = from_json(sent, attributes, service.model_of)
    if asked[0].of_list:
        return await _listed(service, asked, "data")
    return await service.passed(asked[0])
