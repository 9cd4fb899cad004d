"""The reasoner with a chat model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

from jina_components.deep_search.actions import ActionKind, Decision, Draft, Query
from jina_components.deep_search.chat import briefing, evaluators, forms, prompts
from jina_components.deep_search.chat.asking import Asker, told_form
from jina_components.deep_search.chat.briefing import MAX_PAGES, Section
from jina_components.deep_search.chat.counting import count_messages, count_tokens
from jina_components.deep_search.chat.forms import Form
from jina_components.deep_search.meter import BudgetEnded
from jina_components.deep_search.reasoning import Evaluation, Evaluator
from jina_components.deep_search.state import Rejected, State
from jina_components.deep_search.tools import Tools
from jina_components.errors import ConfigError, ContextOverflowError
from jina_components.types import Document, ScoredDocument

T = TypeVar("T")

# Tokens of a prompt: at most; and, while there are as many, at least.
_MOST, _LEAST = 24_000, 2_000
# Shares of the tokens left that a prompt may have: while the search goes on, and of the last answer.
_SHARE, _FINAL_SHARE = 1 / 16, 1 / 3
# A model with less context than this is of no use.
_SMALLEST_CONTEXT = 500
# Documents that an answer is taken to rest on, where it matters how old they are, by its first characters.
_RESTS_ON, _HEAD = 5, 2000
# What the program put into an answer.
_MARKS = re.compile(r" ?\[(?:\^\d+|unverified)\]")


class ChatReasoner:
    """Decides, writes and judges by a chat model, which sees what fits into a share of the tokens that are left.

    Where that is too long for the model's context, half of it is tried, and kept to from then on. One search, or member
    of a team, has one reasoner.

    Args:
        tools: Those of the search; there must be an asker.

    Raises:
        ConfigError: there is no asker.
    """

    def __init__(self, tools: Tools) -> None:
        if tools.asker is None:
            raise ConfigError("A ChatReasoner needs a chat model to ask.")
        self._asker: Asker = tools.asker
        self._tools = tools
        self._most = _MOST
        self._scores: dict[tuple[str, str], float] = {}  # of a question and a document, by its id

    async def plan(self, state: State, count: int) -> list[str]:
        """Up to `count` sub-questions that do not overlap; one or none where the question cannot be parted."""
        sections = [briefing.conversation(state)]
        task = prompts.PLAN.format(count=count)
        return await self._ask(state, task, sections, forms.questions_form(count), images=True)

    async def criteria(self, state: State, question: str) -> tuple[Evaluator, ...]:
        """Those that the model chooses for the question and, if the effort is not low, a strict review.

        A sub-question's answer has to be definite, no more; nothing is asked for that.
        """
        if question != state.question:
            return ("definitive",)
        chosen = await self._ask(state, evaluators.CRITERIA_TASK, [briefing.conversation(state)], evaluators.CRITERIA)
        return chosen if state.options.reasoning_effort == "low" else (*chosen, "strict")

    async def decide(self, state: State, allowed: frozenset[ActionKind]) -> Decision:
        """What to do next. Pages are chosen by number, so that no URL comes in that was not found."""
        pages = state.urls.listed(MAX_PAGES) if "visit" in allowed else []
        urls = {page.number: page.url for page in pages}
        kinds = forms.ordered(allowed, urls)
        is_main = state.current == state.question
        sections = [
            briefing.conversation(state),
            briefing.findings(state),
            briefing.rejections(state),
            *briefing.past(state),
            briefing.pages(pages),
            *await self._documents(state, state.current),
        ]
        may_skip = is_main and state.step == 1 and not state.evidence
        task = prompts.decide(kinds, state.options, is_main=is_main, may_skip=may_skip)
        form = forms.decision_form(kinds, urls)
        return await self._ask(state, task, sections, form, question=state.current, images=True)

    async def rewrite(self, state: State, queries: Sequence[Query], found: Sequence[str]) -> list[Query]:
        """Queries from other viewpoints, in the names and terms of what the first ones found."""
        sections = [
            briefing.conversation(state),
            briefing.texts("queries_asked", state.queries, 0.2),
            briefing.texts("found", found, 0.4),
        ]
        task = prompts.rewrite([query.text for query in queries], state.options)
        form = forms.queries_form(len(prompts.VIEWPOINTS))
        return await self._ask(state, task, sections, form, question=state.current)

    async def evaluate(self, state: State, question: str, draft: Draft, evaluator: Evaluator) -> Evaluation:
        """What an evaluator says of a draft. How many items it has and how old its sources are is told by code.

        Raises:
            ConfigError: the evaluator is none of a chat model's.
        """
        if evaluator == "freshness":
            return await self._freshness(state, question, draft)
        if evaluator not in evaluators.JUDGING:
            raise ConfigError(f"A chat model cannot judge by {evaluator!r}: one of {list(evaluators.JUDGING)} can be.")
        judging = evaluators.JUDGING[evaluator]
        sections = [briefing.texts("answer", [draft.text], 0.6), briefing.conversation(state)]
        if judging.sees_sources:
            sections += [briefing.findings(state), *await self._documents(state, question)]
        task = prompts.judge(judging.task, is_main=question == state.question)
        images = judging.sees_sources
        return await self._ask(state, task, sections, judging.form, question=question, images=images)

    async def analyse(self, state: State, rejected: Rejected) -> str:
        """What was done, what went wrong, and what to do better."""
        reason = f"{rejected.evaluator}: {rejected.reason}"
        sections = [
            briefing.texts("answer", [rejected.text], 0.3),
            briefing.texts("rejected_because", [reason], 0.3),
            briefing.conversation(state),
            *briefing.past(state),
            briefing.findings(state),
        ]
        return await self._ask(state, prompts.ANALYSE, sections, forms.ANALYSIS, question=rejected.question)

    async def conclude(self, state: State) -> Draft:
        """The best answer from everything that is known, from the tokens that are kept for it."""
        sections = [
            briefing.conversation(state),
            briefing.findings(state),
            briefing.rejections(state),
            *await self._documents(state, state.question),
        ]
        return await self._ask(state, prompts.CONCLUDE, sections, forms.DRAFT, final=True, images=True)

    async def merge(self, state: State, answers: Sequence[tuple[str, str]]) -> Draft:
        """One answer from those to a team's sub-questions."""
        parts = [{"question": question, "text": _without_marks(text)} for question, text in answers if text.strip()]
        sections = [
            Section("answers", parts, 0.6),
            briefing.conversation(state),
            *await self._documents(state, state.question),
        ]
        return await self._ask(state, prompts.MERGE, sections, forms.DRAFT, final=True, images=True)

    async def fill(self, state: State, text: str) -> Any:  # noqa: ANN401 (JSON)
        """The value of the options' schema: values that the answer or the documents give."""
        sections = [
            briefing.texts("answer", [_without_marks(text)], 0.6),
            briefing.conversation(state),
            briefing.findings(state),
            *await self._documents(state, state.question),
        ]
        form = forms.value_form(state.options.schema or {})
        return await self._ask(state, prompts.FILL, sections, form, final=True)

    async def rank(self, state: State) -> list[ScoredDocument]:
        """The evidence by its relevance for the question, best first."""
        ranked = await self._ranked(state, state.question)
        return [ScoredDocument(document, self._scores[state.question, document.id]) for document in ranked]

    async def _freshness(self, state: State, question: str, draft: Draft) -> Evaluation:
        task = prompts.judge(evaluators.SUBJECT_TASK, is_main=question == state.question)
        sections = [briefing.texts("answer", [draft.text], 0.6), briefing.conversation(state)]
        subject = await self._ask(state, task, sections, evaluators.SUBJECT, question=question)
        if evaluators.AGES[subject] is None:
            return evaluators.freshness(subject, (), state.today)
        ranked = await self._ranked(state, draft.text[:_HEAD])
        return evaluators.freshness(subject, ranked[:_RESTS_ON], state.today)

    async def _documents(self, state: State, question: str) -> list[Section]:
        """The evidence by its relevance for a question; for that of the search, first what its findings rest on."""
        ranked = await self._ranked(state, question)
        if question == state.question:
            used = frozenset(chain.from_iterable(one.documents for one in state.knowledge))
            ranked.sort(key=lambda document: document.id not in used)
        return list(briefing.documents(ranked, state.files))

    async def _ranked(self, state: State, question: str) -> list[Document]:
        """The evidence by its relevance; what was scored for the question before is not scored again."""
        documents = list(state.evidence.values())
        fresh = [document for document in documents if (question, document.id) not in self._scores]
        if fresh:
            scores = await self._tools.comparer.relevance(question, fresh)
            found = zip(fresh, scores, strict=True)
            self._scores.update({(question, document.id): score for document, score in found})
        return sorted(documents, key=lambda document: -self._scores[question, document.id])

    async def _ask(
        self,
        state: State,
        task: str,
        sections: Sequence[Section],
        form: Form[T],
        *,
        question: str = "",
        final: bool = False,
        images: bool = False,
    ) -> T:
        """What the form makes of the model's reply to a task, shown as much as its context holds."""
        ending, most = count_tokens(told_form(form.schema)), _MOST
        while True:
            tokens = min(self._most, most, self._allowance(final=final))
            messages = briefing.brief(state, task, sections, tokens=tokens - ending, question=question, images=images)
            try:
                return await self._asker.ask(
                    messages, schema=form.schema, accepted=form.accepted, read=form.read, final=final
                )
            except ContextOverflowError:
                self._most = min(tokens, count_messages(messages) + ending) // 2
                if self._most < _SMALLEST_CONTEXT:
                    raise
            except BudgetEnded as end:  # a shorter prompt may still find room for the last answer
                most = tokens // 2
                if not final or end.which == "seconds" or most < _SMALLEST_CONTEXT:
                    raise

    def _allowance(self, *, final: bool) -> int:
        """Tokens that a prompt may have."""
        left = self._tools.meter.tokens_left(final=final)
        return int(left * _FINAL_SHARE) if final else int(max(left * _SHARE, min(left / 2, _LEAST)))


def _without_marks(text: str) -> str:
    return _MARKS.sub("", text)
