"""What the tools take: names, types, defaults and limits of Jina's public server."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

MOST_AT_ONCE = 5
"""Queries or URLs of a call."""

_Url: TypeAlias = Annotated[str, Field(min_length=1, json_schema_extra={"format": "uri"})]
_Query: TypeAlias = Annotated[str, Field(min_length=1)]
_Urls: TypeAlias = _Url | Annotated[list[_Url], Field(min_length=1, max_length=MOST_AT_ONCE)]
_Queries: TypeAlias = _Query | Annotated[list[_Query], Field(min_length=1, max_length=MOST_AT_ONCE)]
_Number: TypeAlias = Annotated[int, Field(ge=1, le=100)]
_Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=600_000)]
_Place: TypeAlias = Annotated[str | None, Field(description="Where to search from, such as Berlin.")]
_Country: TypeAlias = Annotated[str | None, Field(description="Country to search from, by its code: de.")]
_Language: TypeAlias = Annotated[str | None, Field(description="Language of the results, by its code: zh-cn.")]
_Age: TypeAlias = Annotated[
    str | None, Field(description="No older than an hour, day, week, month or year: qdr:h, qdr:d, qdr:w, qdr:m, qdr:y.")
]
_All: TypeAlias = Annotated[bool | None, Field(description="List those of the page too.")]


class Arguments(BaseModel):
    """What a tool takes; what it does not know is refused, so that nothing is ignored in silence."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Arguments):
    """No arguments."""


class GuessDatetime(Arguments):
    """Of guess_datetime_url."""

    url: _Url


class CaptureScreenshot(Arguments):
    """Of capture_screenshot_url."""

    url: _Url
    firstScreenOnly: bool = Field(False, description="What is seen without scrolling, instead of the whole page.")  # noqa: N815
    return_url: bool = Field(False, description="Give the address of the image instead of the image.")


class ReadUrl(Arguments):
    """Of read_url."""

    url: _Urls = Field(description=f"A page or a PDF, or up to {MOST_AT_ONCE} of them.")
    withAllLinks: _All = None  # noqa: N815
    withAllImages: _All = None  # noqa: N815
    question: str | None = Field(
        None, description="Give the passages that answer it, instead of the whole page, which takes far less room."
    )
    chunk_size: int | None = Field(None, ge=1, le=4096, description="Words of a passage (100); with question.")
    topk: int | None = Field(None, ge=1, le=50, description="Passages of each page (1); with question.")


class OneRead(Arguments):
    """A page of parallel_read_url."""

    url: _Url
    withAllLinks: bool = Field(False, description="List the links of the page too.")  # noqa: N815
    withAllImages: bool = Field(False, description="List the images of the page too.")  # noqa: N815


class ParallelRead(Arguments):
    """Of parallel_read_url."""

    urls: list[OneRead] = Field(min_length=1, max_length=MOST_AT_ONCE)
    timeout: _Milliseconds = Field(30_000, description="Milliseconds for each.")


class OneSearch(Arguments):
    """A search in a collection."""

    query: _Query
    num: _Number = Field(30, description="Results at most.")
    tbs: _Age = None


class OneWebSearch(OneSearch):
    """A search of the web."""

    location: _Place = None
    gl: _Country = None
    hl: _Language = None


class Search(OneSearch):
    """Of search_arxiv and others that search a collection."""

    query: _Queries = Field(description=f"What is sought, or up to {MOST_AT_ONCE} of that.")  # type: ignore[assignment]


class SearchWeb(Search, OneWebSearch):
    """Of search_web."""


class ParallelSearch(Arguments):
    """Of parallel_search_arxiv and others."""

    searches: list[OneSearch] = Field(min_length=1, max_length=MOST_AT_ONCE)
    timeout: _Milliseconds = Field(30_000, description="Milliseconds for each.")


class ParallelSearchWeb(ParallelSearch):
    """Of parallel_search_web."""

    searches: list[OneWebSearch] = Field(min_length=1, max_length=MOST_AT_ONCE)  # type: ignore[assignment]


class SearchImages(Arguments):
    """Of search_images."""

    query: _Query
    num: Annotated[int, Field(ge=1, le=30)] = Field(10, description="Images at most.")
    return_url: bool = Field(False, description="Give addresses and sizes instead of the images.")
    tbs: _Age = None
    location: _Place = None
    gl: _Country = None
    hl: _Language = None


class SortByRelevance(Arguments):
    """Of sort_by_relevance."""

    query: _Query
    documents: list[str] = Field(min_length=1, max_length=1024)
    top_n: int | None = Field(None, ge=1, description="Give so many, the best.")


class ClassifyText(Arguments):
    """Of classify_text."""

    texts: list[str] = Field(min_length=1, max_length=1024)
    labels: list[str] = Field(min_length=2, max_length=256)
    model: str | None = Field(None, description="A model of embeddings; the service's own by default.")


class DeduplicateStrings(Arguments):
    """Of deduplicate_strings."""

    strings: list[str] = Field(min_length=1, max_length=1000)
    k: int | None = Field(None, ge=1, description="How many to keep; without it, as many as say something new.")


class DeduplicateImages(Arguments):
    """Of deduplicate_images."""

    images: list[str] = Field(min_length=1, max_length=200, description="URLs of images, or images in base64.")
    k: int | None = Field(None, ge=1, description="How many to keep; without it, as many as show something new.")


class _Brief(GenerateJsonSchema):
    """A schema without what costs a language model room and tells it nothing: titles, and that null is nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 (as pydantic has it)
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return (
            self.generate_inner(schema["schema"]) if schema.get("default") is None else super().default_schema(schema)
        )


def schema_of(arguments: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of what a tool takes, in one piece: some clients follow no references."""
    schema = arguments.model_json_schema(schema_generator=_Brief)
    defined = schema.pop("$defs", {})
    for model in (schema, *defined.values()):
        del model["description"]  # which is that of the class

    def inlined(value: Any) -> Any:  # noqa: ANN401 (JSON has no type)
        if isinstance(value, dict):
            if "$ref" in value:
                value = defined[value["$ref"].rpartition("/")[2]]
            kept = {name: inlined(part) for name, part in value.items()}
            return {name: part for name, part in kept.items() if name != "title" or not isinstance(part, str)}
        return [inlined(part) for part in value] if isinstance(value, list) else value

    made: dict[str, Any] = inlined(schema)
    return made
