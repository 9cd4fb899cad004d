"""Asking providers: one after the other, or several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace

from jina_components.core.canonical import is_within
from jina_components.errors import (
    ConfigError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    MissingDependencyError,
    WebError,
)
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.availability import CircuitBreaker, RateLimit
from jina_components.web_search.merging import merge
from jina_components.web_search.provider import SearchProvider

# Statuses that may be due to the query alone (too long, malformed): they bring the provider no rest.
_OF_THE_QUERY = (400, 414, 422)
# The caller's to mend, and no reason to ask another provider in silence.
_OF_THE_CALLER = (ConfigError, InputError, MissingDependencyError)


@dataclass(frozen=True, slots=True)
class Found:
    """What providers found, and what is to be said about it."""

    results: tuple[SearchResult, ...]
    warnings: tuple[str, ...]


class Line:
    """A provider with its rate, its rest after failures and its time limit.

    Args:
        provider: The provider.
        timeout: Seconds for a call, the wait for its turn included.
        failures, cooling: Of its `CircuitBreaker`.
    """

    def __init__(self, provider: SearchProvider, *, timeout: float, failures: int, cooling: float) -> None:
        self.provider = provider
        self._timeout = timeout
        self._rate = RateLimit(provider.capabilities.rate)
        self._breaker = CircuitBreaker(failures=failures, cooling=cooling)

    async def ask(self, query: str, options: SearchOptions, *, until: float) -> Found:
        """What the provider finds, by `until` of the running loop's clock.

        Raises:
            WebError: it is not asked, fails or is late.
            InputError, ConfigError, MissingDependencyError: what it was asked cannot be asked.
        """
        name = self.provider.name
        now = asyncio.get_running_loop().time()
        if now >= until:  # others took it all, which says nothing of this one
            raise FetchTimeoutError(f"{name} was not asked, as no time was left; raise the deadline.")
        if rest := self._breaker.admit():
            raise WebError(f"{name} rests after failures, for {rest:.0f} more seconds.")
        until = min(until, now + self._timeout)
        wait = self._rate.reserve(until - now)
        if wait is None:
            self._breaker.abandoned()
            raise WebError(f"{name} has been asked as often as its rate allows; try again later.")
        fitted, notes = self.provider.capabilities.fit(options)
        results = await self._call(query, fitted, wait=wait, until=until)
        kept = [result for result in results if not options.sites or is_within(result.url, options.sites)]
        return Found(merge([kept], options), tuple(f"{name} {note}." for note in notes))

    async def _call(self, query: str, options: SearchOptions, *, wait: float, until: float) -> list[SearchResult]:
        name = self.provider.name
        try:
            async with asyncio.timeout_at(until):
                await asyncio.sleep(wait)
                found = await self.provider.search(query, options)
            results = [replace(result, providers=(name,)) for result in found if result.url]
        except _OF_THE_CALLER:
            self._breaker.abandoned()
            raise
        except JinaComponentsError as error:
            self._count(error)
            raise
        except TimeoutError as error:
            self._breaker.failed()
            raise FetchTimeoutError(f"{name} did not answer in time; raise timeout or the deadline.") from error
        except Exception as error:
            self._breaker.failed()
            raise WebError(f"{name} failed: {type(error).__name__}: {error}") from error
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return results

    def _count(self, error: JinaComponentsError) -> None:
        if not isinstance(error, HTTPStatusError):
            self._breaker.failed()
        elif error.status_code in _OF_THE_QUERY:
            self._breaker.abandoned()
        else:
            self._breaker.failed(retry_after=error.retry_after)


async def ask_in_order(lines: Sequence[Line], query: str, options: SearchOptions, *, until: float) -> Found:
    """The results of the first provider that has any.

    Raises:
        WebError: all failed; the message tells why each did.
    """
    warnings: list[str] = []
    failures: list[tuple[Line, JinaComponentsError]] = []
    for line in lines:
        try:
            found = await line.ask(query, options, until=until)
        except _OF_THE_CALLER:
            raise
        except JinaComponentsError as error:
            failures.append((line, error))
            warnings.append(_told(line, error))
            continue
        warnings += found.warnings
        if found.results:
            return Found(found.results, tuple(warnings))
        warnings.append(f"{line.provider.name} found nothing.")
    if len(failures) == len(lines):
        raise _none_answered(failures)
    return Found((), tuple(warnings))


async def ask_at_once(lines: Sequence[Line], query: str, options: SearchOptions, *, until: float) -> Found:
    """The results of all providers, fused.

    Raises:
        WebError: all failed; the message tells why each did.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_outcome(line.ask(query, options, until=until))) for line in lines]
    warnings: list[str] = []
    failures: list[tuple[Line, JinaComponentsError]] = []
    rankings: list[Sequence[SearchResult]] = []
    for line, outcome in zip(lines, (task.result() for task in tasks), strict=True):
        if isinstance(outcome, _OF_THE_CALLER):
            raise outcome
        if isinstance(outcome, JinaComponentsError):
            failures.append((line, outcome))
            warnings.append(_told(line, outcome))
            continue
        warnings += outcome.warnings
        rankings.append(outcome.results)
    if not rankings:
        raise _none_answered(failures)
    return Found(merge(rankings, options), tuple(warnings))


async def _outcome(asking: Coroutine[None, None, Found]) -> Found | JinaComponentsError:
    try:
        return await asking
    except JinaComponentsError as error:
        return error


def _told(line: Line, error: JinaComponentsError) -> str:
    name, message = line.provider.name, error.message
    return message if message.startswith(f"{name} ") else f"{name} failed: {message}"


def _none_answered(failures: Sequence[tuple[Line, JinaComponentsError]]) -> JinaComponentsError:
    """One error for all; of a single provider, its own."""
    if len(failures) == 1:
        return failures[0][1]
    reasons = " ".join(_told(line, error) for line, error in failures)
    return WebError(f"No search provider answered: {reasons}")
