"""What our three embedders of Haystack share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from haystack_jina_components.component import JinaComponent, asynchronously, named
from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER
from jina_components.models.endpoint import Endpoint
from jina_components.protocols import SupportsEmbed
from jina_components.types import Embeddings, Image

REMOTE_EMBEDDER = "jina-embeddings-v3"


@runtime_checkable
class _TakesTasks(Protocol):
    """An embedder that is told what its inputs are for, as an `Embedder` is."""

    def embed(self, inputs: Sequence[str | Image], *, task: str | None = None) -> Embeddings: ...


class JinaEmbedderComponent(JinaComponent):
    """One of our three embedders: opens what embeds, and asks it."""

    part: ClassVar[str] = "embedder"
    verb: ClassVar[str]
    """How a plain embedder is asked: `embed_query` or `embed_documents`."""

    embedder: SupportsEmbed | None
    model: str | None
    base_url: str | None

    @property
    def model_name(self) -> str:
        """The model that embeds."""
        return self.model or str(getattr(self._component, "name", type(self._component).__name__))

    def _get_telemetry_data(self) -> dict[str, Any]:
        """What Haystack sends of it, where its telemetry is on: the model, if it is a published one."""
        return published(self.model_name)

    def _open(
        self, *, remote: str = REMOTE_EMBEDDER, here: str = DEFAULT_EMBEDDER, batch_size: int | None = None
    ) -> None:
        """Have an embedder: the one given, or one of `model`, whose default depends on where it runs."""
        server = self._remote()
        if self.embedder is not None:
            if isinstance(self.embedder, type) or not isinstance(self.embedder, SupportsEmbed):
                raise ConfigError(f"embedder must have embed_query and embed_documents, got {self.embedder!r}.")
            asked = {name: value for name, value in self._wanted().items() if value}
            if asked and not isinstance(self.embedder, _TakesTasks):
                raise ConfigError(f"{type(self.embedder).__name__} knows nothing of {', '.join(asked)}: leave it out.")
            self._component = self.embedder
            return
        # Kept, and so written down: what is read where there is no key runs the same model, and not another.
        self.model = self.model or named(server, remote=remote, here=here)
        endpoint = None if server is None else at_path(server.endpoint("models"), self.base_url, "embeddings")
        if endpoint is not None:
            endpoint = replace(endpoint, batch_size=batch_size)
        self._component = Embedder(self.model, endpoint=endpoint)

    def _wanted(self) -> dict[str, Any]:
        """What is asked of the model besides vectors."""
        names = ("task", "dimensions", "late_chunking")
        return {name: getattr(self, name) for name in names if getattr(self, name, None) is not None}

    def _embed(self, inputs: Sequence[str | Image], *, show_progress: bool = False) -> Embeddings:
        if isinstance(self._component, _TakesTasks):
            return self._component.embed(inputs, **self._settings(show_progress=show_progress))
        return _embeddings(getattr(self._component, self.verb)(self._inputs(inputs)))

    async def _aembed(self, inputs: Sequence[str | Image], *, show_progress: bool = False) -> Embeddings:
        if isinstance(self._component, _TakesTasks):
            settings = self._settings(show_progress=show_progress)
            return await asynchronously(self._component, "embed", inputs, **settings)
        return _embeddings(await asynchronously(self._component, self.verb, self._inputs(inputs)))

    def _settings(self, *, show_progress: bool) -> dict[str, Any]:
        # One that is given embeds as its own embed_query and embed_documents do; one made by name as it was asked for.
        task = {} if self.embedder is None else {"task": _TASKS[self.verb]}
        return {**task, **self._wanted(), "show_progress": show_progress}

    def _inputs(self, inputs: Sequence[str | Image]) -> Any:
        return inputs[0] if self.verb == "embed_query" else inputs


_TASKS = {"embed_query": "retrieval.query", "embed_documents": "retrieval.passage"}


def _embeddings(vectors: Any) -> Embeddings:
    return Embeddings(np.atleast_2d(np.asarray(vectors, np.float32)))


def at_path(endpoint: Endpoint, base_url: str | None, path: str) -> Endpoint:
    """The endpoint; where `base_url` is the whole URL of an operation, as jina-haystack had it, that of its API."""
    url = (base_url or "").rstrip("/")
    return replace(endpoint, base_url=url.removesuffix(f"/{path}")) if url.endswith(f"/{path}") else endpoint


def usage_of(model: str, embeddings: Any) -> dict[str, Any]:
    """The `meta` that a component gives out: the model, and the tokens that it took."""
    usage = embeddings.usage
    return {"model": model, "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}}


def published(model: str) -> dict[str, Any]:
    """The name of a model as telemetry may tell it: a folder's would tell of its owner."""
    return {"model": model if model in BY_NAME else "other"}
