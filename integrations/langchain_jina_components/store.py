"""A store over any LangChain vector store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_core.documents import Document as LangChainDocument
from langchain_core.vectorstores import VectorStore

from jina_components.errors import ConfigError
from jina_components.retriever.stores.wrapped import KEY_FIELD, WrappedStore, plain_metadata, plain_text
from jina_components.types import Document
from langchain_jina_components.vectors import GivenVectors

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_NEEDED = ("delete", "similarity_search_by_vector")


class LangChainStore(WrappedStore):
    """A `Store` over a LangChain `VectorStore`, which finds the nearest vectors; see `WrappedStore` for how.

    It needs of the vector store: `embeddings` that are a `GivenVectors`, which it takes in its constructor as any
    others; `add_documents` with ids, for `put`; `delete` by ids, for `delete` and for a `put` that replaces; and
    `similarity_search_by_vector`, for searches. Where it also has `get_by_ids`, only documents it has are deleted.
    Everything else is answered by the companion, `path`, which has to last where the vector store does. Ranks by
    `dense` alone.

    The vector store gets texts and metadata too, for who asks it directly (`plain_metadata`). It must rank by cosine,
    inner product or Euclidean distance, and be for this store alone.

    Args:
        vector_store: An empty one, or the one that was filled together with the same companion.
        path: File of the companion, which one process has open at a time; None for memory.

    Raises:
        ConfigError: no `VectorStore`, or one that lacks what it needs.

    Example:
        >>> chroma = Chroma("notes", embedding_function=GivenVectors(), persist_directory="notes")
        >>> store = LangChainStore(chroma, path="notes/companion.sqlite3")
    """

    def __init__(self, vector_store: VectorStore, *, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(_Engine(vector_store), path=path)


class _Engine:
    """A `VectorEngine`."""

    def __init__(self, vector_store: VectorStore) -> None:
        if not isinstance(vector_store, VectorStore):
            raise ConfigError(f"vector_store must be a LangChain VectorStore, got {type(vector_store).__name__}.")
        self._vector_store = vector_store
        for method in _NEEDED:
            if not self._has(method):
                raise ConfigError(f"{self.name} has no {method}, which LangChainStore needs.")
        given = vector_store.embeddings
        if not isinstance(given, GivenVectors):
            raise ConfigError(
                f"The embeddings of {self.name} are {type(given).__name__}, and it would embed every text again: make "
                "it with GivenVectors(embedder) from langchain_jina_components as its embeddings."
            )
        self._given = given

    @property
    def name(self) -> str:
        """The vector store's class."""
        return type(self._vector_store).__name__

    def add(self, keys: Sequence[str], documents: Sequence[Document], vectors: FloatArray) -> None:
        """Add documents under the keys as ids."""
        texts = [plain_text(document.text) for document in documents]
        given = [
            LangChainDocument(id=key, page_content=text, metadata=dict(plain_metadata(document, key)))
            for key, text, document in zip(keys, texts, documents, strict=True)
        ]
        with self._given.handing_over(texts, vectors):
            self._vector_store.add_documents(given, ids=list(keys))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove those of the keys that it has, as far as it can tell."""
        present = list(keys)
        if self._has("get_by_ids"):  # since some refuse ids that they do not have
            present = [key for document in self._vector_store.get_by_ids(present) if (key := _key(document))]
        if present:
            self._vector_store.delete(present)

    def nearest(self, vector: FloatArray, k: int) -> list[str | None]:
        """Keys of the nearest documents."""
        return [_key(document) for document in self._vector_store.similarity_search_by_vector(vector.tolist(), k=k)]

    def _has(self, method: str) -> bool:
        """Whether it has a method that the base class only names."""
        return getattr(type(self._vector_store), method) is not getattr(VectorStore, method)


def _key(document: LangChainDocument) -> str | None:
    """A document's key; from its metadata, since not every vector store gives ids back."""
    key = document.metadata.get(KEY_FIELD)
    return key if isinstance(key, str) else None
