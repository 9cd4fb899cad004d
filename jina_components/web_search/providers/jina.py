"""Jina: s.jina.ai and its successor svip.jina.ai."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jina_components.errors import HTTPStatusError
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate, with_operators
from jina_components.web_search.providers.api import GOOGLE_TIME_RANGES, KeyedProvider, given, links, number, rows, text

_NOTHING_FOUND = (422, "No search results")
_OPERATORS = {"file_types", "in_title"}


class JinaSearch(KeyedProvider):
    """Asks s.jina.ai for results without their pages; also any server that speaks its wire.

    By default 100 times a minute, as keys without a plan may. Arguments as `KeyedProvider`.
    """

    name = "jina"
    home = "https://s.jina.ai"
    can = Capabilities(
        kinds={"web": 20, "news": 20, "images": 20},
        options=frozenset({"page", "country", "language", "location", "autocorrect", *_OPERATORS}),
        rate=Rate(100, 60.0),
    )

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, or refused.
        """
        asked = given(
            q=with_operators(query, options),
            type=options.kind,
            num=options.count,
            page=options.page,
            gl=options.country,
            hl=options.language,
            location=options.location,
            nfpr=None if options.autocorrect else True,
        )
        try:
            body = await self._api.post("", asked, headers={"x-respond-with": "no-content"})
        except HTTPStatusError as error:
            status, words = _NOTHING_FOUND
            if error.status_code == status and words in error.message:
                return []
            raise
        return [_result(row) for row in rows(body, "data")]


class JinaVipSearch(KeyedProvider):
    """Asks svip.jina.ai, which finds pages and images and knows time ranges; else as `JinaSearch`."""

    name = "jina-vip"
    home = "https://svip.jina.ai"
    can = replace(
        JinaSearch.can,
        kinds={"web": 100, "images": 100},
        options=frozenset({"country", "language", "location", "time_range", *_OPERATORS}),
        time_ranges=tuple(GOOGLE_TIME_RANGES)[1:],
    )

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, or refused.
        """
        asked = given(
            q=with_operators(query, options),
            num=options.count,
            type="" if options.kind == "web" else options.kind,
            gl=options.country,
            hl=options.language,
            location=options.location,
            tbs=GOOGLE_TIME_RANGES[options.time_range],
        )
        return [_result(row) for row in rows(await self._api.post("", asked), "results")]


def _result(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "url"),
        title=text(row, "title"),
        description=text(row, "description") or text(row, "snippet"),
        published_time=text(row, "publishedTime") or text(row, "date"),
        source=text(row, "source"),
        image_url=text(row, "imageUrl"),
        image_width=number(row, "imageWidth"),
        image_height=number(row, "imageHeight"),
        favicon=text(row, "favicon"),
        site_links=links(row, "siteLinks"),
    )
