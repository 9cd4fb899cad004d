"""One search from the question to the answer: its parts put together, its steps told, its answer composed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from jina_components.core.canonical import canonical_url
from jina_components.deep_search.chat.asking import Asker
from jina_components.deep_search.chat.reasoner import ChatReasoner
from jina_components.deep_search.citing.addresses import find_addresses
from jina_components.deep_search.citing.attribution import Attributed, Attributor
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.conversation import Conversation
from jina_components.deep_search.extractive import ExtractiveReasoner
from jina_components.deep_search.gathering.file_search import FileSearch
from jina_components.deep_search.gathering.gatherer import Gatherer
from jina_components.deep_search.gathering.hosts import Hosts
from jina_components.deep_search.gathering.urls import KnownUrls
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.loop import Loop, Outcome
from jina_components.deep_search.meter import BudgetEnded, Meter
from jina_components.deep_search.reasoning import Reasoner
from jina_components.deep_search.state import State
from jina_components.deep_search.tools import Tools
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import BackendError, ChatError, InputError, WebError
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
from jina_components.types import Answer, DeepSearchStep, Document, Trace, shorten
from jina_components.types.answered import Ended, StepKind

NO_ANSWER = "The sources do not answer this question."
NO_SEARCH = "The sources could not be searched."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an agent is made of, as `DeepSearchAgent` takes it."""

    sources: tuple[SupportsSearch | SupportsRetrieve, ...]
    reader: SupportsRead | None
    reranker: SupportsRerank | None
    embedder: SupportsEmbed | None
    grounder: SupportsGround | None
    chat: ChatModel | None
    top_k: int
    min_relevance: float
    max_quotes: int

    def kinds(self) -> dict[str, Any]:
        """Which parts there are, as a journal's request tells it: a search is not continued with others."""
        there = {name: getattr(self, name) is not None for name in _OPTIONAL}
        sources = ["search" if isinstance(one, SupportsSearch) else "retrieve" for one in self.sources]
        return {**there, "sources": sources, "top_k": self.top_k, "min_relevance": self.min_relevance,
                "max_quotes": self.max_quotes}  # fmt: skip

    def tools(self, options: DeepSearchOptions, journal: Journal, meter: Meter) -> Tools:
        """The parts as one search uses them."""
        comparer = Comparer(embedder=self.embedder, reranker=self.reranker, journal=journal, meter=meter)
        return Tools(
            asker=None if self.chat is None else Asker(self.chat, journal=journal, meter=meter),
            gatherer=Gatherer(
                self.sources, reader=self.reader, comparer=comparer, options=options, top_k=self.top_k,
                journal=journal, meter=meter,
            ),
            comparer=comparer,
            attributor=Attributor(
                comparer=comparer, grounder=self.grounder, options=options, journal=journal, meter=meter
            ),
            journal=journal,
            meter=meter,
        )  # fmt: skip

    def reasoner(self, tools: Tools) -> Reasoner:
        """The chat model, or rules where there is none."""
        return self.quoting(tools) if tools.asker is None else ChatReasoner(tools)

    def quoting(self, tools: Tools) -> Reasoner:
        """Rules."""
        return ExtractiveReasoner(tools, min_relevance=self.min_relevance, max_quotes=self.max_quotes)


_OPTIONAL = ("reader", "reranker", "embedder", "grounder", "chat")


