"""Cohere's `/v1/embed` and `/v2/embed`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.embedding import check_number, embedded, written
from jina_components.service.wire.cohere import EmbedAnswer, EmbedRequest, answer_body

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embed", **documented("cohere", ok=EmbedAnswer))
async def embed_v1(
    request: Request, asked: EmbedRequest, call: Annotated[Call, Depends(admitted("embeddings"))]
) -> Response:
    """Vectors of texts or images: a list of numbers each, unless types are named."""
    return await _answer(request, asked, call, version="1")


@router.post("/v2/embed", **documented("cohere", ok=EmbedAnswer))
async def embed_v2(
    request: Request, asked: EmbedRequest, call: Annotated[Call, Depends(admitted("embeddings"))]
) -> Response:
    """Vectors of texts or images by type."""
    return await _answer(request, asked, call, version="2")


async def _answer(request: Request, asked: EmbedRequest, call: Call, *, version: Literal["1", "2"]) -> Response:
    components: Components = request.app.state.components
    with components.embedders.use(asked.model) as embedder:
        plain = asked.as_request()
        call.model, call.items = asked.model, len(plain.input)
        check_number(call.items, components.settings.limits, field=asked.field)
        done = await embedded(embedder, plain, per_token=False, field=asked.field)
    call.tokens = done.result.usage.total_tokens
    body = await written(done.result, partial(answer_body, asked, done.result, version=version, id_=call.request_id))
    return Response(body, media_type="application/json")
