"""Reranking on the wire: Jina's fields, and the names that Cohere's and others' clients have for them."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from pydantic import AliasChoices, BaseModel, Field, PlainValidator, WithJsonSchema

from jina_components.models.catalog import BY_NAME
from jina_components.service.names import plain_name
from jina_components.service.wire.inputs import ITEM_SCHEMA, Item, ListOf, as_item
from jina_components.service.wire.usage import TokenUsage, usage_body
from jina_components.types import Image, Ranking

_UNIT_DOCUMENTS = 100
"""Documents of what Cohere bills as one search."""


class Candidate(NamedTuple):
    """A document.

    Attributes:
        item: What is scored.
        echo: How it is given back: a string as it is, of an object what was scored.
    """

    item: str | Image
    echo: str | dict[str, str]


def _as_candidate(given: object) -> Candidate:
    item = as_item(given)
    if not isinstance(given, dict):
        return Candidate(item, str(given))
    key = next(key for key in ("text", "image", "url", "bytes") if given.get(key) is not None)
    return Candidate(item, {key: given[key]})


if TYPE_CHECKING:
    _Document: TypeAlias = Candidate
else:  # pydantic would look into the class Image
    _Document = Annotated[Any, PlainValidator(_as_candidate), WithJsonSchema(ITEM_SCHEMA)]


class RerankRequest(BaseModel):
    """What to rank, and for which query."""

    model: str
    query: Item
    documents: ListOf[_Document] = Field(
        min_length=1, description="Texts, or objects of which `text` or `image` is read."
    )
    top_n: int | None = Field(
        None,
        ge=1,
        validation_alias=AliasChoices("top_n", "top_k"),
        description="Give so many; all by default. Another name: `top_k`.",
    )
    return_documents: bool | None = Field(None, description="On by default.")
    truncation: bool | None = Field(
        None,
        validation_alias=AliasChoices("truncation", "truncate"),
        description="A document over the model's context counts by its head, and a query is cut. Otherwise the "
        "document counts by its best part, and the query is refused. By default as the service is set up, at first "
        "false. Another name: `truncate`.",
    )
    max_doc_length: int | None = Field(
        None,
        ge=1,
        le=8192,
        validation_alias=AliasChoices("max_doc_length", "max_tokens_per_doc"),
        description="Tokens kept of a document. Another name: `max_tokens_per_doc`.",
    )
    return_embeddings: bool | None = Field(
        None, description="Give the vectors too by which a listwise model compares documents with the query."
    )

    @property
    def echoes(self) -> bool:
        """Whether documents are given back."""
        return self.return_documents is not False


class CohereRerankRequest(RerankRequest):
    """The same for Cohere's clients, who get no documents back unless they ask for them."""

    return_documents: bool | None = Field(None, description="Off by default.")
    max_doc_length: int | None = Field(
        None,
        ge=1,
        validation_alias=AliasChoices("max_tokens_per_doc", "max_doc_length"),
        description="Tokens kept of a document. Another name: `max_doc_length`.",
    )

    @property
    def echoes(self) -> bool:
        """Whether documents are given back."""
        return bool(self.return_documents)


class RerankResult(BaseModel):
    """A document with its score."""

    index: int = Field(description="Its place in the request.")
    relevance_score: float = Field(
        description="Higher is better. A probability of cross-encoders; a cosine, -1 to 1, of listwise models, of "
        "embedders and of those that compare tokens."
    )
    document: str | dict[str, str] | None = Field(
        None, description="As it was given, a string or an object; of listwise models, and but for /v1, an object."
    )
    embedding: list[float] | None = None


class RerankAnswer(BaseModel):
    """Documents in the order of their relevance."""

    model: str
    object: str
    usage: TokenUsage
    results: list[RerankResult]


class CohereRerankAnswer(RerankAnswer):
    """The same with what Cohere's clients read."""

    id: str
    meta: dict[str, Any]


def answer_body(asked: RerankRequest, ranking: Ranking, *, as_objects: bool = False) -> dict[str, Any]:
    """A `RerankAnswer`, without what was not asked for.

    Args:
        asked: The request.
        ranking: What became of it.
        as_objects: Whether a document that was given as a string is an object too, as it is of listwise models.
    """
    named = BY_NAME.get(plain_name(asked.model))
    as_objects = as_objects or ranking.vectors is not None or (named is not None and named.kind == "listwise")
    results: list[dict[str, Any]] = []
    for row, hit in enumerate(ranking):
        index = int(hit.index or 0)
        result: dict[str, Any] = {"index": index, "relevance_score": round(hit.score, 8)}
        if asked.echoes:
            echo = asked.documents[index].echo
            result["document"] = {"text": echo} if as_objects and isinstance(echo, str) else echo
        if asked.return_embeddings:
            result["embedding"] = ranking.vectors[row]
        results.append(result)
    return {"model": asked.model, "object": "list", "usage": usage_body(ranking.usage), "results": results}


def cohere_answer_body(asked: RerankRequest, ranking: Ranking, request_id: str) -> dict[str, Any]:
    """A `CohereRerankAnswer`."""
    units = math.ceil(len(asked.documents) / _UNIT_DOCUMENTS)
    meta = {
        "api_version": {"version": "2"},
        "billed_units": {"search_units": units},
        "tokens": {"input_tokens": ranking.usage.total_tokens},
    }
    return {"id": str(uuid.UUID(request_id)), **answer_body(asked, ranking, as_objects=True), "meta": meta}
