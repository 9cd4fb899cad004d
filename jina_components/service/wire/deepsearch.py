"""DeepSearch on the wire: chat completions of OpenAI's form, with Jina's further fields."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field

from jina_components.deep_search_options import MAX_TEAM, Budget, DeepSearchOptions
from jina_components.service.hiding import without_keys
from jina_components.service.wire.schemas import checked_schema
from jina_components.service.wire.turns import ShortList, Turn
from jina_components.types import Answer, Usage, shorten

MODELS = ("jina-deepsearch-v1", "jina-deepsearch-v2")
"""Names of the agent."""

CHAT_MODEL = "jina-vlm"
"""Name of the operator's chat model, where there is one."""

PROVIDERS = {"duck": "ddgs"}
"""Search providers by the names that Jina's clients have for them, where those are others."""

# More would be no limit; it keeps arithmetic with them exact.
_MOST = 1_000_000_000
_LANGUAGE = r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$"
# By the field of a request, the option that it is.
_OPTIONS = {
    "reasoning_effort": "reasoning_effort",
    "max_attempts": "max_attempts",
    "no_direct_answer": "no_direct_answer",
    "language_code": "language",
    "search_language_code": "search_language",
    "boost_hostnames": "boost_hostnames",
    "bad_hostnames": "bad_hostnames",
    "only_hostnames": "only_hostnames",
    "max_annotations": "max_citations",
    "min_annotation_relevance": "min_citation_relevance",
    "max_returned_urls": "max_returned_urls",
    "team_size": "team_size",
}

Count: TypeAlias = Annotated[int, Field(ge=0, le=_MOST)]
Positive: TypeAlias = Annotated[int, Field(ge=1, le=_MOST)]
Hosts: TypeAlias = ShortList[str]
Language: TypeAlias = Annotated[str, Field(pattern=_LANGUAGE, description="BCP 47 tag.")]


class ResponseFormat(BaseModel):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: Annotated[dict[str, Any], AfterValidator(checked_schema)] | None = Field(
        None, description="A JSON Schema, also in OpenAI's {name, schema}."
    )


class CompletionRequest(BaseModel):
    """What DeepSearch is asked. Null is as good as left out."""

    model: str = MODELS[0]
    messages: ShortList[Turn] = Field(description="The last one is the user's.", json_schema_extra={"minItems": 1})
    stream: bool | None = None
    reasoning_effort: Literal["low", "medium", "high"] | None = None
    budget_tokens: Positive | None = Field(None, description="Overrides the effort's.")
    max_attempts: Positive | None = Field(None, description="Overrides the effort's.")
    max_completion_tokens: Positive | None = Field(None, description="A budget of tokens, for one attempt.")
    no_direct_answer: bool | None = None
    max_returned_urls: Count | None = Field(None, description="Of visitedURLs.")
    response_format: ResponseFormat | None = None
    boost_hostnames: Hosts | None = None
    bad_hostnames: Hosts | None = None
    only_hostnames: Hosts | None = None
    max_annotations: Count | None = None
    min_annotation_relevance: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="By default what suits the service's embedder."
    )
    with_images: bool | None = None
    language_code: Language | None = None
    search_language_code: Language | None = None
    search_provider: str | None = Field(None, description="One that the service has, such as arxiv.")
    team_size: Annotated[int, Field(ge=1, le=MAX_TEAM)] | None = None

    @property
    def wants_json(self) -> bool:
        """Whether the answer is to be JSON."""
        return self.response_format is not None and self.response_format.type != "text"

    def options(self, *, seconds: float | None = None) -> DeepSearchOptions:
        """The same as options of the agent, and a limit of time.

        Raises:
            ConfigError: a value makes no sense, such as a host name or a schema.
        """
        given = {name: getattr(self, field) for field, name in _OPTIONS.items() if getattr(self, field) is not None}
        tokens = self.max_completion_tokens if self.budget_tokens is None else self.budget_tokens
        if self.max_completion_tokens is not None:
            given.setdefault("max_attempts", 1)
        return DeepSearchOptions(**given, schema=self._schema, budget=Budget(tokens=tokens, seconds=seconds))

    @property
    def _schema(self) -> Mapping[str, Any] | None:
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return {"type": "object"}
        schema = wanted.json_schema or {}
        inner = schema.get("schema")
        return inner if isinstance(inner, dict) and "type" not in schema else schema


