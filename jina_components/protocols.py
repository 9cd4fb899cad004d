"""What components need from each other. Anything with these methods fits; nothing must be inherited."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from jina_components.filters import Filter, FilterLike
from jina_components.read_options import ReadOptions
from jina_components.search_options import SearchOptions
from jina_components.types import (
    Classifications,
    DeepSearchStep,
    Document,
    Entailments,
    Grounding,
    Image,
    MultiVectorEmbeddings,
    Page,
    Ranking,
    SearchResults,
    Segmentation,
    SourceFailure,
    Usage,
)

if TYPE_CHECKING:
    from jina_components.types import FloatArray


@runtime_checkable
class SupportsEmbed(Protocol):
    """Turns texts into vectors of one space. LangChain's `Embeddings` fit as they are."""

    def embed_query(self, text: str) -> FloatArray:
        """Vector of a query, shape [dimensions]."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of documents, shape [len(texts), dimensions]."""
        ...


@runtime_checkable
class SupportsRerank(Protocol):
    """Orders documents for a query."""

    def rerank(
        self, query: str, documents: Sequence[str | Document], *, top_n: int | None = None, truncate: bool = False
    ) -> Ranking:
        """The `top_n` best documents, best first; `ScoredDocument.index` is the position in `documents`.

        `truncate` judges documents longer than the model's context by their head, instead of in chunks or raising;
        documents that cannot be ranked raise InputError or are in `Ranking.failures`.
        """
        ...


@runtime_checkable
class SupportsEntailment(Protocol):
    """Tells whether a premise shows a hypothesis to be true, or false, or neither."""

    def score(self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False) -> Entailments:
        """One for each pair (premise, hypothesis), in their order.

        `truncate` judges a premise longer than the model's context by its head, instead of in chunks or raising.
        """
        ...


@runtime_checkable
class SupportsRetrieve(Protocol):
    """Finds documents for a query."""

    def retrieve(self, query: str, *, top_k: int = 10, filter: FilterLike | None = None) -> Ranking:
        """The `top_k` best documents, best first."""
        ...


@runtime_checkable
class SupportsMultiVector(Protocol):
    """Turns texts into a unit vector a token, as an `Embedder` of jina-colbert-v2 does."""

    def embed_multi_vector(self, inputs: Sequence[str], *, task: str = "retrieval.passage") -> MultiVectorEmbeddings:
        """Vectors of documents, or of queries with the task `retrieval.query`."""
        ...


@runtime_checkable
class SupportsSegment(Protocol):
    """Cuts texts into chunks."""

    def segment(self, text: str) -> Segmentation:
        """Chunks with their offsets."""
        ...


@runtime_checkable
class SupportsClassify(Protocol):
    """Gives inputs labels, as a `Classifier` and a `RemoteClassifier` do."""

    def classify(
        self,
        inputs: Sequence[str | Image],
        labels: Sequence[str] | Mapping[str, str] | None = None,
        *,
        show_progress: bool = False,
    ) -> Classifications:
        """The label of each input; None takes the labels that were learned."""
        ...


RankingKind: TypeAlias = Literal["dense", "lexical", "multi_vector"]
"""How a store can rank: by cosine, by BM25, by late interaction (MaxSim)."""

Key: TypeAlias = int | str
"""A store's own name of a document: what its searches give and its look-ups take, and of no meaning elsewhere."""

Hits: TypeAlias = list[tuple[Key, float]]
"""Documents with their scores, best first."""


