"""What a search provider is, what it says of itself, and how options are fitted to that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, get_args, runtime_checkable

from jina_components.errors import ConfigError
from jina_components.search_options import SearchKind, SearchOptions, TimeRange
from jina_components.types import Page, SearchResult

# What a provider may know; the other options are the search's own.
_FOR_PROVIDERS = (
    "page", "country", "language", "location", "file_types", "in_title", "time_range", "safe", "autocorrect",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {option.name: option.default for option in fields(SearchOptions)}
_WIDER: tuple[TimeRange, ...] = get_args(TimeRange)[1:]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a provider may be asked: so many calls in so many seconds.

    Raises:
        ConfigError: a number is not positive.
    """

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ConfigError(f"A rate must be positive, got {self.calls} calls in {self.seconds} seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do.

    Attributes:
        kinds: What it searches for, and how many results of each it gives at most.
        options: The `SearchOptions` it honours; `sites` it may leave to the search, which keeps to them in any case.
        except_for: Those of them that it does not honour for a kind.
        time_ranges: Those it knows.
        countries: Those it knows, or none for any.
        rate: How often it may be asked; None for as often as one likes.
    """

    kinds: Mapping[SearchKind, int]
    options: frozenset[str] = frozenset()
    except_for: Mapping[SearchKind, frozenset[str]] = field(default_factory=dict)
    time_ranges: tuple[TimeRange, ...] = ("day", "week", "month", "year")
    countries: frozenset[str] = field(default_factory=frozenset)
    rate: Rate | None = None

    def fit(self, options: SearchOptions) -> tuple[SearchOptions, tuple[str, ...]]:
        """The options as far as the provider knows them, and what became of the others, in words."""
        known = self.options - self.except_for.get(options.kind, frozenset())
        ignored = [name for name in _FOR_PROVIDERS if name not in known and getattr(options, name) != _DEFAULTS[name]]
        notes = [f"does not know {', '.join(ignored)}"] if ignored else []
        changes: dict[str, Any] = {name: _DEFAULTS[name] for name in ignored}
        if "country" not in ignored and self.countries and options.country not in ("", *self.countries):
            notes.append(f"does not know the country {options.country!r}")
            changes["country"] = ""
        asked = options.time_range
        if "time_range" not in ignored and asked and asked not in self.time_ranges:
            wider = next((span for span in _WIDER[_WIDER.index(asked) :] if span in self.time_ranges), "")
            changes["time_range"] = wider
            notes.append(f"does not know the time range {asked!r} and was asked for {wider or 'any'!r}")
        most = self.kinds.get(options.kind, options.count)
        if options.count > most:
            changes["count"] = most
            notes.append(f"gives at most {most} results")
        return replace(options, **changes), tuple(notes)


@runtime_checkable
class SearchProvider(Protocol):
    """One way to search. Anything with these fits; `jina_components.testing.check_search_provider` checks it."""

    @property
    def name(self) -> str:
        """What it is called in warnings, errors and `SearchResult.providers`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first; none is an empty list. `options` have been fitted to the capabilities.

        Raises:
            WebError: it could not be asked, or did not answer.
        """
        ...


@runtime_checkable
class RemembersPages(Protocol):
    """A provider that finds again the pages it was given."""

    def remember(self, pages: Iterable[Page]) -> None:
        """Find these from now on."""
        ...


def with_operators(query: str, options: SearchOptions) -> str:
    """The query with `site:`, `filetype:` and `intitle:` of the options, as Google, Bing and most others read them.

    Several values of one operator are alternatives; several operators must all hold.
    """
    groups = [
        " OR ".join(f"{operator}:{value}" for value in values)
        for operator, values in (
            ("site", options.sites), ("filetype", options.file_types), ("intitle", map(_quoted, options.in_title)),
        )
    ]  # fmt: skip
    groups = [group for group in groups if group]
    together = " AND ".join(f"({group})" for group in groups) if len(groups) > 1 else "".join(groups)
    return f"{query} {together}".strip()


def _quoted(words: str) -> str:
    return words if words.isalnum() else f'"{words}"'
