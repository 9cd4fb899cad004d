"""The steps from a statement to the verdict."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain

from jina_components.errors import BackendError
from jina_components.grounder.claims import Claim, Topic
from jina_components.grounder.gathering import Evidence, Gatherer
from jina_components.grounder.judging import Judge, Judged
from jina_components.grounder.passages import Passage, Pool
from jina_components.grounder.planning import Plan, plan_by_chat, plan_by_rules
from jina_components.grounder.sources import Wanted, check_quotes
from jina_components.grounder.text import Check
from jina_components.grounder.verdicts import combine, judge_claim
from jina_components.protocols import ChatModel, SupportsRerank
from jina_components.types import ClaimVerdict, Grounding, GroundingStep, Usage, shorten

_NO_TOPIC = Topic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Plans, gathers, chooses, judges and combines.

    Attributes:
        gatherer: Finds evidence.
        judge: Judges passages.
        reranker: Chooses passages; None for their words.
        chat: Plans; None for rules.
        web: Whether the gatherer asks the web.
        max_queries, max_passages, max_references, concurrency: As the Grounder's.
    """

    gatherer: Gatherer
    judge: Judge
    reranker: SupportsRerank | None
    chat: ChatModel | None
    web: bool
    max_queries: int
    max_passages: int
    max_references: int
    concurrency: int

    async def plan(self, statement: str, *, before: str = "", topic: Topic = _NO_TOPIC) -> Plan:
        """What to check and to search for, given the text before the statement and what that was about."""
        if self.chat is not None:
            return await plan_by_chat(statement, before=before, max_queries=self.max_queries, chat=self.chat)
        return plan_by_rules(statement, topic=topic, max_queries=self.max_queries, web=self.web)

    def checker(self, wanted: Wanted | None, evidence: Evidence) -> Check:
        """What checks a sentence of a text by evidence that was read before, and by what else is found.

        Sentences that claim the same are checked once.
        """
        found: dict[object, Grounding] = {}
        turns: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def check(sentence: str, before: str, topic: Topic) -> tuple[Grounding | None, Usage]:
            plan = await self.plan(sentence, before=before, topic=topic)
            if not plan.claims.claims:
                return None, plan.usage
            same = (tuple(claim.text for claim in plan.claims.claims), plan.queries)
            async with turns[same]:
                if same in found:
                    return _said_again(found[same], sentence, plan), plan.usage
                async with aclosing(self.steps(sentence, plan, wanted, evidence.copy())) as steps:
                    grounding = found[same] = await last(steps)
            return grounding, grounding.usage

        return check

    async def prepared(self, wanted: Wanted | None) -> Evidence:
        """The references read, before any sentence is checked by them."""
        evidence = Evidence()
        async with aclosing(self._prepare(wanted, evidence)) as steps:
            async for _ in steps:
                pass
        if wanted is not None and not wanted.hosts:  # then this is all there will be
            evidence.check()
            await asyncio.to_thread(evidence.pool)
        return evidence

    async def _prepare(self, wanted: Wanted | None, evidence: Evidence) -> AsyncGenerator[GroundingStep, None]:
        """Read the references that can be read without a search."""
        if wanted is not None:
            evidence.warn(*wanted.hints)
        if wanted is not None and wanted.texts:
            evidence.add(wanted.texts, Usage())
        if wanted is not None and wanted.urls:
            async with aclosing(self.gatherer.read(wanted.urls, evidence)) as steps:
                async for step in steps:
                    yield step

    async def steps(
        self, statement: str, plan: Plan, wanted: Wanted | None, evidence: Evidence | None
    ) -> AsyncGenerator[GroundingStep, None]:
        """The steps from a plan to the verdict; with evidence where the references have been read before."""
        claims = plan.claims.claims
        yield GroundingStep("claims", _told(plan))
        if not claims:
            yield _done(_nothing_claimed(statement, plan))
            return
        if evidence is None:
            evidence = Evidence()
            async with aclosing(self._prepare(wanted, evidence)) as steps:
                async for step in steps:
                    yield step
        if wanted is None or wanted.hosts:
            for number, queries in enumerate(plan.queries, 1):
                yield GroundingStep("queries", "; ".join(queries), number)
            hosts = () if wanted is None else wanted.hosts
            async with aclosing(self.gatherer.search(plan.queries, evidence, sites=hosts)) as steps:
                async for step in steps:
                    yield step
        evidence.check()
        async with aclosing(self._judging(statement, plan, evidence)) as steps:
            async for step in steps:
                yield step

    async def _judging(self, statement: str, plan: Plan, evidence: Evidence) -> AsyncGenerator[GroundingStep, None]:
        claims = plan.claims.claims
        pool = await asyncio.to_thread(evidence.pool)
        turns = asyncio.Semaphore(self.concurrency)
        tasks = [asyncio.create_task(self._judged(claim, pool, turns)) for claim in claims]
        verdicts: list[ClaimVerdict] = []
        usage = plan.usage + evidence.usage
        try:
            for number, task in enumerate(tasks, 1):
                passages, judged, chosen = await task
                urls = tuple(dict.fromkeys(passage.url for passage in passages))
                yield GroundingStep("passages", f"{len(passages)} of {len(pool)} passages", number, urls)
                verdict = judge_claim(claims[number - 1], judged)
                verdicts.append(verdict)
                usage += judged.usage + chosen
                yield GroundingStep("judge", f"{verdict.verdict}: {shorten(verdict.claim, 200)}", number)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        check_quotes(chain.from_iterable(verdict.references for verdict in verdicts), evidence.sources)
        yield _done(
            combine(
                statement, verdicts, usage=usage, warnings=tuple(evidence.warnings), max_references=self.max_references
            )
        )

    async def _judged(self, claim: Claim, pool: Pool, turns: asyncio.Semaphore) -> tuple[list[Passage], Judged, Usage]:
        """The passages for a claim, what they say of it, and what choosing them cost."""
        async with turns:
            passages, usage = await asyncio.to_thread(pool.best, claim.text, self.max_passages, self.reranker)
            judged = await self.judge.judge(claim.text, passages) if passages else Judged(())
        if len(judged.judgements) != len(passages):
            raise BackendError(f"{self.judge!r} gave {len(judged.judgements)} judgements on {len(passages)} passages.")
        return passages, judged, usage


async def last(steps: AsyncGenerator[GroundingStep, None]) -> Grounding:
    """The result that ends the steps."""
    async for step in steps:
        if step.grounding is not None:
            return step.grounding
    raise RuntimeError("The steps of a Grounder ended without a result.")


def _done(grounding: Grounding) -> GroundingStep:
    return GroundingStep("done", grounding.reason, grounding=grounding)


def _told(plan: Plan) -> str:
    return "; ".join(claim.text for claim in plan.claims.claims) or plan.claims.reason


def _said_again(grounding: Grounding, sentence: str, plan: Plan) -> Grounding:
    """What was found of the same claims, of a sentence that makes them in its own words."""
    pairs = zip(grounding.claims, plan.claims.claims, strict=True)
    claims = tuple(replace(verdict, start=claim.start, end=claim.end) for verdict, claim in pairs)
    return replace(grounding, statement=sentence, claims=claims, usage=plan.usage)


def _nothing_claimed(statement: str, plan: Plan) -> Grounding:
    return replace(combine(statement, (), usage=plan.usage), reason=plan.claims.reason)
