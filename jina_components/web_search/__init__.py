"""Searching the web."""

from jina_components.core.canonical import canonical_url
from jina_components.search_options import SearchOptions
from jina_components.web_search.provider import Capabilities, Rate, SearchProvider
from jina_components.web_search.providers import (
    ArxivSearch,
    BraveSearch,
    DdgsSearch,
    JinaSearch,
    JinaVipSearch,
    LocalIndex,
    SearxngSearch,
    SerperSearch,
    TavilySearch,
)
from jina_components.web_search.web_search import WebSearch

__all__ = [
    "ArxivSearch",
    "BraveSearch",
    "Capabilities",
    "DdgsSearch",
    "JinaSearch",
    "JinaVipSearch",
    "LocalIndex",
    "Rate",
    "SearchOptions",
    "SearchProvider",
    "SearxngSearch",
    "SerperSearch",
    "TavilySearch",
    "WebSearch",
    "canonical_url",
]