class UrlCitation(BaseModel):
    """A quote and where it stands."""

    title: str
    exactQuote: str  # noqa: N815 (the wire's name)
    url: str
    dateTime: str = Field(description="When it was published; empty where the source says nothing.")  # noqa: N815


class Annotation(BaseModel):
    """What the n-th mark `[^n]` of an answer stands for."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class Message(BaseModel):
    """The answer: Markdown with marks; JSON where it was asked for (type `json`); or why there is none (`error`)."""

    role: Literal["assistant"]
    content: str
    type: Literal["text", "json", "error"]
    annotations: list[Annotation] | None = None


class Choice(BaseModel):
    """The only choice."""

    index: Literal[0]
    message: Message
    logprobs: None
    finish_reason: Literal["stop", "error"]


class TokenUsage(BaseModel):
    """Tokens of all models that had a part in it."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionAnswer(BaseModel):
    """What DeepSearch answers without `stream`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: TokenUsage | None = None
    visitedURLs: list[str] | None = Field(None, description="Sources that are known, best first.")  # noqa: N815
    readURLs: list[str] | None = Field(None, description="Those that were read.")  # noqa: N815
    numURLs: int | None = Field(None, description="How many are known.")  # noqa: N815
    relatedImages: list[str] | None = Field(None, description="Pictures on pages that were read.")  # noqa: N815


@dataclass(frozen=True, slots=True)
class Completion:
    """The frame of an answer: by what it is known, and what all its chunks have in common."""

    model: str
    at: float = field(default_factory=time.time)

    def chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None, **further: object) -> dict[str, Any]:
        """A chunk of a stream."""
        return self._framed("chat.completion.chunk", {"delta": delta}, finish_reason, further)

    def whole(self, message: Mapping[str, Any], finish_reason: str, **further: object) -> dict[str, Any]:
        """An answer in one piece."""
        return self._framed("chat.completion", {"message": message}, finish_reason, further)

    def _framed(
        self, kind: str, said: Mapping[str, Any], finish_reason: str | None, further: Mapping[str, object]
    ) -> dict[str, Any]:
        number = str(int(self.at * 1000))
        return {
            "id": number,
            "object": kind,
            "created": int(self.at),
            "model": self.model,
            "system_fingerprint": f"fp_{number}",
            "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}],
            **further,
        }


def content_of(answer: Answer) -> dict[str, Any]:
    """An answer as a delta or message has it."""
    kind = "text" if answer.value is None else "json"
    return {"content": answer.text, "type": kind, "annotations": answer.annotations}


def extras_of(answer: Answer, images: Sequence[str] | None) -> dict[str, Any]:
    """What an answer has beside its choice; `images` if they were asked for."""
    return {
        "usage": usage_of(answer.usage),
        "visitedURLs": list(answer.visited_urls),
        "readURLs": list(answer.read_urls),
        "numURLs": answer.num_urls,
        **({} if images is None else {"relatedImages": list(images)}),
    }


def usage_of(usage: Usage) -> dict[str, int]:
    """Tokens, as OpenAI counts them out."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


class OpenAIError(BaseModel):
    """What is wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str


class ModelNotFound(BaseModel):
    """There is no such model; or no such route, which is told in a string."""

    error: OpenAIError | str


def model_not_found(name: str, known: Sequence[str]) -> dict[str, Any]:
    """The body of a 404, as OpenAI's clients read it."""
    message = f"The model {shorten(without_keys(name))!r} is not served here; what is: {', '.join(known)}."
    return openai_error(message, "invalid_request_error", param="model", code="model_not_found")


def openai_error(message: str, kind: str, *, param: str | None = None, code: str) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
