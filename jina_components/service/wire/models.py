"""The catalogue on the wire: OpenRouter's layout, with what OpenAI's clients read and more about each model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from jina_components.models.catalog import BY_NAME
from jina_components.models.files import on_disk
from jina_components.models.spec import ModelSpec
from jina_components.service.components import Components
from jina_components.service.models import Models
from jina_components.service.names import plain_name
from jina_components.service.wire.deepsearch import CHAT_MODEL

# Where no time of publication is known: that of the catalogue.
_CREATED = 1_767_225_600
_OURS, _JINA = "jina-components", "jina-ai"
_FREE = dict.fromkeys(("prompt", "completion", "image", "request", "input_cache_read", "input_cache_write"), "0")
_QUANTIZATION = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "int8": "int8"}
_DESCRIPTIONS = {
    "embedding": "Turns inputs into vectors",
    "late-interaction": "A vector for each token, compared by MaxSim",
    "cross-encoder": "Scores pairs of texts",
    "listwise": "Ranks documents in one pass",
    "blend": "Ranks by several small models together",
}
_DEEPSEARCH = {"jina-deepsearch-v1": 1686935002, "jina-deepsearch-v2": 1717987200}


class Pricing(BaseModel):
    """USD a unit, as decimal strings."""

    prompt: str
    completion: str
    image: str
    request: str
    input_cache_read: str
    input_cache_write: str


class ModelItem(BaseModel):
    """A model that may be asked for."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    id: str
    object: Literal["model"]
    owned_by: str
    hugging_face_id: str
    name: str
    created: int
    input_modalities: list[str]
    output_modalities: list[str]
    quantization: str
    context_length: int | None
    max_output_length: int | None
    pricing: Pricing
    supported_sampling_parameters: list[str]
    supported_features: list[str]
    description: str
    datacenters: list[dict[str, str]]


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[ModelItem]


class OpenAIModel(BaseModel):
    """A model as OpenAI tells of one."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAIModelList(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[OpenAIModel]


def model_items(components: Components) -> Iterator[dict[str, Any]]:
    """What is served here, by the names that clients use; aliases first, deep search last. Looks at the disk."""
    for name in dict.fromkeys([*components.embedders.names, *components.rerankers.names]):
        yield _item(components, name)
    for model in openai_models():
        yield _chat(
            model["id"],
            created=model["created"],
            features=["chat", "streaming", "web_search", "reasoning"],
            description="Searches, reads and reasons until it can answer with citations.",
        )
    if components.chat is not None:
        yield _chat(
            CHAT_MODEL,
            inputs=("text", "image"),
            features=["chat", "streaming"],
            description="The chat model of this service.",
        )


def model_item(components: Components, name: str) -> dict[str, Any] | None:
    """One of them, by its id, its name, or its name on the hub; None if it is not served here."""
    plain = plain_name(name)
    return next((item for item in model_items(components) if item["name"] == plain), None)


def openai_models() -> list[dict[str, Any]]:
    """Deep search, as OpenAI tells of models."""
    return [
        {"id": name, "object": "model", "created": created, "owned_by": _JINA} for name, created in _DEEPSEARCH.items()
    ]


def _item(components: Components, name: str) -> dict[str, Any]:
    kinds: dict[str, Models[Any]] = {"embeddings": components.embedders, "rerank": components.rerankers}
    serving = {feature: models for feature, models in kinds.items() if name in models.names}
    features = [*serving]
    target = next(models.target(name) for models in serving.values())
    spec = BY_NAME.get(target)
    extras: dict[str, Any] = {"in_memory": any({target, name} & {*models.held} for models in serving.values())}
    if spec and spec.name != name:  # a folder's name is the operator's own business
        extras["served_by"] = spec.name
    output = ["embeddings" if feature == "embeddings" else "scores" for feature in features]
    if spec is None:
        return _layout(id=name, name=name, owned_by=_OURS, output=output, features=features, **extras)
    owner = _owner(name, spec)
    return _layout(
        id=f"{_JINA}/{name}" if owner == _JINA else name,
        name=name,
        owned_by=owner,
        hub_id=spec.hub_id,
        inputs=spec.modalities,
        output=output,
        quantization=_QUANTIZATION.get(components.settings.precision, "unknown"),
        context=spec.context,
        features=features,
        description=f"{_DESCRIPTIONS[spec.kind]}.{f' Scores: {spec.score}.' if spec.score else ''}",
        **extras,
        **_more(spec),
    )


def _chat(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (those of _layout)
    return _layout(id=f"{_JINA}/{name}", name=name, owned_by=_JINA, output=["text"], **more)


def _layout(
    *,
    id: str,
    name: str,
    owned_by: str,
    features: list[str],
    created: int = _CREATED,
    hub_id: str = "",
    inputs: tuple[str, ...] = ("text",),
    output: list[str] | None = None,
    quantization: str = "unknown",
    context: int | None = None,
    description: str = "",
    **more: Any,  # noqa: ANN401 (JSON has no type)
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "model",
        "owned_by": owned_by,
        "hugging_face_id": hub_id,
        "name": name,
        "created": created,
        "input_modalities": list(inputs),
        "output_modalities": output or [],
        "quantization": quantization,
        "context_length": context,
        "max_output_length": None,
        "pricing": _FREE,
        "supported_sampling_parameters": [],
        "supported_features": features,
        "description": description,
        "datacenters": [],
        **more,
    }


def _more(spec: ModelSpec) -> dict[str, Any]:
    return {
        "kind": spec.kind,
        "parameters": spec.parameters or None,
        "dimensions": spec.dimensions or None,
        "matryoshka": list(spec.matryoshka),
        "token_dimensions": list(spec.token_dimensions),
        "tasks": sorted({*spec.prompts, *spec.adapters}),
        "languages": list(spec.languages),
        "license": spec.license,
        "bundled": spec.bundled,
        "on_disk": on_disk(spec) > 0,
    }


def _owner(name: str, spec: ModelSpec) -> str:
    """Whose model it is; of one that another stands in for, not whose that other is."""
    publisher = BY_NAME.get(name, spec).hub_id.partition("/")[0]
    return _JINA if publisher == "jinaai" or name.startswith("jina-") else publisher or _OURS
