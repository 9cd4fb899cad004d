"""Tavily: a search API for language models (docs.tavily.com, "Search")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate
from jina_components.web_search.providers.api import KeyedProvider, given, rows, text

_TOPICS = {"web": "general", "news": "news"}
# Tavily knows countries by their English names.
_COUNTRIES = {
    "AE": "united arab emirates", "AR": "argentina", "AT": "austria", "AU": "australia", "BD": "bangladesh",
    "BE": "belgium", "BG": "bulgaria", "BR": "brazil", "CA": "canada", "CH": "switzerland", "CL": "chile",
    "CN": "china", "CO": "colombia", "CZ": "czech republic", "DE": "germany", "DK": "denmark", "EG": "egypt",
    "ES": "spain", "FI": "finland", "FR": "france", "GB": "united kingdom", "GR": "greece", "HU": "hungary",
    "ID": "indonesia", "IE": "ireland", "IL": "israel", "IN": "india", "IR": "iran", "IS": "iceland", "IT": "italy",
    "JP": "japan", "KE": "kenya", "KR": "south korea", "LU": "luxembourg", "MA": "morocco", "MX": "mexico",
    "MY": "malaysia", "NG": "nigeria", "NL": "netherlands", "NO": "norway", "NZ": "new zealand", "PE": "peru",
    "PH": "philippines", "PK": "pakistan", "PL": "poland", "PT": "portugal", "RO": "romania", "RS": "serbia",
    "RU": "russia", "SA": "saudi arabia", "SE": "sweden", "SG": "singapore", "SI": "slovenia", "SK": "slovakia",
    "TH": "thailand", "TR": "turkey", "TW": "taiwan", "UA": "ukraine", "US": "united states", "VN": "vietnam",
    "ZA": "south africa",
}  # fmt: skip


class TavilySearch(KeyedProvider):
    """Asks the Tavily API, which reads no operators, and prefers a country's pages where it is asked to.

    By default 100 times a minute, as keys for development may. Arguments as `KeyedProvider`.
    """

    name = "tavily"
    home = "https://api.tavily.com"
    can = Capabilities(
        kinds={"web": 20, "news": 20},
        options=frozenset({"country", "time_range"}),
        except_for={"news": frozenset({"country"})},
        countries=frozenset(_COUNTRIES),
        rate=Rate(100, 60.0),
    )

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, or refused.
        """
        asked = given(
            query=query,
            topic=_TOPICS[options.kind],
            max_results=options.count,
            time_range=options.time_range,
            include_domains=list(options.sites),
            country=_COUNTRIES.get(options.country, ""),
            include_favicon=True,
        )
        return [_result(row) for row in rows(await self._api.post("search", asked), "results")]


def _result(row: Mapping[str, Any]) -> SearchResult:
    return SearchResult(
        url=text(row, "url"),
        title=text(row, "title"),
        description=text(row, "content"),
        published_time=text(row, "published_date"),
        favicon=text(row, "favicon"),
    )
