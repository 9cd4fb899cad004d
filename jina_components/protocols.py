"""What components need from each other. Anything with these methods fits; nothing must be inherited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from jina_components.read_options import ReadOptions
from jina_components.search_options import SearchOptions
from jina_components.types import Document, Entailments, Image, Page, Ranking, SearchResults, Usage

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

    def retrieve(
        self,
        query: str,
        *,
        top_k: int = 10,
        filter: Mapping[str, object] | None = None,
    ) -> Ranking:
        """The `top_k` best documents, best first."""
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
class SupportsSearch(Protocol):
    """Finds pages for a query."""

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """The hits, best first; None takes the search's own options."""
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
    """

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[Image, ...] = ()


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