class Session:
    """One search.

    Args:
        parts: What to search with.
        conversation: What was asked.
        options: How to search.
        journal: Has its calls on record.
    """

    def __init__(self, parts: Parts, conversation: Conversation, options: DeepSearchOptions, journal: Journal) -> None:
        self._parts = parts
        self._conversation = conversation
        self._options = options
        self._journal = journal
        self._steps: list[DeepSearchStep] = []
        self._told: asyncio.Queue[DeepSearchStep | None] = asyncio.Queue()

    async def steps(self) -> AsyncGenerator[DeepSearchStep, None]:
        """The steps as they are taken, the last one `done`. Closing the generator cancels what is under way."""
        task = asyncio.create_task(self._run())
        task.add_done_callback(lambda _: self._told.put_nowait(None))
        try:
            while (step := await self._told.get()) is not None:
                yield step
            yield await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> DeepSearchStep:
        documents, warnings = await self._read_files()
        files = FileSearch(documents)
        if documents:
            self._parts = replace(self._parts, sources=(*self._parts.sources, files))
        meter = Meter(self._options)
        tools = self._parts.tools(self._options, self._journal, meter)
        reasoner = self._parts.reasoner(tools)
        state = await self._state(self._journal, self._conversation.question, self._conversation.messages)
        begun = files.first(state.question)
        state.add(begun)
        state.files = tuple(document.id for document in begun)
        state.warnings.update(dict.fromkeys(warnings))
        if self._parts.chat is None:
            state.warnings.update(dict.fromkeys(self._conversation.unused_without_chat))
        questions = await self._planned(reasoner, state, tools)
        if len(questions) > 1:
            outcome = await self._team(questions, state, reasoner, tools)
        else:
            outcome = await self._searched(state, reasoner, tools)
        answer = await self._composed(state, outcome, reasoner, tools)
        return DeepSearchStep("done", shorten(answer.text, 300), question=state.question, answer=answer,
                              at=self._journal.seconds, tokens=meter.spent.tokens)  # fmt: skip

    async def _read_files(self) -> tuple[list[Document], tuple[str, ...]]:
        """Passages of what was sent along, and warnings.

        Raises:
            InputError: a file cannot be read, or not in time, for whatever reason.
        """
        try:
            return await self._conversation.read_files(self._parts.reader, self._journal)
        except (BackendError, WebError) as error:
            raise InputError(f"The files sent along could not be read: {error}") from error

    async def _state(self, journal: Journal, question: str, messages: tuple[ChatMessage, ...]) -> State:
        today = await journal.call("clock", {}, _today, str)
        urls, asked = KnownUrls(Hosts.of(self._options)), self._conversation.question
        for start, end in find_addresses(asked):  # those that the user names may be visited
            urls.add_hit(asked[start:end])
        return State(question, messages, self._options, today=today, open=[question], asked=[question], urls=urls)

    async def _planned(self, reasoner: Reasoner, state: State, tools: Tools) -> list[str]:
        """A team's sub-questions, no more than there are steps."""
        if self._options.team_size < 2:
            return []
        size = min(self._options.team_size, tools.meter.steps_left)
        if size < 2:
            state.warnings["No team was made, as there is but one step."] = None
            return []
        try:
            questions = (await reasoner.plan(state, size))[:size]
        except (BudgetEnded, ChatError) as error:
            state.warnings[f"No team was made, as the plan failed: {shorten(str(error), 300)}"] = None
            return []
        if len(questions) < 2:
            state.warnings["No team was made, as the question could not be parted."] = None
            return []
        return questions

    async def _team(self, questions: Sequence[str], state: State, reasoner: Reasoner, tools: Tools) -> Outcome:
        """The sub-questions, each by an agent of its own, all at the same time; their answers as one."""
        teller = _Teller(self, tools)
        teller("plan", " ".join(f"{n}. {question}" for n, question in enumerate(questions, 1)), question=state.question)
        tools.meter.advance(self._journal.seconds)
        shares = tools.meter.shares(len(questions))
        members = [
            asyncio.create_task(self._member(str(number), question, state, meter))
            for number, (question, meter) in enumerate(zip(questions, shares, strict=True), 1)
        ]
        try:
            found = await asyncio.gather(*members)
        finally:
            for member in members:
                member.cancel()
            await asyncio.gather(*members, return_exceptions=True)
        answers: list[tuple[str, str]] = []
        for member_state, outcome in found:
            state.add(list(member_state.evidence.values()))
            state.hits.update(member_state.hits)
            state.was_answered = state.was_answered or member_state.was_answered
            state.queries += [query for query in member_state.queries if query not in state.queries]
            state.urls.update(member_state.urls)
            state.images.update(member_state.images)
            state.warnings.update(member_state.warnings)
            state.knowledge += [item for item in member_state.knowledge if item.kind != "analysis"]
            answers.append((member_state.question, outcome.attributed.text))
        for meter in shares:
            tools.meter.absorb(meter)
        return await self._merged(answers, [outcome for _, outcome in found], state, reasoner, tools)

    async def _member(self, name: str, question: str, lead: State, meter: Meter) -> tuple[State, Outcome]:
        journal = self._journal.member(name, deadline=meter.deadline)
        tools = self._parts.tools(self._options, journal, meter)
        messages = (*(turn for turn in lead.messages if turn.role == "system"),
                    replace(lead.messages[-1], content=question))  # fmt: skip
        state = await self._state(journal, question, messages)
        state.add(list(lead.evidence.values()))
        state.files = lead.files
        outcome = await self._searched(state, self._parts.reasoner(tools), tools, name)
        state.warnings.update(dict.fromkeys(sorted(tools.comparer.warnings)))
        return state, outcome

    async def _searched(self, state: State, reasoner: Reasoner, tools: Tools, member: str = "") -> Outcome:
        teller = _Teller(self, tools, member)
        return await Loop(state, reasoner, tools, teller, quoting=self._parts.quoting(tools)).run()

    async def _merged(
        self, answers: list[tuple[str, str]], outcomes: list[Outcome], state: State, reasoner: Reasoner, tools: Tools
    ) -> Outcome:
        _Teller(self, tools)("write", "Writing one answer from those of the team.", question=state.question)
        ended: Ended = next((one.ended for one in outcomes if one.ended not in ("answered", "direct")), "answered")
        try:
            draft = await reasoner.merge(state, answers)
            return Outcome(await tools.attributor.attribute(draft.text, state), ended)
        except (BudgetEnded, ChatError) as error:
            state.warnings[f"The members' answers stand one after the other, as merging failed: {error}"] = None
        joined = "\n\n".join(text for _, text in answers if text)
        return Outcome(await tools.attributor.attribute(joined, state), ended)

    async def _composed(self, state: State, outcome: Outcome, reasoner: Reasoner, tools: Tools) -> Answer:
        attributed, ended = outcome.attributed, outcome.ended
        teller = _Teller(self, tools)
        state.warnings.update(dict.fromkeys(f"Left out, as {one}" for one in attributed.left_out))
        if attributed.text and ended != "direct":
            told = f"Quotes: {len(attributed.citations)}; sources show {attributed.share:.0%} of what it claims."
            teller("verify", told, question=state.question)
        answered = bool(attributed.text) and (bool(attributed.citations) or ended == "direct" or attributed.share > 0)
        if attributed.text and not answered:
            state.warnings["What the model wrote is left out, as nothing that was read shows any of it."] = None
        if not answered:
            attributed = Attributed(NO_ANSWER if state.was_answered or state.evidence else NO_SEARCH)
        text, value = attributed.text, None
        if answered and self._options.schema is not None:
            text, value = await self._filled(attributed, state, reasoner, tools)
        passages = await reasoner.rank(state)
        state.warnings.update(dict.fromkeys(sorted(tools.comparer.warnings)))  # as they came is by chance
        known = state.urls.ranked()
        tools.meter.advance(self._journal.seconds)
        return Answer(
            state.question,
            text,
            answered,
            citations=attributed.citations,
            sentences=attributed.sentences if text == attributed.text else (),
            passages=tuple(passages),
            value=value,
            ended=ended,
            visited_urls=tuple(known[: self._options.max_returned_urls]),
            read_urls=tuple(state.urls.read),
            num_urls=state.urls.count,
            images=_related_images(state, [*(citation.source for citation in attributed.citations), *known]),
            usage=tools.meter.usage,
            spent=tools.meter.spent,
            warnings=tuple(state.warnings),
            trace=Trace(self._journal.request, tuple(self._steps), self._journal.calls),
        )

    async def _filled(self, attributed: Attributed, state: State, reasoner: Reasoner, tools: Tools) -> tuple[str, Any]:
        """The answer as the JSON that the schema asks for, and its value; else as it is, and None."""
        try:
            value = tools.attributor.clean(await reasoner.fill(state, attributed.text), state)
        except (BudgetEnded, ChatError) as error:
            state.warnings[f"The answer could not be put into the schema: {shorten(str(error), 300)}"] = None
            return attributed.text, None
        return json.dumps(value, ensure_ascii=False), value

    def tell(self, step: DeepSearchStep) -> None:
        """Pass a step on."""
        self._steps.append(step)
        self._told.put_nowait(step)


class _Teller:
    """Tells the steps of one search, or of a member of its team."""

    def __init__(self, session: Session, tools: Tools, member: str = "") -> None:
        self._session = session
        self._tools = tools
        self._member = member

    def __call__(
        self,
        kind: StepKind,
        text: str,
        *,
        question: str = "",
        queries: tuple[str, ...] = (),
        urls: tuple[str, ...] = (),
    ) -> None:
        self._session.tell(
            DeepSearchStep(
                kind, text, question, queries, urls, self._member,
                at=self._tools.journal.seconds, tokens=self._tools.meter.spent.tokens,
            )
        )  # fmt: skip


def _related_images(state: State, pages: Sequence[str]) -> tuple[str, ...]:
    """Images of those pages that were read, each once."""
    return tuple(dict.fromkeys(chain.from_iterable(state.images.get(canonical_url(page), ()) for page in pages)))


async def _today() -> str:
    return datetime.now(UTC).date().isoformat()
