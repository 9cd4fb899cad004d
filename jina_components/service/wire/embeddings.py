"""`/v1/embeddings` and its older siblings: Jina's fields, and the names that others have for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from jina_components.service.answers import to_json
from jina_components.service.errors import Problem, invalid
from jina_components.service.wire.encodings import encoded, encoded_tokens
from jina_components.service.wire.inputs import ITEM_SCHEMA, MOST_ITEMS, ListOf, as_item, one_or_many
from jina_components.service.wire.usage import TokenUsage, usage_body
from jina_components.types import Embeddings, Image, MultiVectorEmbeddings

Encoding: TypeAlias = Literal["float", "base64", "binary", "ubinary"]
_ENCODINGS: tuple[str, ...] = get_args(Encoding)

_NEAREST = {"retrieval": "retrieval.passage", "clustering": "separation"}

Tokens: TypeAlias = tuple[int, ...]
"""A text as OpenAI's clients may send it: tokens of cl100k_base. Jina's API has no such form."""


def _as_embeddable(given: object) -> str | Image | Tokens:
    if isinstance(given, list):
        if len(given) > MOST_ITEMS:
            raise PydanticCustomError("too_long", f"A text has at most {MOST_ITEMS:,} tokens here.")
        if set(map(type, given)) == {int}:
            return tuple(given)
        raise PydanticCustomError("int_type", "A list in the list should hold the numbers of tokens of cl100k_base.")
    return as_item(given)


def _as_list(given: object) -> object:
    """A list of inputs; one list of numbers is one text."""
    return [given] if isinstance(given, list) and given and type(given[0]) is int else one_or_many(given)


def _as_encoding(given: object) -> str | tuple[str, ...]:
    if given is None:
        return "float"
    names: list[Any] = given if isinstance(given, list) and given else [given]
    if not all(isinstance(name, str) and name in _ENCODINGS for name in names):
        known = ", ".join(map(repr, _ENCODINGS))
        raise PydanticCustomError(
            "literal_error", "Input should be one of {known}, or a list of them", {"known": known}
        )
    return tuple(dict.fromkeys(names)) if isinstance(given, list) else str(given)


_TOKENS_SCHEMA = {"type": "array", "items": {"type": "integer"}, "description": "Tokens of cl100k_base."}
_EMBEDDABLE_SCHEMA = {"anyOf": [*ITEM_SCHEMA["anyOf"], _TOKENS_SCHEMA]}
_ENCODING_SCHEMA = {"type": "string", "enum": list(_ENCODINGS)}

if TYPE_CHECKING:
    Embeddable: TypeAlias = str | Image | Tokens
else:  # as `inputs.Item`
    Embeddable = Annotated[Any, PlainValidator(_as_embeddable)]


class EmbeddingsRequest(BaseModel):
    """What is to be embedded, and how."""

    model: str = Field(description="One of `GET /v1/models` with the feature `embeddings`.")
    input: Annotated[
        ListOf[Embeddable],
        BeforeValidator(_as_list),
        WithJsonSchema(
            {"anyOf": [*_EMBEDDABLE_SCHEMA["anyOf"], {"type": "array", "items": _EMBEDDABLE_SCHEMA, "minItems": 1}]}
        ),
    ] = Field(
        min_length=1,
        validation_alias=AliasChoices("input", "content", "texts"),
        description="What is embedded. Other names: `content`, `texts`.",
    )
    embedding_type: Annotated[
        str | tuple[str, ...],
        PlainValidator(_as_encoding),
        WithJsonSchema(
            {"anyOf": [_ENCODING_SCHEMA, {"type": "array", "items": _ENCODING_SCHEMA, "minItems": 1}, {"type": "null"}]}
        ),
    ] = Field(
        "float",
        validation_alias=AliasChoices("embedding_type", "encoding_format", "encoding_type", "embedding_types"),
        description="Of several, `embedding` is an object of the vector's forms by their names. Other names: "
        "`encoding_format`, `encoding_type`, `embedding_types`.",
    )
    task: str | None = Field(
        None,
        validation_alias=AliasChoices("task", "task_type"),
        description="What the vectors are for, such as `retrieval.query`; `GET /v1/models` lists those of a model. "
        "Another name: `task_type`.",
    )
    dimensions: int | None = Field(
        None,
        ge=1,
        validation_alias=AliasChoices("dimensions", "output_dimension", "output_dimensionality"),
        description="Of the vectors, for models that can shorten them. Other names: `output_dimension`, "
        "`output_dimensionality`.",
    )
    normalized: bool | None = Field(None, description="Vectors of length 1, the default.")
    truncate: bool | None = Field(
        None,
        validation_alias=AliasChoices("truncate", "truncation"),
        description="Keep the head of a text over the model's context, which is refused otherwise. By default as the "
        "service is set up, at first false. Another name: `truncation`.",
    )
    late_chunking: bool | None = Field(None, description="The inputs are chunks of one text, each embedded within it.")
    return_multivector: bool | None = Field(None, description="A vector of each token.")
    return_tokenized_input: bool | None = Field(None, description="Tell the tokens too, beside vectors of them.")
    input_type: Literal["query", "document"] | None = Field(None, description="For models of a vector a token.")


class EmbeddedInput(BaseModel):
    """The vector of an input, or its vectors."""

    object: Literal["embedding", "embeddings"]
    index: int
    embedding: Any = Field(
        None, description="A vector: numbers, base64, or an object by type.", examples=[[0.12, -0.03]]
    )
    embeddings: Any = Field(None, description="Vectors of the tokens, in the same forms.", examples=[[[0.12, -0.03]]])
    tokenized_input: list[str] | None = None


class EmbeddingsAnswer(BaseModel):
    """Vectors in the order of the inputs."""

    model: str
    object: Literal["list"]
    usage: TokenUsage
    data: list[EmbeddedInput]


def too_many_dimensions(given: int, most: int, *, field: str = "dimensions") -> Problem:
    """A request for more dimensions than a model has."""
    told = f"Input should be less than or equal to {most}"
    return invalid(f"body -> {field}", told, kind="less_than_equal", given=given)


def nearest_task(task: str) -> str:
    """Of the tasks that every model takes, the one nearest to a task that some have; any other as it is."""
    side = task.rpartition(".")[2]
    return _NEAREST.get(task) or (f"retrieval.{side}" if side in ("query", "passage") else task)


def answer_body(
    asked: EmbeddingsRequest,
    result: Embeddings | MultiVectorEmbeddings,
    tokenized: Sequence[list[str] | None] | None = None,
) -> bytes:
    """The answer, an `EmbeddingsAnswer` in JSON; written a vector at a time, between which other threads may run.

    Args:
        asked: The request.
        result: Its vectors.
        tokenized: The tokens of each text, if they are told.

    Raises:
        InputError: dimensions that do not fit the encoding.
    """
    head = to_json({"model": asked.model, "object": "list", "usage": usage_body(result.usage)})
    data = b",".join(map(to_json, _data(result, asked.embedding_type, tokenized)))
    return b"".join((head[:-1], b',"data":[', data, b"]}"))


def _data(
    result: Embeddings | MultiVectorEmbeddings,
    encoding: str | tuple[str, ...],
    tokenized: Sequence[list[str] | None] | None,
) -> Iterator[dict[str, Any]]:
    if isinstance(result, Embeddings):
        for index, value in enumerate(encoded(result.vectors, encoding)):
            yield {"object": "embedding", "index": index, "embedding": value}
        return
    for index, rows in enumerate(result.vectors):
        item = {"object": "embeddings", "index": index, "embeddings": encoded_tokens(rows, encoding)}
        tokens = tokenized[index] if tokenized else None
        yield item if tokens is None else {**item, "tokenized_input": tokens}
