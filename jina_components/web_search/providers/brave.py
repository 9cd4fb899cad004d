"""Brave Search (api-dashboard.search.brave.com, "Web", "News" and "Image search")."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate, with_operators
from jina_components.web_search.providers.api import KeyedProvider, given, number, rows, text

_FRESHNESS = {"": "", "day": "pd", "week": "pw", "month": "pm", "year": "py"}
# Where Brave's name of a language is not the tag's first part.
_LANGUAGES = {
    "ja": "jp", "no": "nb", "en-gb": "en-gb", "pt": "pt-pt", "pt-br": "pt-br", "pt-pt": "pt-pt", "zh": "zh-hans",
    "zh-cn": "zh-hans", "zh-hans": "zh-hans", "zh-sg": "zh-hans", "zh-tw": "zh-hant", "zh-hk": "zh-hant",
    "zh-hant": "zh-hant",
}  # fmt: skip
_COUNTRIES = frozenset({
    "AR", "AU", "AT", "BE", "BR", "CA", "CL", "DK", "FI", "FR", "DE", "HK", "IN", "ID", "IT", "JP", "KR", "MY",
    "MX", "NL", "NZ", "NO", "CN", "PL", "PT", "PH", "RU", "SA", "ZA", "ES", "SE", "CH", "TW", "TR", "GB", "US",
})  # fmt: skip


class BraveSearch(KeyedProvider):
    """Asks the Brave Search API; by default once a second, as the free plan allows. Arguments as `KeyedProvider`."""

    name = "brave"
    home = "https://api.search.brave.com/res/v1"
    auth_header = "x-subscription-token"
    can = Capabilities(
        kinds={"web": 20, "news": 50, "images": 100},
        options=frozenset(
            {"page", "country", "language", "file_types", "in_title", "time_range", "safe", "autocorrect"}
        ),
        except_for={"images": frozenset({"page", "time_range"})},
        countries=_COUNTRIES,
        rate=Rate(1, 1.0),
    )

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, or refused.
        """
        params = given(
            q=with_operators(query, options),
            count=options.count,
            country=options.country,
            search_lang=_language(options.language),
            spellcheck="1" if options.autocorrect else "0",
        )
        if options.kind == "images":  # of whose safety there are two degrees
            params["safesearch"] = "off" if options.safe == "off" else "strict"
            return [_image(row) for row in rows(await self._api.get("images/search", params=params), "results")]
        params |= given(offset=str(options.page - 1), safesearch=options.safe, freshness=_FRESHNESS[options.time_range])
        if options.kind == "news":
            return [_page(row) for row in rows(await self._api.get("news/search", params=params), "results")]
        params |= {"result_filter": "web", "text_decorations": "0"}
        return [_page(row) for row in rows(await self._api.get("web/search", params=params), "web", "results")]


def _language(tag: str) -> str:
    tag = tag.lower()
    primary = tag.partition("-")[0]
    return _LANGUAGES.get(tag) or _LANGUAGES.get(primary, primary)


def _page(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "url"),
        title=html.unescape(text(row, "title")),
        description=html.unescape(text(row, "description")),
        published_time=text(row, "page_age") or text(row, "age"),
        source=text(row, "profile", "name") or text(row, "meta_url", "hostname"),
        image_url=text(row, "thumbnail", "original") or text(row, "thumbnail", "src"),
        favicon=text(row, "meta_url", "favicon"),
    )


def _image(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "url"),
        title=html.unescape(text(row, "title")),
        source=text(row, "source"),
        image_url=text(row, "properties", "url") or text(row, "thumbnail", "src"),
        image_width=number(row, "properties", "width"),
        image_height=number(row, "properties", "height"),
        favicon=text(row, "meta_url", "favicon"),
    )
