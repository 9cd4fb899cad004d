"""Reranking: `/v1/rerank` (also Cohere's v1), vLLM's `/rerank`, and Cohere's `/v2/rerank`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.errors import InputError, TooLongError
from jina_components.models.vision_scoring import ScoresImages
from jina_components.reranker import Reranker
from jina_components.service.answers import json_answer
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import invalid
from jina_components.service.wire.inputs import check_number, has_data_images, of_field, seen, takes_no_images
from jina_components.service.wire.rerank import (
    CohereRerankAnswer,
    CohereRerankRequest,
    RerankAnswer,
    RerankRequest,
    answer_body,
    cohere_answer_body,
)
from jina_components.types import Image, Ranking

router = APIRouter(tags=["rerank"])

_Admitted = Annotated[Call, Depends(admitted("rerank"))]


@router.post("/v1/rerank", summary="Rank documents", **documented("api", ok=RerankAnswer))
async def rerank(request: Request, asked: RerankRequest, call: _Admitted) -> Response:
    """Documents in the order of their relevance to a query, best first."""
    return await _answer(partial(answer_body, asked, await _ranked(request, asked, call)), asked)


@router.post("/rerank", summary="Rank documents as vLLM", **documented("api", ok=RerankAnswer))
async def rerank_as_vllm(request: Request, asked: RerankRequest, call: _Admitted) -> Response:
    """The same as vLLM serves it, whose clients take no documents but objects with `text`."""
    return await _answer(partial(answer_body, asked, await _ranked(request, asked, call), as_objects=True), asked)


@router.post(
    "/v2/rerank", summary="Rank documents as Cohere's second API", **documented("cohere", ok=CohereRerankAnswer)
)
async def cohere_rerank(request: Request, asked: CohereRerankRequest, call: _Admitted) -> Response:
    """The same for Cohere's clients."""
    return await _answer(
        partial(cohere_answer_body, asked, await _ranked(request, asked, call), call.request_id), asked
    )


async def _answer(make_body: Callable[[], dict[str, Any]], asked: RerankRequest) -> Response:
    if asked.return_embeddings:  # which take their time
        return await asyncio.to_thread(lambda: json_answer(make_body()))
    return json_answer(make_body())


async def _ranked(request: Request, asked: RerankRequest, call: Call) -> Ranking:
    components: Components = request.app.state.components
    with components.rerankers.use(asked.model) as reranker:
        call.model, call.items = asked.model, len(asked.documents)
        most = components.settings.limits.max_documents
        check_number(asked.documents, most, field="documents", what="documents")
        query, *documents = await _inputs(reranker, asked)
        try:
            with of_field("documents"):
                ranking = await reranker.arerank(
                    query,
                    documents,
                    top_n=asked.top_n,
                    truncate=components.settings.truncate if asked.truncation is None else asked.truncation,
                    max_document_length=asked.max_doc_length,
                )
        except TooLongError:
            raise
        except InputError as error:  # that names no document
            raise invalid("body -> query", error.message) from error
    if asked.return_embeddings and ranking.vectors is None:
        told = f"{asked.model!r} has none as it runs here, for only listwise models do: leave it out."
        raise invalid("body -> return_embeddings", told, given=True)
    call.tokens = ranking.usage.total_tokens
    return ranking


async def _inputs(reranker: Reranker, asked: RerankRequest) -> list[str | Image]:
    """The query and the documents; of a model that takes images, data URIs are images."""
    items = [asked.query, *(document.item for document in asked.documents)]
    images = [place for place, item in enumerate(items) if isinstance(item, Image)]
    if not images and not has_data_images(items):
        return items
    if isinstance(await asyncio.to_thread(reranker.load), ScoresImages):
        return seen(items)
    if images:
        field = f"documents -> {images[0] - 1}" if images[0] else "query"
        raise invalid(f"body -> {field}", takes_no_images(asked.model))
    return items
