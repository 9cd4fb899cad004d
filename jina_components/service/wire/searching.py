"""What clients ask of a search, and what they are shown of its results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from starlette.datastructures import Headers

from jina_components.search_options import MAX_DEADLINE, SearchKind, SearchOptions
from jina_components.service.errors import for_clients
from jina_components.service.wire import option_values as values
from jina_components.service.wire.negotiation import Result
from jina_components.service.wire.pages import content_text, page_data
from jina_components.service.wire.places import COUNTRIES, LANGUAGES
from jina_components.service.wire.reading import ReadRequest, read_request, wrong
from jina_components.types import SearchResult, SearchResults
from jina_components.web_search.providers.api import GOOGLE_TIME_RANGES

MAX_RESULTS = 20
_LONGEST_QUERY = 10_000
# Seconds to find, and to read where the client does not say.
_TO_FIND, _TO_READ = 15.0, 10.0
# Pages of a search need not be as new as a page that was asked for itself.
_TOLERANCE = 24 * 3600.0
# What `engine` may say of fetching, to which it belongs in a body; else it names whom to ask.
_FETCHING = frozenset(("auto", "browser", "direct", "curl", "cf-browser-rendering", "vlm", "readerlm-v2"))

# What a search costs: a step for every ten results, times the factor of its kind or engine, or what was read if more.
_STEP, _RESULTS_OF_STEP, _HIGHEST = 10_000, 10, 2_000_000
_FACTORS = {"news": 5, "images": 5, "bing": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What a client asks of a search.

    Attributes:
        query: What is sought; empty where it asks for nothing.
        count: How many results at most; none for 0.
        options: How to search, all else than `count`.
        provider: Whom to ask, as the client names it; empty for whoever there is.
        named: The parameter that named it.
        fallback: Whether pages read before will do where nothing else is found.
        favicons: Whether icons of the sites are shown.
        read: How pages are read and shown.
    """

    query: str
    count: int
    options: SearchOptions
    provider: str
    named: str
    fallback: bool
    favicons: bool
    read: ReadRequest


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the wire.

    Attributes:
        names: In a query string or a body.
        field: What it sets: a field of `SearchRequest`, or one of its options (`options.kind`).
        take: The value by that of the wire: text, JSON, or a list where it is repeated; a ValueError says what is
            wrong with it.
        doc: What it does.
        is_list: Whether all that is said under any of its names counts.
    """

    names: tuple[str, ...]
    field: str
    take: Callable[[object], Any]
    doc: str
    is_list: bool = False

    @property
    def headers(self) -> tuple[str, ...]:
        """Names of its headers; `X-Engine` is the Reader's."""
        return tuple(f"x-{_dashed(name)}" for name in self.names if name not in ("q", "engine"))


def search_request(
    given: Mapping[str, Any], headers: Headers, *, path: str = "", most: int = MAX_RESULTS
) -> SearchRequest:
    """What a request asks for.

    Args:
        given: Values of the query string and the body, by name.
        headers: Those of the request, which count where the others say nothing.
        path: The query as the path has it, where it is not `given`.
        most: Results that it may ask for.

    Raises:
        Problem: 400 `ParamValidationError`, whose `path` is the name of the parameter.
    """
    engine = given.get("engine")
    is_fetching = isinstance(engine, str) and engine.strip().lower() in _FETCHING
    of_reader = given if is_fetching else _without(given, "engine")
    read = replace(read_request(headers, of_reader), token_budget=None)
    if len(read.formats) > 1:
        raise wrong("respondWith", "must be one format in a search.")
    options = replace(_DEFAULTS, contents=read.formats != ("no-content",))
    fields: dict[str, Any] = {
        "query": path, "count": 10, "provider": "", "fallback": False, "favicons": False
    }  # fmt: skip
    names: dict[str, str] = {}
    for parameter, name, value in _given(_without(given, "engine") if is_fetching else given, headers):
        try:
            taken, (inner, _, field) = parameter.take(value), parameter.field.rpartition(".")
            if inner:
                options = replace(options, **{field: taken})
            else:
                fields[field] = taken
        except (ValueError, TypeError) as error:  # a ConfigError is a ValueError
            raise wrong(name, str(error)) from error
        names[field] = name
    if len(fields["query"]) > _LONGEST_QUERY:  # that of the path; the others were checked
        raise wrong("q", f"must be at most {_LONGEST_QUERY:,} characters, got {len(fields['query']):,}.")
    if fields["count"] > most:
        raise wrong(names["count"], f"must be at most {most}, got {fields['count']}.")
    seconds = _TO_FIND + (read.options.timeout or _TO_READ) * options.contents
    how = replace(read.options, accept_errors=False)  # of a page that is not there, the snippet tells more
    if how.cache_tolerance is None:
        how = replace(how, cache_tolerance=_TOLERANCE)
    if how.engine == "browser" and how.timing == "auto":
        how = replace(how, timing="visible-content")
    options = replace(options, count=fields["count"] or 1, deadline=min(seconds, MAX_DEADLINE), read_options=how)
    return SearchRequest(options=options, read=read, named=names.get("provider", "provider"), **fields)


