"""What a tool has to work with when it is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jina_components.models.catalog import BY_NAME
from jina_components.net import SupportsFetch
from jina_components.service.mcp.client import Api, ToolError


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a service that the tools ask for; empty where it has none.

    Attributes:
        embedder, reranker: Its own where clients may ask for them, else the first that they may.
        image_embedder: The first that takes images and is there.
        task: That of the embedder's vectors which are compared with each other; None where it knows none.
    """

    embedder: str = ""
    reranker: str = ""
    image_embedder: str = ""
    task: str | None = None


async def models_of(api: Api, *, preferred: Sequence[str] = ()) -> Models:
    """Those that `GET /v1/models` tells of.

    Args:
        api: That of the service.
        preferred: Names of those to take where they are served.

    Raises:
        ToolError: the service cannot be asked.
    """
    listed = (await api.get("/v1/models")).get("data", [])
    served = [model for model in listed if model.get("on_disk", True)]  # of a folder it is not told
    embedders = [model for model in served if "embeddings" in model.get("supported_features", ())]
    rerankers = [model for model in served if "rerank" in model.get("supported_features", ())]
    seeing = [model for model in embedders if "image" in _modalities(model)]

    def name(models: list[dict[str, Any]]) -> str:
        names: list[str] = [model["name"] for model in models]
        return next((each for each in preferred if each in names), next(iter(names), ""))

    embedder = name(embedders)
    tasks = next((model.get("tasks", ()) for model in embedders if model["name"] == embedder), ())
    return Models(embedder, name(rerankers), name(seeing), "text-matching" if "text-matching" in tasks else None)


def _modalities(model: Mapping[str, Any]) -> Sequence[str]:
    """What a model takes; of a folder that answers to a well-known name, what that model takes."""
    known = BY_NAME.get(model["name"])
    return known.modalities if known is not None and "on_disk" not in model else model.get("input_modalities", ())


@dataclass(frozen=True, slots=True)
class Visit:
    """A call of a tool.

    Attributes:
        api: The service, as the caller may ask it.
        models: Gives the models of the service.
        fetcher: Gives what fetches images.
        context: What is known of the caller, for `primer`.
        progress: Told how many steps of how many are done.
    """

    api: Api
    models: Callable[[], Awaitable[Models]]
    fetcher: Callable[[], SupportsFetch]
    context: Mapping[str, Any]
    progress: Callable[[int, int], Awaitable[None]]

    async def model(self, kind: str) -> str:
        """The name of a model of the service.

        Raises:
            ToolError: it has none.
        """
        name: str = getattr(await self.models(), kind)
        if not name:
            raise ToolError(f"The service has no {kind.replace('_', ' ')}.")
        return name
