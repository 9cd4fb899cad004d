"""Grounder: a statement into a verdict with the quotes that show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.component import Component
from jina_components.errors import ConfigError
from jina_components.grounder.gathering import Evidence, Gatherer, Limits
from jina_components.grounder.judging import ChatJudge, EntailmentJudge, Judge
from jina_components.grounder.pipeline import Pipeline, last
from jina_components.grounder.sources import Given, Wanted, path_hint, sort_references
from jina_components.grounder.text import Checked, check_text, ground_sentences, joined, split_sentences
from jina_components.protocols import (
    ChatModel,
    SupportsEntailment,
    SupportsRead,
    SupportsRerank,
    SupportsRetrieve,
    SupportsSearch,
)
from jina_components.search_options import SearchOptions
from jina_components.types import (
    GroundedSentence,
    GroundedText,
    Grounding,
    GroundingStep,
)

MAX_STATEMENT = 10_000
"""Characters of the longest statement."""


class Grounder(Component):
    """Checks statements against the web, or against documents of one's own.

    A statement is split into claims, each of which is searched for; the pages are read, and the passages nearest to the
    claim judged: does one show it to be true, or to be false? Every quote that is given stands verbatim in its source,
    at the offsets that are given. Where nothing shows a claim to be true or false, the verdict says so.

    Pages are material: nothing that a page says, be it written for a language model, changes what is asked of it.

    Thread-safe. Pickles as its settings, if its parts do.

    Args:
        source: Where evidence is sought: a `WebSearch`, or a `Retriever` over documents of one's own; None where each
            call names its `references`.
        entailment: Judges the passages, such as an `EntailmentScorer`; without one, `chat` does.
        reranker: Chooses the passages that are judged; without one, the words that they share with the claim do.
        chat: Splits statements and plans the queries, in place of rules, which know English; and judges, where there
            is no `entailment`. It must be good enough to answer in JSON: three failures to do so are an error.
        reader: Reads the pages that a search finds, each once, and those of `references`. Without one the search has
            to read them (`WebSearch(reader=…)`).
        search_options: How to search, and by its `read_options` how to read: country, language, time range … Its
            `count` and `contents` are the Grounder's to say, and hosts in `references` take the place of its `sites`.
            By default pages are read as plain Markdown, whose sentences stand in the page as one sees it.
        max_queries: Queries for a claim.
        max_pages: Pages to read for a claim, or documents to retrieve by each query.
        max_passages: Passages to judge for a claim.
        max_references: Quotes to give out.
        timeout: Seconds that searching and reading may take for a statement, half of them for searching where `reader`
            reads what is found. What is not there by then is left out, and `Grounding.warnings` says so. Judging
            takes its own time.
        concurrency: Sentences of a text in work at the same time; and of each, or of a statement, queries, pages and
            claims.

    Raises:
        ConfigError: a part is of the wrong kind, nothing is there that could judge, or a limit is not positive.

    Example:
        >>> grounder = Grounder(retriever, entailment=EntailmentScorer(), reranker=Reranker())
        >>> grounder.ground("The bridge was opened in 1952.").verdict
        'refuted'
    """

    def __init__(
        self,
        source: SupportsSearch | SupportsRetrieve | None = None,
        *,
        entailment: SupportsEntailment | None = None,
        reranker: SupportsRerank | None = None,
        chat: ChatModel | None = None,
        reader: SupportsRead | None = None,
        search_options: SearchOptions | None = None,
        max_queries: int = 3,
        max_pages: int = 10,
        max_passages: int = 12,
        max_references: int = 30,
        timeout: float = 60.0,
        concurrency: int = 4,
    ) -> None:
        _check_parts(source, entailment=entailment, reranker=reranker, chat=chat, reader=reader)
        _check_limits(
            max_queries=max_queries,
            max_pages=max_pages,
            max_passages=max_passages,
            max_references=max_references,
            concurrency=concurrency,
        )
        if not timeout > 0:
            raise ConfigError(f"timeout must be positive, in seconds; got {timeout!r}.")
        self._source = source
        self._reader = reader
        limits = Limits(max_pages=max_pages, timeout=timeout, concurrency=concurrency)
        self._pipeline = Pipeline(
            gatherer=Gatherer(source, reader=reader, search_options=search_options, limits=limits),
            judge=_judge(entailment, chat),
            reranker=reranker,
            chat=chat,
            web=isinstance(source, SupportsSearch),
            max_queries=max_queries,
            max_passages=max_passages,
            max_references=max_references,
            concurrency=concurrency,
        )

    def ground(self, statement: str, *, references: Sequence[Given] | None = None) -> Grounding:
        """What the evidence says of a statement.

        Args:
            statement: One or a few sentences, of up to 10,000 characters; for longer texts there is `ground_text`.
            references: What to take evidence from, in place of all that `source` knows: URLs, and files as
                `pathlib.Path`, which are read; hosts (`example.com`, `example.com/docs`), to which the search is
                restricted; pages that `Reader.read` gave; and texts or documents of one's own. A text without an id
                is named by its place: `references[0]`.

        Returns:
            The verdict, with the quotes that show it. A statement that claims nothing that could be checked (a
            question, a command, a greeting …) has the verdict `not enough evidence`, and `reason` says why.
            `warnings` names references that could not be read, and strings that were taken for texts or hosts while
            files have their names.

        Raises:
            InputError: the statement is empty, too long or invalid Unicode; `references` is no list, or empty, or one
                of them is; the retriever holds no documents.
            ReadError: the one file that `references` names could not be read.
            ConfigError: `references` need a reader or a search that the Grounder was not given, or there is neither
                a source nor references.
            WebError: none of the references could be read, or no search was answered.
            ChatError: the chat model failed, or did not answer in form.
            BackendError: the entailment model failed, or a judge quoted what does not stand in its source.
        """
        return run_sync(self.aground(statement, references=references))

    async def aground(self, statement: str, *, references: Sequence[Given] | None = None) -> Grounding:
        """Like `ground`, for event loops, which it does not block."""
        async with aclosing(self.astream(statement, references=references)) as steps:
            return await last(steps)

    def stream(
        self, statement: str, *, references: Sequence[Given] | None = None
    ) -> Generator[GroundingStep, None, None]:
        """`ground`, watched: its steps as they are taken, the last one `done`, with the result.

        Ending the loop early cancels the rest. Arguments and errors as `ground`.
        """
        yield from iterate_sync(self.astream(statement, references=references))

    async def astream(
        self, statement: str, *, references: Sequence[Given] | None = None
    ) -> AsyncGenerator[GroundingStep, None]:
        """Like `stream`, for event loops, which it does not block."""
        check_text(statement, what="statement", limit=MAX_STATEMENT, instead="ground_text checks longer texts")
        wanted = self._wanted(references)
        plan = await self._pipeline.plan(statement)
        async with aclosing(self._pipeline.steps(statement, plan, wanted, None)) as steps:
            async for step in steps:
                yield step

    def ground_text(
        self, text: str, *, references: Sequence[Given] | None = None, show_progress: bool = False
    ) -> GroundedText:
        """What the evidence says of each sentence of a text, such as an answer of a language model.

        Args:
            text: Plain text or Markdown, of up to 1,000,000 characters. Headings are no sentences; tables and code
                are not checked.
            references: As `ground` takes them; read once for all sentences.
            show_progress: Draw a bar on stderr.

        Returns:
            The sentences with their groundings, to be shown in a notebook. A sentence whose evidence could not be
            sought is `not enough evidence`, and `warnings` says why.

        Raises:
            WebError: none of the references could be read, or no sentence's search was answered.
            InputError, ConfigError, ChatError, BackendError: as `ground`.
        """
        return run_sync(self.aground_text(text, references=references, show_progress=show_progress))

    async def aground_text(
        self, text: str, *, references: Sequence[Given] | None = None, show_progress: bool = False
    ) -> GroundedText:
        """Like `ground_text`, for event loops, which it does not block."""
        found, total, evidence = await self._sentences(text, references)
        return await joined(text, found, evidence, total=total, show_progress=show_progress)

    def stream_text(
        self, text: str, *, references: Sequence[Given] | None = None
    ) -> Generator[GroundedSentence, None, None]:
        """The sentences of a text in their order, as they have been checked.

        Ending the loop early cancels the rest. Arguments and errors as `ground_text`.
        """
        yield from iterate_sync(self.astream_text(text, references=references))

    async def astream_text(
        self, text: str, *, references: Sequence[Given] | None = None
    ) -> AsyncGenerator[GroundedSentence, None]:
        """Like `stream_text`, for event loops, which it does not block."""
        found, _, _ = await self._sentences(text, references)
        async with aclosing(found):
            async for checked in found:
                yield checked.sentence

    async def _sentences(
        self, text: str, references: Sequence[Given] | None
    ) -> tuple[AsyncGenerator[Checked, None], int, Evidence]:
        """The sentences of a text as they will be checked, how many they are, and what was read for all of them."""
        check_text(text, what="text")
        wanted = self._wanted(references)
        evidence = await self._pipeline.prepared(wanted)
        sentences = await asyncio.to_thread(split_sentences, text)
        check = self._pipeline.checker(wanted, evidence)
        found = ground_sentences(text, sentences, check, at_a_time=self._pipeline.concurrency)
        return found, len(sentences), evidence

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._arguments[1].items())
        return f"Grounder({self._source!r}{f', {given}' if given else ''})"

    def _wanted(self, references: Sequence[Given] | None) -> Wanted | None:
        """The references by their kind, as far as the parts can deal with them."""
        if references is None:
            if self._source is None:
                raise ConfigError("There is nothing to take evidence from: give the Grounder a source, or references.")
            return None
        wanted = sort_references(references)
        if wanted.urls and self._reader is None:
            raise ConfigError(f"To read {wanted.urls[0]} the Grounder needs a reader: Grounder(reader=Reader(), …).")
        if wanted.hosts and not isinstance(self._source, SupportsSearch):
            raise ConfigError(
                f"{wanted.hosts[0]!r} is taken for a host to search, for which the Grounder needs a WebSearch as its "
                f"source. To read a page, give its URL; a text of your own, as a Document.{path_hint(wanted.hosts[0])}"
            )
        return wanted


def _check_parts(source: object, **parts: object) -> None:
    if isinstance(source, type) or not isinstance(source, SupportsSearch | SupportsRetrieve | None):
        raise ConfigError(f"source must be a WebSearch, a Retriever or None, got {source!r}.")
    kinds: dict[str, tuple[type, str]] = {
        "entailment": (SupportsEntailment, "score the entailment of pairs, such as an EntailmentScorer"),
        "reranker": (SupportsRerank, "rerank, such as a Reranker"),
        "chat": (ChatModel, "have a method achat(messages), such as an OpenAIChat"),
        "reader": (SupportsRead, "have a method aread(source, options=…), such as a Reader"),
    }
    for name, part in parts.items():
        kind, does = kinds[name]
        if part is not None and (isinstance(part, type) or not isinstance(part, kind)):
            raise ConfigError(f"{name} must {does}; got {part!r}.")


def _check_limits(**limits: int) -> None:
    for name, limit in limits.items():
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"{name} must be a positive integer, got {limit!r}.")


def _judge(entailment: SupportsEntailment | None, chat: ChatModel | None) -> Judge:
    if entailment is not None:
        return EntailmentJudge(entailment)
    if chat is None:
        raise ConfigError("A Grounder needs something that judges: pass entailment=EntailmentScorer(), or chat=….")
    return ChatJudge(chat)
