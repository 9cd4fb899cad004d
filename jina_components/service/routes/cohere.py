"""Cohere's `/v1/embed` and `/v2/embed`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.embedding import embedded, written
from jina_components.service.wire.cohere import EmbedAnswer, EmbedRequest, answer_body
from jina_components.service.wire.inputs import check_number

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embed", summary="Embed as Cohere's first API", **documented("cohere", ok=EmbedAnswer))
async def embed_v1(
    request: Request, asked: EmbedRequest, call: Annotated[Call, Depends(admitted("embeddings"))]
) -> Response:
    """Vectors of texts or images: a list of numbers each, unless types are named."""
    return await _answer(request, asked, call, version="1")


@router.post("/v2/embed", summary="Embed as Cohere's second API", **documented("cohere", ok=EmbedAnswer))
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
        check_number(plain.input, components.settings.limits.max_items, field=asked.fields["input"])
        done = await embedded(embedder, plain, per_token=False, fields=asked.fields)
    write = partial(answer_body, asked, done.result, version=version, id_=call.request_id)
    body = await written(done.result, write, fields=asked.fields)
    call.tokens = done.result.usage.total_tokens
    return Response(body, media_type="application/json")
