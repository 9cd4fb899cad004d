"""Documents into their vectors, in Haystack."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY
from haystack_jina_components.documents import check_documents
from haystack_jina_components.embedding import JinaEmbedderComponent, usage_of
from jina_components.protocols import SupportsEmbed
from jina_components.types import Embeddings, Usage


@component
class JinaDocumentEmbedder(JinaEmbedderComponent):
    """Puts into each document the vector of its text; the counterpart of `JinaTextEmbedder`.

    Takes the place of jina-haystack's class of this name. With a key or a `base_url` a server embeds, else the model
    runs here.

    Args:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        model: The model; None for `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        prefix: Put before each text.
        suffix: Put after it.
        batch_size: Texts a request of a server; here, results do not depend on how many run together.
        progress_bar: Whether to draw a bar on stderr.
        meta_fields_to_embed: Fields of `meta` whose values stand before the text.
        embedding_separator: What stands between these and the text.
        task: What the texts are for, such as `retrieval.passage`. None for what the model does without being told; of
            an `embedder`, for what its `embed_documents` does.
        dimensions: Keep this many leading components of each vector; None for all.
        late_chunking: Whether chunks are embedded as parts of the document they were cut from: documents in a row with
            the same `source_id` in `meta`, as splitters write it, or in a row without one.
        base_url: The root of a server of `jina-components serve`, or the whole URL of an embeddings API; None, where
            there is a key, for Jina's.
        embedder: A component of ours, or another with its methods, in place of a model's name.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: an embedder and settings of a server, or a setting that makes no sense.

    Example:
        >>> embedder = JinaDocumentEmbedder(task="retrieval.passage", progress_bar=False)
        >>> documents = embedder.run([Document(content="I love pizza!")])["documents"]
    """

    verb: ClassVar[str] = "embed_documents"

    def __init__(
        self,
        api_key: Secret | None = JINA_API_KEY,
        model: str | None = None,
        prefix: str = "",
        suffix: str = "",
        batch_size: int = 32,
        progress_bar: bool = True,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        task: str | None = None,
        dimensions: int | None = None,
        late_chunking: bool | None = None,
        *,
        base_url: str | None = None,
        embedder: SupportsEmbed | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.model = model
        self.prefix = prefix
        self.suffix = suffix
        self.batch_size = batch_size
        self.progress_bar = progress_bar
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self.task = task
        self.dimensions = dimensions
        self.late_chunking = late_chunking
        self.base_url = base_url
        self.embedder = embedder
        self.timeout = timeout
        self.max_retries = max_retries
        self._open(batch_size=batch_size)

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Embed documents.

        Args:
            documents: The documents.

        Returns:
            `documents`, the same with their `embedding`, and `meta` with the model and the usage.

        Raises:
            TypeError: no list of documents.
            InputError: a document without words, or over the model's context; `.index` names it.
        """
        return self._result(
            documents, [self._embed(texts, show_progress=self.progress_bar) for texts in self._texts(documents)]
        )

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return self._result(
            documents, [await self._aembed(texts, show_progress=self.progress_bar) for texts in self._texts(documents)]
        )

    def _texts(self, documents: list[Document]) -> Iterator[list[str]]:
        """The texts that are embedded together."""
        check_documents(documents, self)
        if not self.late_chunking:
            yield from [[self._text(each) for each in documents]] if documents else []
            return
        for _, chunks in groupby(documents, lambda each: each.meta.get("source_id")):
            yield [self._text(each) for each in chunks]

    def _text(self, document: Document) -> str:
        facts = [document.meta.get(field) for field in self.meta_fields_to_embed]
        told = [str(fact) for fact in facts if fact is not None]
        return f"{self.prefix}{self.embedding_separator.join([*told, document.content or ''])}{self.suffix}"

    def _result(self, documents: list[Document], found: list[Embeddings]) -> dict[str, Any]:
        if not found:
            return {"documents": [], "meta": {}}
        vectors = np.concatenate([each.vectors for each in found]).tolist()
        together = Embeddings(vectors, sum((each.usage for each in found), Usage()))
        return {
            "documents": [replace(each, embedding=vector) for each, vector in zip(documents, vectors, strict=True)],
            "meta": usage_of(self.model_name, together),
        }
