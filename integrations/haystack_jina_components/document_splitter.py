"""Documents into chunks, in Haystack."""

from copy import deepcopy
from typing import Any, ClassVar

from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JinaComponent, asynchronously
from haystack_jina_components.documents import check_documents
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import SupportsSegment
from jina_components.remote import RemoteSegmenter
from jina_components.segmenter import Segmenter
from jina_components.types import Segmentation


@component
class JinaDocumentSplitter(JinaComponent):
    """Cuts documents into chunks at the best places: headings, blocks, sentences.

    The chunks have what those of Haystack's `DocumentSplitter` have in `meta`: all that the document has, its id as
    `source_id`, `split_id`, `split_idx_start` and `page_number`; and the headings that they stand under as `heading`.
    Without overlap, their contents joined are the document's, but for white space between them.

    With a key or a `base_url` a server cuts, else a `Segmenter` here; give one for its other settings, such as overlap
    and lengths in tokens.

    Args:
        max_chunk_length: Longest chunk, in characters.
        api_key: Key of the server.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        segmenter: A `Segmenter` of ours, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a segmenter and other settings, or a setting that makes no sense.

    Example:
        >>> splitter = JinaDocumentSplitter(max_chunk_length=24)
        >>> chunks = splitter.run([Document(content="It rains. We stay inside.")])["documents"]
        >>> [(chunk.meta["split_idx_start"], chunk.content) for chunk in chunks]
        [(0, 'It rains. '), (10, 'We stay inside.')]
    """

    part: ClassVar[str] = "segmenter"

    def __init__(
        self,
        max_chunk_length: int = 1000,
        api_key: Secret | None = None,
        *,
        base_url: str | None = None,
        segmenter: SupportsSegment | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        if segmenter is not None and (isinstance(segmenter, type) or not isinstance(segmenter, SupportsSegment)):
            raise ConfigError(f"segmenter must have segment, such as a Segmenter, got {segmenter!r}.")
        self.max_chunk_length = max_chunk_length
        self.api_key = api_key
        self.base_url = base_url
        self.segmenter = segmenter
        self.timeout = timeout
        self.max_retries = max_retries
        server = self._remote()
        if segmenter is not None:
            self._component = segmenter
        elif server is not None:
            self._component = RemoteSegmenter(server, max_chunk_length=max_chunk_length)
        else:
            self._component = Segmenter(max_chunk_length=max_chunk_length)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Cut documents.

        Args:
            documents: The documents.

        Returns:
            `documents`, the chunks in order; those of white space are left out.

        Raises:
            TypeError: no list of documents.
            InputError: a document without text; `.index` names it.
        """
        return _chunks(documents, [self._component.segment(text) for text in self._texts(documents)])

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        texts = self._texts(documents)
        return _chunks(documents, [await asynchronously(self._component, "segment", text) for text in texts])

    def _texts(self, documents: list[Document]) -> list[str]:
        check_documents(documents, self)
        texts = []
        for index, each in enumerate(documents):
            if each.content is None:
                raise InputError(f"documents[{index}] has no content to be cut: {each.id}.", index)
            texts.append(each.content)
        return texts


def _chunks(documents: list[Document], cut: list[Segmentation]) -> dict[str, Any]:
    chunks = []
    for document, segmentation in zip(documents, cut, strict=True):
        kept = [chunk for chunk in segmentation.chunks if not chunk.text.isspace()]
        for number, chunk in enumerate(kept):
            meta = {
                **deepcopy(document.meta),
                "source_id": document.id,
                "page_number": 1 + segmentation.text.count("\f", 0, chunk.start),
                "split_id": number,
                "split_idx_start": chunk.start,
                **({"heading": chunk.heading} if chunk.heading else {}),
            }
            chunks.append(Document(content=chunk.text, meta=meta))
    return {"documents": chunks}
