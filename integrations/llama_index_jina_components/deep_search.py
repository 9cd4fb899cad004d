"""A DeepSearchAgent of ours as a language model of LlamaIndex."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage as LlamaMessage
from llama_index.core.base.llms.types import (
    ChatResponse,
    CitationBlock,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent, LLMStructuredPredictStartEvent
from llama_index.core.llms import LLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError
from jina_components.types import Citation, DeepSearchStep
from llama_index_jina_components.agent import DeepSearchFields, facts, place
from llama_index_jina_components.conversation import conversation

if TYPE_CHECKING:
    from llama_index.core.prompts import BasePromptTemplate
    from llama_index.core.types import Model

dispatcher = get_dispatcher(__name__)

# A question has up to 100,000 characters.
_CONTEXT = 25_000


class JinaDeepSearch(DeepSearchFields, LLM):
    """A language model that searches, reads and reasons before it answers, and cites its sources: `[^1]`.

    Messages may have images and documents, as data or files of this machine; a document behind a URL is to be read
    before. The steps of the search are the thinking of the answer, a `ThinkingBlock`; streams tell them one by one, in
    `additional_kwargs["thinking_delta"]`, and the answer in one piece at the end. `additional_kwargs["citations"]` of a
    response has a `CitationBlock` for each mark, in their order: not among the blocks of the message, since other
    models refuse messages with such. `raw` has all that is known of the answer as JSON values, such as `usage`,
    `visited_urls` and `warnings`.

    Further arguments of a call are options of this search: `llm.complete(question, reasoning_effort="low")`.
    `structured_predict` and `as_structured_llm` go by the agent's `schema`; an agent that runs here needs a chat model.

    Args:
        agent: A `DeepSearchAgent` or a `RemoteDeepSearch`; by default, with a key or `base_url`, that of a server.
        model: Name of the agent on a server.
        options: How to search; None for the agent's own, in place of which options of a call count too.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`. `timeout` is from one
            step to the next.

    Raises:
        ConfigError: neither an agent nor a server, or both.

    Example:
        >>> llm = JinaDeepSearch(agent=DeepSearchAgent(retriever, reranker=Reranker()))
        >>> print(llm.complete("What is the capital of France?"))
        Paris is the capital of France.[^1]
    """

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaDeepSearch"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex asks of a model."""
        return LLMMetadata(context_window=_CONTEXT, is_chat_model=True, model_name=self.model)

    @llm_chat_callback()
    def chat(self, messages: Sequence[LlamaMessage], **kwargs: Any) -> ChatResponse:
        """The answer to a conversation.

        Args:
            messages: The conversation; the last message is the user's.
            kwargs: Options of this search.

        Raises:
            InputError: a message that no search takes, `.index` names it.
            ConfigError: an option that there is not, or that makes no sense.
            JinaComponentsError: what `DeepSearchAgent.run` raises.
        """
        return _last(self._responses(messages, kwargs))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[LlamaMessage], **kwargs: Any) -> ChatResponse:
        """Like `chat`, for event loops, which it does not block."""
        return await _alast(self._aresponses(messages, kwargs))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[LlamaMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        """`chat`, watched. Ending the loop early cancels the rest."""
        return self._responses(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[LlamaMessage], **kwargs: Any) -> AsyncGenerator[ChatResponse, None]:
        """Like `stream_chat`, for event loops, which it does not block."""
        return self._aresponses(messages, kwargs)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The answer to a question. Arguments and errors as `chat`."""
        return _completion(_last(self._responses(self._asked(prompt, formatted), kwargs)))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Like `complete`, for event loops, which it does not block."""
        return _completion(await _alast(self._aresponses(self._asked(prompt, formatted), kwargs)))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Generator[CompletionResponse, None, None]:
        """`complete`, watched. Ending the loop early cancels the rest."""
        return _completions(self._responses(self._asked(prompt, formatted), kwargs))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> AsyncGenerator[CompletionResponse, None]:
        """Like `stream_complete`, for event loops, which it does not block."""
        return _acompletions(self._aresponses(self._asked(prompt, formatted), kwargs))

    @dispatcher.span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """The answer as an object of a Pydantic class.

        Args:
            output_cls: The class.
            prompt: The question.
            llm_kwargs: Options of this search.
            prompt_args: What the prompt's variables stand for.

        Raises:
            ConfigError: the agent has no chat model.
            ValidationError: there is no answer in this form.
            JinaComponentsError: as `chat`.
        """
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        [predicted] = self._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(LLMStructuredPredictEndEvent(output=predicted))
        return predicted

    @dispatcher.span
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Like `structured_predict`, for event loops, which it does not block."""
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        stream = await self._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        [predicted] = [each async for each in stream]
        dispatcher.event(LLMStructuredPredictEndEvent(output=predicted))
        return predicted

    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model, None, None]:
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        response = self.chat(messages, **(llm_kwargs or {}), schema=output_cls.model_json_schema())
        yield output_cls.model_validate_json(response.message.content or "")  # answers come in one piece

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model, None]:
        async def predicted() -> AsyncGenerator[Model, None]:
            messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
            response = await self.achat(messages, **(llm_kwargs or {}), schema=output_cls.model_json_schema())
            yield output_cls.model_validate_json(response.message.content or "")

        return predicted()

    def _asked(self, prompt: str, formatted: bool) -> list[LlamaMessage]:
        return [LlamaMessage(content=prompt if formatted else (self.completion_to_prompt or str)(prompt))]

    def _how(self, options: Mapping[str, Any]) -> DeepSearchOptions | None:
        if not options:
            return self.options
        try:
            return replace(self.options or DeepSearchOptions(), **options)
        except TypeError as error:
            raise ConfigError(f"A call of JinaDeepSearch takes DeepSearchOptions: {error}.") from error

    def _responses(
        self, messages: Sequence[LlamaMessage], options: Mapping[str, Any]
    ) -> Generator[ChatResponse, None, None]:
        told = _Told()
        with closing(self._component.stream(conversation(messages), options=self._how(options))) as steps:
            yield from map(told.response, steps)

    async def _aresponses(
        self, messages: Sequence[LlamaMessage], options: Mapping[str, Any]
    ) -> AsyncGenerator[ChatResponse, None]:
        told = _Told()
        async with aclosing(self._component.astream(conversation(messages), options=self._how(options))) as steps:
            async for step in steps:
                yield told.response(step)


class _Told:
    """What has been told of a search, as the responses of a stream grow."""

    def __init__(self) -> None:
        self._thoughts = ""

    def response(self, step: DeepSearchStep) -> ChatResponse:
        """After one more step."""
        if step.answer is not None:
            return ChatResponse(
                message=self._message(step.answer.text),
                delta=step.answer.text,
                raw=facts(step.answer),
                additional_kwargs={
                    "prompt_tokens": step.answer.usage.prompt_tokens,
                    "completion_tokens": step.answer.usage.completion_tokens,
                    "total_tokens": step.answer.usage.total_tokens,
                    "citations": [_citation(citation) for citation in step.answer.citations],
                },
            )
        thought = f"{step.told}\n"
        self._thoughts += thought
        return ChatResponse(message=self._message(""), delta="", additional_kwargs={"thinking_delta": thought})

    def _message(self, text: str) -> LlamaMessage:
        thinking = [ThinkingBlock(content=self._thoughts)] if self._thoughts else []
        return LlamaMessage(role=MessageRole.ASSISTANT, blocks=[*thinking, TextBlock(text=text)])


def _citation(citation: Citation) -> CitationBlock:
    return CitationBlock(
        cited_content=TextBlock(text=citation.quote),
        source=citation.source,
        title=citation.title,
        additional_location_info=place(citation),
    )


def _completion(response: ChatResponse) -> CompletionResponse:
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        additional_kwargs=response.additional_kwargs,
    )


def _completions(responses: Generator[ChatResponse, None, None]) -> Generator[CompletionResponse, None, None]:
    with closing(responses):
        yield from map(_completion, responses)


async def _acompletions(
    responses: AsyncGenerator[ChatResponse, None],
) -> AsyncGenerator[CompletionResponse, None]:
    async with aclosing(responses):
        async for response in responses:
            yield _completion(response)


def _last(responses: Generator[ChatResponse, None, None]) -> ChatResponse:
    *_, last = responses
    return last.model_copy(update={"delta": None})


async def _alast(responses: AsyncGenerator[ChatResponse, None]) -> ChatResponse:
    *_, last = [response async for response in responses]
    return last.model_copy(update={"delta": None})
