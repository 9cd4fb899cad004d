"""Segmenting: `/v1/segment`, and `/segment` for the host segment."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from jina_components.errors import MissingDependencyError, ModelFilesError
from jina_components.service.answers import json_answer
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import problem
from jina_components.service.wire.segment import SegmentAnswer, SegmentRequest, segmented

logger = logging.getLogger(__name__)

router = APIRouter(tags=["segment"])

_Admitted = Annotated[Call, Depends(admitted("segment"))]
_DOCUMENTED = documented("api", ok=SegmentAnswer)


@router.post("/v1/segment", summary="Segment a text", **_DOCUMENTED)
@router.post("/segment", summary="Segment a text, for the host segment", **_DOCUMENTED)
@router.post("/segment/", include_in_schema=False)
async def segment(request: Request, asked: SegmentRequest, call: _Admitted) -> Response:
    """Tokens of a text, and its chunks at the ends of lines and sentences. Costs nothing."""
    return await _answer(request, asked, call)


@router.get("/v1/segment", summary="Segment a text of the query string", **_DOCUMENTED)
@router.get("/segment", summary="Segment a text of the query string, for the host segment", **_DOCUMENTED)
@router.get("/segment/", include_in_schema=False)
async def segment_of_query(request: Request, asked: Annotated[SegmentRequest, Query()], call: _Admitted) -> Response:
    """The same, asked for in the query string."""
    return await _answer(request, asked, call)


async def _answer(request: Request, asked: SegmentRequest, call: Call) -> Response:
    components: Components = request.app.state.components
    call.model, call.items = asked.tokenizer, 1
    return json_answer(await asyncio.to_thread(_segmented, components, asked))


def _segmented(components: Components, asked: SegmentRequest) -> dict[str, Any]:
    try:
        tokenizer = components.tokenizer(asked.tokenizer)
    except (ModelFilesError, MissingDependencyError) as error:  # with words for the operator
        logger.warning("The tokenizer %s cannot be loaded: %s", asked.tokenizer, error)
        told = f"This server does not have the tokenizer {asked.tokenizer!r} at hand: use cl100k_base or o200k_base."
        raise problem(400, told) from error
    return segmented(asked, tokenizer)
