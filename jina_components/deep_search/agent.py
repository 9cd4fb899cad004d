"""DeepSearchAgent: a question into a cited answer."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import is_finite_number
from jina_components.deep_search.conversation import Conversation, read_conversation
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.session import Parts, Session
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError, TraceError
from jina_components.protocols import (
    ChatMessage,
    ChatModel,
    SupportsEmbed,
    SupportsGround,
    SupportsRead,
    SupportsRerank,
    SupportsRetrieve,
    SupportsSearch,
)
from jina_components.types import Answer, DeepSearchStep, Trace, shorten

_Source = SupportsSearch | SupportsRetrieve


class DeepSearchAgent(Component):
    """Searches, reads and reasons until the best answer is found: cited, and within a budget.

    Works in a loop, as Jina's DeepSearch does (https://github.com/jina-ai/node-DeepResearch): search the sources, read
    pages, ask sub-questions first, calculate, draft an answer; drafts are evaluated, and rejected ones analysed. A chat
    model decides and writes. Without one, rules do: they follow the names in what is found from passage to passage, and
    the answer is the sentences that answer, verbatim.

    Nothing of an answer is taken on trust. Quotes and URLs come from the sources, never from a model; each sentence is
    compared with what was read and, with a `grounder`, verified; what no source shows is marked or left out.

    Budgets are kept by code. A search ends with an answer, or says that the sources have none, whatever its models do.

    Thread-safe. Pickles as its settings, if its parts do.

    Args:
        sources: Where to search: a `Retriever` over documents of one's own, a `WebSearch`, or several of them. Queries
            that the rules make of documents of one's own go to no web search; a chat model, which sees these documents,
            may put their words into its queries.
        reader: Reads pages that a search finds, and files; such as a `Reader`.
        reranker: Says how relevant passages are, on a scale of about 0 to 1; without one, shared words do.
        embedder: Says how similar queries, passages and sentences are; without one, shared words do.
        grounder: Verifies the answer's sentences, such as a `Grounder`; without one, similarity and numbers decide.
        chat: Decides and writes, such as an `OpenAIChat`; None for rules.
        options: How to search where a call says nothing else.
        top_k: Documents to retrieve by a query.
        min_relevance: Without a chat model: below this (mean score of a sentence and its document) nothing counts as an
            answer. The default is set for the bundled reranker; 0.5 suits cross-encoders.
        max_quotes: Without a chat model: quotes in an answer, each a sentence or two; of several questions, one each.

    Raises:
        ConfigError: a part is of the wrong kind, or a limit is not positive.

    Example:
        >>> agent = DeepSearchAgent(retriever, reranker=Reranker())
        >>> print(agent.run("What is the capital of France?"))
        Paris is the capital of France.[^1]
    """

    def __init__(
        self,
        sources: _Source | Sequence[_Source],
        *,
        reader: SupportsRead | None = None,
        reranker: SupportsRerank | None = None,
        embedder: SupportsEmbed | None = None,
        grounder: SupportsGround | None = None,
        chat: ChatModel | None = None,
        options: DeepSearchOptions | None = None,
        top_k: int = 30,
        min_relevance: float = 0.55,
        max_quotes: int = 3,
    ) -> None:
        _check_parts(reader=reader, reranker=reranker, embedder=embedder, grounder=grounder, chat=chat)
        for name, limit in (("top_k", top_k), ("max_quotes", max_quotes)):
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ConfigError(f"{name} must be a positive integer, got {limit!r}.")
        if not is_finite_number(min_relevance):
            raise ConfigError(f"min_relevance must be a number, got {min_relevance!r}.")
        self._parts = Parts(
            sources=_checked_sources(sources), reader=reader, reranker=reranker, embedder=embedder, grounder=grounder,
            chat=chat, top_k=top_k, min_relevance=min_relevance, max_quotes=max_quotes,
        )  # fmt: skip
        self._options = options or DeepSearchOptions()

    def run(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: DeepSearchOptions | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            question: The question, or a conversation that ends with it; its last turn may carry images (for chat models
                that see) and files (`ChatMessage.files`).
            options: How to search; None takes the agent's own.
            checkpoint: File to keep the search in. After an interruption, the same call goes on from there.

        Returns:
            The answer; `answered` is False where the sources give none. A chat model that fails on the way, be it
            always, does not end the search: `ended` and `warnings` tell, and verbatim quotes answer in its place.

        Raises:
            InputError: the question is empty or no text, or a file of it cannot be read, or not in time; the retriever
                holds no documents.
            ConfigError: an option needs a part that is missing, such as a `schema` a chat model.
            ConfigError, MissingDependencyError, ModelFilesError …: a part cannot work as it was made, which its first
                use shows. What fails later is told in `warnings`.
            ChatError: the chat model's server refuses the very first call for its key, account or model name.
            TraceError: the checkpoint is of another search, or cannot be written.
            BusyError: a search is under way with this checkpoint.
            ReadError: the file is no checkpoint.
        """
        return run_sync(self.arun(question, options=options, checkpoint=checkpoint))

    async def arun(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: DeepSearchOptions | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Answer:
        """Like `run`, for event loops, which it does not block."""
        async with aclosing(self.astream(question, options=options, checkpoint=checkpoint)) as steps:
            return await _last(steps)

    def stream(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: DeepSearchOptions | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Generator[DeepSearchStep, None, None]:
        """`run`, watched: its steps as they are taken, the last one `done`, with the answer.

        Ending the loop early cancels the rest; a model that computes in a thread ends by itself. Arguments and errors
        as `run`.
        """
        yield from iterate_sync(self.astream(question, options=options, checkpoint=checkpoint))

    def astream(
        self,
        question: str | Sequence[ChatMessage],
        *,
        options: DeepSearchOptions | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> AsyncGenerator[DeepSearchStep, None]:
        """Like `stream`, for event loops, which it does not block.

        What is wrong with question or options as such is raised at once; all else on the way.
        """
        conversation, chosen = read_conversation(question), options or self._options
        self._check(chosen)
        return self._steps(conversation, chosen, checkpoint)

    async def _steps(
        self, conversation: Conversation, chosen: DeepSearchOptions, checkpoint: str | os.PathLike[str] | None
    ) -> AsyncGenerator[DeepSearchStep, None]:
        request, deadline = self._request(conversation, chosen), chosen.budget.seconds
        with Journal(request, path=checkpoint, deadline=deadline) as journal:
            async with aclosing(Session(self._parts, conversation, chosen, journal).steps()) as steps:
                async for step in steps:
                    yield step

    def replay(
        self,
        trace: Trace,
        question: str | Sequence[ChatMessage] | None = None,
        *,
        options: DeepSearchOptions | None = None,
    ) -> Answer:
        """The answer of a trace, found again without asking anything: no model runs, nothing is fetched.

        Args:
            trace: `Answer.trace`, or one that `Trace.load` read.
            question: What was asked; None for that of the trace, where it was a text.
            options: Those of the search; None takes the agent's own.

        Raises:
            TraceError: the agent's parts or options are not those of the trace, or the trace is not whole.
        """
        return run_sync(self.areplay(trace, question, options=options))

    async def areplay(
        self,
        trace: Trace,
        question: str | Sequence[ChatMessage] | None = None,
        *,
        options: DeepSearchOptions | None = None,
    ) -> Answer:
        """Like `replay`, for event loops, which it does not block."""
        asked = _question_of(trace) if question is None else question
        conversation, chosen = read_conversation(asked), options or self._options
        request = self._request(conversation, chosen)
        with Journal(request, calls=trace.calls, recorded=trace.request, strict=True) as journal:
            async with aclosing(Session(self._parts, conversation, chosen, journal).steps()) as steps:
                return await _last(steps)

    def _request(self, conversation: Conversation, options: DeepSearchOptions) -> dict[str, Any]:
        return {**conversation.as_json(), "options": asdict(options), "parts": self._parts.kinds()}

    def _check(self, options: DeepSearchOptions) -> None:
        if not isinstance(options, DeepSearchOptions):
            raise ConfigError(f"options must be DeepSearchOptions(…), got {shorten(repr(options))}.")
        if options.schema is not None and self._parts.chat is None:
            raise ConfigError("A schema needs a chat model to fill it: DeepSearchAgent(…, chat=OpenAIChat(…)).")

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._arguments[1].items() if name != "sources"]
        sources = repr(self._parts.sources[0] if len(self._parts.sources) == 1 else list(self._parts.sources))
        return f"DeepSearchAgent({', '.join([sources, *given])})"


def _question_of(trace: Trace) -> str:
    question = trace.request.get("question") if isinstance(trace.request, dict) else None
    if not isinstance(question, str):
        raise TraceError("The trace tells no question: it is none of a DeepSearchAgent.")
    return question


async def _last(steps: AsyncGenerator[DeepSearchStep, None]) -> Answer:
    """The answer that ends the steps."""
    async for step in steps:
        if step.answer is not None:
            return step.answer
    raise RuntimeError("The steps of a DeepSearchAgent ended without an answer.")


def _checked_sources(sources: object) -> tuple[_Source, ...]:
    given = list(sources) if isinstance(sources, list | tuple) else [sources]
    checked = [one for one in given if isinstance(one, _Source) and not isinstance(one, type)]
    if not given or len(checked) < len(given):
        raise ConfigError(f"sources must be a Retriever, a WebSearch, or a list of them; got {sources!r}.")
    return tuple(checked)


def _check_parts(**parts: object) -> None:
    kinds: dict[str, tuple[type, str]] = {
        "reader": (SupportsRead, "have a method aread(source, options=…), such as a Reader"),
        "reranker": (SupportsRerank, "rerank, such as a Reranker"),
        "embedder": (SupportsEmbed, "embed queries and documents, such as an Embedder"),
        "grounder": (SupportsGround, "have a method aground(statement, references=…), such as a Grounder"),
        "chat": (
            ChatModel,
            "have a method achat(messages), such as an OpenAIChat (LangChainChat, LlamaIndexChat adapt others)",
        ),
    }
    for name, part in parts.items():
        kind, does = kinds[name]
        if part is not None and (isinstance(part, type) or not isinstance(part, kind)):
            raise ConfigError(f"{name} must {does}; got {shorten(repr(part), 100)}.")
