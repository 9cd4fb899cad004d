"""The models known by name. A new model is a row, here or in the module of its publisher."""

from __future__ import annotations

from jina_components.models.catalog_jina import JINA_MODELS
from jina_components.models.catalog_others import OTHER_MODELS, SIGMOID
from jina_components.models.spec import ModelSpec

DEFAULT_EMBEDDER = "small-embedding-v1"
DEFAULT_RERANKER = "small-reranker-v1"
DEFAULT_ENTAILMENT = "small-cross-encoder-v1"

LISTED_BY = "jina-components models"
"""The command that lists the catalog."""

_BUNDLED: tuple[ModelSpec, ...] = (
    ModelSpec(
        name=DEFAULT_EMBEDDER,
        kind="embedding",
        folder="small-embedding-v1",
        parameters=19_163_904,
        dimensions=384,
        matryoshka=(384, 256, 128, 64),
        context=512,
        trained_length=256,
        license="Apache-2.0",
    ),
    ModelSpec(
        name=DEFAULT_ENTAILMENT,
        kind="cross-encoder",
        folder="small-cross-encoder-v1",
        parameters=19_165_828,
        context=256,
        license="Apache-2.0",
        score=SIGMOID,
        labels=("relevance", "entailment", "neutral", "contradiction"),
    ),
    # Two to three is what ranks best over the sets of benchmarks/quality, by little; scale and offset are those that
    # `fine_tuner.recipes.calibrate_blend` finds.
    ModelSpec(
        name=DEFAULT_RERANKER,
        kind="blend",
        parts={"small-embedding-v1": 4.06, "static-minilm-v1-maxsim": 6.09},
        offset=-6.06,
        parameters=26_751_829,
        context=512,
        license="Apache-2.0",
        score="probability at even odds that the text answers rather than only looks like it, 0 to 1",
        bar=0.55,
    ),
    ModelSpec(
        name="static-minilm-v1",
        kind="embedding",
        folder="static-minilm-v1",
        parameters=7_587_925,
        dimensions=256,
        context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="static-minilm-v1-maxsim",
        kind="late-interaction",
        folder="static-minilm-v1",
        parameters=7_587_925,
        context=8192,
        license="Apache-2.0",
        score="BM25's saturation of each query token's best cosine, weighted mean, 0 to 1; untrained",
        bar=0.72,
    ),
)

MODELS: tuple[ModelSpec, ...] = (*_BUNDLED, *JINA_MODELS, *OTHER_MODELS)

BY_NAME: dict[str, ModelSpec] = {
    name: spec for spec in MODELS for name in (spec.name, spec.hub_id, *spec.aliases) if name
}