@runtime_checkable
class Store(Protocol):
    """Holds documents with their vectors, and ranks them: in this process, or on a cluster.

    Thread-safe. What `put` and `delete` have returned from is found by the next search of this object, and outlives
    the process where the store does. Filters mean in every store what `filters.matches` says. Scores: cosine for unit
    vectors; BM25 with k1 = 0.9, b = 0.4 and Lucene's idf over the documents held; the sum of MaxSim.

    `testing.check_store` checks all of it.
    """

    @property
    def rankings(self) -> frozenset[RankingKind]:
        """What it can rank by; the other searches raise ConfigError."""
        ...

    def put(
        self,
        documents: Sequence[Document],
        vectors: FloatArray | None,
        token_vectors: Sequence[FloatArray] | None = None,
    ) -> None:
        """Add documents of different ids, replacing those of the same id: all of them, or none that is refused.

        What a crash in the middle leaves, a store says itself; putting the same again completes it.

        Args:
            documents: The documents.
            vectors: Their unit vectors, float32, shape [len(documents), dimensions]; None for a store of words alone.
            token_vectors: A matrix of unit vectors of each, [tokens, dimensions], where there is a multi-vector model.

        A document that replaces one counts as added anew.

        Raises:
            InputError: vectors that are not one for each document, not finite, not of unit length (or zero) or of
                another width than those held, none where those held have some, or an id twice.
            IndexFilesError: the store cannot be written to.
        """
        ...

    def delete(self, ids: Sequence[str] | None = None, *, filter: Filter | None = None) -> int:
        """Delete documents by id, or those that match; how many were there.

        Raises:
            InputError: neither or both are given, or `ids` is no list.
        """
        ...

    def search_dense(self, vectors: FloatArray, k: int, filter: Filter | None = None) -> list[Hits]:
        """For each of the unit vectors, shape [n, dimensions], the `k` documents of the highest cosine.

        Raises:
            InputError: vectors of another width than those held, or not finite.
        """
        ...

    def search_lexical(self, queries: Sequence[str], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query the `k` documents of the highest BM25, of those that share a term with it."""
        ...

    def search_multi_vector(self, queries: Sequence[FloatArray], k: int, filter: Filter | None = None) -> list[Hits]:
        """For each query, a matrix of unit vectors, the `k` documents of the highest MaxSim.

        Raises:
            InputError: a query of another width than those held, or not finite.
        """
        ...

    def get(self, keys: Sequence[Key]) -> list[Document | None]:
        """The documents of keys that a search gave, in their order; None for one deleted since."""
        ...

    def get_vectors(self, keys: Sequence[Key]) -> FloatArray:
        """Their unit vectors, shape [len(keys), dimensions]; zeros for one deleted since."""
        ...

    def scan(self, *, filter: Filter | None = None) -> Iterator[Document]:
        """The documents that match, in the order they were added where the store keeps one.

        Those given may be deleted meanwhile, and none of the others is missed.
        """
        ...

    def count(self, *, filter: Filter | None = None) -> int:
        """How many documents match."""
        ...

    def keys_of(self, ids: Sequence[str]) -> list[Key | None]:
        """Its own names of documents, in order; None for one that it does not hold."""
        ...

    def get_note(self, name: str) -> str | None:
        """What `set_note` kept last under this name."""
        ...

    def set_note(self, name: str, text: str) -> None:
        """Keep a short text beside the documents, as lasting as they are: which embedder made the vectors."""
        ...

    def close(self) -> None:
        """Give connections and memory back; nothing is lost."""
        ...


@runtime_checkable
class SupportsRead(Protocol):
    """Reads what is behind a URL."""

    @property
    def options(self) -> ReadOptions:
        """How it reads where a call says nothing else."""
        ...

    async def aread(self, source: str, *, options: ReadOptions | None = None) -> Page:
        """The page; None takes the reader's own options."""
        ...


@runtime_checkable
class SupportsReadMany(Protocol):
    """Reads many sources at a time, as a `Reader` and a `RemoteReader` do."""

    def aread_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        options: ReadOptions | None = None,
        show_progress: bool = False,
    ) -> AsyncGenerator[tuple[int, Page | SourceFailure], None]:
        """The place of each source and its page, or why there is none, as they come."""
        ...


@runtime_checkable
class SupportsSearch(Protocol):
    """Finds pages for a query."""

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """The hits, best first; None takes the search's own options."""
        ...


@runtime_checkable
class SupportsGround(Protocol):
    """Checks statements against texts, as a `Grounder` does."""

    async def aground(self, statement: str, *, references: Sequence[Document] | None = None) -> Grounding:
        """What the references say of the statement, with verbatim quotes."""
        ...


FinishReason: TypeAlias = Literal["stop", "length", "repetition"]
"""What ended a generated text: the model itself, the cap on its length, or a loop it had run into."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation.

    Attributes:
        role: Whose turn it is.
        content: What is said.
        images: What is shown with it, for models that see.
        files: Texts and PDFs sent along: paths, or `data:` URIs (`text/plain`, `application/pdf`) of up to 10 MB. A
            `DeepSearchAgent` reads them; chat models by themselves do not take them.
    """

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[Image, ...] = ()
    files: tuple[str | os.PathLike[str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What a chat model answered and what it cost.

    Attributes:
        text: The answer.
        usage: Tokens of the conversation and of the answer.
        finish_reason: `length` where the cap on its length cut the answer off.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"


@runtime_checkable
class SupportsDeepSearch(Protocol):
    """Answers questions step by step, as a `DeepSearchAgent` and a `RemoteDeepSearch` do.

    `options` are a `DeepSearchOptions`, which protocols may not import, or None for the agent's own.
    """

    def stream(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: Any = None,  # noqa: ANN401
    ) -> Generator[DeepSearchStep, None, None]:
        """The steps, the last one with the answer."""
        ...

    def astream(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: Any = None,  # noqa: ANN401
    ) -> AsyncGenerator[DeepSearchStep, None]:
        """`stream`, for event loops."""
        ...


@runtime_checkable
class ChatModel(Protocol):
    """Answers a conversation."""

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's next turn."""
        ...


@runtime_checkable
class JSONChatModel(ChatModel, Protocol):
    """A chat model whose server can hold it to a JSON Schema while it writes."""

    async def achat_json(self, messages: Sequence[ChatMessage], *, schema: Mapping[str, Any]) -> ChatReply:
        """The model's next turn as JSON; whether it follows the schema is for the caller to check."""
        ...


@dataclass(frozen=True, slots=True)
class Conversion:
    """HTML in another form, and what that cost.

    Attributes:
        text: The Markdown, or the JSON where a schema was given.
        usage: Tokens of the prompt and of the text.
        finish_reason: `stop` for a whole text; after `length` and `repetition` something is missing at its end.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"

    def __str__(self) -> str:
        return self.text


@runtime_checkable
class SupportsConvert(Protocol):
    """Turns HTML into Markdown."""

    async def aconvert(self, html: str) -> Conversion:
        """The main content of a page."""
        ...


@runtime_checkable
class SupportsExtract(Protocol):
    """Turns HTML into Markdown, or into the JSON that an instruction or a schema asks for."""

    async def aconvert(
        self, html: str, *, instruction: str | None = None, schema: str | Mapping[str, object] | None = None
    ) -> Conversion:
        """The main content of a page, or what is asked for."""
        ...
