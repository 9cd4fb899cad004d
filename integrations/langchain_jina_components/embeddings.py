"""LangChain's embeddings over our embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from langchain_core.embeddings import Embeddings
from pydantic import AliasChoices, Field

from jina_components import Embedder, Image
from jina_components.errors import InputError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.protocols import SupportsEmbed
from jina_components.remote import Remote
from langchain_jina_components.remote import RemoteFields, named

if TYPE_CHECKING:
    from jina_components.types import FloatArray


class JinaEmbeddings(RemoteFields, Embeddings):
    """LangChain's `Embeddings` over an `Embedder`, which runs here or on a server.

    Takes the place of `JinaEmbeddings` of `langchain_community`: the same arguments but `session`, and the same
    methods. Queries and documents are embedded as such, which models tell apart.

    Attributes:
        embedder: Anything with `embed_query` and `embed_documents`, and their twins `aembed_…`; None for an
            `Embedder` of the settings below.
        model_name: The model, also as `model`; by default `jina-embeddings-v2-base-en` on Jina's hosts, else the
            bundled one.
        dimensions: Keep this many leading components of each vector; None for all.
        truncate: Cut texts to the model's context instead of raising.
        late_chunking: The texts of each call of `embed_documents` are the consecutive chunks of one document, and
            embedded together, so that each knows what stands around it. Needs an `Embedder`.
        show_progress: Draw a bar on stderr for documents. Needs an `Embedder`.

    Raises:
        ConfigError: an embedder and settings of one are given, or one makes no sense.

    Example:
        >>> embeddings = JinaEmbeddings(base_url="http://localhost:8000", model_name="jina-embeddings-v3")
        >>> len(embeddings.embed_query("What is a tide?"))
        1024
    """

    part: ClassVar[str] = "embedder"
    made_of: ClassVar[tuple[str, ...]] = ("model_name", "dimensions", "truncate")

    embedder: SupportsEmbed | None = Field(default=None, frozen=True)
    model_name: str = Field(
        default_factory=named("embedder", remote="jina-embeddings-v2-base-en", here=DEFAULT_EMBEDDER),
        validation_alias=AliasChoices("model_name", "model"),
        frozen=True,
    )
    dimensions: int | None = Field(default=None, frozen=True)
    truncate: bool = Field(default=False, frozen=True)
    late_chunking: bool = False
    show_progress: bool = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of documents; raises what `Embedder.embed` raises."""
        if self.late_chunking:
            return _lists(self._component.embed(texts, **self._late).vectors)
        return _lists(self._component.embed_documents(texts, **self._progress))

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """`embed_documents` without blocking the event loop."""
        if self.late_chunking:
            return _lists((await self._component.aembed(texts, **self._late)).vectors)
        return _lists(await self._component.aembed_documents(texts, **self._progress))

    def embed_query(self, text: str) -> list[float]:
        """Vector of a query; raises what `Embedder.embed` raises."""
        return _lists(self._component.embed_query(text))

    async def aembed_query(self, text: str) -> list[float]:
        """`embed_query` without blocking the event loop."""
        return _lists(await self._component.aembed_query(text))

    def embed_images(self, uris: list[str]) -> list[list[float]]:
        """Vectors of images by a model that sees, in the space of its texts.

        Args:
            uris: Paths, `file:`, `http:` and `https:` URLs, or `data:` URIs.

        Raises:
            ConfigError: the model takes texts alone.
            InputError, WebError: an image cannot be had; `.index` names it.
        """
        return _lists(self._component.embed_documents(_images(uris), **self._progress))

    async def aembed_images(self, uris: list[str]) -> list[list[float]]:
        """`embed_images` without blocking the event loop."""
        return _lists(await self._component.aembed_documents(_images(uris), **self._progress))

    @property
    def _progress(self) -> dict[str, Any]:
        return {"show_progress": True} if self.show_progress else {}

    @property
    def _late(self) -> dict[str, Any]:
        return {"task": "retrieval.passage", "late_chunking": True, "show_progress": self.show_progress}

    def _make(self, remote: Remote | None) -> Embedder:
        return Embedder(
            self.model_name,
            endpoint=remote.endpoint("models") if remote else None,
            dimensions=self.dimensions,
            truncate=self.truncate,
        )


def as_embeddings(embedder: SupportsEmbed) -> Embeddings:
    """LangChain's embeddings of an embedder, which may be that already."""
    return embedder if isinstance(embedder, Embeddings) else JinaEmbeddings(embedder=embedder)


def _images(uris: Sequence[str]) -> list[Image]:
    if isinstance(uris, str):
        raise InputError("embed_images takes a list of URIs; for one image, pass [uri].")
    return [Image(url2pathname(urlsplit(uri).path) if str(uri)[:5].lower() == "file:" else uri) for uri in uris]


def _lists(vectors: FloatArray | Sequence[Any]) -> list[Any]:
    return np.asarray(vectors).tolist()
