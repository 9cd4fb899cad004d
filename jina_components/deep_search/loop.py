"""The loop: search, read and reason until an answer passes, or a budget, the attempts or the ideas end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jina_components.deep_search.actions import (
    KINDS,
    MAX_QUERIES,
    MAX_SUB_QUESTIONS,
    MAX_URLS,
    Action,
    ActionKind,
    Calculate,
    Draft,
    Query,
    Reflect,
    Search,
    Visit,
)
from jina_components.deep_search.calculator import calculate
from jina_components.deep_search.citing.attribution import Attributed
from jina_components.deep_search.gathering.gatherer import Found
from jina_components.deep_search.gating import allowed_actions, barred_after
from jina_components.deep_search.meter import BudgetEnded
from jina_components.deep_search.reasoning import Evaluation, Evaluator, Reasoner
from jina_components.deep_search.state import Knowledge, Rejected, State
from jina_components.deep_search.tools import Tools
from jina_components.deep_search_options import EFFORTS
from jina_components.errors import ChatError, InputError, JinaComponentsError
from jina_components.types import shorten
from jina_components.types.answered import Ended, StepKind

# Steps in a row that find nothing new, after which the search ends.
_PATIENCE = 4
# Steps in a row that the chat model fails in, after which it is asked no more.
_MAX_FAILURES = 3
# Rejections after which a sub-question is given up.
_MAX_REJECTIONS = 2
# Searches and visits by rules, in the place of a chat model that failed.
_QUOTING_STEPS = 5
_QUOTING: frozenset[ActionKind] = frozenset({"search", "visit", "answer"})
# Share of a draft's sentences that sources must show.
_MIN_SHARE = 0.5
# A server that answers the first call so will not answer another: the key, the model's name or the account is wrong.
_HOPELESS = frozenset({401, 402, 403, 404})


class Tell(Protocol):
    """Takes a step that was taken."""

    def __call__(
        self,
        kind: StepKind,
        text: str,
        *,
        question: str = "",
        queries: tuple[str, ...] = (),
        urls: tuple[str, ...] = (),
    ) -> None:
        """As the fields of a `DeepSearchStep`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a search ended: the answer, if there is one, and why it ended."""

    attributed: Attributed
    ended: Ended


class Loop:
    """One search, of one question, by one reasoner.

    Args:
        state: What is known; grows.
        reasoner: Decides, writes and judges.
        quoting: Answers by quotes where the reasoner, a chat model, cannot.
        tools: Everything outside.
        tell: Takes each step as it is taken.
    """

    def __init__(self, state: State, reasoner: Reasoner, tools: Tools, tell: Tell, *, quoting: Reasoner) -> None:
        self._state = state
        self._reasoner = reasoner
        self._quoting = quoting
        self._tools = tools
        self._tell = tell
        self._attempts = state.options.max_attempts or EFFORTS[state.options.reasoning_effort].attempts
        self._criteria: dict[str, tuple[Evaluator, ...]] = {}
        self._failed: Counter[tuple[str, str]] = Counter()  # (question, evaluator)
        self._idle = self._failures = self._known = 0
        self._best: Attributed | None = None  # of the drafts that answer the question

    async def run(self) -> Outcome:
        """Search until it ends.

        Raises:
            ChatError: the chat model's server refuses the first call, for a reason that the caller can mend.
            ConfigError, InputError, MissingDependencyError …: likewise of the sources and the models that compare.
        """
        try:
            outcome = await self._search()
        except BudgetEnded as end:
            outcome = end.which
        if isinstance(outcome, Outcome):
            return outcome
        self._tell("end", _WHY[outcome], question=self._state.question)
        return Outcome(await self._conclusion(), outcome)

    async def _search(self) -> Outcome | Ended:
        state, meter = self._state, self._tools.meter
        while True:
            meter.advance(self._tools.journal.seconds)
            if meter.ended:
                return meter.ended
            if self._idle >= _PATIENCE:
                return "no progress"
            meter.take_step()
            state.step += 1
            allowed = allowed_actions(state)
            await self._tools.gatherer.rate(state.current, state)
            try:
                decision = await self._reasoner.decide(state, allowed)
                if decision.thought:
                    self._tell("think", decision.thought, question=state.current)
                if (outcome := await self._act(decision.action)) is not None:
                    return outcome
                self._failures = 0
            except ChatError as error:
                self._fail(error)
                if self._failures >= _MAX_FAILURES:
                    return "chat failed"

    def _fail(self, error: ChatError) -> None:
        """The chat model failed in this step; the next may go better.

        Raises:
            ChatError: it never will.
        """
        if error.status_code in _HOPELESS and not self._tools.journal.has_worked("chat"):
            raise error
        self._failures += 1
        self._idle += 1
        self._warn("The chat model failed", error)
        self._skip(f"The chat model failed: {shorten(str(error), 200)}")

    def _warn(self, what: str, error: ChatError) -> None:
        self._state.warnings[f"{what}: {shorten(str(error), 300)}"] = None

    async def _act(self, action: Action) -> Outcome | Ended | None:
        """Take an action; the outcome where it is the last."""
        if isinstance(action, Draft):
            return await self._answer(action)
        takes: dict[type, Callable[[Any], Awaitable[bool]]] = {
            Search: self._ask_sources, Visit: self._visit, Reflect: self._reflect, Calculate: self._calculate,
        }  # fmt: skip
        found = await takes[type(action)](action)
        self._idle = 0 if found else self._idle + 1
        return None

    async def _ask_sources(self, action: Search) -> bool:
        state = self._state
        queries = await self._new_queries(action.queries)
        if not queries:
            return self._skip("All these queries were asked before.", action)
        found = await self._asked(queries)
        pages = bool(found.urls) and not found.documents
        anything = self._take(found)
        if more := await self._new_queries(await self._rewritten(queries, found)):
            further = await self._asked(more)
            pages = pages or (bool(further.urls) and not further.documents)
            anything = self._take(further) or anything
        state.barred = barred_after(action, found_pages_alone=pages and state.urls.waiting > 0)
        return anything

    async def _rewritten(self, queries: tuple[Query, ...], found: Found) -> list[Query]:
        """Better queries; none where the chat model fails, as the first ones were asked already."""
        try:
            return await self._reasoner.rewrite(self._state, queries, found.snippets)
        except ChatError as error:
            self._warn("Queries were not rewritten", error)
            return []

    async def _new_queries(self, queries: Sequence[Query]) -> tuple[Query, ...]:
        """Those that were not asked before; of a chat model, that mean something else than those asked before."""
        asked = {query.casefold() for query in self._state.queries}
        worded = [query for query in queries if any(map(str.isalnum, query.text))]
        fresh = {query.text.casefold(): query for query in worded if query.text.casefold() not in asked}
        by_text = {query.text: query for query in fresh.values()}
        texts = list(by_text)
        if self._tools.asker is not None:
            texts = await self._tools.comparer.novel(texts, self._state.queries, limit=MAX_QUERIES)
        return tuple(by_text[text] for text in texts[:MAX_QUERIES])

    async def _asked(self, queries: tuple[Query, ...]) -> Found:
        state, texts = self._state, tuple(query.text for query in queries)
        self._tell("search", "; ".join(texts), question=state.current, queries=texts)
        found = await self._gathered(self._tools.gatherer.search(queries, state))
        state.queries += texts
        state.was_answered = state.was_answered or bool(found.urls or found.documents or not found.failures)
        state.hits.update({text: found.hits.get(text, ()) for text in texts})
        told = f"passages: {len(found.documents)}, sources: {len(found.urls)}"
        self._tell("found", _with_failures(told, found), question=state.current, urls=found.urls)
        state.diary.append(f"Searched for {'; '.join(map(repr, texts))}: {told}.")
        return found

    async def _visit(self, action: Visit) -> bool:
        state = self._state
        urls = tuple(url for url in dict.fromkeys(action.urls) if url in state.urls.unread)[:MAX_URLS]
        if not urls:
            return self._skip("None of these URLs is known and unread.", action)
        self._tell("visit", ", ".join(urls), question=state.current, urls=urls)
        found = await self._gathered(self._tools.gatherer.visit(urls, state.current, state))
        told = f"passages: {len(found.documents)}, from {len(found.urls)} of {len(urls)} sources"
        self._tell("read", _with_failures(told, found), question=state.current, urls=found.urls)
        state.diary.append(f"Read {', '.join(urls)}: {told}.")
        # After pages that say nothing, others may be read at once.
        state.barred = barred_after(action, found_pages_alone=False) if found.documents else frozenset()
        return self._take(found)

    async def _gathered(self, gathering: Awaitable[Found]) -> Found:
        """What was found; where sources have worked before, also that they do not any more.

        Raises:
            JinaComponentsError: they never did: the caller has to mend something.
        """
        try:
            return await gathering
        except JinaComponentsError as error:
            if not self._state.queries:
                raise
            return Found(failures=(f"The sources failed: {shorten(str(error), 300)}",))

    def _take(self, found: Found) -> bool:
        """Keep what was found; whether any of it is new."""
        state = self._state
        state.warnings.update(dict.fromkeys((*found.failures, *found.warnings)))
        known, self._known = self._known, state.urls.found
        return state.add(list(found.documents)) > 0 or self._known > known

    async def _reflect(self, action: Reflect) -> bool:
        state = self._state
        fresh = await self._tools.comparer.novel(action.questions, state.asked, limit=MAX_SUB_QUESTIONS)
        if not fresh:
            return self._skip("These questions were asked before.", action)
        state.open += fresh
        state.asked += fresh
        self._tell("reflect", " ".join(fresh), question=state.current)
        state.diary.append(f"Asked first: {' '.join(fresh)}")
        state.barred = barred_after(action, found_pages_alone=False)
        return False  # questions alone are no evidence

    async def _calculate(self, action: Calculate) -> bool:
        state = self._state
        try:
            result = await asyncio.to_thread(calculate, action.code)
        except InputError as error:
            return self._skip(f"This cannot be calculated: {shorten(str(error), 300)}", action)
        item = Knowledge("calculation", action.code, result)
        self._tell("calculate", f"{shorten(action.code, 200)} = {shorten(result, 200)}", question=state.current)
        state.barred = barred_after(action, found_pages_alone=False)
        if item not in state.knowledge:
            state.knowledge.append(item)
        return False  # which is no evidence either

    def _skip(self, why: str, action: Action | None = None) -> bool:
        """Nothing was done, and the reasoner should know why."""
        state = self._state
        self._tell("skip", why, question=state.current)
        state.diary.append(why)
        state.barred = frozenset() if action is None else frozenset({KINDS[type(action)]})
        return False

    async def _answer(self, draft: Draft) -> Outcome | Ended | None:
        state, question = self._state, self._state.current
        is_main = question == state.question
        is_direct = is_main and state.step == 1 and not state.evidence and self._tools.asker is not None
        self._tell("answer", shorten(draft.text, 300) or "What is known does not answer it.", question=question)
        attributed = await self._tools.attributor.attribute(draft.text, state)
        if is_direct and not attributed.claims and attributed.text:
            return Outcome(attributed, "direct")
        if is_direct:
            self._skip("What an answer claims must stand in the sources: they were not searched yet.", draft)
            return None
        least = 0.0 if self._best is None else self._best.share
        if is_main and attributed.text and attributed.share >= least and attributed.share > 0:
            self._best = attributed
        if question not in self._criteria:
            self._criteria[question] = await self._reasoner.criteria(state, question)
        for evaluator in ("attribution", *self._criteria[question]):
            evaluation = await self._evaluated(question, draft, attributed, evaluator)
            if not evaluation.passed:
                return await self._reject(Rejected(question, draft.text, evaluator, evaluation.reason))
            self._tell("evaluate", f"{evaluator}: passed. {shorten(evaluation.reason, 200)}".strip(), question=question)
        self._idle = 0
        if is_main:
            return Outcome(attributed, "answered")
        state.open.remove(question)
        documents = tuple(dict.fromkeys(citation.document_id for citation in attributed.citations))
        state.knowledge.append(Knowledge("answer", question, draft.text, documents))
        state.diary.append(f"Answered {question!r}.")
        state.barred = frozenset()
        return None

    async def _evaluated(self, question: str, draft: Draft, attributed: Attributed, evaluator: Evaluator) -> Evaluation:
        if evaluator != "attribution":
            return await self._reasoner.evaluate(self._state, question, draft, evaluator)
        if not attributed.text:
            return Evaluation(False, "Nothing of it is shown by what was read.")
        if attributed.share >= _MIN_SHARE:
            return Evaluation(True)
        if not attributed.unsupported:
            return Evaluation(False, "It claims nothing.")
        told = " ".join(f"“{shorten(sentence, 200)}”" for sentence in attributed.unsupported[:3])
        return Evaluation(False, f"Nothing that was read shows {told}")

    async def _reject(self, rejected: Rejected) -> Ended | None:
        state = self._state
        self._idle += 1
        self._failed[rejected.question, rejected.evaluator] += 1
        state.rejected.append(rejected)
        self._tell("reject", f"{rejected.evaluator}: {shorten(rejected.reason, 300)}", question=rejected.question)
        state.barred = frozenset({"answer"}) if len(state.open) == 1 else frozenset()  # else another question is next
        if rejected.question != state.question:
            if sum(n for (question, _), n in self._failed.items() if question == rejected.question) >= _MAX_REJECTIONS:
                state.open.remove(rejected.question)
                state.diary.append(f"Gave up {rejected.question!r}.")
            return None
        if self._failed[rejected.question, rejected.evaluator] >= self._attempts or self._is_without_more():
            return "attempts" if rejected.text else "nothing found"
        analysis = await self._reasoner.analyse(state, rejected)
        state.knowledge.append(Knowledge("analysis", rejected.question, analysis))
        state.diary.clear()
        return None

    def _is_without_more(self) -> bool:
        """Whether there is no chat model that could do better the next time."""
        return self._tools.asker is None

    async def _conclusion(self) -> Attributed:
        """The best answer from all that is known: the reasoner's, or else the best one rejected, or verbatim quotes."""
        state = self._state
        if not state.queries:  # of what ended before it began, this much can be known
            self._take(await self._asked((Query(state.question),)))
        self._tell("write", "Writing the answer from what is known.", question=state.question)
        try:
            draft = await self._reasoner.conclude(state)
            return await self._tools.attributor.attribute(draft.text, state)
        except (BudgetEnded, ChatError) as error:
            why = shorten(str(error), 300)
        if self._best is not None:
            state.warnings[f"The answer is a draft that did not pass, as no other could be written: {why}"] = None
            return self._best
        draft = await self._quoted()
        made = "is made of quotes" if draft.text else "is none, also not by quotes"
        state.warnings[f"The answer {made}, as the chat model could not write it: {why}"] = None
        return await self._tools.attributor.attribute(draft.text, state)

    async def _quoted(self) -> Draft:
        """The answer by rules, which search on their own first."""
        for _ in range(_QUOTING_STEPS):
            action = (await self._quoting.decide(self._state, _QUOTING)).action
            if isinstance(action, Draft):
                return action
            if isinstance(action, Visit):
                await self._visit(action)
            elif isinstance(action, Search):
                asked = set(self._state.queries)
                if queries := tuple(query for query in action.queries if query.text not in asked):
                    self._take(await self._asked(queries))
        return await self._quoting.conclude(self._state)


def _with_failures(told: str, found: Found) -> str:
    return f"{told}; failed: {'; '.join(shorten(one, 200) for one in found.failures)}" if found.failures else told


_WHY: dict[Ended, str] = {
    "attempts": "No attempts are left.",
    "no progress": f"{_PATIENCE} steps in a row found nothing new.",
    "tokens": "The budget of tokens is spent, but for the answer's share.",
    "steps": "The budget of steps is spent.",
    "seconds": "The time is over, but for the answer's share.",
    "money": "The budget of money is spent, but for the answer's share.",
    "chat failed": f"The chat model failed {_MAX_FAILURES} times in a row.",
    "nothing found": "Nothing was found that answers it.",
}
