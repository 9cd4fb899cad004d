"""The models known by name. A new model is a row."""

from __future__ import annotations

from jina_components.models.spec import ModelSpec

DEFAULT_EMBEDDER = "static-minilm-v1"
DEFAULT_RERANKER = "static-minilm-v1-maxsim"

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name=DEFAULT_EMBEDDER,
        kind="embedding",
        folder="static-minilm-v1",
        dimensions=256,
        context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name=DEFAULT_RERANKER,
        kind="late-interaction",
        folder="static-minilm-v1",
        context=8192,
        license="Apache-2.0",
        score="BM25's saturation of each query token's best cosine, weighted mean, 0 to 1; untrained",
    ),
    ModelSpec(
        name="all-MiniLM-L6-v2",
        kind="embedding",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        dimensions=384,
        context=256,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="ms-marco-MiniLM-L6-v2",
        kind="cross-encoder",
        hub_id="cross-encoder/ms-marco-MiniLM-L6-v2",
        revision="c5ee24cb16019beea0893ab7796b1df96625c6b8",
        aliases=("cross-encoder/ms-marco-MiniLM-L-6-v2",),
        context=512,
        license="Apache-2.0",
        score="sigmoid of the logit, 0 to 1",
    ),
)

BY_NAME: dict[str, ModelSpec] = {
    name: spec for spec in MODELS for name in (spec.name, spec.hub_id, *spec.aliases) if name
}
