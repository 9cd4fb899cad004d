"""Well-known models that bundled ones may stand in for, where an operator says so."""

from __future__ import annotations

from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.models.files import on_disk
from jina_components.models.spec import ModelKind

_BY_KIND: dict[ModelKind, str] = {
    "embedding": DEFAULT_EMBEDDER,
    "late-interaction": "static-minilm-v1-maxsim",
    "cross-encoder": DEFAULT_RERANKER,
    "listwise": DEFAULT_RERANKER,
}

# Of Jina's, OpenAI's and Cohere's, those whose weights the catalog does not know where to find.
_ELSEWHERE: dict[ModelKind, tuple[str, ...]] = {
    "embedding": (
        "jina-embeddings-v5-omni-small", "jina-embeddings-v5-omni-nano",
        "text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002",
        "embed-v4.0", "embed-english-v3.0", "embed-english-light-v3.0", "embed-multilingual-v3.0",
        "embed-multilingual-light-v3.0",
    ),
    "cross-encoder": (
        "jina-reranker-v1-base-en", "jina-reranker-v3.5",
        "rerank-v4.0-pro", "rerank-v4.0-fast", "rerank-v3.5", "rerank-english-v3.0", "rerank-multilingual-v3.0",
    ),
}  # fmt: skip


def stand_ins() -> dict[str, str]:
    """By the name of each such model whose weights are not on this machine, the bundled one for it."""
    jinas = {spec.name: spec for spec in BY_NAME.values() if spec.name.startswith("jina-") and spec.kind in _BY_KIND}
    missing = {name: _BY_KIND[spec.kind] for name, spec in jinas.items() if not on_disk(spec)}
    return missing | {name: _BY_KIND[kind] for kind, names in _ELSEWHERE.items() for name in names}
