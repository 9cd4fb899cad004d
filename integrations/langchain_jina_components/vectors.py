"""LangChain's `Embeddings` that hand over vectors made elsewhere."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from langchain_core.embeddings import Embeddings

from jina_components.errors import ConfigError
from jina_components.protocols import SupportsEmbed

if TYPE_CHECKING:
    from jina_components.types import FloatArray


class GivenVectors(Embeddings):
    """The embeddings of a LangChain `VectorStore` that a `LangChainStore` fills.

    A `VectorStore` takes texts, not vectors, and asks its embeddings for the vectors: these give those that
    `LangChainStore` has, so that nothing is embedded twice.

    Args:
        embedder: Embeds all other texts: queries that the `VectorStore` is asked itself, and the texts by which some
            find out how wide vectors are. None refuses them.

    Raises:
        ConfigError: the embedder lacks the methods of one.

    Example:
        >>> chroma = Chroma(embedding_function=GivenVectors(embedder))
        >>> retriever = Retriever(embedder, store=LangChainStore(chroma))
    """

    def __init__(self, embedder: SupportsEmbed | None = None) -> None:
        if embedder is not None and not isinstance(embedder, SupportsEmbed):
            raise ConfigError(f"embedder must have embed_query and embed_documents, got {type(embedder).__name__}.")
        self._embedder = embedder
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, list[float]]] = deque()

    @contextmanager
    def handing_over(self, texts: Sequence[str], vectors: FloatArray) -> Iterator[None]:
        """Give these vectors, shape [len(texts), dimensions], to who asks for those of these texts in this order.

        Raises:
            ConfigError: not all were asked for.
        """
        with self._lock:
            self._waiting = deque(zip(texts, vectors.tolist(), strict=True))
        try:
            yield
            left = len(self._waiting)
        finally:
            self._waiting = deque()
        if left:
            raise ConfigError(
                f"The vector store did not ask for the vectors of {left} of {len(texts)} texts as they were given: it "
                "changes texts, or embeds by other means. LangChainStore cannot use it."
            )

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors handed over for these texts; the embedder's for others.

        Raises:
            ConfigError: other texts, and there is no embedder.
        """
        with self._lock:
            number = len(texts)
            if texts == [text for text, _ in itertools.islice(self._waiting, number)]:
                return [self._waiting.popleft()[1] for _ in range(number)]
        if self._embedder is None:
            self._refuse()
        return [_floats(vector) for vector in self._embedder.embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The embedder's vector.

        Raises:
            ConfigError: there is no embedder.
        """
        if self._embedder is None:
            self._refuse()
        return _floats(self._embedder.embed_query(text))

    def _refuse(self) -> NoReturn:
        raise ConfigError(
            "The vector store asks for vectors that were not made: give GivenVectors the embedder, "
            "GivenVectors(embedder), or switch off the store's own check of how wide they are."
        )


def _floats(vector: FloatArray) -> list[float]:
    """A vector as LangChain has it; a LangChain embedder's is that already."""
    return [float(value) for value in vector]
