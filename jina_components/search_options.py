"""How to search: every option of a `WebSearch`, in one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from jina_components.errors import ConfigError
from jina_components.read_options import ReadOptions

SearchKind: TypeAlias = Literal["web", "news", "images"]
TimeRange: TypeAlias = Literal["", "hour", "day", "week", "month", "year"]
SafeSearch: TypeAlias = Literal["off", "moderate", "strict"]

MAX_COUNT = 100
MAX_DEADLINE = 180.0

_CHOICES = {"kind": get_args(SearchKind), "time_range": get_args(TimeRange), "safe": get_args(SafeSearch)}
# Of what goes into a query as an operator, nothing may end the operator and begin another.
_SITE = re.compile(r'[^\s"()|]{1,200}')
_FILE_TYPE = re.compile(r"[a-z0-9]{1,10}")
_TITLE_WORDS = re.compile(r'[^"\n\r]{1,200}')
_COUNTRY = re.compile(r"[A-Z]{2}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Options of a search. What a provider does not know it ignores, which `SearchResults.warnings` then says.

    Attributes:
        kind: What to search for: pages (`web`), `news` or `images`.
        count: How many results at most, up to 100; providers may give fewer (Brave 20, Tavily 20 …).
        page: Which page of results, from 1.
        country: Where the searcher is, ISO 3166-1 alpha-2 (`de`).
        language: Language of the results, BCP 47 (`en`, `pt-BR`).
        location: Where the searcher is, in words: `Berlin, Germany`.
        sites: Only pages of these, or below them: `example.com`, `example.com/docs`, or their URLs.
        file_types: Only files of these types: `pdf`.
        in_title: Words or phrases of which the title has one.
        time_range: Only what is no older than this.
        safe: How much of what is not for children to leave out.
        autocorrect: Whether the provider may correct the spelling of the query.
        contents: Whether to read the pages found, where the search has a reader. Images are not read.
        read_options: How to read them; None for the reader's own.
        deadline: Seconds for all; pages not read by then keep their snippet.

    Raises:
        ConfigError: a value is out of its range.
    """

    kind: SearchKind = "web"
    count: int = 10
    page: int = 1
    country: str = ""
    language: str = ""
    location: str = ""
    sites: tuple[str, ...] = ()
    file_types: tuple[str, ...] = ()
    in_title: tuple[str, ...] = ()
    time_range: TimeRange = ""
    safe: SafeSearch = "moderate"
    autocorrect: bool = True
    contents: bool = True
    read_options: ReadOptions | None = None
    deadline: float = 25.0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}.")
        for name, most in (("count", MAX_COUNT), ("page", 1000)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
                raise ConfigError(f"{name} must be a whole number from 1 to {most}, got {value!r}.")
        if not 0 < self.deadline <= MAX_DEADLINE:
            raise ConfigError(f"deadline must be above 0 and up to {MAX_DEADLINE:.0f} seconds, got {self.deadline}.")
        self._set("country", self.country.upper())
        if self.country and not _COUNTRY.fullmatch(self.country):
            raise ConfigError(f"country must be two letters (ISO 3166-1), such as 'us'; got {self.country!r}.")
        if self.language and not _LANGUAGE.fullmatch(self.language):
            raise ConfigError(f"language must be a BCP 47 tag such as 'en' or 'pt-BR', got {self.language!r}.")
        if len(self.location) > 200 or not self.location.isprintable():
            raise ConfigError(f"location must be up to 200 printable characters, got {self.location!r}.")
        self._set("sites", self._checked("sites", _SITE, [_bare_site(site) for site in self._texts("sites")]))
        types = [name.lower().removeprefix(".") for name in self._texts("file_types")]
        self._set("file_types", self._checked("file_types", _FILE_TYPE, types))
        self._set("in_title", self._checked("in_title", _TITLE_WORDS, self._texts("in_title")))

    def _texts(self, name: str) -> list[str]:
        values: Any = getattr(self, name)
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{name} must be a tuple of str, got {values!r}.")
        return [value.strip() for value in values]

    def _checked(self, name: str, form: re.Pattern[str], values: list[str]) -> tuple[str, ...]:
        if odd := [value for value in values if not form.fullmatch(value)]:
            raise ConfigError(f"{name} holds what it cannot: {odd!r}.")
        return tuple(dict.fromkeys(values))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _bare_site(site: str) -> str:
    """`https://Example.com:80/docs/?q` as `example.com/docs`."""
    try:
        parts = urlsplit(site if "://" in site else f"//{site}")
        return f"{(parts.hostname or '').strip('.')}{parts.path.rstrip('/')}"
    except ValueError as error:
        raise ConfigError(f"sites holds {site!r}, which is no host or URL: {error}.") from error
