"""`/v1/embeddings`, and what its vectors of tokens were called before: `/v1/multi-vector`, `/v1/multi-embeddings`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.embedding import embedded, written
from jina_components.service.wire.embeddings import EmbeddingsAnswer, EmbeddingsRequest, answer_body
from jina_components.service.wire.inputs import check_number

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embeddings", summary="Embed texts and images", **documented("api", ok=EmbeddingsAnswer))
async def embeddings(
    request: Request, asked: EmbeddingsRequest, call: Annotated[Call, Depends(admitted("embeddings"))]
) -> Response:
    """A vector of each text or image; of a model of token vectors, or with `return_multivector`, one of each token."""
    return await _answer(request, asked, call)


@router.post("/v1/multi-vector", summary="Embed tokens", **documented("api", ok=EmbeddingsAnswer))
@router.post("/v1/multi-embeddings", summary="Embed tokens, by another name", **documented("api", ok=EmbeddingsAnswer))
async def multi_vector(
    request: Request, asked: EmbeddingsRequest, call: Annotated[Call, Depends(admitted("embeddings"))]
) -> Response:
    """A vector of each token of each text."""
    return await _answer(request, asked, call, per_token=True)


async def _answer(request: Request, asked: EmbeddingsRequest, call: Call, *, per_token: bool | None = None) -> Response:
    components: Components = request.app.state.components
    with components.embedders.use(asked.model) as embedder:
        call.model, call.items = asked.model, len(asked.input)
        check_number(asked.input, components.settings.limits.max_items, field="input")
        done = await embedded(embedder, asked, per_token=per_token, truncate=components.settings.truncate)
    body = await written(done.result, partial(answer_body, asked, done.result, done.tokenized))
    call.tokens = done.result.usage.total_tokens
    return Response(body, media_type="application/json")
