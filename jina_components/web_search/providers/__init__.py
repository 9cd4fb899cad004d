"""Search providers, one a file."""

from __future__ import annotations

from collections.abc import Callable

from jina_components.web_search.provider import SearchProvider
from jina_components.web_search.providers.arxiv import ArxivSearch
from jina_components.web_search.providers.brave import BraveSearch
from jina_components.web_search.providers.ddgs import DdgsSearch
from jina_components.web_search.providers.jina import JinaSearch, JinaVipSearch
from jina_components.web_search.providers.local_index import LocalIndex
from jina_components.web_search.providers.searxng import SearxngSearch
from jina_components.web_search.providers.serper import SerperSearch
from jina_components.web_search.providers.tavily import TavilySearch

WITHOUT_SETTINGS: dict[str, Callable[[], SearchProvider]] = {
    "arxiv": ArxivSearch,
    "ddgs": DdgsSearch,
    "local": LocalIndex.from_defaults,
}
"""The providers that a name is enough for."""

__all__ = [
    "WITHOUT_SETTINGS",
    "ArxivSearch",
    "BraveSearch",
    "DdgsSearch",
    "JinaSearch",
    "JinaVipSearch",
    "LocalIndex",
    "SearxngSearch",
    "SerperSearch",
    "TavilySearch",
]
