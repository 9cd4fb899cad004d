"""Names of models, as clients spell them."""

from __future__ import annotations

from jina_components.models.catalog import BY_NAME

_OWNERS = ("jina-ai/", "jinaai/")


def plain_name(name: str) -> str:
    """What a model is called here: without Jina's name before it; of another name in the catalog, such as that on the
    hub, the model's own.
    """  # noqa: D205 (one sentence)
    for owner in _OWNERS:
        name = name.removeprefix(owner)
    spec = BY_NAME.get(name)
    return name if spec is None else spec.name
