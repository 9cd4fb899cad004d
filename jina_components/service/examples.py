"""Requests to try, for the OpenAPI document. They run as they are with the models that come along, but for those of
token vectors, of which none comes along.
"""  # noqa: D205 (no sentence is shorter)

from __future__ import annotations

from typing import Any

from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER

_TOKEN_VECTORS = "jina-colbert-v2"  # noqa: S105 (a model)
_TEXTS = ["Tea is grown on hills.", "The train leaves at noon."]
_RERANK = {"model": DEFAULT_RERANKER, "query": "When does the train leave?", "documents": _TEXTS, "top_n": 1}
_EMBED = {"model": DEFAULT_EMBEDDER, "texts": _TEXTS, "input_type": "search_document"}
_SEGMENT: dict[str, Any] = {"content": "One sentence. Another one.", "return_chunks": True, "max_chunk_length": 20}
_COMPLETION = {
    "model": "jina-deepsearch-v1",
    "messages": [{"role": "user", "content": "What is 12 times 34?"}],
    "reasoning_effort": "low",
}
_PAGE = {"html": "<h1>Tea</h1><p>It is grown on hills.</p>", "respondWith": "markdown"}
_SEARCH = {"q": "tea", "num": 3}
_KEY = "key_0123456789abcdef"
_STATEMENT = "Tea is grown on hills."

BODIES: dict[str, dict[str, Any]] = {
    "/v1/embeddings": {"model": DEFAULT_EMBEDDER, "input": _TEXTS, "task": "retrieval.passage"},
    "/v1/multi-vector": {"model": _TOKEN_VECTORS, "input": _TEXTS},
    "/v1/multi-embeddings": {"model": _TOKEN_VECTORS, "input": _TEXTS},
    "/v1/embed": _EMBED,
    "/v2/embed": {**_EMBED, "embedding_types": ["float"]},
    "/v1/rerank": _RERANK,
    "/rerank": _RERANK,
    "/v2/rerank": _RERANK,
    "/v1/classify": {"model": DEFAULT_EMBEDDER, "input": _TEXTS, "labels": ["travel", "food and drink"]},
    "/v1/train": {
        "model": DEFAULT_EMBEDDER,
        "input": [{"text": _TEXTS[0], "label": "food and drink"}, {"text": _TEXTS[1], "label": "travel"}],
    },
    "/segment": _SEGMENT,
    "/v1/segment": _SEGMENT,
    "/v1/batch/embeddings": {
        "model": DEFAULT_EMBEDDER,
        "input": [{"custom_id": f"text-{number}", "body": {"input": text}} for number, text in enumerate(_TEXTS, 1)],
    },
    "/v1/finetunes": {"model": DEFAULT_EMBEDDER, "suffix": "tea", "documents": [{"text": text} for text in _TEXTS]},
    "/v1/chat/completions": _COMPLETION,
    "/deepsearch/v1/chat/completions": _COMPLETION,
    "/r/{url}": _PAGE,
    "/s/search": _SEARCH,
    "/s/{query}": _SEARCH,
    "/svip/": _SEARCH,
    "/g/{statement}": {"statement": _STATEMENT},
    "/v1/keys": {"name": "laptop", "owner": "alice", "tier": "free", "grant": 1_000_000},
    "/v1/keys/{key_id}": {"name": "desktop"},
    "/v1/keys/{key_id}/grant": {"tokens": 1_000_000, "note": "for the demonstration"},
    "/v1/transfers": {"from": _KEY, "to": "key_fedcba9876543210", "tokens": 1000},
}
"""Bodies in JSON, by the paths that they are sent to."""

PARAMETERS: dict[str, str] = {
    "url": "https://example.com", "query": "tea", "q": "tea", "statement": _STATEMENT, "content": _SEGMENT["content"],
    "model_id": DEFAULT_EMBEDDER, "/deepsearch/v1/models/{model_id} model_id": "jina-deepsearch-v1",
    "batch_id": "batch_0123456789abcdef0123456789abcdef", "id": "01234567-89ab-cdef-0123-456789abcdef", "key_id": _KEY,
    "job_id": "ft_0123456789abcdef",
}  # fmt: skip
"""What stands in paths and has to stand in query strings, by its name, or by the path and it."""