def search_result(found: SearchResults, asked: SearchRequest, shown: dict[str, dict[str, Any]]) -> Result:
    """Results as the client sees them, and what they cost. It may take a while: call it in a thread.

    Args:
        found: The results.
        asked: What was asked for.
        shown: Pages shown before, by the URL of their result; new ones are added.
    """
    items = [_item(result, asked, shown) for result in found]
    tokens = cost(asked, len(items), sum(item["usage"]["tokens"] for item in items))
    for item in items:
        item["usage"] = {"tokens": math.ceil(tokens / len(items))}
    text = "\n\n".join(_block(number, item) for number, item in enumerate(items, 1))
    return Result(items, f"{text}\n", tokens, warnings=tuple(map(for_clients, found.warnings)))


def _item(result: SearchResult, asked: SearchRequest, shown: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A result as JSON; what it does not have is absent."""
    page = result.page if asked.options.contents else None
    if page is not None and result.url not in shown:
        shown[result.url] = page_data([page], asked.read)
    of_page = _without(shown[result.url], *_OF_PAGES) if page is not None else {}
    icons = [*page.external.get("icon", ()), *page.external.get("shortcut icon", ())] if page is not None else []
    of_result = {
        "url": result.url,
        "description": result.description,
        "date": result.published_time,
        "source": result.source,
        "imageUrl": result.image_url,
        "imageWidth": result.image_width,
        "imageHeight": result.image_height,
        "siteLinks": [{"title": title, "url": url} for title, url in result.site_links],
        "favicon": (result.favicon or next(iter(icons), "")) if asked.favicons else "",
        "warning": "" if result.error is None or page is not None else for_clients(str(result.error)),
    }
    item = {
        "title": result.title,
        **({"content": ""} if asked.options.contents and page is None else {}),
        "usage": {"tokens": 0},
        **{name: value for name, value in of_page.items() if value != ""},
        **{name: value for name, value in of_result.items() if value},
    }
    return {name: item[name] for name in sorted(item, key=_place)}


# Facts of a page that a list of results leaves out.
_OF_PAGES = ("metadata", "external")
_ORDER = (
    "title", "url", "description", "content", "date", "publishedTime", "source", "imageUrl", "imageWidth",
    "imageHeight", "siteLinks", "favicon",
)  # fmt: skip
_LINES = (
    ("Title", "title"), ("Source", "source"), ("URL Source", "url"), ("Image URL", "imageUrl"),
    ("Description", "description"), ("Published Time", "publishedTime"), ("Image Width", "imageWidth"),
    ("Image Height", "imageHeight"), ("Date", "date"), ("Favicon", "favicon"),
)  # fmt: skip
# What stands for the content where there is none.
_ALONE = ("pageshotUrl", "screenshotUrl", "html", "text")


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER) + (name == "usage")


def _block(number: int, item: Mapping[str, Any]) -> str:
    """A result as text."""
    lines = [f"[{number}] {label}: {' '.join(str(item[name]).split())}" for label, name in _LINES if item.get(name)]
    document = (
        content_text(item) if item.get("content") else next((item[name] for name in _ALONE if item.get(name)), "")
    )
    return "\n".join([*lines, *(["", document.strip()] if document else [])])


def cost(asked: SearchRequest, count: int, tokens: int) -> int:
    """Tokens that a search is charged for `count` results, whose contents have so many of them."""
    factor = _FACTORS.get(asked.options.kind) or _FACTORS.get(asked.provider, 1)
    return min(max(math.ceil(count / _RESULTS_OF_STEP) * _STEP * factor, tokens), _HIGHEST)


def _given(given: Mapping[str, Any], headers: Headers) -> Iterator[tuple[Parameter, str, object]]:
    """Each parameter that is there, the name it has, and its value."""
    for parameter in PARAMETERS:
        found = [(name, given[name]) for name in parameter.names if given.get(name) not in (None, "", [])]
        sent = [", ".join(filter(None, map(str.strip, headers.getlist(name)))) for name in parameter.headers]
        found = found or [(parameter.names[0], text) for text in sent if text]
        if found:
            name, value = found[0]
            yield parameter, name, [each for _, each in found] if parameter.is_list else value


def _without(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


def _dashed(name: str) -> str:
    """`withFavicons` as `with-favicons`."""
    return "".join(f"-{each.lower()}" if each.isupper() else each for each in name)


def _query(value: object) -> str:
    text = values.text(value)
    if len(text) > _LONGEST_QUERY:
        raise ValueError(f"must be at most {_LONGEST_QUERY:,} characters, got {len(text):,}")
    return text


def _country(value: object) -> str:
    code = values.text(value).lower()
    if code not in COUNTRIES:
        raise ValueError(f"must be a country by its two letters (ISO 3166-1), such as us; got {code[:60]!r}")
    return code


def _language(value: object) -> str:
    tag = values.text(value)
    if tag.lower().partition("-")[0] not in LANGUAGES:
        raise ValueError(f"must be a language by its code (ISO 639-1), such as en or pt-BR; got {tag[:60]!r}")
    return tag


def _texts(value: object) -> tuple[str, ...]:
    """All texts in what may be lists in a list."""
    found = value if isinstance(value, list) else [value]
    return tuple(values.text(text) for each in found for text in (each if isinstance(each, list) else [each]))


def _words(value: object) -> tuple[str, ...]:
    """Likewise, with commas between several."""
    return tuple(word for text in _texts(value) for each in text.split(",") if (word := each.strip()))


_TIMES = {value: name for name, value in GOOGLE_TIME_RANGES.items() if value}

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(("q",), "query", _query, "What is sought."),
    Parameter(("count", "num"), "count", values.whole_number(0), f"Results, up to {MAX_RESULTS} (10)."),
    Parameter(
        ("type",), "options.kind", values.choice({kind: kind for kind in get_args(SearchKind)}), "web, images or news."
    ),
    Parameter(
        ("provider", "engine"), "provider", lambda value: values.text(value).lower(),
        "Whom to ask: one of those this service has, or reader for pages read here before.",
    ),
    # The country that pages are of: of one who searches there, engines find those first.
    Parameter(("loc",), "options.country", _country, "Country of the pages, where gl is not given."),
    Parameter(("gl",), "options.country", _country, "Country to search from."),
    Parameter(("hl",), "options.language", _language, "Language."),
    Parameter(("location",), "options.location", values.text, "Place to search from: Berlin, Germany."),
    Parameter(("page",), "options.page", values.whole_number(1), "Page of results, from 1."),
    Parameter(("tbs",), "options.time_range", values.choice(_TIMES), f"{', '.join(_TIMES)}: no older than that."),
    Parameter(("nfpr",), "options.autocorrect", lambda value: not values.flag(value), "Do not correct the query."),
    Parameter(("fallback",), "fallback", values.flag, "Where nothing is found, take pages read here before."),
    Parameter(("site",), "options.sites", _words, "Only of these hosts, or below these URLs.", is_list=True),
    Parameter(("filetype", "ext"), "options.file_types", _words, "Only files of these types.", is_list=True),
    Parameter(("intitle",), "options.in_title", _texts, "Words of which the title has one.", is_list=True),
    Parameter(("withFavicons", "withFavicon"), "favicons", values.flag, "Show icons of the sites."),
)  # fmt: skip
"""All parameters of a search but those of reading, which are `reading.OPTIONS`."""

DOCS: dict[str, str] = {name: parameter.doc for parameter in PARAMETERS for name in parameter.names}
"""What each of their names does."""

_DEFAULTS = SearchOptions()


def plain_results(found: SearchResults) -> list[dict[str, Any]]:
    """Results as the host svip has them; what they do not have is absent."""
    return [
        {"title": each.title, "url": each.url, "snippet": each.description}
        | {
            name: value
            for name, value in (
                ("date", each.published_time),
                ("source", each.source),
                ("imageUrl", each.image_url),
                ("imageWidth", each.image_width),
                ("imageHeight", each.image_height),
            )
            if value
        }
        for each in found
    ]
