"""Cohere's `/v1/embed` and `/v2/embed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.service.answers import to_json
from jina_components.service.wire.embeddings import EmbeddingsRequest
from jina_components.service.wire.encodings import encoded
from jina_components.service.wire.inputs import ListOf, as_image
from jina_components.types import Embeddings, Image, MultiVectorEmbeddings

EmbeddingType: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]
InputType: TypeAlias = Literal["search_document", "search_query", "classification", "clustering", "image"]

_TASKS: dict[str, str | None] = {
    "search_document": "retrieval.passage",
    "search_query": "retrieval.query",
    "classification": "classification",
    "clustering": "separation",
    "image": None,
}


def _as_content(given: object) -> str | Image:
    """The one part of an input."""
    parts = given.get("content") if isinstance(given, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise PydanticCustomError("missing", "An input should have a list 'content' of parts.")
    if len(parts) != 1:
        raise PydanticCustomError("value_error", "An input has one part here: there is a vector for each.")
    [part] = parts
    if isinstance(text := part.get("text"), str):
        return text
    image = part.get("image_url")
    if isinstance(image, dict):
        return as_image(image.get("url"))
    raise PydanticCustomError("value_error", "A part should have a string 'text', or 'image_url' with a 'url'.")


_IMAGE_SCHEMA = {"type": "string", "description": "A data URI or a URL."}
_CONTENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "content": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "anyOf": [
                    {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
                    {
                        "type": "object",
                        "properties": {
                            "image_url": {"type": "object", "properties": {"url": _IMAGE_SCHEMA}, "required": ["url"]}
                        },
                        "required": ["image_url"],
                    },
                ]
            },
        }
    },
    "required": ["content"],
}

if TYPE_CHECKING:
    _Picture: TypeAlias = Image
    _Content: TypeAlias = str | Image
else:  # as `inputs.Item`
    _Picture = Annotated[Any, PlainValidator(as_image), WithJsonSchema(_IMAGE_SCHEMA)]
    _Content = Annotated[Any, PlainValidator(_as_content), WithJsonSchema(_CONTENT_SCHEMA)]


class EmbedRequest(BaseModel):
    """What is to be embedded: one of `texts`, `images` and `inputs`."""

    model: str = DEFAULT_EMBEDDER
    texts: ListOf[str] | None = None
    images: ListOf[_Picture] | None = None
    inputs: ListOf[_Content] | None = None
    input_type: InputType | None = None
    embedding_types: ListOf[EmbeddingType] | None = None
    output_dimension: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    truncate: Literal["NONE", "START", "END"] = "END"

    @model_validator(mode="after")
    def _one_source(self) -> EmbedRequest:
        if sum(bool(given) for given in (self.texts, self.images, self.inputs)) != 1:
            raise PydanticCustomError("value_error", "Send one of 'texts', 'images' and 'inputs', not empty.")
        if self.truncate == "START":
            raise PydanticCustomError(
                "value_error", "truncate='START' is not to be had: 'END' keeps the head of a text."
            )
        if self.max_tokens is not None:
            raise PydanticCustomError("value_error", "max_tokens is not to be had: cut the texts before.")
        return self

    @property
    def fields(self) -> dict[str, str]:
        """Its own names by those of Jina's fields."""
        inputs = "texts" if self.texts else "images" if self.images else "inputs"
        return {"input": inputs, "task": "input_type", "dimensions": "output_dimension"}

    def as_request(self) -> EmbeddingsRequest:
        """The same in Jina's terms."""
        return EmbeddingsRequest.model_construct(
            model=self.model,
            input=self.texts or self.images or self.inputs,
            task=_TASKS[self.input_type] if self.input_type else None,
            dimensions=self.output_dimension,
            truncate=self.truncate == "END",
        )


class EmbedUnits(BaseModel):
    """Tokens that were embedded, and images."""

    input_tokens: int
    images: int | None = None


class EmbedVersion(BaseModel):
    """Of the API."""

    version: str


class EmbedMeta(BaseModel):
    """What an answer cost."""

    api_version: EmbedVersion
    billed_units: EmbedUnits


class EmbedAnswer(BaseModel):
    """Vectors by type, or of `/v1/embed` without types a list of numbers each."""

    id: str
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    embeddings: Any
    texts: list[str]
    meta: EmbedMeta


def answer_body(
    asked: EmbedRequest, result: Embeddings | MultiVectorEmbeddings, *, version: Literal["1", "2"], id_: str
) -> bytes:
    """The answer, an `EmbedAnswer` in JSON; written a vector at a time.

    Raises:
        InputError: dimensions that do not fit a type.
    """
    assert isinstance(result, Embeddings)  # noqa: S101 (`embedded` refuses other models here)
    inputs = asked.texts or asked.images or asked.inputs or []
    images = sum(isinstance(item, Image) for item in inputs)
    units = {"input_tokens": result.usage.prompt_tokens - result.usage.image_tokens}
    if images:
        units["images"] = images
    plain = version == "1" and not asked.embedding_types
    by_type = {name: _rows(result, name) for name in asked.embedding_types or ("float",)}
    head = {
        "id": id_,
        "response_type": "embeddings_floats" if plain else "embeddings_by_type",
        "texts": [item for item in inputs if isinstance(item, str)],
        "meta": {"api_version": {"version": version}, "billed_units": units},
    }
    typed = b",".join(b'"%s":%s' % (name.encode(), rows) for name, rows in by_type.items())
    return b"".join((to_json(head)[:-1], b',"embeddings":', by_type["float"] if plain else b"{%s}" % typed, b"}"))


def _rows(result: Embeddings, name: str) -> bytes:
    return b"[%s]" % b",".join(map(to_json, encoded(result.vectors, name)))
