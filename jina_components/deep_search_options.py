"""How to search deeply: every option of a `DeepSearchAgent.run`, in one frozen value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from jina_components.core.canonical import site_of
from jina_components.core.json_schema import violations
from jina_components.errors import ConfigError, InputError
from jina_components.types import shorten

Effort: TypeAlias = Literal["low", "medium", "high"]
Unsupported: TypeAlias = Literal["mark", "remove"]

MAX_TEAM = 16

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:]+:[0-9a-f.:]*")


def _check_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value <= (most or math.inf):  # type: ignore[operator]
        reach = f"from {least} on" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name} must be a whole number {reach}, got {value!r}.")


def _check_number(name: str, value: object, *, positive: bool = False, most: float = math.inf) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if is_number and 0 <= value <= most and (value or not positive):  # type: ignore[operator]
        return
    reach = f"from 0 to {most:g}" if most < math.inf else "above 0" if positive else "from 0 on"
    raise ConfigError(f"{name} must be a number {reach}, got {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What things cost, in one currency, for a budget of money.

    Attributes:
        prompt: A million tokens of prompt.
        completion: A million tokens of reply.
        search: One query put to a web search.
        read: One page read.

    Raises:
        ConfigError: a price is negative or no number.
    """

    prompt: float = 0.0
    completion: float = 0.0
    search: float = 0.0
    read: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prompt", "completion", "search", "read"):
            _check_number(f"prices.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may cost. None of a limit leaves it to the effort; of `seconds` and `money`, without limit.

    At 85 % of a limit, of steps at the last, the search for more ends, and the answer is written from what is known
    with the rest. The reply to a call that is under way when a limit is reached is the most by which it is exceeded; of
    a team, one of each member. Of `seconds`, calls are cancelled at the limit; what the program does by itself, such
    as composing the answer, may come after it.

    Attributes:
        tokens: Of the chat model, prompts and replies.
        steps: Actions.
        seconds: Wall-clock time.
        money: In the currency of `prices`.
        prices: What things cost.

    Raises:
        ConfigError: a limit is not positive, or there is one of money without prices.
    """

    tokens: int | None = None
    steps: int | None = None
    seconds: float | None = None
    money: float | None = None
    prices: Prices = Prices()

    def __post_init__(self) -> None:
        for name in ("tokens", "steps"):
            if (value := getattr(self, name)) is not None:
                _check_whole(f"budget.{name}", value, least=1)
        for name in ("seconds", "money"):
            if (value := getattr(self, name)) is not None:
                _check_number(f"budget.{name}", value, positive=True)
        if not isinstance(self.prices, Prices):
            raise ConfigError(f"budget.prices must be Prices, got {shorten(repr(self.prices))}.")
        if self.money is not None and self.prices == Prices():
            raise ConfigError("budget.money needs prices: pass Budget(money=…, prices=Prices(prompt=…, completion=…)).")


@dataclass(frozen=True, slots=True)
class EffortLimits:
    """What an effort stands for."""

    tokens: int
    steps: int
    attempts: int


EFFORTS: dict[Effort, EffortLimits] = {
    "low": EffortLimits(tokens=100_000, steps=12, attempts=1),
    "medium": EffortLimits(tokens=500_000, steps=40, attempts=2),
    "high": EffortLimits(tokens=1_000_000, steps=80, attempts=4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSearchOptions:
    """Options of a deep search; their names are those of the wire where it has them.

    Attributes:
        reasoning_effort: How much to spend, where `budget` and `max_attempts` say nothing else.
        budget: Limits.
        max_attempts: Answers that each evaluation may reject before the best that is known is given.
        no_direct_answer: Search even for what seems to need no sources.
        schema: JSON Schema of the answer, which then is JSON; None for prose. OpenAI's {"name": …, "schema": …} is
            taken for the schema in it.
        language: BCP 47 tag of the language to answer in; empty for the question's.
        search_language: Language to search in; empty for the question's.
        boost_hostnames: Hosts whose pages come first. Of these lists, a host stands for its subdomains too, and is
            kept as URLs are compared: in lower case, without `www.`.
        bad_hostnames: Hosts that are never searched, read or cited.
        only_hostnames: If any, the only hosts that are.
        max_citations: Quotes to give out.
        min_citation_relevance: Similarity (0 to 1) from which on a quote may be cited for a sentence; None for what
            suits the embedder.
        unsupported: What becomes of sentences that no source shows: `mark` follows them with `[unverified]`, `remove`
            leaves them out. Those with invented quotes, or which sources refute, are left out in any case, and so are
            URLs that were never found.
        max_returned_urls: URLs to list in the answer.
        team_size: Agents that work on sub-questions at the same time, up to 16; 1 for no team.

    Raises:
        ConfigError: a value is out of its range, or contradicts another.
    """

    reasoning_effort: Effort = "medium"
    budget: Budget = Budget()
    max_attempts: int | None = None
    no_direct_answer: bool = False
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    language: str = ""
    search_language: str = ""
    boost_hostnames: tuple[str, ...] = ()
    bad_hostnames: tuple[str, ...] = ()
    only_hostnames: tuple[str, ...] = ()
    max_citations: int = 10
    min_citation_relevance: float | None = None
    unsupported: Unsupported = "mark"
    max_returned_urls: int = 100
    team_size: int = 1

    def __post_init__(self) -> None:
        self._check_choices()
        for name, (least, most) in _RANGES.items():
            _check_whole(name, getattr(self, name), least=least, most=most)
        if self.max_attempts is not None:
            _check_whole("max_attempts", self.max_attempts, least=1)
        if self.min_citation_relevance is not None:
            _check_number("min_citation_relevance", self.min_citation_relevance, most=1)
        for name in ("boost_hostnames", "bad_hostnames", "only_hostnames"):
            object.__setattr__(self, name, _hosts(name, getattr(self, name)))
        if barred := [host for host in self.only_hostnames if host in self.bad_hostnames]:
            raise ConfigError(f"{', '.join(barred)}: in only_hostnames and in bad_hostnames; leave it out of one.")
        if self.schema is not None:
            object.__setattr__(self, "schema", _checked_schema(self.schema))

    def _check_choices(self) -> None:
        for name, known in _CHOICES.items():
            if (choice := getattr(self, name)) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(map(repr, known))}; got {choice!r}.")
        if not isinstance(self.budget, Budget):
            raise ConfigError(f"budget must be a Budget, got {shorten(repr(self.budget))}.")
        for name in ("language", "search_language"):
            tag = getattr(self, name)
            if not isinstance(tag, str) or (tag and not _LANGUAGE.fullmatch(tag)):
                raise ConfigError(f"{name} must be a BCP 47 tag such as 'en' or 'pt-BR', got {tag!r}.")


_CHOICES: dict[str, tuple[object, ...]] = {
    "reasoning_effort": get_args(Effort), "unsupported": get_args(Unsupported), "no_direct_answer": (True, False),
}  # fmt: skip
_RANGES: dict[str, tuple[int, int | None]] = {
    "max_citations": (0, None), "max_returned_urls": (0, None), "team_size": (1, MAX_TEAM),
}  # fmt: skip


def _hosts(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, tuple | list) or not all(isinstance(value, str) for value in values):
        raise ConfigError(f"{name} must be a tuple of host names, got {shorten(repr(values))}.")
    hosts = {value: site_of(value if "://" in value else f"https://{value.strip()}") for value in values}
    if odd := [value for value, host in hosts.items() if not _HOST.fullmatch(host)]:
        raise ConfigError(f"{name} holds what is no host name such as 'example.com': {shorten(repr(odd), 200)}.")
    return tuple(dict.fromkeys(hosts.values()))


def _checked_schema(given: object) -> dict[str, Any]:
    """A copy of a JSON Schema that shares nothing with the caller's, out of the wrapper of OpenAI's API."""
    if isinstance(given, Mapping) and isinstance(given.get("name"), str) and isinstance(given.get("schema"), Mapping):
        given = given["schema"]
    if not isinstance(given, Mapping):
        raise ConfigError(f"schema must be a JSON Schema, which is an object; got {shorten(repr(given))}.")
    try:
        violations(None, given)  # which no schema needs to allow
    except InputError as error:
        raise ConfigError(f"schema: {error.message}") from error
    copy: dict[str, Any] = json.loads(json.dumps(dict(given)))
    return copy
