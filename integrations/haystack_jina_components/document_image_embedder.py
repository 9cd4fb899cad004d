"""Images that documents name into their vectors, in Haystack."""

import asyncio
import base64
from dataclasses import replace
from typing import Any, ClassVar

from haystack import Document, component
from haystack.components.converters.image import DocumentToImageContent
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY
from haystack_jina_components.documents import check_documents
from haystack_jina_components.embedding import JinaEmbedderComponent
from jina_components.errors import InputError
from jina_components.protocols import SupportsEmbed
from jina_components.types import Embeddings, Image

_MODEL = "jina-clip-v2"


@component
class JinaDocumentImageEmbedder(JinaEmbedderComponent):
    """Puts into each document the vector of the image, or the page of a PDF, that its `meta` names.

    Takes the place of jina-haystack's class of this name. With a key or a `base_url` a server embeds, else the model
    runs here. Haystack's `DocumentToImageContent` reads the files, which needs Pillow and pypdfium2.

    Args:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        model: A model that sees; None for `jina-clip-v2`.
        base_url: The root of a server of `jina-components serve`, or the whole URL of an embeddings API; None, where
            there is a key, for Jina's.
        file_path_meta_field: Field of `meta` that holds the path; of a PDF, `page_number` tells the page.
        root_path: Directory that the paths begin at, and do not leave; None for paths as they are.
        embedding_dimension: Keep this many leading components of each vector; None for all.
        image_size: Width and height in pixels that larger images are reduced to.
        batch_size: Images a request of a server; here, results do not depend on how many run together.
        embedder: A component of ours, or another with its methods that takes images, in place of a model's name.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: an embedder and settings of a server, or a setting that makes no sense.
        ImportError: Pillow or pypdfium2 is not installed.

    Example:
        >>> embedder = JinaDocumentImageEmbedder(model="jina-clip-v2")
        >>> embedder.run([Document(content="A cat", meta={"file_path": "cat.jpg"})])
    """

    verb: ClassVar[str] = "embed_documents"

    def __init__(
        self,
        *,
        api_key: Secret | None = JINA_API_KEY,
        model: str | None = None,
        base_url: str | None = None,
        file_path_meta_field: str = "file_path",
        root_path: str | None = None,
        embedding_dimension: int | None = None,
        image_size: tuple[int, int] | None = None,
        batch_size: int = 5,
        embedder: SupportsEmbed | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.model = model
        self.base_url = base_url
        self.file_path_meta_field = file_path_meta_field
        self.root_path = root_path or ""
        self.embedding_dimension = self.dimensions = embedding_dimension
        self.image_size = None if image_size is None else (image_size[0], image_size[1])  # a list, where it was written
        self.batch_size = batch_size
        self.embedder = embedder
        self.timeout = timeout
        self.max_retries = max_retries
        self._images = DocumentToImageContent(
            file_path_meta_field=file_path_meta_field, root_path=root_path, size=self.image_size
        )
        self._open(remote=_MODEL, here=_MODEL, batch_size=batch_size)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Embed the images of documents.

        Args:
            documents: Documents whose `meta` names files.

        Returns:
            `documents`, the same with their `embedding`, and `embedding_source` in `meta`.

        Raises:
            TypeError: no list of documents.
            InputError: a document names no image that can be read; `.index` names it.
            ConfigError: the model takes no images.
        """
        check_documents(documents, self)
        return self._result(documents, self._embed(self._read(documents)) if documents else None)

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        check_documents(documents, self)
        images = await asyncio.to_thread(self._read, documents)
        return self._result(documents, await self._aembed(images) if documents else None)

    def _read(self, documents: list[Document]) -> list[Image]:
        images = []
        for index, found in enumerate(self._images.run(documents)["image_contents"]):
            if found is None:
                path = documents[index].meta.get(self.file_path_meta_field)
                raise InputError(f"documents[{index}] names no image or page that can be read: {path!r}.", index)
            images.append(Image(base64.b64decode(found.base64_image)))
        return images

    def _result(self, documents: list[Document], found: Embeddings | None) -> dict[str, Any]:
        source = {"type": "image", "file_path_meta_field": self.file_path_meta_field}
        vectors = [] if found is None else found.vectors.tolist()
        return {
            "documents": [
                replace(each, meta={**each.meta, "embedding_source": source}, embedding=vector)
                for each, vector in zip(documents, vectors, strict=True)
            ]
        }
