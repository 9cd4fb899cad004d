"""RemoteDeepSearch: a question into a cited answer, by a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from typing import Any

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.inputs import check_query
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError, WebError
from jina_components.protocols import ChatMessage
from jina_components.remote.address import Remote
from jina_components.remote.answering import DONE, Answering
from jina_components.remote.component import RemoteComponent
from jina_components.remote.turns import check_turns, turns
from jina_components.types import Answer, DeepSearchStep

_PATH = "chat/completions"
# By the option the field of the wire.
_FIELDS = {
    "reasoning_effort": "reasoning_effort",
    "max_attempts": "max_attempts",
    "no_direct_answer": "no_direct_answer",
    "language": "language_code",
    "search_language": "search_language_code",
    "boost_hostnames": "boost_hostnames",
    "bad_hostnames": "bad_hostnames",
    "only_hostnames": "only_hostnames",
    "max_citations": "max_annotations",
    "min_citation_relevance": "min_annotation_relevance",
    "max_returned_urls": "max_returned_urls",
    "team_size": "team_size",
}
_DEFAULTS = DeepSearchOptions()


class RemoteDeepSearch(RemoteComponent):
    """Searches deeply as a `DeepSearchAgent` does, on a server: Jina's DeepSearch, or one of `jina-components serve`.

    Of its answers the wire tells the text, the quotes and their sources. Where a quote stands is not told (`start` and
    `end` are 0); `sentences` are those with marks; there are no `passages`, `spent` and `trace`. `answered` is False
    where it has searched and cites nothing.

    Args:
        remote: The server. Its `timeout` holds from one word of its thoughts to the next.
        model: Name of the agent on the server.
        options: How to search where a call says nothing else.
        search_provider: Whom the server is to ask, such as `arxiv`; empty for whom it asks of itself.
        with_images: Whether images of the pages that it reads are wanted (`Answer.images`).

    Raises:
        ConfigError: the server cannot be told an option.

    Example:
        >>> agent = RemoteDeepSearch(Remote(api_key="…"))
        >>> print(agent.run("What is the capital of France?"))  # doctest: +SKIP
        Paris is the capital of France.[^1]
    """

    product = "deepsearch"

    def __init__(
        self,
        remote: Remote,
        *,
        model: str = "jina-deepsearch-v1",
        options: DeepSearchOptions | None = None,
        search_provider: str = "",
        with_images: bool = False,
    ) -> None:
        super().__init__(remote)
        if not isinstance(model, str) or not model:
            raise ConfigError(f"model must name an agent, got {model!r}.")
        self._model = model
        self._options = options or _DEFAULTS
        self._more: dict[str, Any] = {"search_provider": search_provider} if search_provider else {}
        if with_images:
            self._more["with_images"] = True
        _fields(self._options)

    def run(self, question: str | Sequence[ChatMessage], *, options: DeepSearchOptions | None = None) -> Answer:
        """Answer a question.

        Args:
            question: The question, or a conversation that ends with it; its turns may carry images, and files (paths,
                which are sent, or `data:` URIs) of up to 10 MB.
            options: How to search; None takes the agent's own.

        Raises:
            InputError: the question is empty or no text, a file or an image of it cannot be read, or the server
                refuses it.
            ConfigError: the server cannot be told an option.
            UnknownNameError: the server has no such agent.
            WebError: the server cannot be reached, could not answer, or answers out of form.
        """
        return run_sync(self.arun(question, options=options))

    async def arun(self, question: str | Sequence[ChatMessage], *, options: DeepSearchOptions | None = None) -> Answer:
        """Like `run`, for event loops, which it does not block."""
        async with aclosing(self.astream(question, options=options)) as steps:
            async for step in steps:
                if step.answer is not None:
                    return step.answer
        raise WebError(f"{self._api.base_url} ended without an answer; try again.", self._api.base_url)

    def stream(
        self, question: str | Sequence[ChatMessage], *, options: DeepSearchOptions | None = None
    ) -> Generator[DeepSearchStep, None, None]:
        """`run`, watched: the server's thoughts as steps `think`, its `search`es and `visit`s, last `done`.

        Ending the loop early closes the connection. Arguments and errors as `run`.
        """
        yield from iterate_sync(self.astream(question, options=options))

    def astream(
        self, question: str | Sequence[ChatMessage], *, options: DeepSearchOptions | None = None
    ) -> AsyncGenerator[DeepSearchStep, None]:
        """Like `stream`, for event loops, which it does not block.

        What is wrong with the options as such is raised at once; all else on the way.
        """
        chosen = self._options if options is None else options
        return self._steps(_messages(question), _fields(chosen), chosen)

    async def _steps(
        self, messages: Sequence[ChatMessage], fields: dict[str, Any], options: DeepSearchOptions
    ) -> AsyncGenerator[DeepSearchStep, None]:
        sent = await asyncio.to_thread(turns, messages)  # which reads files
        body = {"model": self._model, "messages": sent, "stream": True, **fields, **self._more}
        reading = Answering(
            messages[-1].content, f"{self._api.base_url}/{_PATH}", wants_json=options.schema is not None
        )
        async with aclosing(self._stream(_PATH, body)) as events:
            async for data in events:
                if data.strip() == DONE:
                    break
                for step in reading.take(data):
                    yield step
                if reading.finished:
                    break
        answer = reading.answer()
        yield DeepSearchStep("done", answer.text, answer=answer)


def _messages(question: str | Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    if isinstance(question, str):
        return [ChatMessage("user", check_query(question, what="question"))]
    return check_turns(question)


def _fields(options: DeepSearchOptions) -> dict[str, Any]:
    """Options as the wire has them, those that are not the defaults.

    Raises:
        ConfigError: it has no words for one.
    """
    if not isinstance(options, DeepSearchOptions):
        raise ConfigError(f"options must be DeepSearchOptions(…), got {options!r:.100}.")
    limits = [name for name in ("steps", "seconds", "money") if getattr(options.budget, name) is not None]
    unsayable = [f"budget.{name}" for name in limits]
    if options.unsupported != _DEFAULTS.unsupported:
        unsayable.append("unsupported")
    if unsayable:
        raise ConfigError(f"A server cannot be told {', '.join(unsayable)}: leave it out.")
    said = {
        field: list(value) if isinstance(value, tuple) else value
        for name, field in _FIELDS.items()
        if (value := getattr(options, name)) != getattr(_DEFAULTS, name)
    }
    if options.budget.tokens is not None:
        said["budget_tokens"] = options.budget.tokens
    if options.schema is not None:
        said["response_format"] = {"type": "json_schema", "json_schema": dict(options.schema)}
    return said
