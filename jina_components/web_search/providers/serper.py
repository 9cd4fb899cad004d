"""Serper: Google's results as JSON (serper.dev)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate, with_operators
from jina_components.web_search.providers.api import GOOGLE_TIME_RANGES, KeyedProvider, given, links, number, rows, text

# Path of a kind, and where its answer has the results.
_KINDS = {"web": ("search", "organic"), "news": ("news", "news"), "images": ("images", "images")}


class SerperSearch(KeyedProvider):
    """Asks the Serper API; by default 50 times a second, as the starter plan allows. Arguments as `KeyedProvider`."""

    name = "serper"
    home = "https://google.serper.dev"
    auth_header = "x-api-key"
    can = Capabilities(
        kinds={"web": 100, "news": 100, "images": 100},
        options=frozenset(
            {"page", "country", "language", "location", "file_types", "in_title", "time_range", "autocorrect"}
        ),
        time_ranges=tuple(GOOGLE_TIME_RANGES)[1:],
        rate=Rate(50, 1.0),
    )

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, or refused.
        """
        path, place = _KINDS[options.kind]
        asked = given(
            q=with_operators(query, options),
            num=options.count,
            page=options.page,
            gl=options.country.lower(),
            hl=options.language.lower(),
            location=options.location,
            tbs=GOOGLE_TIME_RANGES[options.time_range],
            autocorrect=options.autocorrect,
        )
        return [_result(row) for row in rows(await self._api.post(path, asked), place)]


def _result(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "link"),
        title=text(row, "title"),
        description=text(row, "snippet"),
        published_time=text(row, "date"),
        source=text(row, "source"),
        image_url=text(row, "imageUrl"),
        image_width=number(row, "imageWidth"),
        image_height=number(row, "imageHeight"),
        site_links=links(row, "sitelinks"),
    )
