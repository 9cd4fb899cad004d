"""Where a model runs on somebody's server, and how that server is spoken to: a row of data a dialect."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError

if TYPE_CHECKING:
    from jina_components.net import ApiClient

DialectName = Literal["openai", "jina", "cohere"]
_Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that the servers of a dialect do.

    Attributes:
        path: Under the base URL.
        items: Field of the request that holds the texts or documents.
        batch_size: Most items a request, where the endpoint sets none.
        read: The (index, value) pairs of an answer; raises LookupError, TypeError or AttributeError for
            an answer out of form.
        truncate: Fields for cutting long items to the context (True) and for refusing them (False); a
            choice that is missing cannot be asked for.
        truncate_note: What the servers do instead, where a choice is missing or changes nothing.
        fields: Sent with every request.
        late_chunking: Fields for texts that are chunks of one document, or None where servers do not know it.
        image: How `items` hold an image that is a URL or a `data:` URI, or None where none is sent.
    """

    path: str
    items: str
    batch_size: int
    read: Callable[[Mapping[str, Any]], Iterable[tuple[object, object]]]
    truncate: Mapping[bool, _Fields]
    truncate_note: str = ""
    fields: _Fields = field(default_factory=dict)
    late_chunking: _Fields | None = None
    image: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the servers of an API are spoken to.

    Attributes:
        embed: Texts into vectors.
        rerank: Query and documents into scores, or None without it.
        tasks: The fields that tell a server what a text is for, by our name of the task.
        needs_task: Whether a request without a task is refused.
        tokens: Input tokens that an answer reports, or a false value.
    """

    embed: Operation
    rerank: Operation | None = None
    tasks: Mapping[str, _Fields]
    needs_task: bool = False
    tokens: Callable[[Mapping[str, Any]], object]


def _indexed(items: str, value: str) -> Callable[[Mapping[str, Any]], list[tuple[object, object]]]:
    return lambda answer: [(item["index"], item[value]) for item in answer[items]]


def _usage(answer: Mapping[str, Any]) -> object:
    usage = answer.get("usage") or {}
    return usage.get("prompt_tokens") or usage.get("total_tokens")


def _billed(answer: Mapping[str, Any]) -> object:
    return ((answer.get("meta") or {}).get("billed_units") or {}).get("input_tokens")


_CODE_TASKS = tuple(
    f"{kind}.{side}"
    for kind in ("nl2code", "qa", "code2code", "code2nl", "code2completion", "code")
    for side in ("query", "passage")
)
_JINA_TASKS = (
    "retrieval.query", "retrieval.passage", "text-matching", "classification", "separation", "clustering",
    *_CODE_TASKS,
)  # fmt: skip

DIALECTS: dict[str, Dialect] = {
    # OpenAI's API reference, "Create embeddings": up to 2048 inputs a request. Other servers of this API take
    # fewer; 32 is the default limit of Hugging Face's text-embeddings-inference.
    "openai": Dialect(
        embed=Operation(
            path="embeddings",
            items="input",
            batch_size=32,
            read=_indexed("data", "embedding"),
            truncate={False: {}},
            truncate_note="Its servers decide themselves what to do with a text over the context; segment long texts",
            fields={"encoding_format": "base64"},
        ),
        # OpenAI's models embed queries and passages alike, so neither needs a field.
        tasks={"retrieval.query": {}, "retrieval.passage": {}},
        tokens=_usage,
    ),
    # Jina's OpenAPI document of api.jina.ai: up to 512 inputs and 2048 documents a request.
    "jina": Dialect(
        embed=Operation(
            path="embeddings",
            items="input",
            batch_size=128,
            read=_indexed("data", "embedding"),
            truncate={choice: {"truncate": choice} for choice in (False, True)},
            fields={"embedding_type": "base64"},
            late_chunking={"late_chunking": True},
            image=lambda url: {"image": url},
        ),
        rerank=Operation(
            path="rerank",
            items="documents",
            batch_size=1000,
            read=_indexed("results", "relevance_score"),
            truncate={choice: {"truncation": choice} for choice in (False, True)},
            fields={"return_documents": False},
        ),
        tasks={task: {"task": task} for task in _JINA_TASKS},
        tokens=_usage,
    ),
    # Cohere's API reference, v2 "Embed" (at most 96 texts, input_type required) and "Rerank" (best up to 1000
    # documents, each cut to max_tokens_per_doc).
    "cohere": Dialect(
        embed=Operation(
            path="embed",
            items="texts",
            batch_size=96,
            read=lambda answer: enumerate(answer["embeddings"]["float"]),
            truncate={False: {"truncate": "NONE"}, True: {"truncate": "END"}},
            fields={"embedding_types": ["float"]},
        ),
        rerank=Operation(
            path="rerank",
            items="documents",
            batch_size=1000,
            read=_indexed("results", "relevance_score"),
            truncate={False: {}, True: {}},
            truncate_note="Its servers always cut long documents, whatever is asked for",
        ),
        tasks={
            "retrieval.query": {"input_type": "search_query"},
            "retrieval.passage": {"input_type": "search_document"},
            "classification": {"input_type": "classification"},
            "separation": {"input_type": "clustering"},
            "clustering": {"input_type": "clustering"},
        },
        needs_task=True,
        tokens=_billed,
    ),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that embeds or reranks, and how to use it. Pickles, key included.

    Attributes:
        base_url: Where the API begins: `https://api.openai.com/v1`, `https://api.jina.ai/v1`,
            `https://api.cohere.com/v2`, `http://localhost:8000/v1`. The URL guard does not apply to it.
        api_key: Bearer token, where the server wants one; shown in no repr and no error.
        dialect: Whose API the server speaks: `openai`, `jina` or `cohere` (v2). Cohere's rerank always cuts
            long documents, also with `truncate=False`.
        batch_size: Texts or documents a request; None for what servers of the dialect usually take (see
            `DIALECTS`).
        concurrency: Requests of a model in flight at a time.
        timeout: Seconds for each request, retries and waits included.
        retries: Further attempts of a request on lost connections and on 429, 502, 503 and 504.
        user_agent: Name under which the server is called; None for that of this package.

    Raises:
        UnknownNameError: unknown dialect.
        ConfigError: a setting makes no sense.

    Example:
        >>> Endpoint("http://localhost:8000/v1", api_key="secret", dialect="jina").api_key
        'secret'
    """

    base_url: str
    _: KW_ONLY
    api_key: str | None = field(default=None, repr=False)
    dialect: DialectName = "openai"
    batch_size: int | None = None
    concurrency: int = 4
    timeout: float = 60.0
    retries: int = 2
    user_agent: str | None = None

    def __post_init__(self) -> None:
        resolve_name(DIALECTS, self.dialect, what="dialect")
        for name, value, least in (
            ("batch_size", 1 if self.batch_size is None else self.batch_size, 1),
            ("concurrency", self.concurrency, 1),
            ("retries", self.retries, 0),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{name} must be an integer of at least {least}, got {value!r}.")
        if not isinstance(self.timeout, int | float) or not 0 < self.timeout < math.inf:
            raise ConfigError(f"timeout must be a positive number of seconds, got {self.timeout!r}.")
        if not isinstance(self.api_key, str | None):
            raise ConfigError(f"api_key must be str or None, got {type(self.api_key).__name__}.")
        self.client()  # refuses a malformed address or key

    def client(self) -> ApiClient:
        """A client of the server, not yet connected."""
        # Not at the top: components that run their models themselves know endpoints too, and need no httpx.
        from jina_components.net import ApiClient
        from jina_components.net.client import DEFAULT_USER_AGENT

        return ApiClient(
            self.base_url,
            api_key=self.api_key,
            timeout=self.timeout,
            retries=self.retries,
            user_agent=DEFAULT_USER_AGENT if self.user_agent is None else self.user_agent,
        )
