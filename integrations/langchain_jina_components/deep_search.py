"""LangChain's chat model over our deep search."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import asdict, fields, replace
from operator import itemgetter
from typing import Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from jina_components.deep_search_options import Budget, DeepSearchOptions, Effort
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsDeepSearch
from jina_components.remote import Remote, RemoteDeepSearch
from jina_components.types import Answer, DeepSearchStep
from langchain_jina_components.messages import conversation
from langchain_jina_components.remote import RemoteFields

_OPTIONS = frozenset(each.name for each in fields(DeepSearchOptions))
# What other chat models and the wire call these fields.
_ALIASES = {"api_key": "jina_api_key", "model_name": "model", "budget_tokens": "max_tokens"}
_MARK = re.compile(r"\[\^(\d+)\]")
_FACTS = ("answered", "ended", "visited_urls", "read_urls", "num_urls", "images", "warnings")


class ChatJinaDeepSearch(RemoteFields, BaseChatModel):
    """LangChain's chat model over a `DeepSearchAgent`, which runs here or on a server: it answers with citations.

    A message has two content blocks: what was done, step by step (`reasoning`), and the answer (`text`). Annotations of
    the answer are its `citation`s: what cites (`start_index` and `end_index` of the sentence, or of the mark in a
    server's answer), `url` and `title` of the source, and `cited_text`, verbatim. `response_metadata` has the citations
    whole, and what else an `Answer` tells: `answered`, `ended`, `visited_urls`, `warnings` … Steps are streamed as they
    are taken, the answer when it is found. Breaking off a stream ends the search.

    Options of the search are those of `DeepSearchOptions`, by their names, here and in calls:
    `model.invoke(question, reasoning_effort="low")`, `model.bind(only_hostnames=("example.com",))`. Where there are
    any, they count in place of the agent's own. It calls no tools, and has no temperature.

    Attributes:
        agent: A `DeepSearchAgent` or `RemoteDeepSearch`; None for one on a server.
        model: Name of the model, which a server chooses the agent by.
        reasoning_effort: How much to spend: `low`, `medium` or `high`.
        max_tokens: Tokens that a search may cost.
        model_kwargs: Further options.
        stop: Texts before which an answer is cut off.
        streaming: Whether `invoke` streams, for callbacks that watch.
        cache: LangChain's; by default none is used where an agent is given, since its keys do not tell agents apart.

    Raises:
        ConfigError: neither an agent nor a server is given, or both are, or an option makes no sense.

    Example:
        >>> model = ChatJinaDeepSearch(agent=DeepSearchAgent(retriever, reranker=Reranker()))
        >>> model.invoke("How high are the tides in the Bay of Fundy?").text
        'They reach 16 metres.[^1]'
    """

    model_config = ConfigDict(extra="forbid")  # which BaseChatModel does not

    part: ClassVar[str] = "agent"

    agent: SupportsDeepSearch | None = Field(default=None, frozen=True)
    model: str = Field(default="jina-deepsearch-v1", frozen=True)
    reasoning_effort: Effort | None = None
    max_tokens: int | None = None
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    stop: list[str] | None = None
    streaming: bool = False
    _others: dict[str, RemoteDeepSearch] = PrivateAttr(default_factory=dict)

    def __init__(self, **settings: Any) -> None:
        settings = {_ALIASES.get(name, name): value for name, value in settings.items()}
        further = {name: settings.pop(name) for name in _OPTIONS - type(self).model_fields.keys() & settings.keys()}
        if further:
            settings["model_kwargs"] = {**settings.get("model_kwargs", {}), **further}
        super().__init__(**settings)
        self._how({})  # refuses what makes no sense
        if self.agent is not None and self.cache is None:
            self.cache = False  # whose keys do not tell agents apart

    def close(self) -> None:
        """Give the connections of a server back; the next call opens new ones. An agent that was given is left."""
        super().close()
        for other in self._others.values():
            other.close()

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str = "json_schema",
        strict: bool | None = None,  # noqa: ARG002 (the answer is held to the schema in any case)
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """A runnable whose answer has the form of a schema. Here, it takes an agent with a chat model.

        Args:
            schema: A Pydantic class, a TypedDict, a JSON Schema (also in OpenAI's {"name": …, "schema": …}), or a tool.
            include_raw: Whether to give `{"raw": message, "parsed": value, "parsing_error": error or None}`.
            method: `json_mode` asks for any JSON object; `json_schema`, and `function_calling` too, for one of the
                schema, which the answer is held to.
            strict: Of no meaning.
            **kwargs: Options of the search.
        """
        form = {"type": "object"} if method == "json_mode" else _form(schema)
        told = {"kwargs": {"method": "json_schema"}, "schema": form}
        asked = self.bind(schema=form, ls_structured_output_format=told, **kwargs)
        parser: Any = JsonOutputParser()
        if isinstance(schema, type) and is_basemodel_subclass(schema):  # also one of Pydantic 1
            parser = PydanticOutputParser(pydantic_object=schema)
        if not include_raw:
            return asked | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 (LangChain tells it of the chunks)
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        model = kwargs.pop("model", self.model)
        asked = self._agent(model).stream(conversation(messages), options=self._how(kwargs))
        with closing(asked) as steps:
            for step in steps:
                yield _chunk(step, model, stop or self.stop)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        model = kwargs.pop("model", self.model)
        asked = self._agent(model).astream(conversation(messages), options=self._how(kwargs))
        async with aclosing(asked) as steps:
            async for step in steps:
                yield _chunk(step, model, stop or self.stop)

    def _how(self, given: Mapping[str, Any]) -> DeepSearchOptions | None:
        own = {"reasoning_effort": self.reasoning_effort, "max_tokens": self.max_tokens}
        wanted = {name: value for name, value in {**own, **self.model_kwargs, **given}.items() if value is not None}
        if unknown := wanted.keys() - _OPTIONS - {"max_tokens"}:
            raise ConfigError(f"ChatJinaDeepSearch has no {', '.join(sorted(unknown))}; see DeepSearchOptions.")
        if "max_tokens" in wanted:
            wanted["budget"] = replace(wanted.get("budget", Budget()), tokens=wanted.pop("max_tokens"))
        return DeepSearchOptions(**wanted) if wanted else None

    def _agent(self, model: str) -> SupportsDeepSearch:
        remote = self.remote
        if self.agent is not None or remote is None or model == self.model:
            own: SupportsDeepSearch = self._component
            return own
        return self._others.setdefault(model, RemoteDeepSearch(remote, model=model))

    def _make(self, remote: Remote | None) -> RemoteDeepSearch:
        if remote is None:
            raise ConfigError(
                "ChatJinaDeepSearch has nothing to search with: pass agent=DeepSearchAgent(…), or jina_api_key (or set "
                "JINA_API_KEY) for Jina's servers, or base_url for another server."
            )
        return RemoteDeepSearch(remote, model=self.model)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes; an agent that was given is not written down."""
        return True

    @property
    def _llm_type(self) -> str:
        return "jina-deepsearch"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("model", "reasoning_effort", "max_tokens", "stop")
        return {**{name: getattr(self, name) for name in names}, **self.model_kwargs}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(**{**super()._get_ls_params(stop=stop, **kwargs), "ls_provider": "jina"})


def _form(schema: dict[str, Any] | type) -> dict[str, Any]:
    if isinstance(schema, dict) and {"function", "parameters", "input_schema"}.isdisjoint(schema):
        return schema  # of which LangChain would lose what has no title, and all within OpenAI's wrapper
    return convert_to_json_schema(schema)


def _chunk(step: DeepSearchStep, model: str, stop: Sequence[str] | None) -> ChatGenerationChunk:
    if step.answer is None:
        thought = {"type": "reasoning", "reasoning": f"{step.told}\n", "index": 0}
        return ChatGenerationChunk(message=AIMessageChunk(content=[thought]))
    answer = step.answer
    text = answer.text[: min((at for word in stop or () if (at := answer.text.find(word)) >= 0), default=None)]
    said = {"type": "text", "text": text, "annotations": _annotations(answer, len(text)), "index": 1}
    usage = answer.usage
    message = AIMessageChunk(
        content=[said],
        usage_metadata={
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
        response_metadata={
            "model_provider": "jina",
            "model_name": model,
            "finish_reason": "stop",
            "citations": [asdict(citation) for citation in answer.citations],
            **{name: _plain(getattr(answer, name)) for name in _FACTS},
        },
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)


def _annotations(answer: Answer, length: int) -> list[dict[str, Any]]:
    """The citations within the first characters of the text, by where they are cited; after them those of no place."""
    spans = [(one.start, one.end, one.citations) for one in answer.sentences] or [
        (mark.start(), mark.end(), (int(mark[1]),)) for mark in _MARK.finditer(answer.text)
    ]
    numbers = range(1, len(answer.citations) + 1)
    places: list[tuple[int, dict[str, int]]] = [
        (number, {"start_index": start, "end_index": end})
        for start, end, cited in spans
        for number in cited
        if number in numbers
    ]
    cited = {number for number, _ in places}
    places += [(number, {}) for number in numbers if number not in cited]
    return [
        {"type": "citation", "url": one.source, "title": one.title or one.source, "cited_text": one.quote, **place}
        for one, place in ((answer.citations[number - 1], place) for number, place in places)
        if place.get("end_index", 0) <= length
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
