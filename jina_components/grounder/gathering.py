"""From queries and references to texts that evidence can be taken from."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, zip_longest
from typing import Any, TypeVar

from jina_components.errors import (
    ConfigError,
    FetchTimeoutError,
    JinaComponentsError,
    MissingDependencyError,
    WebError,
)
from jina_components.grounder.jobs import as_done
from jina_components.grounder.passages import Pool
from jina_components.grounder.sources import Source, source_of_document, source_of_page
from jina_components.protocols import SupportsRead, SupportsRetrieve, SupportsSearch
from jina_components.read_options import PLAIN, QUOTABLE, ReadOptions
from jina_components.search_options import MAX_COUNT, SearchOptions
from jina_components.types import GroundingStep, Page, Ranking, SearchResult, SearchResults, Usage, shorten

T = TypeVar("T")
_Job = Callable[[], Coroutine[Any, Any, T]]

_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass
class Evidence:
    """What was found so far.

    Attributes:
        sources: Texts, repeated ones once.
        usage: Tokens that finding and reading them cost.
        warnings: What a reader of the verdict should know.
        failures: What could not be asked or read, and why.
        answered: How many of those asked did answer, be it with nothing.
    """

    sources: dict[Source, None] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    warnings: dict[str, None] = field(default_factory=dict)
    failures: dict[str, JinaComponentsError] = field(default_factory=dict)
    answered: int = 0
    _pool: Pool | None = None

    def copy(self) -> Evidence:
        """The same sources to add others to; what they cost is told once."""
        copied = Evidence(dict(self.sources), answered=self.answered)
        copied.warnings, copied.failures = dict(self.warnings), dict(self.failures)
        copied._pool = self._pool
        return copied

    def pool(self) -> Pool:
        """The passages of the sources; made once, and again when others were added."""
        if self._pool is None:
            self._pool = Pool(list(self.sources))
        return self._pool

    def add(self, sources: Iterable[Source], usage: Usage) -> None:
        """Add what somebody answered with."""
        self.sources.update(dict.fromkeys(source for source in sources if source.text.strip()))
        self.usage += usage
        self.answered += 1
        self._pool = None

    def warn(self, *warnings: str) -> None:
        """Add warnings, each once."""
        self.warnings.update(dict.fromkeys(warnings))

    def fail(self, what: str, error: JinaComponentsError) -> None:
        """Add a failure, which is a warning too."""
        self.failures[what] = error
        self.warn(f"{what}: {error}")

    def check(self) -> None:
        """Raise where nobody answered, so that nothing could speak for or against a claim.

        Raises:
            JinaComponentsError: the failure, if there was one.
            WebError: there were several; the message tells all.
        """
        if self.answered or not self.failures:
            return
        error = next(iter(self.failures.values()))
        if len(set(map(str, self.failures.values()))) == 1:
            raise error
        told = "; ".join(f"{what}: {failure}" for what, failure in self.failures.items())
        raise WebError(f"There is no evidence to judge by, as all failed: {shorten(told, 1000)}") from error


@dataclass(frozen=True, slots=True)
class Limits:
    """How much to gather.

    Attributes:
        max_pages: Pages to read, or documents to retrieve by a query, for a claim.
        timeout: Seconds for searching and reading.
        concurrency: Queries to ask, and pages to read, at the same time.
    """

    max_pages: int
    timeout: float
    concurrency: int


class Gatherer:
    """Asks a search or a retriever, and reads pages.

    Args:
        source: Whom to ask; None for nobody.
        reader: Reads pages; without one the search has to.
        search_options: How to search; None for the defaults.
        limits: How much to gather.
    """

    def __init__(
        self,
        source: SupportsSearch | SupportsRetrieve | None,
        *,
        reader: SupportsRead | None,
        search_options: SearchOptions | None,
        limits: Limits,
    ) -> None:
        self._source = source
        self._reader = reader
        self._options = search_options or SearchOptions()
        self._limits = limits
        # Reading what a search finds has the other half of the time.
        self._for_search = limits.timeout * (0.5 if reader is not None and isinstance(source, SupportsSearch) else 1)

    async def read(self, urls: Sequence[str], evidence: Evidence) -> AsyncGenerator[GroundingStep, None]:
        """Read pages that the caller named."""
        async with aclosing(self._read(urls, evidence, until=self._until(), fail=evidence.fail)) as steps:
            async for step in steps:
                yield step

    async def search(
        self, queries: Sequence[Sequence[str]], evidence: Evidence, *, sites: Sequence[str] = ()
    ) -> AsyncGenerator[GroundingStep, None]:
        """Ask the queries of each claim, and read what the search found, by the deadline.

        Args:
            queries: Of each claim.
            evidence: Takes what is found.
            sites: Where to search; empty for everywhere.
        """
        until = self._until()
        asked_until = until - self._limits.timeout + self._for_search
        asked = [(number, query) for number, of_claim in enumerate(queries, 1) for query in of_claim]
        outcomes: dict[int, SearchResults | Ranking | JinaComponentsError | None] = {}
        jobs = [self._job(query, len(queries[number - 1]), sites) for number, query in asked]
        async with aclosing(as_done(jobs, at_a_time=self._limits.concurrency, until=asked_until)) as done:
            async for place, outcome in done:
                number, query = asked[place]
                outcomes[place] = outcome
                at = _urls(outcome)
                yield GroundingStep("search", f"{shorten(query)!r}: {len(at)} sources found", number, at)
        found: list[list[Sequence[SearchResult]]] = [[] for _ in queries]
        for place, (number, query) in enumerate(asked):  # in this order, whoever was the first to answer
            self._take(query, outcomes[place], evidence)
            if isinstance(results := outcomes[place], SearchResults):
                found[number - 1].append(results)
        urls = self._to_read(found, evidence)
        async with aclosing(self._read(urls, evidence, until=until, fail=_not_read(evidence))) as steps:
            async for step in steps:
                yield step
        if sites and not evidence.sources and evidence.answered:
            evidence.warn(f"Nothing was found at {', '.join(sites)}.")

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._limits.timeout

    def _job(self, query: str, siblings: int, sites: Sequence[str]) -> _Job[SearchResults | Ranking]:
        if not isinstance(self._source, SupportsSearch):
            assert self._source is not None  # noqa: S101 (the Grounder asks nobody without a source)
            return partial(asyncio.to_thread, self._source.retrieve, query, top_k=self._limits.max_pages)
        # A search that reads for itself reads no more than its share of the pages.
        count = self._limits.max_pages if self._reader else -(-self._limits.max_pages // siblings)
        options = replace(
            self._options,
            count=min(count, MAX_COUNT),
            contents=self._reader is None,
            # A little before the query is given up, so that it can give out what it has.
            deadline=min(self._options.deadline, 0.9 * self._for_search),
            sites=tuple(sites) or self._options.sites,
            read_options=self._options.read_options or QUOTABLE,
        )
        return partial(self._source.asearch, query, options=options)

    def _take(
        self, query: str, outcome: SearchResults | Ranking | JinaComponentsError | None, evidence: Evidence
    ) -> None:
        """Keep what a query was answered with."""
        if isinstance(outcome, ConfigError | MissingDependencyError):  # the caller's to mend
            raise outcome
        if isinstance(outcome, SearchResults):
            evidence.add([source_of_page(result.page) for result in outcome if result.page], outcome.usage)
            evidence.warn(*outcome.warnings)
        elif isinstance(outcome, Ranking):
            evidence.add([source_of_document(hit.document) for hit in outcome], outcome.usage)
        else:
            evidence.fail(f"The search for {shorten(query)!r} failed", outcome or _too_late("It", self._for_search))

    def _to_read(self, found: Sequence[Sequence[Sequence[SearchResult]]], evidence: Evidence) -> list[str]:
        """URLs of the best results that have no page yet: of each claim, those of its queries by turns."""
        missing: dict[str, SearchResult] = {}
        for of_claim in found:
            by_turns = chain.from_iterable(zip_longest(*of_claim))
            best = list({result.url: result for result in by_turns if result}.values())[: self._limits.max_pages]
            missing |= {result.url: result for result in best if result.page is None}
        if self._reader is not None:
            return [url for url in missing if _URL.match(url)]  # a reader would take others for paths of files
        for result in missing.values():
            why = result.error or "the search reads no pages, and a snippet is no evidence: pass reader=Reader()."
            evidence.warn(f"Not read: {result.url}: {why}")
        return []

    async def _read(
        self,
        urls: Sequence[str],
        evidence: Evidence,
        *,
        until: float,
        fail: Callable[[str, JinaComponentsError], None],
    ) -> AsyncGenerator[GroundingStep, None]:
        if self._reader is None:
            return
        how = self._how(self._reader)
        jobs: list[_Job[Page]] = [partial(self._reader.aread, url, options=how) for url in urls]
        outcomes: dict[int, Page | JinaComponentsError] = {}
        async with aclosing(as_done(jobs, at_a_time=self._limits.concurrency, until=until)) as done:
            async for place, outcome in done:
                read = outcomes[place] = outcome or _too_late(urls[place], self._limits.timeout)
                yield GroundingStep("read", _told(read), urls=(urls[place],))
        for place, url in enumerate(urls):
            outcome = outcomes[place]
            if isinstance(outcome, Page):
                evidence.add([source_of_page(outcome)], outcome.usage)
            else:
                fail(f"Not read: {url}", outcome)

    def _how(self, reader: SupportsRead) -> ReadOptions:
        """How to read: so that a quote stands in the page as a reader of it sees it."""
        return self._options.read_options or replace(reader.options, style=PLAIN, images="none")


def _too_late(what: str, seconds: float) -> FetchTimeoutError:
    return FetchTimeoutError(f"{what} did not answer within the {seconds:g} seconds there were; raise the timeout.")


def _not_read(evidence: Evidence) -> Callable[[str, JinaComponentsError], None]:
    """What becomes of a page that a search found and nobody can read: a warning."""
    return lambda what, error: evidence.warn(f"{what}: {error}")


def _urls(outcome: SearchResults | Ranking | JinaComponentsError | None) -> tuple[str, ...]:
    """The URLs that a query found."""
    if isinstance(outcome, SearchResults):
        return tuple(dict.fromkeys(result.url for result in outcome))
    if isinstance(outcome, Ranking):
        return tuple(dict.fromkeys(source_of_document(hit.document).url for hit in outcome))
    return ()


def _told(outcome: Page | JinaComponentsError) -> str:
    """What became of a page, in words."""
    if isinstance(outcome, Page):
        return f"{shorten(outcome.title or outcome.url)}: {len(outcome.content):,} characters"
    return f"not read: {shorten(str(outcome), 200)}"
