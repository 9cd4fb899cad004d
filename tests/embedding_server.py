"""A server of any dialect that runs the real components behind it."""

from __future__ import annotations

import base64
import json
from functools import cache

from local_server import http

from jina_components import Embedder, Reranker
from jina_components.models.endpoint import Endpoint


def serve_models(server, *, dialect="jina", tokens=7):
    """Embeddings and reranking of the bundled models at `server`; returns the endpoint."""
    path, items, read_task, embeddings = _EMBED[dialect]
    meter = _METERS[dialect](tokens)

    def embed(body):
        return embeddings(_embedder().embed(body[items], task=read_task(body)).vectors) | meter

    def rerank(body):
        hits = _reranker().rerank(body["query"], body["documents"])
        return {"results": [{"index": hit.index, "relevance_score": hit.score} for hit in hits]} | meter

    server.routes[f"/v1/{path}"] = _answering(embed)
    if dialect != "openai":
        server.routes["/v1/rerank"] = _answering(rerank)
    return Endpoint(server.url("/v1"), dialect=dialect, api_key="secret")


@cache
def _embedder():
    return Embedder("static-minilm-v1")


@cache
def _reranker():
    return Reranker("static-minilm-v1-maxsim")


def _answering(answer):
    async def route(request, writer):
        writer.write(http(200, json.dumps(answer(json.loads(request.body))).encode()))
        await writer.drain()

    return route


def _listed(vectors):
    return {"data": [{"index": index, "embedding": row.tolist()} for index, row in enumerate(vectors)]}


def _encoded(vectors):
    rows = (base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors)
    return {"data": [{"index": index, "embedding": row} for index, row in enumerate(rows)]}


_COHERE_TASKS = {"search_query": "retrieval.query", "search_document": "retrieval.passage"}
# Path, field of the texts, task of a request, answer for vectors.
_EMBED = {
    "openai": ("embeddings", "input", lambda _: None, _encoded),
    "jina": ("embeddings", "input", lambda body: body.get("task"), _listed),
    "cohere": (
        "embed",
        "texts",
        lambda body: _COHERE_TASKS[body["input_type"]],
        lambda vectors: {"embeddings": {"float": vectors.tolist()}},
    ),
}
_METERS = {
    "openai": lambda tokens: {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}},
    "jina": lambda tokens: {"usage": {"total_tokens": tokens}},
    "cohere": lambda tokens: {"meta": {"billed_units": {"input_tokens": tokens}}},
}
