"""A server of the Jina dialect that runs the real components behind it."""

from __future__ import annotations

import json

from local_server import http

from jina_components import Embedder, Reranker
from jina_components.models.endpoint import Endpoint


def serve_models(server, *, tokens=7):
    """Embeddings and reranking of the bundled models at `server`; returns the endpoint."""

    async def embeddings(request, writer):
        body = json.loads(request.body)
        vectors = Embedder().embed(body["input"], task=body.get("task")).vectors
        rows = [{"index": index, "embedding": row.tolist()} for index, row in enumerate(vectors)]
        await _answer(writer, {"data": rows, "usage": {"total_tokens": tokens}})

    async def rerank(request, writer):
        body = json.loads(request.body)
        hits = Reranker().rerank(body["query"], body["documents"])
        results = [{"index": hit.index, "relevance_score": hit.score} for hit in hits]
        await _answer(writer, {"results": results, "usage": {"total_tokens": tokens}})

    server.routes["/v1/embeddings"] = embeddings
    server.routes["/v1/rerank"] = rerank
    return Endpoint(server.url("/v1"), dialect="jina", api_key="secret")


async def _answer(writer, body):
    writer.write(http(200, json.dumps(body).encode()))
    await writer.drain()
