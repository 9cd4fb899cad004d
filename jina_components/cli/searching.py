"""`web`: a query into pages of the web."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from jina_components.cli.common import (
    Commands,
    add_command,
    add_reading_options,
    make_reader,
    print_json,
    readable,
    warn,
    with_flags,
)
from jina_components.errors import ConfigError
from jina_components.search_options import SearchKind, SearchOptions, TimeRange
from jina_components.types import SearchResult, SearchResults, shorten

if TYPE_CHECKING:
    from jina_components.web_search import LocalIndex, SearchProvider

_KEYS = {
    "searxng": "SEARXNG_URL",
    "brave": "BRAVE_API_KEY", "serper": "SERPER_API_KEY", "tavily": "TAVILY_API_KEY", "jina": "JINA_API_KEY",
}  # fmt: skip
PROVIDERS = ("arxiv", "ddgs", "local", *_KEYS)
"""Providers by their names here."""


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    web = add_command(
        commands, "web", _web,
        help="search the web and read the pages found",
        examples="""
            jina-components web "how do tides work" --provider ddgs
            jina-components web "attention mechanism" --provider arxiv --count 5 --no-contents
            jina-components web tides --provider searxng --provider local --pages read.index --json | jq .content
        """,
    )  # fmt: skip
    web.add_argument("query", metavar="QUERY")
    web.add_argument(
        "--provider", action="append", default=[], choices=PROVIDERS,
        help="whom to ask; repeat it for others to ask when this one fails (default: local, the pages of --pages). "
        + ", ".join(f"{name} reads ${key}" for name, key in _KEYS.items()),
    )  # fmt: skip
    web.add_argument("--merge", action="store_true", help="ask all of them at once")
    web.add_argument(
        "--pages", type=Path, metavar="DIR",
        help="the index of `local`, made if it is not there: what is read is kept in it for later; "
        "one of `jina-components index` is for `jina-components search`",
    )  # fmt: skip
    web.add_argument("--count", type=int, default=10, metavar="N", help="(default: %(default)s)")
    web.add_argument("--kind", choices=get_args(SearchKind), default="web", help="(default: %(default)s)")
    web.add_argument("--country", default="", metavar="CC", help="two letters, such as de")
    web.add_argument("--language", default="", metavar="TAG", help="such as en or pt-BR")
    web.add_argument("--site", action="append", default=[], metavar="HOST", help="only pages of it (may be repeated)")
    web.add_argument("--file-type", action="append", default=[], metavar="TYPE", help="such as pdf (may be repeated)")
    web.add_argument("--time-range", choices=get_args(TimeRange)[1:], default="", help="no older than this")
    web.add_argument("--no-contents", action="store_true", help="do not read the pages")
    web.add_argument("--deadline", type=float, default=25, metavar="SECONDS", help="for all (default: %(default)s)")
    web.add_argument("--json", action="store_true", help="one JSON object a line")
    add_reading_options(web)


def _web(options: argparse.Namespace) -> int:
    from jina_components.web_search import LocalIndex, WebSearch

    asked = SearchOptions(
        kind=options.kind,
        count=options.count,
        country=options.country,
        language=options.language,
        sites=tuple(options.site),
        file_types=tuple(options.file_type),
        time_range=options.time_range,
        contents=not options.no_contents,
        deadline=options.deadline,
    )
    with ExitStack() as closing:
        reader = None if options.no_contents else closing.enter_context(make_reader(options))
        providers = make_providers(options)
        local = next((each for each in providers if isinstance(each, LocalIndex)), None)
        search = closing.enter_context(WebSearch(providers, reader=reader, merge=options.merge))
        results = search.search(options.query, options=asked)
        has_nothing = not results and local is not None and local.is_empty
    _print(results, as_json=options.json)
    if has_nothing:
        print(f"jina-components: the index {options.pages} is empty or not there.", file=sys.stderr)
    return 0 if results else 1


def make_providers(options: argparse.Namespace, *, flag: str = "--provider") -> list[SearchProvider]:
    """Those that `options.provider` names by this flag, with `options.pages` as the index of `local`.

    Raises:
        ConfigError: one lacks a setting, or the index is no index of pages.
    """
    from jina_components import web_search

    made: dict[str, Callable[[], SearchProvider]] = {
        "arxiv": web_search.ArxivSearch,
        "brave": lambda: web_search.BraveSearch(_setting("brave")),
        "ddgs": web_search.DdgsSearch,
        "jina": lambda: web_search.JinaSearch(_setting("jina")),
        "local": lambda: _local(options.pages),
        "searxng": lambda: web_search.SearxngSearch(_setting("searxng")),
        "serper": lambda: web_search.SerperSearch(_setting("serper")),
        "tavily": lambda: web_search.TavilySearch(_setting("tavily")),
    }
    names: list[str] = options.provider or ["local"]
    if "local" in names and options.pages is None:
        others = ", ".join([f"{flag} ddgs (extra search)", "arxiv", *_KEYS])
        raise ConfigError(
            f"The provider local finds what was read before: name its index with --pages, or ask another: {others}."
        )
    if "local" not in names and options.pages is not None:
        raise ConfigError(f"--pages is the index of the provider local: add {flag} local.")
    return [made[name]() for name in dict.fromkeys(names)]


def _local(directory: Path) -> LocalIndex:
    from jina_components.web_search import LocalIndex

    index = LocalIndex.from_defaults(directory)
    index.check()
    return index


def _setting(provider: str) -> str:
    if not (value := os.environ.get(_KEYS[provider], "")):
        raise ConfigError(f"The provider {provider} needs the variable {_KEYS[provider]}.")
    return value


def _print(results: SearchResults, *, as_json: bool) -> None:
    warn(results.warnings)
    for rank, result in enumerate(results, 1):
        if as_json:
            print_json(_json(result))
        else:
            print(readable(f"{rank}. {result.title or result.url}\n   {result.url}"))
            if snippet := shorten(result.content or result.description, 200):
                print(f"   {readable(snippet)}")
        if result.error is not None:
            why = readable(with_flags(result.error))
            if as_json:
                print(f"jina-components: not read: {result.url}: {why}", file=sys.stderr)
            else:
                print(f"   not read: {shorten(why, 200)}")


def _json(result: SearchResult) -> dict[str, Any]:
    facts = {option.name: getattr(result, option.name) for option in fields(result)}
    page = facts.pop("page")
    error = facts.pop("error")
    return facts | {"content": page.content if page else "", "error": str(error) if error else None}
