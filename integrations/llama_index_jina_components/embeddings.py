"""LlamaIndex's embedding of texts and images over our embedder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.bridge.pydantic import Field, SecretStr
from llama_index.core.callbacks import CallbackManager
from llama_index.core.constants import DEFAULT_EMBED_BATCH_SIZE
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import ImageNode

from jina_components import Embedder, Image
from jina_components.core.quantization import quantize
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.protocols import SupportsEmbed
from llama_index_jina_components.nodes import to_image
from llama_index_jina_components.remote import RemoteFields, Written, named

if TYPE_CHECKING:
    from jina_components.types import FloatArray

Encoding: TypeAlias = Literal["float", "binary", "ubinary"]
ImageLike: TypeAlias = str | os.PathLike[str] | bytes | BytesIO | ImageNode


class JinaEmbedding(RemoteFields, MultiModalEmbedding):
    """LlamaIndex's embedding over an `Embedder`, which runs here or on a server.

    Takes the place of `JinaEmbedding` of `llama-index-embeddings-jinaai`: the same arguments and methods. Queries and
    documents are embedded as such, which models tell apart. Images are paths, URLs, `data:` URIs, bytes or `ImageNode`.

    Args:
        model: The model; by default `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        embed_batch_size: Texts a call.
        api_key: Key of the server; by default `JINAAI_API_KEY` or `JINA_API_KEY` of the environment.
        callback_manager: Hears of every call.
        encoding_queries: `float`, or the signs of the components as 0 and 1: `binary` and `ubinary` are the same here.
        encoding_documents: Likewise.
        task: For queries and documents alike; by default `retrieval.query` and `retrieval.passage`.
        dimensions: Keep this many leading components of each vector; None for all.
        late_chunking: The texts of a batch are the consecutive chunks of one document, and embedded together, so that
            each knows what stands around it: `embed_batch_size` must not be less than a document has chunks.
        embedder: Anything with `embed_query` and `embed_documents`, and their twins `aembed_…`; a task or late chunking
            takes an `Embedder`. None for one of the settings.
        truncate: Cut texts to the model's context instead of raising.
        **settings: `base_url`, `timeout` and `max_retries` as in `RemoteFields`, and those of LlamaIndex's embeddings:
            `num_workers`, `embeddings_cache`, `rate_limiter`.

    Raises:
        ConfigError: an embedder and settings of one are given, or one makes no sense.

    Example:
        >>> embed_model = JinaEmbedding("jina-embeddings-v3", base_url="http://localhost:8000")
        >>> len(embed_model.get_query_embedding("When is high tide?"))
        1024
    """

    part: ClassVar[str] = "embedder"
    made_of: ClassVar[tuple[str, ...]] = ("model", "dimensions", "truncate")

    embedder: Annotated[SupportsEmbed | None, Written] = Field(default=None, frozen=True)
    model: str = Field(
        default_factory=named("embedder", remote="jina-embeddings-v3", here=DEFAULT_EMBEDDER), frozen=True
    )
    encoding_queries: Encoding = "float"
    encoding_documents: Encoding = "float"
    task: str | None = None
    dimensions: int | None = Field(default=None, frozen=True)
    late_chunking: bool = False
    truncate: bool = Field(default=False, frozen=True)

    def __init__(
        self,
        model: str | None = None,
        embed_batch_size: int = DEFAULT_EMBED_BATCH_SIZE,
        api_key: str | SecretStr | None = None,
        callback_manager: CallbackManager | None = None,
        encoding_queries: Encoding | None = None,
        encoding_documents: Encoding | None = None,
        task: str | None = None,
        dimensions: int | None = None,
        late_chunking: bool | None = None,
        *,
        embedder: SupportsEmbed | None = None,
        truncate: bool = False,
        **settings: Any,
    ) -> None:
        name = settings.pop("model_name", None)
        super().__init__(
            model=model or name,
            embed_batch_size=embed_batch_size,
            api_key=api_key,
            callback_manager=callback_manager,
            encoding_queries=encoding_queries,
            encoding_documents=encoding_documents,
            task=task,
            dimensions=dimensions,
            late_chunking=late_chunking,
            embedder=embedder,
            truncate=truncate,
            **settings,
        )
        self.model_name = self.model

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is written down."""
        return "JinaEmbedding"

    def _get_query_embedding(self, query: str) -> Embedding:
        if self.task is None:
            return _encoded(self._component.embed_query(query), self.encoding_queries)
        return _encoded(self._component.embed([query], task=self.task).vectors[0], self.encoding_queries)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        if self.task is None:
            return _encoded(await self._component.aembed_query(query), self.encoding_queries)
        return _encoded((await self._component.aembed([query], task=self.task)).vectors[0], self.encoding_queries)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        if self._options is None:
            return _encoded(self._component.embed_documents(texts), self.encoding_documents)
        return _encoded(self._component.embed(texts, **self._options).vectors, self.encoding_documents)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        if self._options is None:
            return _encoded(await self._component.aembed_documents(texts), self.encoding_documents)
        return _encoded((await self._component.aembed(texts, **self._options)).vectors, self.encoding_documents)

    def _get_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    def _get_image_embeddings(self, img_file_paths: Sequence[ImageLike]) -> list[Embedding]:
        return _encoded(self._component.embed_documents(_images(img_file_paths)), self.encoding_documents)

    async def _aget_image_embeddings(self, img_file_paths: Sequence[ImageLike]) -> list[Embedding]:
        return _encoded(await self._component.aembed_documents(_images(img_file_paths)), self.encoding_documents)

    @property
    def _options(self) -> dict[str, Any] | None:
        """What documents are embedded with, where it is not what `embed_documents` does."""
        if self.task is None and not self.late_chunking:
            return None
        return {"task": self.task or "retrieval.passage", "late_chunking": self.late_chunking}

    def _make(self) -> Embedder:
        return Embedder(
            self.model,
            endpoint=self.remote.endpoint("models") if self.remote else None,
            dimensions=self.dimensions,
            truncate=self.truncate,
        )


def _images(images: Sequence[ImageLike]) -> list[Image]:
    return [to_image(image) for image in images]


def _encoded(vectors: FloatArray | Sequence[Any], encoding: Encoding) -> list[Any]:
    rows = np.asarray(vectors, np.float32)
    if encoding == "float":
        return rows.tolist()
    return np.unpackbits(quantize(rows, "ubinary"), axis=-1).astype(float).tolist()
